import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.event import MAX_MESSAGE_BYTES, ActionEvent, EventError
from tests.kit.events import START_S, event, raw_event


def test_the_least_event_is_one() -> None:
    parsed = ActionEvent.parse(
        b'{"event_id":"1","time":"2026-02-01T00:01:39.654Z","agent_id":"a","action":"login"}'
    )
    assert (parsed.status, parsed.tool, parsed.bytes_out) == ("ok", None, None)
    assert parsed.time.timestamp() == 1769904099.654


@pytest.mark.parametrize(
    "text",
    ["2026-02-01T00:01:39.5Z", "2026-02-01t00:01:39.500000000z", "2026-02-01 01:01:39.5+01:00"],
)
def test_every_way_to_write_a_time_means_the_same(text: str) -> None:
    parsed = ActionEvent.parse(raw_event(1, time=text))
    assert parsed.time_s == parsed.time.timestamp() == 1769904099.5


def test_what_is_written_is_what_was_read() -> None:
    one = event(1, bytes_in=3, attributes={"a": [1]})
    assert ActionEvent.parse(one.model_dump_json().encode()) == one
    assert one.model_dump()["time"] == one.time


def test_unknown_fields_are_ignored_and_null_counts_as_absent() -> None:
    parsed = event(1, colour="red", bytes_in=7)
    assert not hasattr(parsed, "colour")
    line = raw_event(1)[:-1] + b', "data_class": null, "target_origin": null}'
    assert ActionEvent.parse(line).data_class is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"event_id": None}, "event_id: Field required"),
        ({"agent_id": None}, "agent_id: Field required"),
        ({"agent_id": ""}, "agent_id"),
        ({"agent_id": "a" * 1025}, "agent_id: String should have at most 1024"),
        ({"agent_id": "\U0001f600" * 1000}, "agent_id: 4000 bytes"),
        ({"agent_id": "a\x00b"}, "agent_id"),
        ({"agent_id": 7}, "agent_id: Input should be a valid string (got 7)"),
        ({"time": 1700000000}, "time"),
        ({"time": "1700000000"}, "RFC 3339"),
        ({"time": "2026-02-30T00:00:00Z"}, "time"),
        ({"time": "2026-02-01T00:00:00"}, "RFC 3339"),
        ({"time": "2026-02-01T25:00:00Z"}, "time: Value error, hour must be in 0..23"),
        ({"time": "2999-12-31T23:59:59Z"}, "more than 300 s past"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "outside the years 1970 to 9998"),
        ({"time": "9999-06-01T00:00:00Z"}, "outside the years 1970 to 9998"),
        ({"bytes_out": -1}, "bytes_out"),
        ({"bytes_out": "12"}, "bytes_out"),
        ({"bytes_out": 1.5}, "bytes_out"),
        ({"bytes_out": True}, "bytes_out"),
        ({"bytes_out": 10**400}, "bytes_out"),
        ({"cost_usd": float("nan")}, "cost_usd"),
        ({"effect": "evil"}, "effect"),
        ({"target": "x" * 1025}, "target"),
        ({"attributes": [1]}, "attributes"),
    ],
)
def test_what_is_no_event_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(EventError) as error:
        ActionEvent.parse(raw_event(1, **change), START_S)
    assert named in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b'"text"', b"[" * 100_000, b'{"agent_id": "\\ud800"}'],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(EventError):
        ActionEvent.parse(raw)


def test_a_message_over_the_limit_is_refused_unread() -> None:
    raw = raw_event(1, attributes={"text": "x" * MAX_MESSAGE_BYTES})
    with pytest.raises(EventError, match="at most 1048576"):
        ActionEvent.parse(raw)
    fits = raw_event(1, attributes={"text": "x" * (MAX_MESSAGE_BYTES - 1000)})
    assert ActionEvent.parse(fits).event_id == "e1"


def test_a_time_up_to_five_minutes_ahead_is_taken() -> None:
    assert ActionEvent.parse(raw_event(1, START_S + 299), START_S).event_id == "e1"
    with pytest.raises(EventError):
        ActionEvent.parse(raw_event(1, START_S + 301), START_S)
    assert ActionEvent.parse(raw_event(1, START_S + 301)).event_id, "a replay has no such moment"


def refusal(raw: bytes) -> str | None:
    """Why a record is refused, if it is; any other error is the test's failure."""
    try:
        ActionEvent.parse(raw, START_S)
    except EventError as error:
        return str(error)
    return None


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_an_event_error(raw: bytes) -> None:
    assert refusal(raw), "no 300 random bytes are an event"


@given(
    st.dictionaries(
        st.sampled_from([*ActionEvent.model_fields, "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
        max_size=8,
    )
)
def test_any_values_are_an_event_or_an_event_error(fields: dict[str, Any]) -> None:
    raw = json.dumps({**json.loads(raw_event(1)), **fields}).encode()
    why = refusal(raw)
    assert why is None or any(name in why for name in [*fields, "Invalid JSON"])
