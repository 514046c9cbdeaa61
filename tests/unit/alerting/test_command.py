"""Commands as enforcement points: real processes that misbehave."""

import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from alerting.ports import RevokeError
from alerting.revoke.command import CommandPoint, check_arguments
from alerting.revoke.contract import order
from alerting.revoke.orders import PLACEHOLDERS
from tests.kit.waiting import until

LIMIT_S = 20.0


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


def command(revoke: tuple[str, ...], variables: tuple[str, ...] = ()) -> CommandPoint:
    return CommandPoint("iam", {"revoke": revoke, "restore": revoke}, variables=variables)


def revoke(code: str, *arguments: str, agent_id: str = "a", timeout_s: float = LIMIT_S) -> None:
    command(python(code, *arguments)).revoke(order("revoke", 1, agent_id), timeout_s)


@pytest.mark.parametrize("agent_id", ["--all", "-rf", "-", "--"])
def test_an_id_is_never_taken_for_an_option(agent_id: str, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    code = f"import sys; open({str(seen)!r}, 'w').write(repr(sys.argv[1:]))"
    with pytest.raises(RevokeError, match=r"agent_id begins with a dash.*put '--' before"):
        revoke(code, "$agent_id", agent_id=agent_id)
    with pytest.raises(RevokeError, match="agent_id begins with a dash"):
        revoke(code, "$agent_id", "$agent_id", agent_id=agent_id)
    assert not seen.exists()
    revoke(code, "--", "$agent_id", agent_id=agent_id)
    assert seen.read_text() == repr(["--", agent_id])


def test_the_surroundings_are_scrubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    monkeypatch.setenv("TRIPSWITCH_SLACK__BOT_TOKEN", "s3cret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("LANG", "C.UTF-8")
    code = f"import os; open({str(seen)!r}, 'w').write(chr(10).join(sorted(os.environ)))"
    told = order("revoke", 1, "a")
    command(python(code), ("AWS_PROFILE", "NOT_SET")).revoke(told, LIMIT_S)
    names = [n for n in seen.read_text().split() if n != "LC_CTYPE"]  # Python sets it by itself
    assert names == [
        "AWS_PROFILE",
        "LANG",
        "PATH",
        *sorted(f"TRIPSWITCH_{name.upper()}" for name in PLACEHOLDERS),
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no such user')", "ended with exit code 1: no such user"),
        ("import os; os.kill(os.getpid(), 9)", "ended with signal 9"),
        ("import sys; print('x' * 10**7); sys.exit(3)", "ended with exit code 3: xxx"),
        ("import sys; print(chr(27) + '[2J'); sys.exit(3)", r"exit code 3: \\x1b\[2J"),
        ("raise SystemExit(75)", "exit code 75$"),
    ],
)
def test_what_went_wrong_is_said_briefly(code: str, said: str) -> None:
    with pytest.raises(RevokeError, match=said) as refused:
        revoke(code)
    assert len(str(refused.value)) < 400


def test_a_secret_that_is_printed_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_TOKEN", "s3cret-token")
    point = command(python("import os, sys; sys.exit(os.environ['IAM_TOKEN'])"), ("IAM_TOKEN",))
    with pytest.raises(RevokeError, match=r"exit code 1: \[hidden\]"):
        point.revoke(order("revoke", 1, "a"), LIMIT_S)


@pytest.mark.parametrize("parent_ends", [False, True])
def test_nothing_that_it_started_stays_behind(tmp_path: Path, parent_ends: bool) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid}; sleep {0 if parent_ends else 600}"
    point, told = command(("/bin/sh", "-c", script)), order("revoke", 1, "a")
    if parent_ends:
        point.revoke(told, LIMIT_S)  # its child holds the output open, and is not waited for
    else:
        with pytest.raises(RevokeError, match="did not end within 3 s"):
            point.revoke(told, 3.0)
    child = int(pid.read_text())
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")


def test_a_command_that_never_stops_talking_is_ended() -> None:
    with pytest.raises(RevokeError, match=r"did not end within 0\.5 s"):
        revoke("while True: print('x' * 1000)", timeout_s=0.5)


@pytest.mark.parametrize("agent_id", ["a\x00b", "lone \ud800"])
def test_what_no_process_can_be_told_is_refused(agent_id: str) -> None:
    with pytest.raises(RevokeError, match="cannot be told such an id"):
        revoke("pass", "--", "$agent_id", agent_id=agent_id)


def test_a_program_that_is_not_there_is_named() -> None:
    point = command(("/no/such/program", "--", "$agent_id"))
    with pytest.raises(RevokeError, match="'/no/such/program'"):
        point.check()
    with pytest.raises(RevokeError, match="/no/such/program cannot be run: No such file"):
        point.revoke(order("revoke", 1, "a"), LIMIT_S)


@pytest.mark.parametrize(("code", "said"), [("0", True), ("1", False)])
def test_it_can_be_asked(code: str, said: bool) -> None:
    verify = python(f"raise SystemExit({code})")
    point = CommandPoint("iam", {"revoke": verify, "restore": verify}, verify=verify)
    assert point.verify(order("revoke", 1, "a"), LIMIT_S) is said


def test_an_error_while_asking_is_no_answer() -> None:
    verify = python("raise SystemExit(2)")
    point = CommandPoint("iam", {"revoke": verify, "restore": verify}, verify=verify)
    with pytest.raises(RevokeError, match="exit code 2"):
        point.verify(order("revoke", 1, "a"), LIMIT_S)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "the first argument is the program"),
        (("$agent_id",), "the first argument is the program"),
        (("iam", "--user=$agent_id"), "a placeholder is a whole argument"),
        (("iam", "$agent"), "a placeholder is a whole argument"),
        (("iam", "a\x00"), "NUL"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_arguments(arguments)
