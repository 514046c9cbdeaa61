"""The example of the settings: it is what the models say, and every example in it is valid."""

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

import monitor.cli  # noqa: F401 # registers the commands
from monitor.cli.app import run
from monitor.config import Config, load
from monitor.config_checks import models_in
from monitor.example import explained, toml
from tests.kit.settings import everything_set

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "tripswitch.toml"


def sections(model: type[BaseModel] = Config) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        for section in models_in(field.annotation):
            found |= {section} | sections(section)
    return found


def test_the_file_is_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "--example"]) == 0
    made = capsys.readouterr().out
    assert made == EXAMPLE.read_text("utf-8"), "run: tripswitch config --example > " + str(EXAMPLE)


def test_as_it_is_it_changes_nothing() -> None:
    assert load(EXAMPLE) == load()


def test_every_example_is_a_valid_setting() -> None:
    data = tomllib.loads(everything_set())
    whole = Config(**data)
    assert {receiver.kind for receiver in whole.receivers} == {"webhook", "kafka", "plugin"}
    assert {point.kind for point in whole.points} == {"webhook", "command", "plugin"}
    assert whole.boundaries[0].permits[0].tools == ("export_ledger",)
    assert set(data) == set(Config.model_fields)


@pytest.mark.parametrize("section", sorted(sections(), key=str))
def test_every_key_is_explained(section: type[BaseModel]) -> None:
    texts = explained(section)
    for key, field in section.model_fields.items():
        if key != "kind" and not list(models_in(field.annotation)):
            assert len(texts[key].text) > 3, key


@pytest.mark.parametrize(
    "value", [True, 5.0, 0.25, 1e9, 12, 'a "b" ü \\', (), ("x", "y"), {"a": [1, {"b": "c"}]}]
)
def test_a_value_is_written_as_toml_reads_it(value: object) -> None:
    read = tomllib.loads(f"it = {toml(value)}")["it"]
    assert (tuple(read) if isinstance(value, tuple) else read) == value
