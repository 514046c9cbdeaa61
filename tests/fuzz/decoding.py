"""Records: each becomes an event that the shard bears, or a dead letter with a bounded reason."""

import json
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from baselines.event import MAX_NAME_CHARS
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from monitor.config_map import FieldMap
from monitor.decode import Decoder
from monitor.mapping import Mapper
from monitor.producers import HEADER, Producer, Producers
from tests.fuzz.target import VALUES, Target, damaged, damaged_bytes
from tests.kit.events import START_S, raw_event
from tests.kit.signing import signed

_MAX_REASON_CHARS: Final = 2000
_POLICY: Final = Policy.of(Budget())
_EVENT: Final = json.loads(
    raw_event(1, role="clerk", bytes_out=5, cost_usd=0.5, effect="read", attributes={"a": [1]})
)
_MESSAGE: Final = {"type": "tool", "who": {"id": "payroll-1"}, "at": 1_770_000_000, "args": ["x"]}
_MAPPER: Final = Mapper(
    {
        "agent_id": FieldMap.model_validate({"path": ("who.id",), "as": "text"}),
        "time": FieldMap.model_validate({"path": ("at",), "as": "unix_s"}),
        "action": FieldMap(value="tool_call"),
        "bytes_out": FieldMap.model_validate({"path": ("args.0",), "as": "bytes"}),
        "tokens": FieldMap.model_validate({"path": ("args.1",), "as": "integer"}),
        "cost_usd": FieldMap.model_validate({"path": ("args.2",), "as": "number"}),
        "user_id": FieldMap(path=("$key", "type")),
    },
    {"type": ("tool", 1, True)},
)
_SECRET: Final = b"secret-of-payroll"
_PRODUCERS: Final = Producers([Producer("p", ("payroll-*",), ("*",), {"k": _SECRET})])


class Sent(NamedTuple):
    """A record as somebody may have sent it."""

    value: bytes | None
    timestamp: int
    key: bytes | None
    headers: list[tuple[str, bytes | None]]
    offset: int = 0


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()


_VALUES: Final = st.one_of(
    st.none(),
    st.binary(max_size=50),
    damaged(_EVENT).map(_json),
    damaged(_MESSAGE).map(_json),
    VALUES.map(_json),
    damaged_bytes(_json(_EVENT)),
    st.integers(0, 400).map(lambda deep: b'{"attributes":' + b"[" * deep + b"]" * deep + b"}"),
)
_HEADERS: Final = st.lists(
    st.tuples(st.sampled_from([HEADER, "trace"]), st.none() | st.binary(max_size=80)), max_size=2
) | st.just(signed(_json(_EVENT), "k", _SECRET))
_RECORDS: Final = st.lists(
    st.builds(
        Sent,
        _VALUES,
        st.sampled_from([int(START_S * 1000), 0, -1, 2**62]),
        st.none() | st.binary(max_size=10),
        _HEADERS,
    ),
    min_size=1,
    max_size=4,
)


def _check(records: list[Sent]) -> None:
    for decoder in (Decoder(), Decoder(producers=_PRODUCERS), Decoder(_MAPPER)):
        events, refused = decoder.decode("topic", 0, records)
        assert len(events) + len(refused) <= len(records)
        assert decoder.mapped is not None or len(events) + len(refused) == len(records)
        for letter in refused:
            assert 0 < len(letter.reason) <= _MAX_REASON_CHARS
        shard = Shard("topic", 0, _POLICY)
        for event, raw, offset, _ in events:
            assert 0 < len(event.agent_id.encode()) <= 4 * MAX_NAME_CHARS
            shard.feed(event, raw, offset)


DECODING: Final = Target("decoding", _RECORDS, _check)
