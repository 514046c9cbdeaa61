"""What a gateway answers: slowly, wrongly, twice or never."""

import json

import pytest

from alerting.notify.contract import stopwatch
from alerting.ports import RevokeError
from alerting.revoke.contract import order
from tests.kit.gateway_server import SECRET, TOKEN, Answer, GatewayServer
from tests.kit.points import Open

LIMIT_S = 20.0
SHORT_S = 0.4
WRONG = {
    "an error": (Answer(500, b"\x1b[2Jdatabase\r\ndown"), r"HTTP 500 to revoke: \\x1b\[2Jdatabase"),
    "not found": (Answer(404), "HTTP 404 to revoke"),
    "a redirect": (Answer(302, headers={"Location": "/ready"}), "a redirect.* not followed"),
    "garbage": (Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), "talks no HTTP"),
    "nothing": (Answer(drop=True), "talks no HTTP"),
    "silence": (Answer(hang=True), "did not answer within 0.4 s"),
    "a head that drips in": (Answer(200, drip_head=True), "did not answer within 0.4 s"),
    "a secret that comes back": (Answer(403, SECRET.encode()), r"HTTP 403 to revoke: \[hidden\]"),
    "an endless error": (Answer(500, endless=True), "HTTP 500 to revoke: xxx"),
    "an error that drips in": (Answer(500, b"slow" * 99, drip_body=True), "HTTP 500 to revoke: s"),
    "status lines alone": (Answer(raw=b"HTTP/1.1 100 Go\r\n\r\n" * 3), "talks no HTTP"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_confirmation_is_said_in_time(
    gateway: GatewayServer, open_at: Open, wrong: str
) -> None:
    answer, said = WRONG[wrong]
    gateway.script.append(answer)
    limit_s = SHORT_S if answer.hang or answer.drip_head else 3.0
    with stopwatch() as passed_s:
        with pytest.raises(RevokeError, match=said) as refused:
            open_at(gateway).revoke(order("revoke", 1, "a"), limit_s)
        assert passed_s() < limit_s + 5
    assert len(str(refused.value)) < 400
    assert SECRET not in str(refused.value)
    assert gateway.states == {}
    assert len(gateway.asked) == 1  # the lane tries again, not the adapter


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(200, endless=True),
        Answer(200, b"slow" * 99, drip_body=True),
        Answer(raw=b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 twice\r\n\r\n"),
        Answer(409),
    ],
)
def test_done_is_done_whatever_the_body(
    gateway: GatewayServer, open_at: Open, answer: Answer
) -> None:
    gateway.script.append(answer)
    revoke = {"path": "/agents/$agent_id/block", "already_done": [409]}
    open_at(gateway, revoke=revoke).revoke(order("revoke", 1, "a"), LIMIT_S)


def test_statuses_that_mean_done_can_be_named(gateway: GatewayServer, open_at: Open) -> None:
    point = open_at(gateway, revoke={"path": "/agents/$agent_id/block", "success": [202]})
    with pytest.raises(RevokeError, match="HTTP 200"):
        point.revoke(order("revoke", 1, "a"), LIMIT_S)
    gateway.script.append(Answer(202))
    point.revoke(order("revoke", 1, "a"), LIMIT_S)


@pytest.mark.parametrize(
    ("status", "said", "low_s", "high_s"),
    [
        (429, "7", 7, 7),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", 1e9, 1e12),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        (429, "soon", None, None),
        (500, "7", None, None),
    ],
)
def test_a_gateway_that_asks_for_rest_is_heard(
    gateway: GatewayServer,
    open_at: Open,
    status: int,
    said: str,
    low_s: float | None,
    high_s: float | None,
) -> None:
    gateway.script.append(Answer(status, headers={"Retry-After": said}))
    with pytest.raises(RevokeError) as refused:
        open_at(gateway).revoke(order("revoke", 1, "a"), LIMIT_S)
    found = refused.value.retry_after_s
    if low_s is None or high_s is None:
        assert found is None
    else:
        assert found is not None
        assert low_s <= found <= high_s


def state(value: object) -> Answer:
    return Answer(200, json.dumps({"agent": {"state": value}}).encode())


@pytest.mark.parametrize(
    ("answer", "is_revoked"),
    [
        (state("revoked"), True),
        (state("active"), False),
        (state(None), False),
        (state(1), False),  # the settings say true
        (state(True), True),
        (Answer(404), False),
        (Answer(423), True),
    ],
)
def test_a_gateway_is_asked_where_the_agent_stands(
    gateway: GatewayServer, open_at: Open, answer: Answer, is_revoked: bool
) -> None:
    question = {
        "path": "/agents/$agent_id",
        "field": "agent.state",
        "revoked": ["revoked", True],
        "revoked_statuses": [423],
        "active_statuses": [404],
    }
    point = open_at(gateway, verify=question)
    for direction, wanted in (("revoke", is_revoked), ("restore", not is_revoked)):
        gateway.script.append(answer)
        assert point.verify(order(direction, 1, "a"), LIMIT_S) is wanted  # type: ignore[arg-type]
    assert open_at(gateway, verify=None).verify(order("revoke", 1, "a"), LIMIT_S) is None


def test_an_answer_is_read_as_it_is_even_if_it_holds_a_secret(
    gateway: GatewayServer, open_at: Open
) -> None:
    question = {"path": "/agents/$agent_id", "field": f"{TOKEN}.state", "revoked": [SECRET]}
    gateway.script.append(Answer(200, json.dumps({TOKEN: {"state": SECRET}}).encode()))
    assert open_at(gateway, verify=question).verify(order("revoke", 1, "a"), LIMIT_S) is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(200, b"<html>"), "no field 'agent.state'"),
        (Answer(200, b"[" * 60000), "no field 'agent.state'"),
        (Answer(200, b'{"agent": []}'), "no field 'agent.state'"),
        (Answer(200, endless=True), "longer than 65536 bytes"),
        (Answer(200, b" " * 99, drip_body=True), "did not end in time"),
        (Answer(401), "HTTP 401"),
    ],
)
def test_an_answer_that_does_not_say_where_the_agent_stands_is_an_error(
    gateway: GatewayServer, open_at: Open, answer: Answer, said: str
) -> None:
    gateway.script.append(answer)
    with pytest.raises(RevokeError, match=said):
        open_at(gateway).verify(order("revoke", 1, "a"), 3.0)


def test_the_check_says_what_is_wrong(gateway: GatewayServer, open_at: Open) -> None:
    gateway.script += [Answer(503), Answer(404)]
    with pytest.raises(RevokeError, match="HTTP 503 to the check"):
        open_at(gateway).check(LIMIT_S)
    open_at(gateway, check=None).check(LIMIT_S)  # any answer will do
    assert gateway.asked[-1].method == "HEAD"
    gateway.close()
    with pytest.raises(RevokeError, match="Connection refused"):
        open_at(gateway).check(LIMIT_S)
    gateway.url = "http://no-such-host.invalid"
    with pytest.raises(RevokeError, match="its name is not found"):
        open_at(gateway).check(LIMIT_S)
