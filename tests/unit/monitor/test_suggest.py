import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.event import ActionEvent
from baselines.packed import pack
from detectors.finding import Anomaly
from detectors.pattern import parts
from monitor import config, policies
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.replay import Replay
from monitor.sources import Place
from monitor.store import Store, shards
from monitor.suggest import toml
from monitor.suggest.draft import Draft
from monitor.suggest.gather import from_log
from tests.kit.events import START_S, event, raw_event

DAY_S = 86_400.0
HOSTILE = 'pay"]\n[[trip.rules]]\x1b[31m\u202e*é'


def work(days: int = 20) -> list[bytes]:
    """An agent's weeks: mails to a domain, files of a folder, ids, pages; odd things once."""
    lines: list[bytes] = []
    for day in range(days):
        for turn in range(4):
            n = day * 10 + turn
            at_s, run_id = START_S + day * DAY_S + (6 + turn) * 3600, f"r{n}"
            steps: list[dict[str, Any]] = [
                {"tool": "get_employee", "target": f"EMP-{n % 17:04}", "data_class": "internal"},
                {"tool": "read_file", "target": f"/srv/pay/{day % 5}/{turn}.csv"},
                {"tool": "fetch_page", "target": f"https://tax.example/n/{n % 7}?x={turn}"},
                {"tool": "send_email", "target": f"User{n % 9}@Corp.example, hr@corp.example"},
                {"tool": "search", "target": ["what? [a*]", "tab\tand \\ \"quote\""][turn % 2]},
            ]  # fmt: skip
            lines += [
                raw_event(len(lines), at_s + i, trace_id=run_id, role="payroll", **fields)
                for i, fields in enumerate(steps)
            ]
    odd_s = START_S + 5 * DAY_S + 18 * 3600
    odd: list[dict[str, Any]] = [
        {"tool": "drop_table", "target": "salaries", "data_class": "restricted"},
        {"tool": "send_email", "target": "m1@evil.example"},
        {"tool": "send_email", "target": "m2@evil.example"},
        {"tool": "send_email", "target": "m3@evil.example"},
        {"tool": "read_file", "target": "/srv/pay/../../etc/passwd", "status": "denied"},
        {"tool": HOSTILE, "target": HOSTILE},
    ]
    lines += [
        raw_event(n + 90_000, odd_s + n, trace_id="odd", role="payroll", **fields)
        for n, fields in enumerate(odd)
    ]
    return lines


def breaches(lines: Sequence[bytes], draft: Path) -> list[Anomaly]:
    found: list[Anomaly] = []
    chosen = config.load(draft)
    replay = Replay(policies.detection(chosen), policies.response(chosen, (), ()))
    replay.on_anomaly = found.append
    replay.run(iter(lines), "log")
    return [anomaly for anomaly in found if anomaly.detector == "boundary"]


def suggest(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["boundaries", "suggest", *map(str, arguments)]) == 0
    return capsys.readouterr().out


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*work(), b"no event"]) + b"\n")
    return path


def test_a_draft_loads_and_its_log_breaches_nothing_but_what_it_left_out(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for who in (["--role", "payroll"], ["--agent", "payroll-1"], []):
        arguments = [log, *who, "--timezone", "Europe/Berlin"]
        text = suggest(capsys, *arguments)
        draft = json.loads(suggest(capsys, *arguments, "--json"))
        assert text.isascii()
        assert "\x1b" not in text
        path = tmp_path / "draft.toml"
        path.write_text(text)
        (boundary,) = config.load(path).boundaries
        assert boundary.mode == "shadow"
        left_out = {(each["kind"], each["term"]) for each in draft["left_out"]}
        found = breaches(work(), path)
        assert found, "what happened once is a breach"
        assert all(anomaly.shadow and anomaly.trace_id == "odd" for anomaly in found)
        odd = {("tool", "drop_table"), ("target", "salaries"), ("data class", "restricted"),
               ("verb", "destructive"), ("target", "m1@evil.example"), ("tool", HOSTILE),
               ("target", "/srv/pay/../../etc/passwd")}  # fmt: skip
        assert odd < left_out
        assert any(kind == "hour" for kind, _ in left_out)


def test_targets_are_generalised_where_several_share(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = json.loads(suggest(capsys, log, "--json"))
    targets = {line["pattern"]: line for line in draft["targets"]}
    assert {"EMP-[0-9]*", "https://tax.example/n/*", "*@corp.example"} < targets.keys()
    assert {"/srv/pay/0/*", "/srv/pay/4/*", "what[?] [[]a[*]]"} < targets.keys()
    assert targets["EMP-[0-9]*"] == {
        "pattern": "EMP-[0-9]*", "terms": 17, "uses": 80, "runs": 80,
    }  # fmt: skip
    assert not any("evil" in pattern for pattern in targets), "three targets of one run are one run"
    assert draft["never"] == ["write", "destructive"]
    assert draft["hours"] == ["Mon-Fri 08:00-12:00", "Sat-Sun 08:00-12:00"]


def test_a_log_in_the_words_of_its_source_is_read_as_the_daemon_reads_it(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = ("time", "agent_id", "action", "tool", "target", "role", "data_class", "trace_id")
    mapped, chosen = tmp_path / "mapped.jsonl", tmp_path / "mapped.toml"
    lines = [b'{"said": %s}' % line for line in log.read_bytes().splitlines()]
    mapped.write_bytes(b"\n".join(lines))
    names = "\n".join(f'{name} = "said.{name}"' for name in fields)
    chosen.write_text(f"[source]\nkind = 'log'\npath = '{mapped}'\n[source.map]\n{names}\n")
    drafted = json.loads(suggest(capsys, mapped, "--json", "--config", chosen))
    assert drafted["targets"] == json.loads(suggest(capsys, log, "--json"))["targets"]


def test_an_event_that_names_no_role_is_of_its_agents_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join([raw_event(1, role="payroll"), raw_event(2, tool="send_email")]))
    draft = json.loads(suggest(capsys, log, "--json", "--role", "payroll"))
    assert draft["events"] == 2


def test_little_history_says_nothing_of_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(work(3)))
    text = suggest(capsys, log)
    assert "hours" not in tomllib.loads(text)["boundaries"][0]
    assert "no hours: " in text


def test_what_detection_has_in_quarantine_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = work(20) + [
        raw_event(80_000 + n, START_S + 20 * DAY_S + n * 900, tool="send_email", role="payroll",
                  target="ceo@corp.example.evil", trace_id=f"h{n}")
        for n in range(3)
    ]  # fmt: skip
    lines += [raw_event(85_000 + n, START_S + (21 + n) * DAY_S) for n in range(2)]
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines))
    declared = tmp_path / "c.toml"
    declared.write_text('[[boundaries]]\ntargets = ["[!c]*"]\n')
    draft = json.loads(suggest(capsys, log, "--json", "--config", declared))
    why = {each["term"]: each["why"] for each in draft["left_out"]}
    assert why["ceo@corp.example.evil"] == "in quarantine"


