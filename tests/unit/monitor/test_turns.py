"""Who of a process's threads writes next."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.config import StoreConfig
from monitor.store import Store
from monitor.store.turns import Turns
from tests.kit.waiting import until

PATIENCE_S = 30.0


@contextmanager
def queue(taken: Turns) -> Iterator[ThreadPoolExecutor]:
    """Threads that come for a turn while one is taken; all are through in the end."""
    with ThreadPoolExecutor(16) as threads, taken.turn():
        yield threads


def come(
    threads: ThreadPoolExecutor, taken: Turns, name: str, came: list[str], **how: bool
) -> None:
    """A thread that waits for its turn, once it does so."""
    before = len(taken._waiting)

    def take() -> None:
        with taken.turn(**how):
            came.append(name)

    threads.submit(take)
    until(lambda: len(taken._waiting) > before)


def test_threads_come_in_the_order_in_which_they_asked() -> None:
    taken, came = Turns(PATIENCE_S), list[str]()
    with queue(taken) as threads:
        for name in "abcdef":
            come(threads, taken, name, came)
        assert came == []
    assert came == list("abcdef")


def test_who_goes_first_comes_before_all_that_wait() -> None:
    taken, came = Turns(PATIENCE_S), list[str]()
    with queue(taken) as threads:
        come(threads, taken, "a", came)
        come(threads, taken, "b", came)
        come(threads, taken, "first", came, first=True)
    assert came == ["first", "a", "b"]


def test_one_at_a_time_whatever_they_do() -> None:
    taken, inside, most = Turns(PATIENCE_S), 0, 0

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(200):
            with suppress(ZeroDivisionError), taken.turn(first=number % 3 == 0):
                inside += 1
                most = max(most, inside)
                inside -= 1
                if number % 2:
                    raise ZeroDivisionError

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert most == 1
    assert not taken._taken


def test_who_waited_for_too_long_goes_on_and_takes_nobodys_turn() -> None:
    taken, gone_on = Turns(0.05), threading.Event()

    def impatient() -> None:
        with taken.turn():
            gone_on.set()

    with taken.turn():
        thread = threading.Thread(target=impatient)
        thread.start()
        assert gone_on.wait(PATIENCE_S)
        thread.join()
        assert taken._taken
        assert not taken._waiting
    assert not taken._taken


@pytest.mark.parametrize("called_meanwhile", [False, True])
def test_an_interrupt_while_waiting_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, called_meanwhile: bool
) -> None:
    taken = Turns(PATIENCE_S)

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if called_meanwhile:
                other.__exit__(None, None, None)
            raise KeyboardInterrupt

    other = taken.turn()
    other.__enter__()
    monkeypatch.setattr(threading, "Event", Interrupted)
    with pytest.raises(KeyboardInterrupt), taken.turn():
        pass
    monkeypatch.undo()
    if not called_meanwhile:
        assert taken._taken, "the other has it still"
        other.__exit__(None, None, None)
    assert not taken._taken
    assert not taken._waiting


def test_threads_write_to_a_store_by_turns_and_who_reads_waits_for_none(tmp_path: Path) -> None:
    store, order = Store.open(StoreConfig(url=f"sqlite:///{tmp_path}/ledger.db")), list[str]()

    def write(name: str, *, first: bool = False) -> None:
        with store.ledger(first=first) as ledger:
            ledger.execute(text("SELECT 1"))
            order.append(name)

    def waits(number: int) -> None:
        until(lambda: len(store._turns._waiting) == number)

    with ThreadPoolExecutor(8) as threads, store.ledger() as ledger:
        ledger.execute(text("SELECT 1"))
        for number in range(5):
            threads.submit(write, str(number))
            waits(number + 1)
        threads.submit(write, "worker", first=True)
        waits(6)
        with store.read() as reading:  # waits for nobody
            reading.execute(text("SELECT 1"))
        assert order == []
    assert order == ["worker", "0", "1", "2", "3", "4"]
    store.close()
