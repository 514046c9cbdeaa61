"""`tripswitch serve`: the HTTP API, in a process of its own."""

import logging
from typing import Annotated

import typer

from monitor import config as settings
from monitor import log
from monitor.cli.app import ConfigOption, app, print_json


@app.command(epilog="Example: tripswitch serve --config tripswitch.toml")
def serve(
    config: ConfigOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with the url once it answers.")
    ] = False,
    while_stdin_is_open: Annotated[
        bool, typer.Option("--while-stdin-is-open", hidden=True)
    ] = False,
) -> None:
    """Answer gateways and people over HTTP until stopped. `run` starts it if serve.enabled.

    Its OpenAPI document is at /openapi.json. It listens on this host alone unless serve.host says
    otherwise, and then only with a token and with TLS.
    """
    from monitor.api.server import serve as answer  # late: whoever asks for help need not wait

    log.set_up(verbose=verbose)

    def tell(url: str) -> None:
        if as_json:
            print_json({"url": url})
        logging.getLogger(__name__).info("serving on %s", url)

    chosen = settings.load(config)
    log.set_up(verbose=verbose, as_json=chosen.log.format == "json")
    answer(chosen, on_listening=tell, while_stdin_is_open=while_stdin_is_open)
