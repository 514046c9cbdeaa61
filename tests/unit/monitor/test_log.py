import json
import logging

from monitor.log import JsonFormatter, SafeFormatter


def record(text: str, *arguments: object, fails: bool = False) -> logging.LogRecord:
    trace = None
    if fails:
        try:
            raise ValueError("no\nway")
        except ValueError as error:
            trace = (type(error), error, error.__traceback__)
    return logging.LogRecord("monitor.x", logging.WARNING, "x.py", 1, text, arguments, trace)


def test_json_is_an_object_a_line_that_no_event_can_fake() -> None:
    line = JsonFormatter().format(record("agent %s", 'a"}\n{"level": "x\x1b[31m', fails=True))
    assert line.isascii()
    assert "\n" not in line
    told = json.loads(line)
    assert told["level"] == "warning"
    assert told["logger"] == "monitor.x"
    assert "\x1b" not in told["message"]
    assert "ValueError" in told["trace"]
    assert told["time"].endswith("+00:00")


def test_a_readable_line_is_cut_and_clean() -> None:
    line = SafeFormatter("%(message)s").format(record("%s", "a\nb\x1b[2J" + "x" * 5000))
    assert "\n" not in line
    assert "\x1b" not in line
    assert len(line) < 2100
