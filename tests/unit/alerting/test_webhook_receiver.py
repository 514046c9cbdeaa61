"""Messages by webhook: which request, what stands in it, and the examples of the documents."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerting.notify.contract import bare, stopwatch
from alerting.notify.contract import message as incident_message
from alerting.notify.record import TABLES, TEXTS, record, values
from alerting.ports import DeliveryError, Receiver
from monitor import config
from monitor.config_receivers import WebhookReceiverConfig
from monitor.config_source import KafkaConfig
from monitor.errors import UsageError
from monitor.receiver_kinds import open_receiver
from tests.kit.gateway_server import SECRET, TOKEN, Answer
from tests.kit.inbox_server import InboxServer, inbox_server, webhook_receiver
from tests.kit.messages import HOSTILE, UNSAFE, hostile_message, message

DOCUMENT = Path(__file__).resolve().parents[3] / "deploy" / "receivers.md"
KEY = "0123456789abcdef"
STORY = "5f2a9c10d3e4"


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[InboxServer]:
    monkeypatch.setenv("PAGER_SECRET", SECRET)
    monkeypatch.setenv("PAGER_TOKEN", TOKEN)
    with inbox_server() as server:
        yield server


def pager(inbox: InboxServer, **changes: Any) -> Receiver:
    return open_receiver(webhook_receiver(**{"url": inbox.url, **changes}), KafkaConfig())


def documented(name: str, inbox: InboxServer, tmp_path: Path) -> Receiver:
    """A receiver as the document has it, but sending to the inbox."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "url").write_text(f"{inbox.url}/workflows/1?sig=hush")
    for block in re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL):
        if f'name = "{name}"' in block:
            block = re.sub(r'"/run/secrets/[a-z]+"', f'"{tmp_path / "token"}"', block)
            block = re.sub(r'"/run/secrets/[a-z]+-url"', f'"{tmp_path / "url"}"', block)
            path = tmp_path / "tripswitch.toml"
            path.write_text(block)
            (settings,) = config.load(path).receivers
            assert isinstance(settings, WebhookReceiverConfig)
            if settings.url is not None:
                host = re.sub(r"https://[^/]+", inbox.url, settings.url)
                settings = settings.model_copy(update={"url": host})
            return open_receiver(settings, KafkaConfig())
    raise AssertionError(f"{name} is not documented")


