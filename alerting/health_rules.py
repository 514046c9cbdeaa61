"""What can be wrong with the monitor itself, as data: how bad it is, how long, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from detectors.finding import Severity

ConditionKind = Literal[
    "store",
    "worker",
    "thread",
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
    "thread": Rule(
        Severity.CRITICAL,
        10,
        10,
        "what this thread did is not done any more: its end stands in the daemon's log; restart "
        "the daemon, it goes on from its last checkpoint",
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
