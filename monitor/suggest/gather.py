"""Gathering: what agents did, from an event log as `replay` reads it, or from their profiles."""

from collections.abc import Callable, Iterable, Iterator

from baselines.effect import EffectMap
from baselines.event import ActionEvent, EventError
from baselines.profile import Profile
from detectors.hours import Hours
from detectors.pattern import parts
from detectors.shard import Policy, Shard
from monitor.config_boundaries import zone
from monitor.mapping import Parse, plain
from monitor.suggest.usage import Usage, Use, Uses


def from_log(
    lines: Iterator[bytes],
    policy: Policy,
    timezone: str,
    group: Callable[[ActionEvent], str | None],
    parse: Parse = plain,
) -> dict[str, Usage]:
    """What is in a log, by group; detection runs along, to know what it has in quarantine.

    Parameters
    ----------
    lines
        One event each; what is no event is passed over.
    policy
        What is odd.
    timezone
        Whose clock hours mean.
    group
        Which draft an event is for; None: none.
    parse
        Makes an event of a line; None of one that is passed over.
    """
    clock = Hours((), zone(timezone), timezone)
    shard = Shard("log", 0, policy)
    found: dict[str, Usage] = {}
    members: dict[str, set[str]] = {}
    for number, line in enumerate(lines):
        try:
            event = parse(line)
        except EventError:
            continue
        key = None if event is None else group(event)
        if event is None or key is None:
            continue
        shard.feed(event, line, number)
        found.setdefault(key, Usage()).add(event, policy.effects.of(event), clock)
        members.setdefault(key, set()).add(event.agent_id)
    for key, usage in found.items():
        for agent_id in members[key]:
            _quarantine(usage, shard.profiles.peek(agent_id))
    return found


def from_profiles(
    profiles: Iterable[Profile], effects: EffectMap, group: Callable[[Profile], str]
) -> dict[str, Usage]:
    """What profiles remember, by group: known terms, and in how many runs or how often each."""
    found: dict[str, Usage] = {}
    for profile in profiles:
        usage = found.setdefault(group(profile), Usage(from_profile=True))
        usage.events += profile.events
        usage.span(profile.first_seen_s, profile.last_seen_s)
        for tool, times in profile.tools.known.items():
            for uses, term in ((usage.tools, tool), (usage.effects, effects.infer(tool, tool))):
                _remember(usage, uses, term, times)
        for targets in profile.targets.values():
            for target, times in targets.known.items():
                for part in parts(target):
                    _remember(usage, usage.targets, part, times)
        _quarantine(usage, profile)
    return found


def _quarantine(usage: Usage, profile: Profile) -> None:
    """Take over what waits in quarantine; a target that is known of another tool does not."""
    usage.held_tools |= profile.tools.held.keys()
    held, known = set[str](), set[str]()
    for targets in profile.targets.values():
        held.update(part for target in targets.held for part in parts(target))
        known.update(part for target in targets.known for part in parts(target))
    usage.held_targets |= held - known


def _remember(usage: Usage, uses: Uses, term: str, times: int) -> None:
    """Note a term by numbers that stand for runs: which runs they were is not remembered."""
    use = uses.setdefault(term, Use())
    use.uses += times
    first = len(usage.runs)
    use.runs.update(range(first, first + times))
    usage.runs.update(range(first, first + times))
