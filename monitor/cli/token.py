"""`tripswitch token`: who may use the HTTP API, in which role, until when."""

import time
from contextlib import closing
from typing import Annotated

import typer

from alerting.render import clean
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.documents import iso, token_document
from monitor.duration import parse_duration
from monitor.ledger import tokens
from monitor.ledger.tokens import Role, Token

token_app = typer.Typer(rich_markup_mode=None)
app.add_typer(token_app, name="token")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")]


@token_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch token add gateway-1 --role viewer"
)
def tokens_of_the_api(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Tokens of the HTTP API. Without a subcommand: list them."""
    if context.invoked_subcommand is None:
        list_(config, as_json)


@token_app.command(epilog="Example: tripswitch token add gateway-1 --role viewer --for 90d")
def add(
    name: NameArgument,
    role: Annotated[Role, typer.Option(help="viewer asks, operator orders, admin makes tokens.")],
    lasts: Annotated[
        str | None,
        typer.Option("--for", help="How long: 12h, 90d. Without it: no end.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print its secret, this once: the store has no more than its digest."""
    lasts_s = None if lasts is None else parse_duration(lasts)
    now_s = time.time()
    _, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        token, secret = tokens.add(
            ledger, name=name, role=role, by=operator(), now_s=now_s, lasts_s=lasts_s
        )
    if as_json:
        print_json({**token_document(token, now_s), "secret": secret})
        return
    typer.echo(_line(token, now_s), err=True)
    typer.echo("its secret, shown this once:", err=True)
    typer.echo(secret)


@token_app.command("list", epilog="Example: tripswitch token list --json")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List tokens, the newest first; never a secret."""
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = tokens.list_tokens(ledger)
    now_s = time.time()
    if as_json:
        print_json_lines(token_document(token, now_s) for token in found)
        return
    for token in found:
        typer.echo(_line(token, now_s))
    if not found:
        typer.echo("no tokens; `tripswitch token add NAME --role viewer` makes one")


@token_app.command(epilog="Example: tripswitch token revoke gateway-1")
def revoke(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Revoke a token: its next request is refused."""
    now_s = time.time()
    _, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        token = tokens.revoke(ledger, name, by=operator(), now_s=now_s)
    if as_json:
        print_json(token_document(token, now_s))
    else:
        typer.echo(_line(token, now_s))


def _line(token: Token, now_s: float) -> str:
    if token.revoked_at is not None:
        standing = f"revoked {iso(token.revoked_at)} by {clean(token.revoked_by or '?')}"
    elif token.expires_at is None:
        standing = "without an end"
    else:
        word = "until" if token.is_valid(now_s) else "expired"
        standing = f"{word} {iso(token.expires_at)}"
    made = f"made {iso(token.created_at)} by {clean(token.created_by)}"
    return f"{token.name}  {token.role}  {standing}  {made}"