def test_without_a_log_the_profiles_of_the_store_are_drafted_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = config.load()
    policy = policies.detection(chosen)
    store = Store.open(StoreConfig())
    from detectors.shard import Shard

    shard = Shard("log", 0, policy)
    for number, line in enumerate(work()):
        shard.feed(ActionEvent.parse(line), line, number)
    with store.ledger() as ledger:
        mine = shards.claim(ledger, "log", 0, owner="me", now_s=START_S)
    with store.state() as state:
        shards.adopt(state, mine, START_S)
        shards.save(state, mine, Place(9, {}), [*map(pack, shard.profiles.values())], START_S)
    store.close()
    text = suggest(capsys, "--agent", "payroll-1")
    path = tmp_path / "draft.toml"
    path.write_text(text)
    (boundary,) = config.load(path).boundaries
    assert boundary.agents == ("payroll-1",)
    assert boundary.tools is not None
    assert {"get_employee", "read_file", "send_email"} <= set(boundary.tools)
    assert boundary.targets is not None
    assert "EMP-[0-9]*" in boundary.targets
    assert "the daemon's profiles" in text
    assert suggest(capsys, "--role", "payroll").count("[[boundaries]]") == 1
    assert run(["boundaries", "suggest", "--agent", "nobody"]) == 5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--agent", "a", "--role", "b"], 2),
        (["--timezone", "Mars/X"], 2),
        (["nowhere.jsonl"], 4),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["boundaries", "suggest", *arguments]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_declared_and_what_would_have_alarmed_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["boundaries"]) == 0
    assert "no boundaries are declared" in capsys.readouterr().out
    assert run(["boundaries", "shadow"]) == 0
    assert "nothing would have alarmed" in capsys.readouterr().out
    path = tmp_path / "c.toml"
    path.write_text('[[boundaries]]\nagents = ["a\\u001b[31m"]\ntools = ["x"]\n')
    assert run(["boundaries", "--config", str(path)]) == 0
    told = capsys.readouterr().out
    assert "tools" in told
    assert "\x1b" not in told
    assert run(["boundaries", "--json", "--config", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["tools"] == ["x"]


texts = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["a/b", "a/../c", "/x/y", "a@b.c", "A@b.c", "http://h/p%2e", "h.i.j", "C:\\d", "id-1", "id-2"]
)


@given(st.lists(st.tuples(texts, texts, st.integers(0, 4)), max_size=25))
def test_whatever_the_names_are_the_draft_holds(steps: list[tuple[str, str, int]]) -> None:
    lines = [
        raw_event(n, START_S + n, tool=tool, target=target, trace_id=f"r{number}")
        for n, (tool, target, number) in enumerate(steps)
        if "\ud800" not in tool
    ]
    policy = policies.detection(config.load())
    for name, usage in from_log(iter(lines), policy, "UTC", lambda e: e.agent_id).items():
        draft = Draft.of(usage, "UTC", agents=(name,))
        data = tomllib.loads(toml.render(draft, "log"))
        limits = policies.limits(config.Config(**data).boundaries[0])
        left_out = {(each.kind, each.term) for each in draft.left_out}
        for line in lines:
            one = ActionEvent.parse(line)
            for kind, term, _ in limits.breaches(one, policy.effects.of(one)):
                of = parts(term) if kind == "target" else [term]
                assert any((kind, part) in left_out for part in of)


def test_an_event_without_tool_or_target_drafts_neither() -> None:
    policy = policies.detection(config.load())
    assert event(1, tool=None, target=None).tool is None
    lines = [raw_event(n, tool=None, target=None, action="login") for n in range(3)]
    (usage,) = from_log(iter(lines), policy, "UTC", lambda e: e.agent_id).values()
    draft = Draft.of(usage, "UTC", agents=("a",))
    assert (draft.tools, draft.targets, draft.data_classes) == (None, None, None)
