from datetime import timedelta
from typing import Any, get_args

import pytest

from alerting.incident import Incident
from alerting.message import MessageKind
from alerting.routes import GROUPS, KindGroup, Owner, Route, Routing, Subject
from detectors.finding import Severity
from tests.kit.messages import AT, alert, anomaly, message

ALL = ("terminal", "slack", "pager")


def subject(**changes: Any) -> Subject:
    values: dict[str, Any] = {
        "group": "alerts",
        "severity": Severity.HIGH,
        "agents": ("payroll-7",),
        "roles": ("payroll",),
        "detectors": ("new_target", "rate"),
        "data_classes": ("restricted",),
    }
    return Subject(**{**values, **changes})


def incident(**changes: Any) -> Incident:
    values: dict[str, Any] = {
        "incident_id": "i1",
        "severity": Severity.HIGH,
        "opened_at": AT,
        "last_anomaly_at": AT + timedelta(seconds=1),
        "agents": ("payroll-7", "crawler-1"),
        "detectors": ("loop",),
    }
    return Incident(**{**values, **changes})


def test_every_kind_is_in_a_group() -> None:
    assert set(GROUPS) == set(get_args(MessageKind))
    assert set(GROUPS.values()) == set(get_args(KindGroup))


def test_without_routes_everybody_gets_everything() -> None:
    routing = Routing(ALL)
    assert routing.receivers(message()) == ALL
    assert (list(routing), len(routing), routing[1], "pager" in routing) == (
        list(ALL), 3, "slack", True,
    )  # fmt: skip
    assert not Routing(())


@pytest.mark.parametrize(
    ("conditions", "changes"),
    [
        ({"severity": Severity.CRITICAL}, {"severity": Severity.CRITICAL}),
        ({"roles": ("sales", "pay*")}, {"roles": ("payroll-eu",)}),
        ({"detectors": ("rate",)}, {}),
        ({"owners": ("team-pay*",)}, {"owner": "team-payments"}),
        ({"data_classes": ("restricted",)}, {}),
        ({"agents": ("payroll-?",)}, {"agents": ("crawler-1", "payroll-7")}),
        ({"kinds": ("trips",)}, {"group": "trips"}),
    ],
)
def test_each_condition_narrows(conditions: dict[str, Any], changes: dict[str, Any]) -> None:
    route = Route(name="r", receivers=("pager",), **conditions)
    elsewhere = subject(
        severity=Severity.LOW, agents=("x",), roles=("x",), detectors=("x",), data_classes=("x",),
        group="digest", owner="x",
    )  # fmt: skip
    nothing = Subject(group="health", severity=Severity.LOW)
    assert route.matches(subject(**changes))
    assert not route.matches(elsewhere)
    assert not route.matches(nothing)


def test_all_conditions_must_hold() -> None:
    route = Route(name="r", receivers=("pager",), roles=("payroll",), detectors=("loop",))
    assert not route.matches(subject())


def test_the_first_route_takes_it_unless_it_goes_on() -> None:
    def routing(*, go_on: bool) -> Routing:
        first = Route(name="a", receivers=("slack",), go_on=go_on)
        return Routing(ALL, (first, Route(name="b", receivers=("pager", "slack"))))

    choice = routing(go_on=False).choose(subject())
    assert (choice.receivers, choice.routes) == (("slack",), ("a",))
    choice = routing(go_on=True).choose(subject())
    assert (choice.receivers, choice.routes) == (("slack", "pager"), ("a", "b"))


def test_what_no_route_takes_goes_to_the_fallback_or_to_everybody() -> None:
    never = Route(name="a", receivers=("slack",), agents=("nobody",))
    assert Routing(ALL, (never,), ("terminal",)).choose(subject()).receivers == ("terminal",)
    choice = Routing(ALL, (never,)).choose(subject())
    assert (choice.receivers, choice.routes) == (ALL, ())


def test_an_owner_of_a_role_or_an_agent_is_found_and_routed_to() -> None:
    owners = (
        Owner(name="bob", agents=("payroll-7",), slack="U1"),
        Owner(name="team-payments", roles=("pay*",)),
    )
    routing = Routing(ALL, (Route(name="bobs", receivers=("pager",), owners=("bob",)),), (), owners)
    assert routing.choose(subject()).routes == ("bobs",)
    found = routing.choose(subject(agents=("payroll-8",)))
    assert found.owner == owners[1]
    assert found.routes == ()
    assert routing.choose(subject(agents=("x",), roles=())).owner is None
    assert routing.choose(subject(owner="team-payments")).owner == owners[1]
    assert routing.choose(subject(owner="gone")).owner is None


def test_a_message_is_addressed() -> None:
    owner = Owner(name="team-payments", roles=("payroll",), slack="S12")
    routing = Routing(ALL, owners=(owner,))
    told = routing.addressed(message())
    assert (told.owner, told.mention) == ("team-payments", "S12")
    trip = message(alert=None, agent_id="a", severity=Severity.HIGH)
    assert routing.addressed(trip) == trip
    told = routing.addressed(trip, "payroll")
    assert (told.role, told.owner) == ("payroll", "team-payments")
    assert routing.asks_for_role
    assert not Routing(ALL, owners=(Owner(name="bob", agents=("a",)),)).asks_for_role


def test_a_message_says_what_it_is_about() -> None:
    worst = anomaly(data_class="restricted", detector="volume")
    about = Subject.of(message(alert=alert(worst), incident=incident(owner="bob")))
    assert about.agents == ("payroll-7", "crawler-1")
    assert about.detectors == ("new_target", "rate", "volume", "loop")
    assert (about.roles, about.data_classes) == (("payroll",), ("restricted",))
    assert (about.group, about.severity, about.owner) == ("alerts", Severity.HIGH, "bob")
    together = incident(bond="role", common="crawler")
    assert Subject.of(message(incident=together)).roles == ("payroll", "crawler")
