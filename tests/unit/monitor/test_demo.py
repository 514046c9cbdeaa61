import io
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from monitor import config as settings
from monitor.demo.narrate import Narrator
from monitor.demo.stage import DemoError, Stage
from monitor.demo.wait import Wait


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / 'a "quoted" place')
    yield made
    made.stop()


def told(*, terminal: bool, brief: bool = False) -> str:
    stream = io.StringIO()
    narrator = Narrator(Console(file=stream, force_terminal=terminal, width=20))
    narrator.brief = brief
    narrator.chapter("The [bold]incident[/bold]")
    narrator.daemon("HIGH  alert opened: [red]something[/red] odd that is longer than a line")
    narrator.daemon("  why  because")
    narrator.agent({"agent_id": "a", "action": "login", "status": "denied"})
    return stream.getvalue()


def test_without_a_terminal_lines_are_plain_whole_and_no_markup_is_read() -> None:
    text = told(terminal=False)
    assert "\x1b" not in text
    assert "== The [bold]incident[/bold]\n" in text
    assert " | HIGH  alert opened: [red]something[/red] odd that is longer than a line\n" in text


def test_on_a_terminal_it_is_coloured() -> None:
    assert "\x1b[" in told(terminal=True)


def test_in_brief_the_daemon_has_headlines_alone() -> None:
    assert "why  because" in told(terminal=False)
    brief = told(terminal=False, brief=True)
    assert "alert opened" in brief
    assert "why  because" not in brief


def test_the_settings_are_valid_and_arm_one_rule(stage: Stage) -> None:
    config = settings.load(stage.config)
    assert config.source.path == stage.events
    assert [rule.mode for rule in config.trip.rules] == ["enforce"]
    assert tomllib.loads(stage.config.read_text())["store"]["url"] == config.store.url


def test_a_directory_that_was_used_is_refused(stage: Stage) -> None:
    with pytest.raises(DemoError, match=r"holds tripswitch\.toml already"):
        Stage(stage.directory)


def test_a_daemon_that_ends_is_said_with_its_last_words(stage: Stage) -> None:
    stage.config.write_text("nonsense = 1\n")
    stage.start(lambda _: None)
    with pytest.raises(DemoError, match=r"exit code 2: .*nonsense.*daemon\.log"):
        Wait(stage).until(lambda: None, 30.0, "nothing")


def test_waiting_in_vain_says_for_what(stage: Stage) -> None:
    with pytest.raises(DemoError, match=r"in vain for rain; see .*daemon\.log"):
        Wait(stage).until(lambda: None, 0.0, "rain")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DemoError, match="Permission denied"):
        Stage(tmp_path / "there")
