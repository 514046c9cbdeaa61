"""A stream of events in which much is odd: what crash tests and replays compare themselves by."""

import numpy as np

from tests.kit.events import START_S, raw_event

_NEVER = 10**9


def odd_stream(events: int = 3000, agents: int = 7, seed: int = 5) -> list[bytes]:
    """Events of several agents with bursts, new tools, failures, loops, and some that are none."""
    rng = np.random.default_rng(seed)
    lines, at_s = [], START_S
    for number in range(events):
        at_s += float(rng.exponential(60.0))
        agent = f"agent-{int(rng.integers(agents))}"
        odd = number > events // 3 and rng.random() < 0.03
        if rng.random() < 0.004:
            lines.append(b'{"no": "event"' + b"}" * int(rng.integers(2)))
            continue
        for call in range(int(rng.integers(8, 40)) if odd else 1):
            tool = f"tool-{int(rng.integers(30 if odd else 4))}"
            size = int(rng.integers(_NEVER)) if odd and call % 3 == 0 else int(rng.integers(50))
            lines.append(
                raw_event(
                    number * 100 + call,
                    at_s + call * 0.2,
                    agent_id=agent,
                    role="clerk",
                    tool=tool,
                    target=f"target-{int(rng.integers(6))}",
                    trace_id=f"run-{number // 4}-{agent}",
                    bytes_out=size,
                    status="error" if odd and rng.random() < 0.5 else "ok",
                )
            )
    return lines
