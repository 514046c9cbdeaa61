"""The past of an agent: what it did, in order, and who delegated it, as JSON."""

from typing import Any

from monitor.config import Config
from monitor.documents import iso
from monitor.ledger import actions
from monitor.ledger.actions import Action
from monitor.store import Store


def look(
    config: Config,
    store: Store,
    agent_id: str,
    *,
    since_s: float,
    trace_id: str | None = None,
    limit: int,
) -> dict[str, Any]:
    """What an agent did; the names are a contract.

    Parameters
    ----------
    since_s
        Taken in by the log since then, in seconds since the epoch.
    trace_id
        In this run alone.
    limit
        At most so many, of more the latest; `more` says that there are.
    """
    since_s = max(0.0, since_s)  # whatever was asked for has a date
    with store.read() as ledger:
        found = actions.of_agent(
            ledger, agent_id, since_s=since_s, trace_id=trace_id, limit=limit + 1
        )
        shown = found[-limit:]
        chains: dict[tuple[str | None, str | None], list[str]] = {}
        for action in shown:
            run = (action.trace_id, action.parent_agent_id)
            if run not in chains:
                chains[run] = actions.chain(ledger, action)
    return {
        "agent_id": agent_id,
        "since": iso(since_s),
        "keep_days": config.history.keep_days,
        "more": len(found) > limit,
        "actions": [
            _document(action, chains[action.trace_id, action.parent_agent_id]) for action in shown
        ],
    }


def _document(action: Action, delegation: list[str]) -> dict[str, Any]:
    return {
        "agent_id": action.agent_id,
        "time": iso(action.acted_at),
        "logged_at": iso(action.logged_at),
        "event_id": action.event_id,
        "action": action.action,
        "effect": action.effect,
        "tool": action.tool,
        "target": action.target,
        "target_origin": action.target_origin,
        "target_source": action.target_source,
        "status": action.status,
        "data_class": action.data_class,
        "bytes_out": action.bytes_out,
        "bytes_in": action.bytes_in,
        "records": action.records,
        "trace_id": action.trace_id,
        "parent_agent_id": action.parent_agent_id,
        "delegation": delegation,
        "user_id": action.user_id,
        "source": action.source,
        "partition": action.partition,
        "offset": action.offset,
    }
