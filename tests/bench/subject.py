"""What benchmarks of whole workers share: an event, a source's worker, its turns."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor import policies
from monitor.config import Config
from monitor.dead_letter import FileDeadLetters
from monitor.sources import Source
from monitor.store import Store
from monitor.timing import Timing
from monitor.watchtower import Watchtower
from monitor.worker import Worker

START_S = 1.75e9


def record(agent_id: str, number: int, at_s: float, run: str, what: int, **others: Any) -> bytes:
    """An event of ordinary work, with 6 tools on 20 targets: `what` says which."""
    fields = {
        "event_id": f"event-{number}",
        "time": datetime.fromtimestamp(at_s, UTC).isoformat(),
        "agent_id": agent_id,
        "action": "tool_call",
        "tool": f"{('read', 'send')[what % 2]}_tool_{what % 6}",
        "target": f"/srv/payroll/month-{what % 20:02}.csv",
        "target_origin": "user",
        "status": "error" if number % 17 == 16 else "ok",
        "bytes_in": 1000 + number % 991,
        "bytes_out": 100 + number % 37,
        "trace_id": run,
        "role": "payroll",
    }
    return json.dumps(fields | others).encode() + b"\n"


def open_worker(settings: Config, source: Source, store: Store, directory: Path) -> Worker:
    """The daemon's worker with these settings and nothing that acts on what it finds."""
    return Worker(
        source=source,
        store=store,
        dead_letters=FileDeadLetters(directory / "rejected.jsonl"),
        policy=policies.detection(settings),
        response=policies.response(settings, ("terminal",), ("registry",)),
        watchtower=Watchtower(settings.trip.allowed_skew_s, settings.trip.silent_after_s),
        owner="bench",
        on_ledger=lambda: None,
        timing=Timing(
            checkpoint_s=settings.store.checkpoint_interval_s,
            max_resident_agents=settings.store.max_resident_agents,
            max_active_agents=settings.store.max_active_agents,
        ),
    )


def read_on(worker: Worker, events: int) -> None:
    """Go on until so many events were read in all."""
    while worker.counts.events < events:
        worker.step()
