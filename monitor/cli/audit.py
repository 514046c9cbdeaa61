"""`tripswitch audit`: who did what, and whether the record of it is whole."""

import json
from contextlib import closing
from typing import Annotated, Any

import typer

from alerting.render import clean
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json, print_json_lines
from monitor.documents import iso
from monitor.errors import ExitCode
from monitor.ledger import audit

audit_app = typer.Typer(rich_markup_mode=None)
app.add_typer(audit_app, name="audit")


@audit_app.callback(invoke_without_command=True, epilog="Example: tripswitch audit --limit 20")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was done, the latest last."""
    if context.invoked_subcommand is not None:
        return
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = audit.entries(ledger, limit)
    if as_json:
        print_json_lines({**entry, "at": iso(entry["at"])} for entry in found)
        return
    for entry in found:
        typer.echo(_line(entry))


@audit_app.command(epilog="Example: tripswitch audit verify")
def verify(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Walk the hash chain and its details; exit code 4, and the first fault, if it is not whole."""
    _, store = open_store(config)
    with closing(store), store.snapshot() as ledger:
        fault = audit.verify(ledger)
    if as_json:
        print_json({"whole": fault is None, "fault": fault, "store": store.url})
    else:
        typer.echo(f"audit of {clean(store.url, 500)}: {fault or 'whole'}")
    return ExitCode.DONE if fault is None else ExitCode.FAILED


def _line(entry: dict[str, Any]) -> str:
    what = clean(json.dumps(entry["doc"], ensure_ascii=True), 200)
    who, whom = clean(entry["actor"], 60), clean(entry["subject"], 80)
    return f"{entry['seq']:>6}  {iso(entry['at'])}  {who}  {clean(entry['action'])}  {whom}  {what}"
