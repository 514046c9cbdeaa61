import logging
import os
import subprocess
import sys
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


ASKED_TO_STOP = """
import os, sys, threading
from monitor import log
from monitor.last_call import LastCall

log.set_up()
print("what nobody has read yet")
os.set_blocking(1, False)
if {fills}:
    try:
        while True:
            os.write(1, b".")
    except BlockingIOError:
        pass
os.set_blocking(1, True)
os.write(int(sys.argv[1]), b"asked")
LastCall(0.5).call()
threading.Event().wait()
"""


@pytest.mark.parametrize("reader", ["reads no more", "is gone"])
def test_it_ends_whatever_becomes_of_who_reads_its_log(reader: str) -> None:
    is_gone = reader == "is gone"
    asked, asks = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", ASKED_TO_STOP.format(fills=not is_gone), str(asks)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[asks],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    ) as process:  # fmt: skip
        os.close(asks)
        try:
            assert os.read(asked, 10) == b"asked"
            if is_gone:
                assert process.stdout is not None
                process.stdout.close()
            assert process.wait(PATIENCE_S) == 0
        finally:
            os.close(asked)
            process.kill()
