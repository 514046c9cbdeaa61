"""Teaching: what an alert that a person says was expected makes known to its agent's profile."""

import json
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from baselines.profile import Profile
from baselines.rhythm import HOUR_S
from baselines.runs import Step, step_of
from baselines.ways_out import way_out
from baselines.window import METRICS, WINDOWS_S
from detectors.finding import Anomaly

KIND: Final = "expect"
"""The directive's kind."""
MAX_LESSONS: Final = 64
"""So many different steps, levels, hours and the like are taught at once, of each."""

Scope = Literal["terms", "level"]
"""What is used, or how much, how long and when."""

_TERMS: Final = frozenset(("run", "grant", "grants", "combination", "widened", "broader"))


class Lessons(NamedTuple):
    """What is usual from now on.

    Attributes
    ----------
    steps
        Tools and targets, with where the target's text came from, who delegated, for whom.
    levels
        Index of the window, index of the metric, and how much of it.
    streaks
        How often in a row one identical call was made.
    hours
        When it acted, in seconds since the epoch: it may at that hour of any day.
    rests
        From when to when it was silent; for longer, if it still is.
    grants
        Scopes, with for how long each was held, in seconds.
    ways_out
        By which untrusted content and confidential data left in one run.
    drifted
        What it does by now is approved: the way to drift, in words.
    """

    steps: tuple[Step, ...] = ()
    levels: tuple[tuple[int, int, float], ...] = ()
    streaks: tuple[int, ...] = ()
    hours: tuple[float, ...] = ()
    rests: tuple[tuple[float, float], ...] = ()
    grants: tuple[tuple[str, float], ...] = ()
    ways_out: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """For people; hostile text."""
        said = [" on ".join(part for part in (s.tool, s.target) if part) for s in self.steps]
        said += [
            f"{quantity:,.0f} {METRICS[metric].replace('_', ' ')} in {WINDOWS_S[window]} s"
            for window, metric, quantity in self.levels
        ]
        said += [f"{streak} identical calls in a row" for streak in self.streaks]
        said += [f"to act at {_hour(at_s)} UTC of any day" for at_s in self.hours]
        said += [
            f"to be silent for {(end_s - start_s) / 60:,.0f} minutes from {_hour(start_s)} UTC on"
            for start_s, end_s in self.rests
        ]
        said += [f"to hold {scope} for {s / HOUR_S:,.0f} hours" for scope, s in self.grants]
        said += [
            f"to send outside with {_tool(way)} what was confidential or strangers' in one run"
            for way in self.ways_out
        ]
        return said + [f"all that it does by now, which is approved: {way}" for way in self.drifted]


