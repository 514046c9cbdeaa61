"""`tripswitch restore`: gives back what a trip, or an order about many agents, took away."""

from contextlib import closing
from typing import Annotated

import typer

from monitor import orders, orders_many, rehearsal
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
    print_rehearsal,
    report,
    report_many,
)
from monitor.cli.remote import ServerOption, TokenFileOption
from monitor.duration import parse_duration
from monitor.errors import ExitCode

ProbationOption = Annotated[
    str | None,
    typer.Option(
        "--probation",
        help="So long limits are tighter, such as 2h; as configured, if not given.",
        show_default=False,
    ),
]


@app.command(epilog="Example: tripswitch restore payroll-7 --reason 'fixed, INC-42' --probation 2h")
def restore(
    reason: ReasonOption,
    agent: OneOrMany = None,
    role: RoleOption = None,
    everyone: AllOption = False,
    probation: ProbationOption = None,
    dry_run: DryRunOption = False,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Give an agent back what its trip took away and what has not expired since.

    With --role or --all: lift that hold, and give back every agent that it alone cut off.

    Exit code 0: every enforcement point confirmed. 3: some are being retried by the daemon.
    5: the agent was never cut off, or no such hold is on.
    """
    exactly_one(agent, role, everyone)
    if agent is not None:
        orders.check_order(agent, reason)
    probation_s = None if probation is None else parse_duration(probation)
    if server is not None and agent is None:
        return remote_many.restore(server, token_file, role, reason, probation_s, dry_run, as_json)
    if server is not None and agent is not None:
        return remote.restore(server, token_file, agent, reason, probation_s, dry_run, as_json)
    chosen, store = open_store(config)
    by, me = operator(), owner()
    with closing(store):
        if dry_run:
            document = (
                rehearsal.restore_many(chosen, store, role=role, reason=reason)
                if agent is None
                else rehearsal.restore(
                    chosen, store, agent=agent, reason=reason, by=by, probation_s=probation_s
                )
            )
            print_rehearsal(document, as_json)
            return ExitCode.DONE
        if agent is None:
            many = orders_many.lift(
                chosen, store, role=role, reason=reason, by=by, owner=me, probation_s=probation_s
            )
            report_many(store, many, as_json)
            return many.exit_code
        ordered = orders.order_restore(
            chosen, store, agent=agent, reason=reason, by=by, probation_s=probation_s
        )
        carried = orders.carry_out_restore(chosen, store, ordered, me)
    report(store, carried, as_json)
    return carried.exit_code
