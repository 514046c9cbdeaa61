"""Who may speak for which agent."""

import hmac
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import config
from monitor.decode import Decoder
from monitor.errors import UsageError
from monitor.producers import HEADER, ImpostorError, Producer, Producers, open_producers
from monitor.sources.lines import Line
from tests.kit.events import raw_event
from tests.kit.signing import signed

OLD, NEW, OTHER = b"old-secret-of-payroll", b"new-secret-of-payroll", b"secret-of-support"
PRODUCERS = Producers(
    [
        Producer("payroll", ("payroll-*",), ("actions",), {"p1": OLD, "p2": NEW}),
        Producer("support", ("support-*", "shared"), ("*",), {"s1": OTHER}),
        Producer("batch", ("batch-*", "payroll-*"), ("nightly*",), {}),
    ]
)
VALUE = b'{"agent_id": "payroll-1"}'


def mac(secret: bytes, value: bytes) -> bytes:
    return hmac.new(secret, value, "sha256").hexdigest().encode()


def why(*arguments: Any) -> str | None:
    """Why an event is refused; None if it is taken."""
    try:
        PRODUCERS.vet(*arguments)
    except ImpostorError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("key", "secret"), [("p1", OLD), ("p2", NEW)])
def test_each_key_of_a_producer_is_taken(key: str, secret: bytes) -> None:
    assert why("actions", "payroll-1", VALUE, signed(VALUE, key, secret)) is None


@pytest.mark.parametrize(
    ("topic", "agent", "headers", "said"),
    [
        ("actions", "payroll-1", [], "not signed, as events of this agent have to be (got agent "),
        ("nightly", "payroll-1", [], "not signed"),  # listed there, but others sign for it
        ("actions", "payroll-1", signed(VALUE, "s1", OTHER), "producer support may not speak for"),
        ("nightly", "payroll-1", signed(VALUE, "p1", OLD), "producer payroll may not speak for"),
        ("actions", "batch-1", [], "no producer may speak for this agent here"),
        ("actions", "unheard-of", [], "no producer may speak for this agent here"),
        ("actions", "payroll-1", signed(VALUE, "p3", OLD), "a key that nobody has (got key 'p3')"),
        ("actions", "payroll-1", signed(VALUE, "p2", OLD), "does not fit the record"),
        ("actions", "payroll-1", signed(VALUE + b" ", "p1", OLD), "does not fit the record"),
        ("nightly", "batch-1", signed(VALUE, "p1", NEW), "does not fit the record"),
        ("actions", "payroll-1", [(HEADER, None)], "is not v1:KEY:HEX"),
        ("actions", "payroll-1", [(HEADER, b"v1:p1:" + b"x" * 5000)], "is not v1:KEY:HEX"),
    ],
)
def test_an_impostor_is_refused(
    topic: str, agent: str, headers: list[tuple[str, bytes | None]], said: str
) -> None:
    reason = why(topic, agent, VALUE, headers)
    assert reason is not None
    assert said in reason
    assert len(reason) < 300
    assert not any(secret.decode() in reason for secret in (OLD, NEW, OTHER))


def test_who_is_listed_without_a_key_need_not_sign() -> None:
    assert why("nightly-2", "batch-1", VALUE, [("trace", b"x")]) is None
    assert why("anywhere", "shared", VALUE, signed(VALUE, "s1", OTHER)) is None


@given(
    value=st.binary(max_size=200),
    agent=st.sampled_from(["payroll-1", "support-1", "batch-1", "nobody"]),
    topic=st.sampled_from(["actions", "nightly"]),
    header=st.one_of(
        st.none(),
        st.binary(max_size=100),
        st.builds(
            lambda key, secret, of: b"v1:%s:%s" % (key, mac(secret, of)),
            st.sampled_from([b"p1", b"p2", b"s1", b"x"]),
            st.sampled_from([OLD, NEW, OTHER, b"", b"guessed"]),
            st.binary(max_size=2),
        ),
    ),
)
def test_only_who_has_a_key_of_its_speaker_passes_for_a_signed_agent(
    value: bytes, agent: str, topic: str, header: bytes | None
) -> None:
    """Against the rules as they are told: by which headers an event may pass at all."""

    def by(key: str, secret: bytes) -> bytes:
        return b"v1:%s:%s" % (key.encode(), mac(secret, value))

    may: dict[tuple[str, str], set[bytes | None]] = {
        ("actions", "payroll-1"): {by("p1", OLD), by("p2", NEW)},
        ("actions", "support-1"): {by("s1", OTHER)},
        ("nightly", "support-1"): {by("s1", OTHER)},
        ("nightly", "batch-1"): {None},
    }
    right = may.get((topic, agent), set())
    headers = [] if header is None else [("other", b""), (HEADER, header)]
    assert (why(topic, agent, value, headers) is None) == (header in right)
    for one in right - {None}:
        assert why(topic, agent, value, [(HEADER, one)]) is None


