"""Health: what can be wrong with the monitor itself, when that begins and ends, and what to do.

Rules
-----
1. A trouble becomes a condition once it lasts for its rule's `begins_after_s`, and the condition
   ends once there was no such trouble for `ends_after_s`: what flaps is one condition.
2. A condition that holds explains those that follow from it: they are kept, and nobody is told,
   unless they outlast it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from detectors.finding import Severity

ConditionKind = Literal[
    "store",
    "worker",
    "stalled",
    "lag",
    "quiet",
    "unread",
    "dead_letters",
    "impostor",
    "checkpoint",
    "clock_skew",
    "detector",
    "placement",
    "point",
    "receiver",
    "undelivered",
    "slack",
    "audit_heads",
    "serve",
    "heartbeat",
]
MAX_CONDITIONS: Final = 200
"""So many hold at once at most; subjects are sources, receivers and points, so there are few."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a kind of trouble is treated.

    Parameters
    ----------
    advice
        What to do, for whoever is told.
    shared
        Whether every process on a store sees it alike: then it is one condition, told once.
    explains
        What follows from it.
    """

    severity: Severity
    begins_after_s: float
    ends_after_s: float
    advice: str
    shared: bool = False
    explains: frozenset[ConditionKind] = frozenset()


RULES: Final[Mapping[ConditionKind, Rule]] = {
    "store": Rule(
        Severity.CRITICAL,
        10,
        10,
        "check that the database runs and has room; nothing is lost, reading waits for it",
        explains=frozenset({"worker", "stalled", "lag", "quiet", "checkpoint"}),
    ),
    "worker": Rule(
        Severity.CRITICAL,
        0,
        10,
        "the loop hangs: take a stack trace (py-spy dump), then restart the daemon; it goes on "
        "from its last checkpoint",
        explains=frozenset({"stalled", "lag", "quiet", "checkpoint"}),
    ),
    "stalled": Rule(
        Severity.CRITICAL,
        0,
        10,
        "nobody is watched meanwhile: check that Kafka runs and can be reached from here, and the "
        "daemon's log",
        explains=frozenset({"lag", "quiet", "audit_heads"}),
    ),
    "lag": Rule(
        Severity.HIGH,
        30,
        60,
        "wait if it is catching up; else run more processes (up to one a partition), or look for "
        "one that hangs",
    ),
    "quiet": Rule(
        Severity.MEDIUM,
        0,
        10,
        "check that the agents' events still reach the source; if a rest is usual, raise "
        "health.quiet_after_s",
    ),
    "unread": Rule(
        Severity.HIGH,
        0,
        3600,
        "nobody was told what these records tell, and nobody will be: raise retention.ms of the "
        "topic above the longest time that the daemon may be behind, and see why it was",
    ),
    "dead_letters": Rule(
        Severity.MEDIUM,
        0,
        3600,
        "read the reasons in the dead letter (kafka.dead_letter_topic, *.rejected.jsonl) and mend "
        "the producer; what was refused is not watched",
    ),
    "impostor": Rule(
        Severity.HIGH,
        0,
        3600,
        "somebody writes in another's name, or a producer signs wrongly: the dead letter has each "
        "record with its reason; find who wrote it, and take away its right to the topic",
    ),
    "checkpoint": Rule(
        Severity.HIGH,
        0,
        60,
        "a claim by another process: make sure that no two daemons share a group by mistake; a "
        "failure: see the daemon's log, and the disk",
    ),
    "clock_skew": Rule(
        Severity.MEDIUM,
        120,
        900,
        "set the producers' clocks by NTP; until then times to containment and silence are off",
    ),
    "detector": Rule(
        Severity.HIGH,
        0,
        600,
        "the other detectors go on, and what this one still finds is kept and not told: report the "
        "place in the code with the event that it names; it is over ten minutes after the last "
        "error",
    ),
    "placement": Rule(
        Severity.MEDIUM,
        0,
        900,
        "key the producer's records by agent_id, and place them by Kafka's default partitioner "
        "(librdkafka: partitioner=murmur2_random)",
    ),
    "point": Rule(
        Severity.HIGH,
        0,
        10,
        "orders do not take effect there: `tripswitch trips` says why; mend it, or give it up by "
        "`tripswitch trips give-up TRIP POINT --reason …`",
        shared=True,
    ),
    "receiver": Rule(
        Severity.HIGH,
        0,
        10,
        "messages wait and are tried again: `tripswitch outbox` lists them with reasons",
        shared=True,
    ),
    "undelivered": Rule(
        Severity.HIGH,
        0,
        0,
        "these messages never arrived: `tripswitch outbox --dead` lists them; mend what refused "
        "them, then `tripswitch outbox retry --receiver NAME --reason …`",
        shared=True,
    ),
    "slack": Rule(
        Severity.HIGH,
        30,
        10,
        "buttons and /tripswitch do nothing meanwhile: use `tripswitch ack`, `kill`, `approve`; "
        "check the app token, its scope connections:write, and the way to Slack",
    ),
    "audit_heads": Rule(
        Severity.MEDIUM,
        120,
        10,
        "until it works a chain that is made anew is not found out: check kafka.audit_topic and "
        "the right to write to it",
    ),
    "serve": Rule(
        Severity.HIGH,
        0,
        120,
        "gateways get no answer: see what serve logs, `tripswitch serve` alone shows it at once",
    ),
    "heartbeat": Rule(
        Severity.LOW,
        180,
        10,
        "the dead-man's switch outside is about to say that the monitor is dead: check "
        "heartbeat.url and the way there",
    ),
}


class Key(NamedTuple):
    """What makes a condition one: its kind, and which source, receiver, point or process."""

    kind: ConditionKind
    subject: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong at this moment."""

    kind: ConditionKind
    subject: str
    text: str

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.kind, self.subject)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that has been wrong for long enough to be told.

    Attributes
    ----------
    since_s
        Since when, in seconds since the epoch.
    explained_by
        The kind of the condition that it follows from; then nobody is told of it.
    """

    kind: ConditionKind
    subject: str
    text: str
    since_s: float
    explained_by: ConditionKind | None = None

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.kind, self.subject)

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return RULES[self.kind].severity


@dataclass(slots=True)
class Vigil:
    """Turns troubles that come and go into conditions that begin and end.

    Attributes
    ----------
    held
        The conditions that hold, by what they are about.
    """

    held: dict[Key, Condition] = field(default_factory=dict)
    _bad_since: dict[Key, float] = field(default_factory=dict)
    _bad_last: dict[Key, float] = field(default_factory=dict)

    def resume(self, condition: Condition, now_s: float) -> None:
        """Take over a condition that held before a restart; it ends like any other."""
        self.held[condition.key] = condition
        self._bad_last[condition.key] = now_s

    def judge(self, troubles: Collection[Trouble], now_s: float) -> None:
        """Take in all troubles that there are at this moment."""
        now = {trouble.key: trouble for trouble in troubles}
        for key in self._bad_since.keys() - now.keys():
            del self._bad_since[key]
        for key, trouble in now.items():
            self._bad_last[key] = now_s
            since_s = self._bad_since.setdefault(key, now_s)
            known = self.held.get(key)
            if known is not None:
                self.held[key] = replace(known, text=trouble.text)
            elif (
                now_s - since_s >= RULES[key.kind].begins_after_s
                and len(self.held) < MAX_CONDITIONS
            ):
                self.held[key] = Condition(trouble.kind, trouble.subject, trouble.text, since_s)
        for key in self.held.keys() - now.keys():
            if now_s - self._bad_last[key] >= RULES[key.kind].ends_after_s:
                del self.held[key]
        for key in self._bad_last.keys() - now.keys() - self.held.keys():
            del self._bad_last[key]
        for key, condition in self.held.items():
            self.held[key] = replace(condition, explained_by=self._cause(key.kind))

    def _cause(self, kind: ConditionKind) -> ConditionKind | None:
        """The worst condition that explains this one."""
        for cause, rule in RULES.items():
            if kind in rule.explains and any(key.kind == cause for key in self.held):
                return cause
        return None


def is_ready(conditions: Collection[Condition]) -> bool:
    """Whether agents are watched and people are told: nothing critical holds."""
    return all(condition.severity < Severity.CRITICAL for condition in conditions)
