import pytest

from baselines.exposure import CONFIDENTIAL, UNTRUSTED, Exposure
from tests.kit.events import event


@pytest.mark.parametrize(
    ("tool", "target", "effect", "bits"),
    [
        ("get_webpage", "x", "read", UNTRUSTED),
        ("read_inbox", None, "read", UNTRUSTED),
        ("readIssueComments", "42", "read", UNTRUSTED),
        ("get", "https://example.net/a", "read", UNTRUSTED),
        ("read_ledger", "account-1", "read", 0),
        ("send_email", "bob@corp.example", "external", 0),
    ],
)
def test_untrusted_content_is_inferred_from_words_and_addresses(
    tool: str, target: str | None, effect: str, bits: int
) -> None:
    assert Exposure().of(event(1, tool=tool, target=target), effect) == bits


def test_people_say_which_tools_and_targets() -> None:
    exposure = Exposure(["crm_*"], ["/vault/*"])
    assert exposure.of(event(1, tool="crm_notes", target="n"), "read") == UNTRUSTED
    assert exposure.of(event(1, tool="read_inbox", target="n"), "read") == 0
    assert exposure.of(event(1, tool="get", target="/vault/key"), "read") == CONFIDENTIAL
