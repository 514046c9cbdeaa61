import posixpath
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.pattern import allows, literal, matches, parts

FOLDER, SITE, MAIL = "/srv/pay/*", "https://*.corp.example/*", "*@corp.example"
PUBLIC, HOST = "https://api.corp.example/public/*", "*.corp.example"


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        (FOLDER, "/srv/pay/2026/may"),
        (FOLDER, "/srv/pay/a/../b"),
        (FOLDER, "/srv//pay/./b"),
        ("./data/*", "data/x"),
        ("../shared/*", "../shared/x"),
        ("C:\\data\\*", "C:\\data\\x"),
        (SITE, "HTTPS://Api.Corp.Example:443/x"),
        (SITE, "https://api.corp.example./x?next=/../.."),
        ("https://corp.example", "https://corp.example/"),
        ("https://corp.example/a%20b/*", "https://corp.example/a%20b/x"),
        (MAIL, "Ada@CORP.example"),
        (MAIL, "ada@corp.example, bob@corp.example"),
        ("A*@corp.example", "Ada@corp.example"),
        (SITE, "https://ada:secret@api.corp.example/x"),
        (SITE, "https://bücher.corp.example/x"),
        ("https://*.corp.example:*/x", "https://api.corp.example:8443/x"),
        ("https://[[]::1]:8443/*", "https://[::1]:8443/x"),
        ("wss://corp.example/*", "WSS://corp.example:443/x"),
        ("file:///srv/pay/*", "file:///srv/pay/x"),
        (PUBLIC, "https://api.corp.example/public//a;v=1/b%20c%2Fd%3Fe?f=%2e%2e/#/../g"),
        (PUBLIC, "https://api.corp.example/public/s?wd=%C0%B4"),
        ("search: *", "search: what? [a]\n100% off; http: or ftp:"),
        ("repo@sha256:*", "repo@sha256:0a1b"),
        (FOLDER, "/srv/pay/C#/../may; june.csv"),
        ("/srv/％A／*", "/srv/％A／x"),
        (HOST, "API.corp.example"),
        ("EMP-*", "EMP-1042"),
        ("*", "https://anywhere.example/"),
        ("*", "m@evil.example"),
    ],
)
def test_what_is_meant_is_allowed(pattern: str, target: str) -> None:
    assert allows((pattern,), target)


@pytest.mark.parametrize(
    "target",
    [
        "mongodb://a:27017,b:27017/db?w=[1]",
        "git+ssh://git@github.com:org/repo.git",
        "docker://img@sha256:abcd/*",
        "https://evil.example!.corp.example/",
        "/srv/pay/x\0",
    ],
)
def test_what_is_unclear_is_allowed_to_the_letter_alone(target: str) -> None:
    assert allows((literal(target),), target)
    assert not allows((literal(target),), target + "x")
    assert not allows((f"{target[:6]}*",), target)


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        (FOLDER, "/srv/pay/../../etc/passwd"),
        (FOLDER, "/srv/pay/a\\..\\..\\..\\etc"),
        (FOLDER, "/srv/pay/%2e%2e/etc"),
        (FOLDER, "/srv/pay/%c0%ae%c0%ae/etc"),
        (FOLDER, "/srv/pay/?://%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/etc"),
        (FOLDER, "/srv/pay/#x://%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/etc"),
        (FOLDER, "/srv/pay/%3f%3a%2f%2f%25c0%25ae"),
        ("*://h/pub/*", "x?://h/pub/%c0%ae"),
        (FOLDER, "/SRV/pay/x"),
        ("/srv/*", "//srv/share"),
        ("data/*", "../data/x"),
        ("EMP-*", "EMP-1/../../etc"),
        ("EMP-*", "EMP-1@evil.example"),
        ("*corp.example", "ada@evilcorp.example"),
        ("C:\\data\\*", "C:\\data\\..\\x"),
        (SITE, "https://evil.example/.corp.example/"),
        (SITE, "https://evil.example?.corp.example/"),
        (SITE, "https://api.corp.example@evil.example/"),
        (SITE, "https://evil.example\\@api.corp.example/"),
        (SITE, "https://evil.example／.corp.example/"),
        (SITE, "https://evil.example%2f.corp.example/"),
        ("https://corp.example/v1/*", "https://corp.example/v1/%2e%2E/v2"),
        ("https://corp.example/v1/*", "https://corp.example/v1/%252e%252e/v2"),
        ("https://corp.example/*", "https://corp.example:8443/"),
        (HOST, "https://evil.example/.corp.example"),
        (MAIL, "m@evil.example,ada@corp.example"),
        (MAIL, "m@evil.example ada@corp.example"),
        (MAIL, "m@evil.example <ada@corp.example"),
        (MAIL, "m@evil.example@corp.example"),
        (MAIL, "https://evil.example/@corp.example"),
        (MAIL, "ada@corp.example.evil.example"),
        (MAIL, "m%40evil.example@corp.example"),
        ("*@corp.example*", "ada@corp.example:m"),
    ],
)
def test_what_only_looks_so_is_not(pattern: str, target: str) -> None:
    assert not allows((pattern,), target)


