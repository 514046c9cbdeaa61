"""The words of a surprise: what was odd about a step, and what is usual for the agent."""

from collections.abc import Mapping
from typing import Final

from baselines.habits import Rarity
from baselines.observation import Observation
from baselines.target import chain
from baselines.vocabulary import Vocabulary
from detectors.explain import name

_MOST_USUAL: Final = 3
_GRAINS: Final = ("kind of target", "group of targets", "target")


def sentence(detector: str, seen: Observation) -> str:
    """One sentence that a person understands at 3 a.m."""
    step, habits = seen.step, seen.profile.work.habits
    on = f" on {name(step.target)}" if step.target else ""
    runs = seen.profile.tails["run"].episodes
    match detector:
        case "delegation":
            what = f"was sent to work by {name(step.parent)}"
            why = f"which {_seldom(habits.parents, step.parent)} in {runs} runs"
        case "new_user":
            what = f"acted on behalf of {name(step.user)}"
            why = f"which {_seldom(habits.users, step.user)} in {runs} runs"
        case "new_tool":
            what, why = f"used {name(step.tool)}{on}", f"a tool it never used in {runs} runs"
        case "flow":
            what = f"used {name(step.tool)}{on}"
            why = f"{_origin(seen)}: not where its targets come from"
        case "sequence":
            what = f"used {name(step.tool)}{on}"
            why = "a tool that is out of place in a run like this one"
        case _:
            places = habits.targets.get(step.tool)
            what = f"used {name(step.tool)}{on}"
            why = f"which {_seldom(places.texts if places else None, step.target)} in {runs} runs"
            why += f"; {_origin(seen)}"
    return f"{what}, {why}"


def evidence(seen: Observation, rarity: Rarity, parts: Mapping[str, float]) -> tuple[str, ...]:
    """What speaks for the finding, strongest first, each with what is usual."""
    step, habits = seen.step, seen.profile.work.habits
    said = {}
    if step.target is not None:
        places = habits.targets.get(step.tool)
        links = chain(step.target)
        if places is None:
            said["new_target"] = f"no target of {name(step.tool)} is known yet"
        elif rarity.grain is None:
            runs = places.texts.known[step.target]
            said["new_target"] = f"{name(step.target)} was used in {runs} earlier runs"
        else:
            usual = _usual(places.grains[rarity.grain])
            said["new_target"] = f"new {_GRAINS[rarity.grain]} {name(links[rarity.grain])}; {usual}"
        flows = habits.flows.get(step.tool)
        said["flow"] = f"{_origin(seen)}; {_usual(flows, _source)}"
    if rarity.context < 1:
        said["sequence"] = (
            f"of runs that used {', '.join(map(name, seen.open_run.tools[-_MOST_USUAL:]))} "
            f"about {_percent(rarity.context)} also use {name(step.tool)}"
        )
    if rarity.parent < 1:
        said["delegation"] = f"delegated by {name(step.parent)}; {_usual(habits.parents)}"
    if rarity.user < 1:
        said["new_user"] = f"on behalf of {name(step.user)}; {_usual(habits.users)}"
    strongest = sorted(said, key=lambda part: -parts.get(part, 0.0))
    lines = [said[part] for part in strongest if parts.get(part, 0.0) > 0]
    if seen.profile.work.changing:
        lines.append(f"the agent's version changed to {name(seen.event.agent_version)} lately")
    return tuple(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _origin(seen: Observation) -> str:
    step = seen.step
    match step.origin:
        case "tool":
            return f"a result of {name(step.source)} brought it in"
        case "model":
            return "the model came up with it"
        case "user":
            return "the user named it"
    return "where it came from is not reported"


def _seldom(terms: Vocabulary | None, term: str | None) -> str:
    runs = terms.known.get(term or "", 0) if terms else 0
    return f"it did {runs} times" if runs else "it never did"


def _source(term: str) -> str:
    origin, _, source = term.partition(":")
    return source or origin or "not reported"


def _usual(terms: Vocabulary | None, words: object = None) -> str:
    """The most frequent terms with their shares."""
    if terms is None or not terms.uses:
        return "nothing is usual yet"
    most = sorted(terms.known.items(), key=lambda item: (-item[1], item[0]))[:_MOST_USUAL]
    total = max(1, sum(terms.known.values()))
    say = words if callable(words) else str
    shares = ", ".join(f"{name(str(say(term)))} {100 * n / total:.0f} %" for term, n in most)
    return f"usual: {shares}"
