import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import audit_file
from monitor.errors import UsageError
from monitor.ledger import audit
from monitor.ledger.audit_erase import Whose, erase, find
from monitor.store import Store

START_S = 1_800_000_000.25


def fill(store: Store, count: int = 6) -> None:
    with store.ledger() as ledger:
        for number in range(count):
            audit.append(
                ledger, at_s=START_S + number, actor="os:alice", action="kill ordered",
                subject="payroll-1", doc={"n": number, "share": 0.1}, text={"reason": f"r{number}"},
            )  # fmt: skip


def erase_all_about(store: Store, agent: str) -> None:
    with store.ledger() as ledger:
        whose = Whose(agent, is_agent=True)
        erase(ledger, whose, find(ledger, whose), by="os:dpo", reason="r", now_s=START_S + 100)


def write(store: Store, path: Path, **limits: float) -> list[dict[str, Any]]:
    with store.snapshot() as ledger:
        lines = list(audit_file.export(ledger, **limits))
    path.write_text("".join(line + "\n" for line in lines), "ascii")
    return [json.loads(line) for line in lines]


def rewrite(path: Path, documents: list[dict[str, Any]]) -> str | None:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return audit_file.verify(path).fault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.jsonl"


def test_an_export_is_verified_without_the_store(store: Store, path: Path) -> None:
    fill(store)
    documents = write(store, path)
    assert documents[2] == documents[2] | {
        "seq": 3,
        "at": "2027-01-15T08:00:02.250+00:00",
        "at_s": START_S + 2,
        "actor": "os:alice",
        "action": "kill ordered",
        "subject": "payroll-1",
        "facts": {"n": 2, "share": 0.1},
        "text": {"reason": "r2"},
        "erased_by": {},
        "prev_hash": documents[1]["hash"],
    }
    assert documents[2]["digests"].keys() == documents[2]["salts"].keys()
    found = audit_file.verify(path)
    assert found == audit_file.Verdict(None, 1, 6, documents[-1]["hash"], 0)


def test_an_export_of_a_time_has_what_lies_in_it(store: Store, path: Path) -> None:
    fill(store)
    since, until = START_S + 2, START_S + 4
    assert [d["seq"] for d in write(store, path, since_s=since, until_s=until)] == [3, 4]
    found = audit_file.verify(path)
    assert (found.fault, found.first_seq, found.last_seq) == (None, 3, 4)
    assert write(store, path, since_s=START_S + 99) == []
    assert write(store, path, until_s=START_S) == []
    assert audit_file.verify(path).last_seq == 0


def test_what_was_erased_is_proven_by_the_entry_that_names_it(store: Store, path: Path) -> None:
    fill(store)
    erase_all_about(store, "payroll-1")
    documents = write(store, path)
    assert (documents[0]["actor"], documents[0]["text"]) == ("os:alice", None)
    assert documents[0]["erased_by"] == {"subject": 7, "text": 7}
    assert audit_file.verify(path).fault is None
    write(store, path, until_s=START_S + 3)
    found = audit_file.verify(path)
    assert (found.fault, found.elsewhere) == (None, 6)  # said to be erased by what is not there


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"actor": "os:mallory"}, "entry 3: its actor was changed"),
        ({"text": {"reason": "another"}}, "entry 3: its text was changed"),
        ({"text": None}, "entry 3: its text was changed"),
        ({"salts": {}}, "line 3 is no entry of an export"),
        ({"facts": {"n": 9}}, "entry 3 was changed"),
        ({"action": "restore ordered"}, "entry 3 was changed"),
        ({"at_s": START_S}, "line 3 is no entry of an export"),
        ({"at_s": START_S + 2.0001}, "entry 3 was changed"),
        ({"at": "2027-01-15T08:00:09.250+00:00"}, "line 3 is no entry of an export"),
        ({"hash": "0" * 64}, "entry 3 was changed"),
        ({"seq": 4}, "entry 3 is missing"),
        ({"seq": "3"}, "line 3 is no entry of an export"),
        ({"digests": None}, "line 3 is no entry of an export"),
        ({"erased_by": {"text": "x"}}, "line 3 is no entry of an export"),
    ],
)
def test_a_changed_line_is_named(
    store: Store, path: Path, change: dict[str, Any], fault: str
) -> None:
    fill(store)
    documents = write(store, path)
    documents[2] |= change
    assert (rewrite(path, documents) or "").startswith(fault)


def test_lines_taken_out_and_put_in_are_named(store: Store, path: Path) -> None:
    fill(store)
    documents = write(store, path)
    assert rewrite(path, documents[:2] + documents[3:]) == "entry 3 is missing"
    assert rewrite(path, [*documents, documents[-1]]) == "entry 6 is there twice"
    assert rewrite(path, documents[:3]) is None  # the end of a file shows in its hash alone
    assert audit_file.verify(path).hash == documents[2]["hash"]
    hidden = documents[2] | {"text": None, "salts": {}, "erased_by": {"actor": 6}}
    hidden |= {"actor": None, "subject": None}
    assert rewrite(path, [*documents[:2], hidden, *documents[3:]]) == (
        "entry 3: its actor is missing, and no erasure names it"
    )


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b"null", b"{}", b"[" * 100_000, b'"x"'])
def test_what_is_no_export_is_named_by_its_line(path: Path, line: bytes) -> None:
    path.write_bytes(line + b"\n")
    assert (audit_file.verify(path).fault or "").startswith("line 1 is no entry of an export")


def test_a_line_without_end_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_file, "MAX_LINE_BYTES", 1000)
    path.write_bytes(b" " * 2000)
    assert audit_file.verify(path).fault == "line 1 is no entry of an export: it is too long"


def test_a_file_that_is_not_there_is_wrong_usage(path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        audit_file.verify(path)


texts = st.text(st.characters(codec=None)) | st.sampled_from(
    ("\x00", "\ud800", "\u202e\x1b[2J", "'; DROP TABLE audit; --", "\\u0000", '","actor":"')
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actor=texts, subject=texts, said=st.dictionaries(texts, texts, max_size=3))
def test_any_text_is_taken_in_and_verified_in_store_and_file(
    store: Store, path: Path, actor: str, subject: str, said: dict[str, str]
) -> None:
    take_in_and_verify(store, path, actor, subject, said)


def test_megabytes_of_text_are_taken_in_and_verified(store: Store, path: Path) -> None:
    said = {"reason": "\ud800" * 3_000_000}
    take_in_and_verify(store, path, "a" * 3_000_000, "ü" * 3_000_000, said)


def take_in_and_verify(
    store: Store, path: Path, actor: str, subject: str, said: dict[str, str]
) -> None:
    with store.ledger() as ledger:
        audit.append(
            ledger, at_s=START_S, actor=actor, action="did", subject=subject,
            doc=said, text=said,
        )  # fmt: skip
    with store.snapshot() as ledger:
        assert audit.verify(ledger) is None
        assert len(audit.entries(ledger, 1)) == 1
    write(store, path)
    assert audit_file.verify(path).fault is None