@pytest.mark.parametrize(
    "target",
    [
        "https://api.corp.example/admin#/../public/?",
        "https://api.corp.example/admin?/../public/#",
        "https://api.corp.example/admin%3f/../public/",
        "https://api.corp.example/admin//../public/",
        "https://api.corp.example/public/;/../admin",
        "https://api.corp.example/public/..;/admin",
        "https://api.corp.example/public/..;v=1?/x",
        "https://api.corp.example/public/%2e%2e%3b/admin",
        "https://api.corp.example/public/%%32%65%%32%65/admin",
        "https://api.corp.example/public/．．／admin",
        "https://api.corp.example/public/%c0%ae%c0%ae/admin",
        "https://api.corp.example/public/%25c0%25ae/admin",
        "https://api.corp.example/public/%e0%80%ae/admin",
        "https://api.corp.example/public/%u002e%u002e/admin",
        "https://api.corp.example/public/..%00/admin",
        "https://api.corp.example/public/..\0/admin",
        "https://api.corp.example/public/.\t./admin",
        "https://api.corp.example/public/.\r\n./admin",
        "https://api.corp.example/public/.%09./admin",
        "https://api.corp.example/public/.. ",
    ],
)
def test_no_path_is_left_for_any_reader(target: str) -> None:
    assert not allows((PUBLIC,), target)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example:80.corp.example/x",
        "https://evil.example:.corp.example/x",
        "https://evil.example:80@x:.corp.example/x",
        "https://evil.example[.corp.example/x",
        "https://evil.example!.corp.example/x",
        "https://evil.example*.corp.example/x",
        "https://evil.example。corp.example/x",
        "https://evil.example。.corp.example/x",
        "https://evil.example\t.corp.example/x",
        "https://evil.example@a@api.corp.example/x",
        "https://evil.example%23@api.corp.example/x",
        "https://evil.example @api.corp.example/x",
        "https://api.corp.example../x",
        "https:///evil.example/.corp.example",
        "https:/evil.example/.corp.example",
        "HTTPS:evil.example/.corp.example",
        "https:\\\\evil.example/.corp.example",
        " https://evil.example/.corp.example",
        "\x01https://evil.example/.corp.example",
        "ht\ntps://evil.example/.corp.example",
        "https%3a//evil.example/.corp.example",
        "https://evil.example!.corp.example",
    ],
)
def test_no_reader_finds_another_host(target: str) -> None:
    assert not allows((SITE, HOST, "*://*.corp.example"), target)
    assert allows(("*",), target)


@pytest.mark.parametrize("target", ["/admin?/../public/x", "/admin#/../public/x", "/public/..;/x"])
def test_a_path_may_be_a_urls_without_its_host(target: str) -> None:
    assert not allows(("/public/*",), target)


def test_no_pattern_allows_nothing() -> None:
    assert not allows((), "anything")


def test_names_keep_their_case() -> None:
    assert matches(("read_*",), "read_mail")
    assert not matches(("read_*",), "Read_mail")


def test_a_list_of_addresses_is_several_targets() -> None:
    assert parts("a@x.example; b@y.example,") == ["a@x.example", "b@y.example"]
    assert parts("https://x.example/a@b,c") == ("https://x.example/a@b,c",)


@given(st.text(min_size=1, max_size=40))
def test_no_text_breaks_it_and_a_star_allows_all(text: str) -> None:
    assert allows(("*",), text)
    allows((FOLDER, SITE, MAIL, text), text)


@given(st.text(alphabet="ab/.*?[]", min_size=1, max_size=20))
def test_a_literal_fits_its_own_text(text: str) -> None:
    assert matches((literal(text),), text)


@given(st.text(alphabet="ab/.%2eE5\\", max_size=30))
def test_nothing_leaves_a_folder(rest: str) -> None:
    """What is allowed under a folder is under it for whoever resolves it, decoded or not."""
    target = "/srv/pay/" + rest
    if allows((FOLDER,), target):
        for text in (target, unquote(target), unquote(unquote(target))):
            for path in (text, text.replace("\\", "/")):
                assert (posixpath.normpath(path) + "/").startswith("/srv/pay/")


hosts = st.sampled_from(
    ["evil.example", ".", ":", ":80", "@", "[", "!", "\\", "\t", "。", "%2f", "%23"]
)
paths = st.sampled_from(
    [
        "public/",
        "admin",
        "/",
        "../",
        "./",
        ";",
        "?",
        "#",
        "%2e",
        "%2f",
        "%3f",
        "%25",
        "．",
        "\\",
        "\t",
    ]
)


@given(st.lists(hosts, max_size=3), st.lists(paths, max_size=4), st.lists(paths, max_size=4))
def test_nothing_leaves_a_host_nor_its_folder(
    host: list[str], before: list[str], after: list[str]
) -> None:
    """What is allowed there is there for the standard library, decoded or not."""
    authority = "".join(host) + "api.corp.example/"
    target = "https://" + authority + "".join(before) + "public/" + "".join(after)
    if allows(("https://*.corp.example/public/*",), target):
        for text in (target, unquote(target), unquote(unquote(target))):
            read = urlsplit(text)
            assert (read.hostname or "").rstrip(".").endswith(".corp.example")
            assert (posixpath.normpath("/" + read.path.lstrip("/")) + "/").startswith("/public/")
            assert urlsplit(urljoin(text, ".")).path.lstrip("/").startswith("public/")
