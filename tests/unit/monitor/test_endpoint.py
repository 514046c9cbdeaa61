"""The small HTTP port of the daemon."""

import httpx

from alerting.health import Trouble
from monitor.metrics import Metrics
from monitor.pulse import Pulse
from monitor.store import Store
from tests.kit.clock import Clock
from tests.kit.health import free_port, health
from tests.kit.waiting import WAIT_S


def test_livez_and_readyz_say_which(store: Store) -> None:
    clock, port, pulse = Clock(), free_port(), Pulse()
    troubles = [Trouble("quiet", "topic", "no record came for 50 minutes")]
    watch = health(store, clock, lambda _now_s: iter(troubles), pulse=pulse)
    stop = Metrics().serve("127.0.0.1", port, watch)
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S) as client:
        watch.look()
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["reasons"]) == (200, [])
        assert ready.json()["conditions"][0]["condition"] == "quiet"
        assert client.get("/livez").json() == {"live": True}
        pulse.turned_at_s -= 61
        assert client.get("/livez").status_code == 503, "whether anybody has looked or not"
        troubles.append(Trouble("worker", "topic", "the loop has not turned for 61 s"))
        watch.look()
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["reasons"] == ["worker: the loop has not turned for 61 s"]
        assert ready.json()["conditions"][0]["what_to_do"]
        assert client.get("/livez").status_code == 503
        assert client.get("/metrics").status_code == 200
        assert client.get("/other").status_code == 404
        pulse.turn()
        troubles.clear()
        clock.now_s += 60
        watch.look()
        assert client.get("/livez").json() == {"live": True}
        assert client.get("/readyz").json() == {"ready": True, "reasons": [], "conditions": []}
    stop()
