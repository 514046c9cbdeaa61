"""A fault: a detector that raised an error instead of judging an event; the others went on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """How often a detector failed in a shard, and where it did last.

    Parameters
    ----------
    count
        How many events it could not judge.
    what
        The error's type and its place in the code, never its text: that may quote an event.
    offset
        Of the last event that it could not judge.
    """

    count: int
    what: str
    offset: int


def following(before: Fault | None, error: Exception, offset: int) -> Fault:
    """The fault after one more error."""
    return Fault((before.count if before else 0) + 1, _place(error), offset)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    *_, folder, file = ("", *trace.tb_frame.f_code.co_filename.replace("\\", "/").split("/"))
    return f"{type(error).__name__} in {folder}/{file}:{trace.tb_lineno}"
