"""Each error of the command line says what to do next, in one line, with the exit code it has."""

from pathlib import Path

import pytest

from monitor.cli.app import run

NOWHERE = "/proc/nowhere"


@pytest.mark.parametrize(
    ("line", "code", "advice"),
    [
        ("fooo", 2, "`tripswitch --help` shows how it is used"),
        ("kil a", 2, "Did you mean 'kill'?"),
        ("kill a", 2, "Missing option '--reason'; `tripswitch kill --help`"),
        ("agents --stat x", 2, "`tripswitch agents --help`"),
        ("agents --config nowhere.toml", 2, "`tripswitch config --example`"),
        ("agents --config bad.toml", 2, "it is to be TOML in UTF-8"),
        (
            "agents --config unknown.toml",
            2,
            "there are: client, kind, map, only, path, start, topic, topics",
        ),
        ("agents --config wrong.toml", 2, "`tripswitch config --example` explains every key"),
        ("agent nobody", 5, "`tripswitch agents` lists"),
        ("actions a --since soon", 2, "write it as 90s"),
        ("explain nothing", 5, "`tripswitch alerts` lists them"),
        ("ack nothing --reason r", 5, "`tripswitch alerts` lists them"),
        ("unmute nothing --reason r", 5, "`tripswitch mutes --all` lists them"),
        ("restore a --reason r", 5, "`tripswitch trips` lists who was"),
        ("trips give-up t p --reason r", 5, "`tripswitch trips` lists them"),
        ("grants revoke g --reason r", 5, "`tripswitch grants` lists them"),
        ("approve x --reason r", 5, "`tripswitch approvals` lists them"),
        ("token revoke x", 5, "`tripswitch token list` lists them"),
        ("audit verify --file nowhere", 2, "name a file that `audit export` wrote"),
        ("audit import nowhere", 2, "`kill` printed where it wrote it"),
        ("replay nowhere.jsonl", 4, "name a log of JSON lines"),
        ("outbox retry x --reason r", 5, "`tripswitch outbox` lists them"),
        (
            "trips --server http://127.0.0.1:1",
            4,
            "check --server, and that `tripswitch serve` runs",
        ),
        ("trips --server nonsense", 2, "such as https://tripswitch:8377"),
        ("trips --server http://127.0.0.1:1 --token-file nowhere", 2, "by --token-file"),
    ],
)
def test_an_error_says_what_to_do(
    line: str,
    code: int,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[source")
    Path("unknown.toml").write_text("[source]\nzzzzzz = 1")
    Path("wrong.toml").write_text("[trip]\nsilent_after_s = 'x'")
    assert run(line.split()) == code
    said = capsys.readouterr()
    assert advice in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        (f"sqlite:///{NOWHERE}/ledger.db", "check that this user may write there"),
        ("postgresql://u@127.0.0.1:1/x", "check store.url, and that the database runs"),
    ],
)
def test_a_store_that_cannot_be_opened_says_what_to_look_at(
    url: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", url)
    assert run(["agents"]) == 4
    assert advice in capsys.readouterr().err
