"""What the documents promise is there, and what is there is documented."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from monitor import config
from monitor.cli.app import MODULES, app, register, run

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text("utf-8")
FLOORS = ["baselines", "detectors", "alerting", "monitor"]


def commands() -> list[str]:
    register([])
    return sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_each_command_is_in_the_module_that_is_imported_for_it() -> None:
    assert sorted(MODULES) == commands()
    homes: dict[str, str] = {}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for one in (
            group.typer_instance.registered_callback,
            *group.typer_instance.registered_commands,
        ):
            if one is not None and one.callback is not None:
                homes[str(group.name)] = one.callback.__module__
    for command in app.registered_commands:
        assert command.callback is not None
        homes[command.name or command.callback.__name__] = command.callback.__module__
    assert homes == {name: f"monitor.cli.{module}" for name, module in MODULES.items()}


def test_one_command_is_told_of_by_its_own_module_alone() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "monitor", "kill", "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Usage: tripswitch kill" in said


@pytest.mark.parametrize("name", commands())
def test_every_command_is_in_the_readme_and_helps_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(rf"tripswitch {name}\b|make {name}\b|`{name} ", README), name
    run([name, "--help"])
    told = capsys.readouterr().out
    assert "Example: " in told
    assert "--config" in told or name == "demo"
    assert "--json" in told or name == "demo"


def test_the_settings_in_the_readme_are_settings(tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", README, re.DOTALL)):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, "utf-8")
        config.load(path)


def test_the_event_in_the_readme_is_one() -> None:
    from baselines.event import ActionEvent

    (block,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert ActionEvent.parse(block.encode()).agent_id == "payroll-1"


@pytest.mark.parametrize("floor", FLOORS)
def test_every_module_of_a_floor_is_in_its_readme(floor: str) -> None:
    readme = (ROOT / floor / "README.md").read_text("utf-8")
    for path in (ROOT / floor).glob("*.py"):
        if not path.stem.startswith("_"):
            assert f"`{path.stem}`" in readme, path.name


def modules_with_examples() -> list[str]:
    paths = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]
    named = [path.relative_to(ROOT).with_suffix("") for path in paths if ">>>" in path.read_text()]
    return [".".join(path.parts) for path in named]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted > 0
    assert tried.failed == 0