def test_a_decoder_sets_impostors_aside_and_goes_on() -> None:
    class Signed(Line):
        headers = signed(raw_event(1), "p1", OLD)

    records = [
        Signed(0, 1_770_000_000_000, raw_event(1)),
        Line(1, 1_770_000_000_000, raw_event(2)),
        Line(2, 1_770_000_000_000, b"{"),
        Signed(3, 1_770_000_000_000, raw_event(1, bytes_out=10**9)),
    ]
    events, refused = Decoder(producers=PRODUCERS).decode("actions", 0, records)
    assert [offset for _, _, offset, _ in events] == [0]
    assert [(one.offset, one.kind) for one in refused] == [
        (1, "impostor"), (2, "malformed"), (3, "impostor"),
    ]  # fmt: skip
    assert refused[0].raw == raw_event(2)
    assert len(Decoder().decode("actions", 0, records)[0]) == 3


def load(tmp_path: Path, text: str) -> Producers | None:
    path = tmp_path / "tripswitch.toml"
    path.write_text(text)
    return open_producers(config.load(path))


KAFKA = "[kafka]\nbootstrap_servers = 'b:9092'\n[source]\nkind = 'kafka'\n"
KEYED = "[[producers]]\nname = 'p'\nagents = ['payroll-*']\n[[producers.keys]]\nid = 'p1'\n"


def test_settings_lead_to_producers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(tmp_path, KAFKA) is None
    monkeypatch.setenv("EVENTS_SECRET", OLD.decode())
    made = load(tmp_path, f"{KAFKA}{KEYED}secret_variable = 'EVENTS_SECRET'\n")
    assert made is not None
    made.vet("any", "payroll-1", VALUE, signed(VALUE, "p1", OLD))
    with pytest.raises(ImpostorError):
        made.vet("any", "ceo-1", VALUE, signed(VALUE, "p1", OLD))
    made = load(tmp_path, "[[producers]]\nname = 'p'\nagents = ['a']\n")  # a log
    assert made is not None
    made.vet("/var/log/x", "a", VALUE, [])
    with pytest.raises(ImpostorError):
        made.vet("/var/log/x", "b", VALUE, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEYED + "secret_variable = 'SHORT'", "source.kind is log: its records have no headers"),
        (KAFKA + KEYED + "secret_variable = 'SHORT'", "has 5 characters; give it 16 or more"),
        (KAFKA + KEYED + "secret_variable = 'UNSET'", "key p1: there is no secret in the variable"),
        (KAFKA + KEYED + "secret_file = '/nowhere'", "key p1: cannot read the secret in /nowhere"),
        (KAFKA + KEYED, "set either secret_file or secret_variable"),
        (KAFKA + KEYED + "secret = 'do-not-show-this-one'", "producers.0.keys.0.secret: unknown"),
        (KAFKA + KEYED + "secret_file = '/a'\n" + KEYED + "secret_file = '/b'", "producer p is"),
        (KAFKA + "[[producers]]\nname = 'p'\nagents = []", "producers.0.agents"),
        (
            KAFKA + "map = { agent_id = '$key', time = 't', action = 'a' }\n" + KEYED
            + "secret_variable = 'SHORT'",
            "source.map.agent_id is read from the record's key, which no signature covers",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("SHORT", "12345")
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)
    assert "do-not-show" not in str(caught.value)
    assert "12345" not in str(caught.value)
