"""Recorded events, sent again as fast as is asked, and a login out of bounds now and then."""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

from monitor.config import Config
from tests.kit.recorded import recorded

_AT_ONCE = 20
_OPEN = {"time": "@time", "event_id": "@id"}


class RecordedWork:
    """The stream `role` as of now; texts are made before, so that sending costs little.

    Parameters
    ----------
    rate, trips_per_s
        Events a second, and how many of these are logins that a rule trips on.
    """

    def __init__(self, config: Config, *, rate: float, trips_per_s: float) -> None:
        self._producer = Producer(
            {"bootstrap.servers": config.kafka.bootstrap_servers, "linger.ms": 1}
        )
        self._topic = config.source.topic
        self._rate = rate
        self._texts = _texts(round(rate / trips_per_s))
        self._number = itertools.count()

    def send(self, seconds: float) -> dict[str, Any]:
        """Events at the rate, for so long; another call goes on from there."""
        began_s, sent = time.time(), 0
        while (now_s := time.time()) < began_s + seconds:
            due = int((now_s - began_s) * self._rate)
            for agent, text in itertools.islice(self._texts, min(due - sent, _AT_ONCE)):
                iso, number = datetime.now(UTC).isoformat(), next(self._number)
                value = text.replace("@time", iso, 1).replace("@id", f"e-{number}", 1)
                self._producer.produce(self._topic, value.encode(), key=agent.encode())
                sent += 1
            self._producer.poll(0)
            if due - sent <= 0:
                time.sleep(0.001)
        lasted_s = time.time() - began_s
        self._producer.flush()
        return {"events": sent, "sent_per_s": round(sent / lasted_s)}


def _texts(every: int) -> Iterator[tuple[str, str]]:
    """An agent and its event, for ever; at each so many another agent's login."""
    lines = [json.loads(line) for line in recorded("role") if line.endswith(b'"}')]
    ready = [(d["agent_id"], json.dumps(d | _OPEN)) for d in lines if "time" in d]
    return _with_logins(ready, every)


def _with_logins(ready: Sequence[tuple[str, str]], every: int) -> Iterator[tuple[str, str]]:
    for number, event in enumerate(itertools.cycle(ready), 1):
        yield event
        if number % every == 0:
            agent = f"victim-{number}"
            login = {"agent_id": agent, "action": "login", "tool": "idp", "trace_id": agent}
            yield agent, json.dumps(login | _OPEN)
