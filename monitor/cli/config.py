"""`tripswitch config`: the settings as they are understood."""

from typing import Annotated

import typer

from alerting.render import clean
from monitor import config as settings
from monitor.checkup.points import asked_points
from monitor.cli.app import ConfigOption, JsonOption, app, print_json
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
    exit_code = ExitCode.DONE
    for name, error in asked_points(chosen):
        if error is not None:
            exit_code = ExitCode.FAILED
        if as_json:
            print_json({"point": name, "ready": error is None, "error": error})
        else:
            typer.echo(f"{name}: {clean(error or 'ready', 500)}")
    return exit_code
