"""`tripswitch config`: the settings as they are understood."""

from contextlib import ExitStack
from typing import Annotated, Any

import typer

from alerting.ports import RevokeError
from alerting.render import clean
from monitor import config as settings
from monitor.cli.app import ConfigOption, JsonOption, app, print_json
from monitor.enforcement import enforcement_points, point_limits
from monitor.errors import ExitCode

PointsOption = Annotated[
    bool, typer.Option("--points", help="Ask each enforcement point whether it could act.")
]


ExampleOption = Annotated[
    bool, typer.Option("--example", help="Print a file with every setting explained.")
]


@app.command("config", epilog="Example: tripswitch config --config tripswitch.toml")
def show(
    config: ConfigOption = None,
    points: PointsOption = False,
    example: ExampleOption = False,
    as_json: JsonOption = False,
) -> int:
    """Check the settings and show what each key is; secrets stay hidden.

    With --points, exit code 4 means that a point could not act.
    """
    if example:
        from monitor.example import render  # late: it reads the models' source

        typer.echo(render(), nl=False)
        return ExitCode.DONE
    chosen = settings.load(config)
    if points:
        return _check_points(chosen, as_json)
    document = chosen.model_dump(mode="json")
    if as_json:
        print_json(document)
        return ExitCode.DONE
    for section, keys in document.items():
        if isinstance(keys, dict):
            for key, value in keys.items():
                typer.echo(f"{section}.{key} = {value!r}")
        else:
            typer.echo(f"{section} = {keys!r}")
    return ExitCode.DONE


def _check_points(chosen: settings.Config, as_json: bool) -> int:
    exit_code, limits = ExitCode.DONE, point_limits(chosen)
    with ExitStack() as stack:
        for name, point in enforcement_points(chosen, strict=False).items():
            stack.callback(point.close)
            document: dict[str, Any] = {"point": name, "ready": True, "error": None}
            try:
                point.check(limits[name].timeout_s)
            except RevokeError as error:
                document |= {"ready": False, "error": str(error)}
            except Exception as error:  # a plugin's; its text may hold a secret
                document |= {"ready": False, "error": f"failed with {type(error).__name__}"}
            if not document["ready"]:
                exit_code = ExitCode.FAILED
            if as_json:
                print_json(document)
            else:
                typer.echo(f"{name}: {clean(document['error'] or 'ready', 500)}")
    return exit_code
