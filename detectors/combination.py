"""Toxic combination: one run reads untrusted content, meets confidential data, sends outside.

Each half is ordinary. Together they are what an injected instruction needs to carry data out.
"""

from collections.abc import Sequence

from baselines.conduct import BOTH, Contact, is_first
from baselines.exposure import CONFIDENTIAL, CONFIDENTIAL_CLASSES, UNTRUSTED
from baselines.profile import Observation
from baselines.ways_out import way_out
from detectors.explain import name
from detectors.finding import Finding, Severity


class Combination:
    """Alarms on the external send that completes the combination, once a run.

    An agent whose work this is becomes dull: see `baselines.ways_out.WaysOut.is_odd`.
    """

    name = "combination"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The finding of one event, if any."""
        if seen.effect != "external":
            return ()
        contact = seen.profile.conduct.contact(seen.run)
        if contact is None or not contact.bits & UNTRUSTED:
            return ()
        event, effect, rules = seen.event, seen.effect, seen.profile.rules
        bits = contact.bits | rules.exposure.of(event, effect)
        if event.data_class in CONFIDENTIAL_CLASSES:
            bits |= CONFIDENTIAL
        refused = event.status == "denied"
        if bits & BOTH != BOTH or not is_first(contact, refused):
            return ()
        habits, way = seen.profile.conduct.ways_out, way_out(seen.tool, refused)
        if not habits.is_odd(way, rules.promote_runs):
            return ()
        return (self._finding(seen, contact, refused, habits.runs(way)),)

    def _finding(self, seen: Observation, contact: Contact, refused: bool, runs: int) -> Finding:
        event = seen.event
        where = f" to {name(event.target)}" if event.target else ""
        confidential = contact.confidential or f"what it sends, which is {event.data_class}"
        severity = Severity.HIGH
        if refused:
            severity = Severity.MEDIUM
        elif event.data_class == "restricted" or _strangers_choice(seen):
            severity = Severity.CRITICAL
        origin = (
            (f"where it went came from a result of {name(event.target_source)}, not from its user",)
            if event.target_origin == "tool"
            else ()
        )
        return Finding(
            detector=self.name,
            subject=f"{way_out(seen.tool, refused)}\n{event.target or ''}",
            episode=seen.run,
            observed=float(runs + 1),
            expected=0.0,
            unit="runs that carried both outside this way",
            threshold=float(seen.profile.rules.promote_runs),
            p_value=None,
            calibration="declared",
            severity=severity,
            text=(
                f"{'tried to send' if refused else 'sent'} something outside with "
                f"{name(seen.tool)}{where}, after the same run had read what strangers may have "
                "written and confidential data"
            ),
            repeat=runs > 0 and severity is not Severity.CRITICAL,
            evidence=(
                f"untrusted: {name(contact.untrusted)}",
                f"confidential: {name(confidential)}",
                *origin,
            ),
        )


def _strangers_choice(seen: Observation) -> bool:
    """Whether it goes where a stranger's text may have said, and the agent never went before."""
    return seen.event.target_origin == "tool" and not seen.profile.work.habits.knows(seen.step)