def test_every_example_of_the_document_is_a_setting(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    routes, *receivers = blocks
    path = tmp_path / "all.toml"
    path.write_text("\n".join([*receivers, routes]))
    assert len(config.load(path).receivers) == len(receivers) == 5


def test_pagerduty(inbox: InboxServer, tmp_path: Path) -> None:
    receiver = documented("pagerduty", inbox, tmp_path)
    told = incident_message()
    receiver.send(told, KEY)
    for kind in ("updated", "digest"):
        receiver.send(incident_message(kind=kind), KEY)  # passed over
    receiver.send(incident_message(kind="acknowledged"), KEY)
    receiver.send(incident_message(kind="resolved"), KEY)
    assert {asked.target for asked in inbox.taken} == {"/v2/enqueue"}
    trigger, acknowledge, resolve = inbox.bodies()
    about = {"routing_key": TOKEN, "dedup_key": STORY}
    payload = trigger.pop("payload")
    assert trigger == {**about, "event_action": "trigger", "client": "Tripswitch"}
    assert acknowledge == {**about, "event_action": "acknowledge"}
    assert resolve == {**about, "event_action": "resolve"}
    facts = payload.pop("custom_details")
    assert facts["owner"] == "team-payments"
    assert payload == {
        "summary": "payroll-7 does what it never did",
        "source": "tripswitch",
        "severity": "error",
        "timestamp": "2026-02-01T03:00:00+00:00",
        "component": "payroll-7",
        "group": "payroll",
        "class": "new_target",
    }


def test_a_condition_of_the_monitor_is_paged_and_resolved_as_one(
    inbox: InboxServer, tmp_path: Path
) -> None:
    receiver = documented("pagerduty", inbox, tmp_path)
    for kind in ("health", "health_over"):
        told = incident_message(kind=kind)
        receiver.send(told.model_copy(update={"story": "c1", "alert": None, "incident": None}), KEY)
    assert [(body["event_action"], body["dedup_key"]) for body in inbox.bodies()] == [
        ("trigger", "c1"), ("resolve", "c1"),
    ]  # fmt: skip


def test_opsgenie(inbox: InboxServer, tmp_path: Path) -> None:
    receiver = documented("opsgenie", inbox, tmp_path)
    for kind in ("opened", "acknowledged", "resolved"):
        receiver.send(incident_message(kind=kind), KEY)
    assert [asked.target for asked in inbox.taken] == [
        "/v2/alerts",
        f"/v2/alerts/{STORY}/acknowledge?identifierType=alias",
        f"/v2/alerts/{STORY}/close?identifierType=alias",
    ]
    assert {asked.headers["authorization"] for asked in inbox.taken} == {f"GenieKey {TOKEN}"}
    created, acknowledged, _ = inbox.bodies()
    assert (created["alias"], created["priority"]) == (STORY, "P2")
    assert created["message"] == "high: payroll-7 does what it never did"
    assert set(created) == {
        "message", "alias", "description", "entity", "source", "priority", "details",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in created["details"].values())
    assert acknowledged == {"source": "Tripswitch", "note": "payroll-7 does what it never did"}


def test_opsgenies_message_keeps_its_limit(inbox: InboxServer, tmp_path: Path) -> None:
    documented("opsgenie", inbox, tmp_path).send(hostile_message("x" * 10_000), KEY)
    (created,) = inbox.bodies()
    assert len(created["message"]) <= 130


def test_teams(inbox: InboxServer, tmp_path: Path) -> None:
    documented("teams", inbox, tmp_path).send(incident_message(), KEY)
    (asked,) = inbox.taken
    assert asked.target == "/workflows/1?sig=hush"
    (body,) = inbox.bodies()
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == (
        "message", "application/vnd.microsoft.card.adaptive",
    )  # fmt: skip
    card = attachment["content"]
    assert (card["$schema"], card["type"]) == (
        "http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard",
    )  # fmt: skip
    assert card["body"][0]["inlines"] == [
        {"type": "TextRun", "text": "high: alert opened", "weight": "Bolder", "color": "Attention"}
    ]
    assert "payroll-7" in card["body"][1]["inlines"][0]["text"]


def test_markdown_is_disarmed(inbox: InboxServer, tmp_path: Path) -> None:
    receiver = documented("mattermost", inbox, tmp_path)
    receiver.send(hostile_message("@channel **b** [x](https://evil.example) :tada: <b>"), KEY)
    (body,) = inbox.bodies()
    said = body["text"].split(": ", 2)[2]
    assert not re.search(r"(?<!\\)[*`_\[\]()<>~]|@(?!\\\])|:(?=/|t)|l\.e", said)
    assert body["text"].startswith("**high**: alert opened: ")


def test_html_is_disarmed(inbox: InboxServer) -> None:
    request = {"body": {"text": "$headline"}}
    pager(inbox, escape="html", requests=[request]).send(hostile_message("<b>&\"'"), KEY)
    assert inbox.bodies() == [{"text": "&lt;b&gt;&amp;&quot;&#x27;"}]


def test_by_default_the_whole_record_is_told_and_signed(inbox: InboxServer) -> None:
    pager(inbox).send(incident_message(), KEY)
    (asked,) = inbox.taken
    assert inbox.bodies() == [json.loads(json.dumps(record(incident_message(), KEY)))]
    assert asked.headers["x-tripswitch-signature"].startswith("v1=")
    assert asked.headers["idempotency-key"] == KEY
    pager(inbox).send(incident_message(kind="updated"), KEY)
    assert len(inbox.taken) == 1


def test_what_a_message_says_is_data(inbox: InboxServer) -> None:
    request = {"body": {"n": "$agent_count", "facts": "$facts", "all": "$message", "p": "$$5"}}
    pager(inbox, requests=[request]).send(incident_message(), KEY)
    (body,) = inbox.bodies()
    assert (body["n"], body["p"]) == (1, "$5")
    assert body["facts"]["role"] == "payroll"
    assert body["all"]["incident_id"] == STORY


def test_every_placeholder_has_a_value() -> None:
    for told in (incident_message(), message(), bare("health"), bare("digest")):
        given = values(told, KEY)
        assert set(given) == {*TEXTS, *TABLES}
        assert all(isinstance(given[name], str) for name in TEXTS if name != "agent_count")
        assert given["thread"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_record_is_clean_and_small(text: str) -> None:
    said = json.dumps(record(hostile_message(text), KEY), ensure_ascii=False)
    assert not UNSAFE.search(said)
    assert len(said) < 50_000


def test_busy_servers_are_left_alone(inbox: InboxServer) -> None:
    inbox.script.append(Answer(429, headers={"Retry-After": "17"}))
    with pytest.raises(DeliveryError, match="pager answers HTTP 429") as busy:
        pager(inbox).send(message(), KEY)
    assert (busy.value.retryable, busy.value.retry_after_s) == (True, 17.0)


@pytest.mark.parametrize("answer", [Answer(drip_head=True), Answer(hang=True)])
def test_an_answer_that_drips_in_has_no_more_time(inbox: InboxServer, answer: Answer) -> None:
    inbox.script.append(answer)
    with stopwatch() as passed_s:
        with pytest.raises(DeliveryError, match=r"did not answer within 0\.4 s") as late:
            pager(inbox, timeout_s=0.4).send(message(), KEY)
        assert passed_s() < 3
    assert late.value.retryable


def test_a_secret_that_comes_back_is_hidden(
    inbox: InboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER_URL", f"{inbox.url}/hook/T0/hush")
    inbox.script.append(Answer(404, f"no /hook/T0/hush for {TOKEN}".encode()))
    hidden = {"url": None, "url_variable": "PAGER_URL", "token_variable": "PAGER_TOKEN"}
    with pytest.raises(DeliveryError, match=r"no \[hidden\] for \[hidden\]") as refused:
        pager(inbox, **hidden).send(message(), KEY)
    assert not refused.value.retryable


def test_a_secret_that_is_gone_is_said_and_tried_again(
    inbox: InboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = pager(inbox)
    monkeypatch.delenv("PAGER_SECRET")
    with pytest.raises(DeliveryError, match="no secret in the variable PAGER_SECRET") as gone:
        receiver.send(message(), KEY)
    assert gone.value.retryable
    with pytest.raises(UsageError, match="receiver pager: there is no secret"):
        pager(inbox)


def test_a_url_that_is_none_is_not_quoted(
    inbox: InboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER_URL", "hush hush")
    with pytest.raises(UsageError, match="receiver pager: what url_file") as refused:
        pager(inbox, url=None, url_variable="PAGER_URL")
    assert "hush" not in str(refused.value)


LEVEL = {"of": "severity", "say": {"low": "info"}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"requests": [{"body": {"a": "$headlin"}}]}, r"number 1: unknown placeholder \$headlin;"),
        ({"requests": [{"body": {"a": "it is $facts"}}]}, r"\$facts is a table and must stand"),
        ({"requests": [{"path": "/$facts"}]}, r"unknown placeholder \$facts"),
        ({"requests": [{"path": "/$token"}]}, r"unknown placeholder \$token"),
        ({"requests": [{"body": {"a": "$token"}}]}, "set token_file or token_variable"),
        ({"requests": [{"kinds": ["openned"]}]}, "kinds"),
        ({"requests": [{"query": {"api_key": "x"}}]}, "api_key is a secret"),
        ({"requests": [{"headers": {"Authorization": "x"}}]}, "is a secret and does not belong"),
        ({"requests": []}, "requests"),
        ({"words": {"level": LEVEL}}, "words.level: say nothing for severity critical"),
        ({"words": {"kind": {**LEVEL, "otherwise": "x"}}}, r"\$kind is there already"),
        ({"words": {"a": {"of": "group", "say": {"alert": "x"}}}}, "'alert' is no group"),
        ({"words": {"a": {"of": "kind", "say": {"opened": "x"}}}}, "say nothing for kind"),
        ({"url": None}, "needs url, or url_file"),
        ({"url_variable": "PAGER_URL"}, "and one of them"),
        ({"url": "https://pager.example/?key=1"}, "without a query"),
        ({"secret_variable": None}, "to be signed with"),
        ({"name": "Pager"}, "name"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_with_its_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        webhook_receiver(**{"url": "https://pager.example", **changes})


def test_a_word_may_have_a_rest(inbox: InboxServer) -> None:
    words = {
        "level": {**LEVEL, "otherwise": "page"},
        "act": {"of": "kind", "say": {"opened": "go"}, "otherwise": "-"},
        "what": {"of": "group", "say": {"alerts": "a", "trips": "t", "digest": "d", "health": "h"}},
    }
    pager(inbox, words=words, requests=[{"body": {"x": "$level $act $what"}}]).send(message(), KEY)
    assert inbox.bodies() == [{"x": "page go a"}]
