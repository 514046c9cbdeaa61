"""An observation: one event beside the past of its agent, before anything is learned from it."""

from typing import TYPE_CHECKING, Final

from baselines.cohort import Cohort
from baselines.effect import EffectMap
from baselines.event import ActionEvent
from baselines.repeats import Repeats
from baselines.rhythm import Span
from baselines.runs import Call, step_of

if TYPE_CHECKING:
    from baselines.profile import Profile

_HOUR_S: Final = 3600


class Observation:
    """What detectors look at.

    Attributes
    ----------
    time_s
        Event time in seconds since the epoch.
    effect
        What the action does: read, write, destructive, external or unknown.
    cohort
        What agents of its role have in common; None without a role.
    run
        `trace_id`, or the agent's hour where there is none.
    open_run
        What the run has done so far.
    step
        What of the event its run is judged by.
    streak, turns
        How many identical calls in a row this one makes within the run, and how many where a few
        calls take turns.
    over_limit
        Whether a total of an open window is over its limit.
    scores
        By family: how odd the detectors found the event, in nats; noted when they judge it.
    role
        The agent's: as the event says, else as an earlier one did. Not to name it is no way out.
    excused
        Outages of the whole shard since the agent's last event: not its silence.
    """

    __slots__ = (
        "call",
        "cohort",
        "effect",
        "event",
        "excused",
        "open_run",
        "over_limit",
        "profile",
        "role",
        "run",
        "scores",
        "step",
        "streak",
        "time_s",
        "tool",
        "turns",
    )

    def __init__(
        self,
        event: ActionEvent,
        profile: "Profile",
        effects: EffectMap,
        cohort: Cohort | None,
        over_limit: bool,
    ) -> None:
        self.event = event
        self.time_s = time_s = event.time_s
        self.profile = profile
        self.cohort = cohort
        self.role = event.role or profile.role
        self.over_limit = over_limit
        self.scores: dict[str, float] = {}
        self.excused: tuple[Span, ...] = ()
        self.effect = effect = effects.of(event)
        self.run = name = event.trace_id or f"hour:{int(time_s // _HOUR_S) * _HOUR_S}"
        self.open_run = run = profile.work.run(name, time_s, cohort)
        # An event without a tool is an action by itself, such as `login`.
        self.tool = tool = event.tool or event.action
        self.step = step = step_of(
            tool,
            event.target,
            event.target_origin,
            event.target_source,
            event.parent_agent_id,
            event.user_id,
            effect,
        )
        self.call: Call = (step.tool, step.target, event.bytes_out, event.bytes_in)
        self.streak, self.turns = Repeats.count(run, self.call)
