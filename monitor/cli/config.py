"""`tripswitch config`: the settings as they are understood."""

import typer

from monitor import config as settings
from monitor.cli.app import ConfigOption, JsonOption, app, print_json


@app.command("config", epilog="Example: tripswitch config --config tripswitch.toml")
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the settings and show what each key is; secrets stay hidden."""
    document = settings.load(config).model_dump(mode="json")
    if as_json:
        print_json(document)
        return
    for section, keys in document.items():
        if isinstance(keys, dict):
            for key, value in keys.items():
                typer.echo(f"{section}.{key} = {value!r}")
        else:
            typer.echo(f"{section} = {keys!r}")
