"""`tripswitch routes`: who hears of what, and where an alert would go."""

from typing import Annotated, Any, cast, get_args

import typer

from alerting.render import clean
from alerting.routes import Choice, KindGroup, Route, Routing, Subject
from baselines.event import DataClass
from detectors.finding import Severity
from monitor import config as settings
from monitor.cli.app import ConfigOption, JsonOption, app, print_json, print_json_lines
from monitor.config_checks import nearest
from monitor.errors import ExitCode, UsageError
from monitor.routing import routing

routes_app = typer.Typer(rich_markup_mode=None)
app.add_typer(routes_app, name="routes")

_CONDITIONS = ("roles", "detectors", "owners", "data_classes", "agents", "kinds")


@routes_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch routes --config tripswitch.toml"
)
def listed(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False
) -> int | None:
    """Show the routes in the order in which they are asked, and what nobody else takes."""
    if context.invoked_subcommand:
        return None
    chosen = routing(settings.load(config))
    if as_json:
        print_json_lines(_documents(chosen))
        return ExitCode.DONE
    for route in chosen.routes:
        on = ", and on to the next" if route.go_on else ""
        typer.echo(f"{clean(route.name)}: {_conditions(route)} -> {_names(route.receivers)}{on}")
    rest = "everything" if not chosen.routes else "anything else"
    typer.echo(f"{rest} -> {_names(chosen.fallback or chosen.names)}")
    for owner in chosen.owners:
        owned = [*(f"role {role}" for role in owner.roles), *owner.agents]
        typer.echo(f"owner {clean(owner.name)}: {clean(', '.join(owned))}")
    return ExitCode.DONE


@routes_app.command(
    "test",
    epilog="Example: tripswitch routes test --severity critical --role payroll --agent payroll-7",
)
def try_out(
    severity: Annotated[str, typer.Option("--severity", help="How severe it is.")] = "high",
    role: Annotated[str | None, typer.Option("--role", help="The agent's role.")] = None,
    detector: Annotated[str | None, typer.Option("--detector", help="What found it.")] = None,
    data_class: Annotated[
        str | None, typer.Option("--data-class", help="Of the data it is about.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="The agent's id.")] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="As if this one were responsible.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="alerts, trips, digest or health.")
    ] = "alerts",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say where a message would go, by which routes, and who is responsible; nothing is sent."""
    chosen = routing(settings.load(config))
    severities = {one.label: one for one in Severity}
    subject = Subject(
        group=cast("KindGroup", _one_of("--kind", kind, get_args(KindGroup))),
        severity=severities[_one_of("--severity", severity, tuple(severities))],
        agents=_given(agent),
        roles=_given(role),
        detectors=_given(detector),
        data_classes=_given(
            data_class and _one_of("--data-class", data_class, get_args(DataClass))
        ),
        owner=owner,
    )
    choice = chosen.choose(subject)
    if as_json:
        print_json(_answer(chosen, choice, subject))
        return ExitCode.DONE
    typer.echo(f"goes to {_names(choice.receivers)}")
    typer.echo(f"  because {_reason(chosen, choice)}")
    named = choice.owner.name if choice.owner else subject.owner
    typer.echo(f"  owner   {clean(named) if named else 'nobody is named'}")
    return ExitCode.DONE


def _answer(chosen: Routing, choice: Choice, subject: Subject) -> dict[str, Any]:
    return {
        "receivers": list(choice.receivers),
        "routes": list(choice.routes),
        "reason": _reason(chosen, choice),
        "owner": choice.owner.name if choice.owner else subject.owner,
    }


def _reason(chosen: Routing, choice: Choice) -> str:
    if choice.routes:
        return f"of {', '.join(clean(name) for name in choice.routes)}"
    if not chosen.routes:
        return "there are no routes: every receiver gets everything"
    if chosen.fallback:
        return "no route takes it: it goes to alerts.fallback"
    return "no route takes it, and there is no alerts.fallback: it goes to every receiver"


def _documents(chosen: Routing) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = [
        {
            "route": route.name,
            "severity": route.severity.label,
            **{name: list(getattr(route, name)) for name in _CONDITIONS},
            "receivers": list(route.receivers),
            "continue": route.go_on,
        }
        for route in chosen.routes
    ]
    rest = {"route": None, "receivers": list(chosen.fallback or chosen.names)}
    owners = [
        {"owner": owner.name, "roles": list(owner.roles), "agents": list(owner.agents)}
        for owner in chosen.owners
    ]
    return [*documents, rest, *owners]


def _conditions(route: Route) -> str:
    said = [f"{route.severity.label} or worse"] if route.severity > Severity.LOW else []
    said += [
        f"{name.replace('_', ' ')} {', '.join(patterns)}"
        for name in _CONDITIONS
        if (patterns := getattr(route, name))
    ]
    return clean("; ".join(said), 500) or "everything"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nobody"


def _given(text: str | None) -> tuple[str, ...]:
    return (text,) if text else ()


def _one_of(option: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise UsageError(
            f"{option} {text!r:.60} is none of {', '.join(known)}{nearest(text, known)}"
        )
    return text
