"""`[source.map]`: any JSON becomes an event, or is refused by name; never anything else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import monitor.cli  # noqa: F401 # registers the commands
from baselines.event import ActionEvent, EventError
from monitor import config
from monitor.cli.app import run
from monitor.config_map import FieldMap, segments
from monitor.errors import UsageError
from monitor.mapping import Mapper, mapper
from tests.kit.events import raw_event

MAP = """
[source.map]
agent_id = "actor.id"
time = { path = "ts", as = "unix_ms" }
action = { value = "tool_call" }
tool = 'attributes."gen_ai.tool.name"'
target = "args.0.to"
status = { path = "result.code", say = { 200 = "ok", 403 = "denied" }, otherwise = "error" }
bytes_out = { path = "args.0.body", as = "bytes" }
trace_id = ["session", "turn"]
user_id = "$key"
[source.only]
type = ["tool"]
"""
MESSAGE = {
    "type": "tool",
    "actor": {"id": "payroll-1"},
    "ts": 1_770_000_000_123,
    "attributes": {"gen_ai.tool.name": "send_email"},
    "args": [{"to": "ada@corp.example", "body": "größer"}],
    "result": {"code": 403},
    "session": "s1",
    "turn": 7,
}


def made(tmp_path: Path, text: str = MAP) -> Mapper:
    path = tmp_path / "tripswitch.toml"
    path.write_text(text, "utf-8")
    found = mapper(config.load(path).source)
    assert found is not None
    return found


def raw(**changes: Any) -> bytes:
    return json.dumps({**MESSAGE, **changes}).encode()


def test_paths_constants_and_conversions_make_an_event(tmp_path: Path) -> None:
    event = made(tmp_path)(raw(), None, b"ada")
    assert event is not None
    told = event.model_dump(mode="json", exclude_none=True, exclude={"event_id"})
    assert told == {
        "agent_id": "payroll-1",
        "time": "2026-02-02T02:40:00.123000+00:00",
        "action": "tool_call",
        "tool": "send_email",
        "target": "ada@corp.example",
        "status": "denied",
        "bytes_out": 8,
        "trace_id": "s1/7",
        "user_id": "ada",
    }


def test_the_id_is_of_the_content(tmp_path: Path) -> None:
    mapped = made(tmp_path)
    one, again, other = mapped(raw()), mapped(raw()), mapped(raw(turn=8))
    assert one is not None
    assert again is not None
    assert other is not None
    assert one.event_id == again.event_id != other.event_id


def test_what_is_no_action_is_passed_over(tmp_path: Path) -> None:
    assert made(tmp_path)(raw(type="heartbeat")) is None
    assert made(tmp_path)(b'"text"') is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ts": "soon"}, r"time: 'soon' at ts cannot be read as unix_ms"),
        ({"ts": 1e300}, "at ts cannot be read as unix_ms"),
        ({"ts": 7e19}, "at ts cannot be read as unix_ms"),
        ({"actor": {}}, "agent_id: Field required"),
        ({"actor": {"id": 7}}, "agent_id: Input should be a valid string"),
    ],
)
def test_what_is_refused_names_the_field(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(EventError, match=said):
        made(tmp_path)(raw(**changes))


def test_a_value_that_is_not_named_is_said_otherwise(tmp_path: Path) -> None:
    mapped = made(tmp_path)
    for result in ({"code": 500}, {}, None):
        event = mapped(raw(result=result))
        assert event is not None
        assert event.status == "error"


KEYS = st.sampled_from(["type", "actor", "id", "ts", "args", "0", "result", "code"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(ANY_JSON)
def test_whatever_comes_is_an_event_or_refused(message: Any) -> None:
    maps = {
        "agent_id": FieldMap.model_validate({"path": "actor.id", "as": "text"}),
        "time": FieldMap.model_validate({"path": "ts", "as": "unix_s"}),
        "action": FieldMap(path=("args.0", "type"), otherwise="x"),
        "bytes_out": FieldMap.model_validate({"path": "result.code", "as": "integer"}),
    }
    try:
        event = Mapper(maps)(json.dumps(message).encode("utf-8", "surrogatepass"))
    except EventError:
        return
    assert event is not None


def test_an_event_mapped_to_itself_is_what_it_is_read_as() -> None:
    maps = {name: FieldMap(path=(name,)) for name in ActionEvent.model_fields}
    plain = raw_event(1, bytes_out=5, cost_usd=2, attributes={"a": [1]}, effect="read")
    assert Mapper(maps)(plain) == ActionEvent.parse(plain)
    with pytest.raises(EventError, match="past the moment the log took it in"):
        Mapper(maps)(plain, 0.0)


@pytest.mark.parametrize("path", ["", ".a", "a.", "a..b", 'a."b', '"'])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path such as"):
        segments(path)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('agent_id = "actor.id"', "", "agent_id is missing: every event has"),
        ("user_id", "usr_id", "source.map.usr_id"),
        ('"actor.id"', '"actor..id"', "is no path such as"),
        ('{ value = "tool_call" }', '{ value = "x", path = "y" }', "say either path or value"),
        ('{ value = "tool_call" }', '{ value = "x", as = "text" }', "a constant needs no"),
        ('as = "unix_ms"', 'as = "epoch"', "source.map.time.as"),
        ('as = "unix_ms"', 'is = "unix_ms"', "source.map.time.is"),
        ('type = ["tool"]', '"a..b" = ["tool"]', "is no path such as"),
    ],
)
def test_a_fault_in_the_map_is_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        made(tmp_path, MAP.replace(was, becomes, 1))


def test_a_map_is_tried_on_a_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path)
    sample = tmp_path / "sample.json"
    settings = str(tmp_path / "tripswitch.toml")
    sample.write_text(json.dumps({**MESSAGE, "extra": [{"more": 1}]}, indent=2))
    assert run(["map", "test", str(sample), "--config", settings]) == 0
    told = capsys.readouterr().out
    assert "message 1: event" in told
    assert "not read of the first: extra.0.more, type" in told
    sample.write_bytes(raw() + b"\n" + raw(ts=None) + b"\nno json\n" + raw(type="x") + b"\n")
    assert run(["map", "test", str(sample), "--config", settings, "--json"]) == 4
    verdicts = [json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["event", "refused", "refused", "passed over"]
    sample.write_text("")
    assert run(["map", "test", str(sample)]) == 5
    assert run(["map", "--config", settings, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["map"]["time"] == {"path": ["ts"], "as": "unix_ms"}


def test_a_replay_reads_what_the_map_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path)
    log = tmp_path / "foreign.jsonl"
    log.write_bytes(b"\n".join(raw(turn=turn) for turn in range(5)) + b"\n" + raw(type="x"))
    settings = str(tmp_path / "tripswitch.toml")
    assert run(["replay", str(log), "--config", settings, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["rejected"], told["agents"]) == (5, 0, 1)
