"""`tripswitch kill`: works with the daemon and Kafka down, and for a while without the store."""

from contextlib import ExitStack, closing
from pathlib import Path

from alerting.render import clean
from monitor import break_glass, orders, orders_many, rehearsal
from monitor.cli import remote, remote_many
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, operator
from monitor.cli.order_view import (
    AllOption,
    DryRunOption,
    OneOrMany,
    ReasonOption,
    RoleOption,
    exactly_one,
    owner,
    print_asked,
    print_break_glass,
    print_rehearsal,
    report,
)
from monitor.cli.remote import ServerOption, TokenFileOption
from monitor.config import load
from monitor.errors import ExitCode
from monitor.ledger import trips
from monitor.store import Store, StoreError
from monitor.store.engine import STORE_ERRORS
from monitor.store.engine import reason as said_by


@app.command(epilog="Example: tripswitch kill payroll-7 --reason 'sends data out, INC-42'")
def kill(
    reason: ReasonOption,
    agent: OneOrMany = None,
    role: RoleOption = None,
    everyone: AllOption = False,
    dry_run: DryRunOption = False,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Cut an agent off, now. Any id will do, also of an agent that was never seen.

    With --role or --all: ask for that; another person confirms it with `tripswitch approve`.

    Exit code 0: every enforcement point confirmed. 3: some are being retried by the daemon, the
    store is a default one that no daemon has used, the order waits for the second person, or the
    store cannot be reached and only some points were told. 4: a point was given up, or nothing
    could be reached.
    """
    exactly_one(agent, role, everyone)
    if server is not None and agent is None:
        return remote_many.kill(server, token_file, role, reason, dry_run, as_json)
    if server is not None and agent is not None:
        return remote.kill(server, token_file, agent, reason, dry_run, as_json)
    if dry_run:
        return _rehearse(agent, role, reason, config, as_json)
    if agent is None:
        return _ask(role, reason, config, as_json)
    return _kill(agent, reason, config, as_json)


def _kill(agent: str, reason: str, config: Path | None, as_json: bool) -> int:
    orders.check_order(agent, reason)
    chosen, by = load(config), operator()

    def order() -> tuple[Store, trips.Trip]:
        with ExitStack() as stack:
            store = Store.open(chosen.store)
            stack.callback(store.close)
            ordered = orders.order_kill(chosen, store, agent=agent, reason=reason, by=by)
            stack.pop_all()
        return store, ordered

    me = owner()
    try:
        store, ordered = break_glass.within(break_glass.STORE_WAIT_S, order)
    except (StoreError, *STORE_ERRORS) as error:
        why = str(error) if isinstance(error, StoreError) else f"the store: {said_by(error)}"
        broken = break_glass.kill(chosen, agent=agent, reason=reason, by=by, why=why)
        print_break_glass(broken, as_json)
        return broken.exit_code
    with closing(store):
        carried = orders.carry_out_kill(chosen, store, ordered, me)
    report(store, carried, as_json)
    return carried.exit_code


def _ask(role: str | None, reason: str, config: Path | None, as_json: bool) -> int:
    chosen, store = open_store(config)
    with closing(store):
        asked = orders_many.ask(chosen, store, role=role, reason=reason, by=operator())
        document = orders_many.asked_document(store, asked)
    print_asked(document, f"store: {clean(store.url, 500)}", as_json)
    return ExitCode.PARTLY


def _rehearse(
    agent: str | None, role: str | None, reason: str, config: Path | None, as_json: bool
) -> int:
    chosen, store = open_store(config)
    with closing(store):
        if agent is None:
            document = rehearsal.kill_many(chosen, store, role=role, reason=reason)
        else:
            document = rehearsal.kill(chosen, store, agent=agent, reason=reason, by=operator())
    print_rehearsal(document, as_json)
    return ExitCode.DONE
