"""`tripswitch audit`: who did what, whether the record of it is whole, and what of it is erased."""

import json
import logging
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from alerting.killswitch import PERSONS, is_person
from alerting.render import clean
from monitor import audit_file, audit_journal
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.documents import iso
from monitor.enforcement import point_names
from monitor.errors import ExitCode, UsageError
from monitor.ledger import audit, audit_erase
from monitor.routing import routing

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
    with closing(store), store.snapshot() as ledger:
        found = audit.entries(ledger, limit)
    if as_json:
        print_json_lines({**entry, "at": iso(entry["at"])} for entry in found)
        return
    for entry in found:
        typer.echo(_line(entry))


@audit_app.command(epilog="Example: tripswitch audit verify --published")
def verify(
    published: Annotated[
        bool,
        typer.Option("--published", help="Compare with the heads on Kafka (kafka.audit_topic)."),
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Verify an export instead; needs no store.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Walk the hash chain and its details; exit code 4, and the first fault, if it is not whole.

    Who can rewrite the whole database can make a chain anew that looks whole: --published finds
    that out, for every head that the daemon has published must be in the chain.
    """
    if file is not None:
        if published:
            raise UsageError("--file needs no store and no Kafka: leave out --published")
        return _verify_file(file, as_json)
    chosen, store = open_store(config)
    with closing(store):
        with store.snapshot() as ledger:
            fault = audit.verify(ledger)
        said: dict[str, Any] = {"whole": fault is None, "fault": fault, "store": store.url}
        if published:
            from monitor import audit_heads  # kafka-python takes its time to load

            logging.getLogger("kafka").setLevel(logging.CRITICAL)  # errors come as one line
            compared = audit_heads.compare(store, chosen.kafka)
            fault = fault or compared.fault
            said |= {
                "whole": fault is None,
                "fault": fault,
                "published_heads": compared.heads,
                "unreadable_records": compared.unreadable,
            }
    if as_json:
        print_json(said)
    else:
        heads = f"; {said['published_heads']} published heads compared" if published else ""
        typer.echo(f"audit of {clean(store.url, 500)}: {fault or 'whole'}{heads}")
    return ExitCode.DONE if fault is None else ExitCode.FAILED


@audit_app.command(epilog="Example: tripswitch audit export --since 2026-11-01 --out audit.jsonl")
def export(
    since: Annotated[
        str | None, typer.Option("--since", help="From this time on, such as 2026-11-01T10:00.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Up to this time.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A file that does not exist; default: stdout.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the audit as JSON lines that anybody can verify with `audit verify --file`.

    The lines are JSON in any case; --json with --out tells how many there are.
    """
    since_s = None if since is None else _time("--since", since)
    until_s = None if until is None else _time("--until", until)
    _, store = open_store(config)
    with closing(store), store.snapshot() as ledger:
        lines = audit_file.export(ledger, since_s=since_s, until_s=until_s)
        with closing(lines):
            if out is None:
                for line in lines:
                    sys.stdout.write(line + "\n")
                return
            count = 0
            try:
                with out.open("x", encoding="ascii") as file:
                    for count, line in enumerate(lines, 1):  # noqa: B007 - it is told below
                        file.write(line + "\n")
            except OSError as error:
                raise UsageError(
                    f"--out {out}: {error.strerror}; name a file that can be written"
                ) from None
    if as_json:
        print_json({"entries": count, "out": str(out), "store": store.url})
    else:
        typer.echo(f"{count:,} entries in {clean(str(out), 500)}")


@audit_app.command(
    epilog="Example: tripswitch audit erase --person os:alice --reason 'request 17, GDPR art. 17'"
)
def erase(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")],
    person: Annotated[
        str | None, typer.Option("--person", help="Who, as the audit names them: os:alice.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="The agent's id.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell how much would be erased.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Erase who a person is and what they wrote, or every text about an agent, for good.

    Of the audit's entries the digests stay, so the chain stays whole, and an entry names what was
    erased. Settled rows elsewhere lose their texts, too. What is in force keeps its words: trips
    until the agent is active again, open alerts, waiting questions, valid grants. Not reached:
    copies that left the store, such as messages that were sent, exports, records on Kafka, backups.
    """
    if (person is None) == (agent is None):
        raise UsageError("name one: --person or --agent")
    if person is not None and not is_person(person):
        kinds = ", ".join(f"{kind}NAME" for kind in PERSONS)
        raise UsageError(f"--person {clean(person, 60)!r}: write it as the audit does: {kinds}")
    if not reason.strip():
        raise UsageError("--reason is empty: say why, for those who ask later")
    whose = audit_erase.Whose(person or agent or "", is_agent=agent is not None)
    _, store = open_store(config)
    with closing(store):
        with store.snapshot() as ledger:
            found = audit_erase.find(ledger, whose)
        with store.ledger() as ledger:
            erased = audit_erase.erase(
                ledger, whose, found, by=operator(), reason=reason, now_s=time.time()
            )
            if dry_run:
                ledger.rollback()
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "entries": erased.entries,
                "details": erased.details,
                "elsewhere": erased.elsewhere,
                "store": store.url,
            }
        )
        return ExitCode.DONE
    would = "would be erased" if dry_run else "erased"
    typer.echo(f"{erased.details:,} details of {erased.entries:,} audit entries {would}")
    for table, count in sorted(erased.elsewhere.items()):
        typer.echo(f"  {table}: {count:,}")
    return ExitCode.DONE


@audit_app.command("import", epilog="Example: tripswitch audit import journal.jsonl")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `kill` wrote without a store.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in the journal of orders that were made while the store could not be reached.

    Each is written into the audit, and agents that are not cut off yet are. An order that was
    taken in before is passed over; one whose agent was restored since is written down, no more.
    Exit code 4: a line is broken or was changed; nothing was taken in.
    """
    orders = audit_journal.read(file)
    chosen, store = open_store(config)
    importer = audit_journal.Importer(operator(), point_names(chosen), routing(chosen))
    with closing(store), store.ledger() as ledger:
        taken = audit_journal.take_in(ledger, orders, importer, time.time())
    if as_json:
        print_json_lines(
            {
                "journal_id": order.journal_id,
                "agent_id": order.agent_id,
                "outcome": outcome,
                "trip_id": trip_id,
                "store": store.url,
            }
            for order, outcome, trip_id in taken
        )
        return
    for order, outcome, trip_id in taken:
        trip = f" (trip {trip_id})" if trip_id else ""
        said = "taken in before" if outcome == "had" else outcome
        typer.echo(f"{clean(order.agent_id, 80)}: {said}{trip}")
    typer.echo(f"{len(taken)} orders read; store: {clean(store.url, 500)}")


def _verify_file(file: Path, as_json: bool) -> int:
    found = audit_file.verify(file)
    if as_json:
        print_json(
            {
                "whole": found.fault is None,
                "fault": found.fault,
                "file": str(file),
                "first_seq": found.first_seq,
                "last_seq": found.last_seq,
                "hash": found.hash,
                "erased_beyond_the_end": found.elsewhere,
            }
        )
    else:
        name = clean(str(file), 500)
        typer.echo(f"audit export {name}: {found.fault or 'whole'}")
        typer.echo(f"  entries {found.first_seq} to {found.last_seq}, hash {found.hash}")
        if found.elsewhere:
            typer.echo(f"  {found.elsewhere} details were erased by later entries, not proven here")
    return ExitCode.DONE if found.fault is None else ExitCode.FAILED


def _time(option: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option}: {text!r:.60} is no time; write it as 2026-02-03T10:00"
        ) from None


def _line(entry: dict[str, Any]) -> str:
    what = clean(json.dumps(entry["doc"], ensure_ascii=True), 200)
    who, whom = clean(entry["actor"], 60), clean(entry["subject"], 80)
    return f"{entry['seq']:>6}  {iso(entry['at'])}  {who}  {clean(entry['action'])}  {whom}  {what}"
