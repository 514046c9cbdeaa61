import io
import os
import re
from collections.abc import Iterator

import pytest

from alerting.notify.terminal import TerminalReceiver
from alerting.ports import DeliveryError
from tests.kit.messages import message

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def terminal() -> Iterator[tuple[io.TextIOWrapper, int]]:
    """A real pseudo-terminal: what is written to, and where it is read."""
    reading, writing = os.openpty()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield stream, reading
    os.close(reading)


def test_colour_on_a_terminal_only_ours_and_only_there(
    terminal: tuple[io.TextIOWrapper, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream, reading = terminal
    told = message(headline="odd \x1b[32m thing [red]x[/red]")
    TerminalReceiver(stream).send(told, "k")
    seen = os.read(reading, 65536).decode()
    assert COLOUR.match(seen)
    plain = COLOUR.sub("", seen)
    assert "\x1b" not in plain
    assert r"odd \x1b[32m thing [red]x[/red]" in plain

    file = io.StringIO()
    TerminalReceiver(file).send(told, "k")
    assert "\x1b" not in file.getvalue()
    assert file.getvalue() == plain.replace("\r\n", "\n")


def test_a_long_command_is_not_wrapped() -> None:
    file = io.StringIO()
    agent_id = "agent-" + "long " * 80
    TerminalReceiver(file).send(message(agent_id=agent_id), "k")
    assert f"tripswitch kill '{agent_id}' --reason" in file.getvalue()


def test_an_encoding_without_the_character_shows_it_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    TerminalReceiver(stream).send(message(headline="größe"), "k")
    assert rb"gr\xf6\xdfe" in raw.getvalue()


def test_a_closed_stream_is_final() -> None:
    file = io.StringIO()
    file.close()
    with pytest.raises(DeliveryError) as caught:
        TerminalReceiver(file).send(message(), "k")
    assert not caught.value.retryable
