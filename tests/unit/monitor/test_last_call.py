import logging
import threading

import pytest

from monitor.last_call import LastCall

PATIENCE_S = 60.0


def test_who_is_asked_to_stop_ends_even_if_nothing_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left, codes = threading.Event(), list[int]()

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    last = LastCall(0.01, leave)
    assert not left.wait(0.1), "nobody has asked yet"
    with caplog.at_level(logging.WARNING):
        last.call()
        last.call()
        assert left.wait(PATIENCE_S)
    assert codes == [0]
    assert "goes on from the last checkpoint" in caplog.text