def of(anomalies: Sequence[Anomaly], scope: Scope | None) -> Lessons:
    """What anomalies teach once a person says that they were expected.

    Parameters
    ----------
    scope
        Only `terms` or only the `level`; None: whatever the anomalies are about.
    """
    steps: dict[Step, None] = {}
    levels: dict[tuple[int, int], float] = {}
    streaks: dict[int, None] = {}
    hours: dict[float, None] = {}
    rests: dict[float, float] = {}
    grants: dict[str, float] = {}
    ways_out: dict[str, None] = {}
    drifted: dict[str, None] = {}
    for one in anomalies:
        if scope is not None and scope_of(one) != scope:
            continue
        at_s = one.time.timestamp()
        match one.held or one.detector:
            case "run":
                steps[_step(one)] = None
            case "window":
                metric, _, length = one.subject.partition("/")
                if metric in METRICS and length in _LENGTHS:
                    key = _LENGTHS.index(length), METRICS.index(metric)
                    levels[key] = max(levels.get(key, 0.0), one.observed)
            case "streak":
                streaks[int(one.observed)] = None
            case "hour":
                hours[at_s // HOUR_S * HOUR_S] = None
            case "silence":
                rests[at_s] = at_s + one.observed * 60
            case "grant":
                held = one.subject.partition("\n")[2]
                grants[held] = max(grants.get(held, 0.0), one.observed * HOUR_S)
            case "drift":
                drifted[one.subject] = None
            case "combination":
                ways_out[way_out(one.tool or one.action, one.subject.startswith("tried"))] = None
    return Lessons(
        tuple(steps)[:MAX_LESSONS],
        tuple((*key, quantity) for key, quantity in levels.items())[:MAX_LESSONS],
        tuple(streaks)[:MAX_LESSONS],
        tuple(hours)[:MAX_LESSONS],
        tuple(rests.items())[:MAX_LESSONS],
        tuple(grants.items())[:MAX_LESSONS],
        tuple(ways_out)[:MAX_LESSONS],
        tuple(drifted),
    )


def scope_of(anomaly: Anomaly) -> Scope:
    """Whether an anomaly is about what is used, or about how much, how long and when."""
    about = {anomaly.held or anomaly.detector}
    if "drift" in about:
        about = {anomaly.subject}
    return "terms" if about & _TERMS else "level"


_LENGTHS: Final = tuple(f"{length_s}s" for length_s in WINDOWS_S)


def _step(anomaly: Anomaly) -> Step:
    return step_of(
        tool=anomaly.tool or anomaly.action,
        target=anomaly.target,
        origin=anomaly.target_origin,
        source=anomaly.target_source,
        parent=anomaly.parent_agent_id,
        user=anomaly.user_id,
        effect=anomaly.effect,
    )


def _tool(way: str) -> str:
    return way.partition("\n")[2]


def _hour(at_s: float) -> str:
    return f"{int(at_s // HOUR_S) % 24:02}:00"


def write(lessons: Lessons) -> str:
    """As JSON; `read` undoes it."""
    return json.dumps(lessons)


def read(doc: str | None) -> Lessons:
    """Undo `write`."""
    parts = dict(zip(Lessons._fields, json.loads(doc or "[]"), strict=False))
    return Lessons(
        tuple(Step(*step) for step in parts.get("steps", ())),
        tuple((int(w), int(metric), float(many)) for w, metric, many in parts.get("levels", ())),
        tuple(int(streak) for streak in parts.get("streaks", ())),
        tuple(float(at_s) for at_s in parts.get("hours", ())),
        tuple((float(start), float(end)) for start, end in parts.get("rests", ())),
        tuple((str(scope), float(held_s)) for scope, held_s in parts.get("grants", ())),
        tuple(map(str, parts.get("ways_out", ()))),
        tuple(map(str, parts.get("drifted", ()))),
    )


def apply(profile: Profile, lessons: Lessons, *, by: str, at_s: float) -> None:
    """Make it known to a profile, as said by somebody at a time in seconds since the epoch."""
    for step in lessons.steps:
        profile.work.adopt(step)
    for window, metric, quantity in lessons.levels:
        profile.windows[window].adopt(metric, quantity)
    for streak in lessons.streaks:
        profile.work.repeats.adopt(streak)
    rhythm, conduct = profile.rhythm, profile.conduct
    for hour_s in lessons.hours:
        rhythm.act(hour_s)
    for start_s, end_s in lessons.rests:
        rhythm.rest(start_s, end_s)
        still = rhythm.missed and profile.last_seen_s <= start_s + 1
        rhythm.expected = rhythm.expected or still
    for scope, held_s in lessons.grants:
        conduct.privileges.adopt(scope, held_s)
    for way in lessons.ways_out:
        conduct.ways_out.adopt(way, at_s, profile.rules.promote_runs)
    if lessons.drifted:
        conduct.approve(by, at_s)


def document(lessons: Lessons) -> dict[str, Any]:
    """As JSON for people and programs."""
    return {
        "terms": [{"tool": step.tool, "target": step.target} for step in lessons.steps],
        "levels": [
            {"metric": METRICS[metric], "window_s": WINDOWS_S[window], "quantity": quantity}
            for window, metric, quantity in lessons.levels
        ],
        "streaks": list(lessons.streaks),
        "hours": [_hour(at_s) for at_s in lessons.hours],
        "rests": [{"from": _hour(a), "minutes": round((b - a) / 60)} for a, b in lessons.rests],
        "grants": [{"scope": scope, "held_s": held_s} for scope, held_s in lessons.grants],
        "ways_out": [_tool(way) for way in lessons.ways_out],
        "approved": list(lessons.drifted),
    }
