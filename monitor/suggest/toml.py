"""A draft as TOML for a person to review; names are hostile text and are escaped."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from monitor.suggest.draft import Draft, LeftOut
from monitor.suggest.generalise import Line

MAX_LEFT_OUT: Final = 100
"""So many are listed in the comments; `--json` has all of them."""
_MAX_COMMENT_CHARS: Final = 120


def render(draft: Draft, source: str) -> str:
    """The text of one `[[boundaries]]`.

    Parameters
    ----------
    draft
        What to say.
    source
        Where it comes from, for the reader.
    """
    return "\n".join([*_head(draft, source), *_body(draft), *_tail(draft)]) + "\n"


def _head(draft: Draft, source: str) -> Iterator[str]:
    usage = draft.usage
    yield f"# A draft from {_comment(source)}: {usage.events:,} events, " + (
        "as profiles remember them" if usage.from_profile else f"{len(usage.runs):,} runs"
    )
    yield f"# between {_iso(usage.first_s)} and {_iso(usage.last_s)}."
    yield "# It says what was done, not what should be: review it, then set mode to alert."
    for note in draft.notes:
        yield f"# {note}"


def _body(draft: Draft) -> Iterator[str]:
    yield "[[boundaries]]"
    for key, texts in (("agents", draft.agents), ("roles", draft.roles)):
        if texts:
            yield f"{key} = {_array(texts)}"
    yield 'mode = "shadow"'
    for key, lines in (
        ("tools", draft.tools), ("targets", draft.targets), ("data_classes", draft.data_classes),
    ):  # fmt: skip
        if lines is not None:
            yield f"{key} = ["
            yield from (_row(line, draft.usage.from_profile) for line in lines)
            yield "]"
    if draft.never:
        yield f"never = {_array(draft.never)}"
    if draft.hours is not None:
        yield f"hours = {_array(draft.hours)}"
        yield f"timezone = {quote(draft.timezone)}"


def _tail(draft: Draft) -> Iterator[str]:
    if draft.left_out:
        yield "# Left out, so that it would be a breach:"
    yield from map(_left_out, draft.left_out[:MAX_LEFT_OUT])
    if len(draft.left_out) > MAX_LEFT_OUT:
        yield f"#   and {len(draft.left_out) - MAX_LEFT_OUT} more; --json lists them all"


def _row(line: Line, from_profile: bool) -> str:
    targets = f", {line.terms:,} targets" if line.terms > 1 else ""
    runs = "" if from_profile else f" in {line.runs:,} runs"
    return f"    {quote(line.pattern)},  # used {line.uses:,} times{runs}{targets}"


def _left_out(each: LeftOut) -> str:
    return f"#   {each.kind} {_comment(each.term)}: {each.why}, used {each.uses:,} times"


def _array(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(quote, texts)) + "]"


def quote(text: str) -> str:
    """A TOML basic string, in ASCII: no name can end it, or colour the terminal that shows it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if " " <= char <= "~" else f"\\U{ord(char):08x}"


def _comment(text: str) -> str:
    cut = text if len(text) <= _MAX_COMMENT_CHARS else text[:_MAX_COMMENT_CHARS] + "…"
    return quote(cut)


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="minutes")
