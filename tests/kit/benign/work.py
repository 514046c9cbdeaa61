"""Work: the tasks of an agent, each a short sequence of tool calls."""

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from baselines.event import DataClass, Origin
from tests.kit.benign.targets import Shape, Targets


class Call(NamedTuple):
    """One tool call of a run."""

    tool: str
    target: str | None
    origin: Origin | None
    source: str | None
    data_class: DataClass | None


@dataclass(frozen=True, slots=True)
class Step:
    """What a task does at one point.

    Parameters
    ----------
    tool
        Which tool.
    targets
        What it is used on; None: nothing.
    origin
        Where the target's text mostly comes from.
    source
        With origin `tool`: the tool whose result holds it.
    data_class
        Of what is touched.
    """

    tool: str
    targets: Targets | None = None
    origin: Origin = "user"
    source: str | None = None
    data_class: DataClass | None = None

    def call(self, rng: Random) -> Call:
        """One call; one in twelve targets comes from elsewhere than usual."""
        if self.targets is None:
            return Call(self.tool, None, None, None, self.data_class)
        origin, source = self.origin, self.source
        if rng.random() < 1 / 12:
            origin, source = ("user", None) if origin != "user" else ("model", None)
        return Call(self.tool, self.targets.pick(rng), origin, source, self.data_class)


Task = tuple[Step, ...]

AREAS: Final = ("mail", "files", "orders", "web", "tickets", "database", "payments")


def task(area: str, owner: str, openness: float) -> Task:
    """The usual task of one area, with targets of its own.

    Parameters
    ----------
    area
        One of `AREAS`, or any noun: a task on that noun.
    owner
        Whose targets they are.
    openness
        As in `Targets`, of the pools that can grow.
    """

    def some(shape: Shape, factor: float = 1.0) -> Targets:
        return Targets(shape, openness * factor, owner)

    match area:
        case "mail":
            mailboxes = some("mailbox")
            return (
                Step("list_inbox"),
                Step("search_mail", some("query", 1.5), "model"),
                Step("read_mail", some("order"), "tool", "list_inbox", "internal"),
                Step("send_email", mailboxes, "tool", "read_mail", "internal"),
            )
        case "files":
            paths = some("path")
            return (
                Step("list_folder", some("path", 0.5)),
                Step("read_file", paths, "tool", "list_folder", "internal"),
                Step("read_file", paths, "user", None, "internal"),
                Step("write_file", paths, "user", None, "internal"),
            )
        case "orders":
            orders = some("order")
            return (
                Step("search_orders", some("query"), "model"),
                Step("get_order", orders, "tool", "search_orders", "confidential"),
                Step("update_order", orders, "tool", "search_orders", "confidential"),
                Step("send_email", some("mailbox", 1.3), "tool", "get_order", "internal"),
            )
        case "web":
            hosts = some("host")
            return (
                Step("search_web", some("query", 2.0), "model"),
                Step("fetch_page", hosts, "tool", "search_web", "public"),
                Step("fetch_page", hosts, "tool", "search_web", "public"),
                Step("write_file", some("path"), "model", None, "internal"),
            )
        case "tickets":
            return (
                Step("list_tickets"),
                Step("get_ticket", some("order"), "tool", "list_tickets", "internal"),
                Step("update_ticket", some("order"), "tool", "get_ticket", "internal"),
            )
        case "database":
            tables = some("table", 0.5)
            return (
                Step("list_tables"),
                Step("query_table", tables, "tool", "list_tables", "confidential"),
                Step("query_table", tables, "model", None, "confidential"),
                Step("export_table", tables, "user", None, "confidential"),
            )
        case "payments":
            return (
                Step("get_invoice", some("order"), "user", None, "confidential"),
                Step("check_account", some("account"), "tool", "get_invoice", "confidential"),
                Step("pay_invoice", some("account"), "tool", "get_invoice", "confidential"),
            )
        case noun:
            things = Targets("path", openness, f"{owner}/{noun}")
            return (
                Step(f"list_{noun}s"),
                Step(f"get_{noun}", things, "tool", f"list_{noun}s", "internal"),
                Step(f"update_{noun}", things, "user", None, "internal"),
            )


_SKIPPED: Final = 0.1
_REPEATED: Final = 0.15
_STRAY: Final = 0.02


def run(tasks: list[Task], rng: Random) -> list[Call]:
    """The calls of one run: one task, with steps left out, done again, or strayed from.

    Earlier tasks are a little commoner than later ones.
    """
    chosen = tasks[int(len(tasks) * rng.random() ** 1.3)]
    calls: list[Call] = []
    for step in chosen:
        if calls and rng.random() < _SKIPPED:
            continue
        calls.append(step.call(rng))
        while rng.random() < _REPEATED:
            calls.append(step.call(rng))
        if rng.random() < _STRAY:
            other = tasks[int(len(tasks) * rng.random())]
            calls.append(other[int(len(other) * rng.random())].call(rng))
    return calls
