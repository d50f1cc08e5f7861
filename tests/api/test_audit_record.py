"""The audit log keeps the body of a call without secrets, the ids that it names, and the caller's address."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.api.audit_record import Addresses, CallRecord, names_of
from leasebook.api.body.decoding import read_body
from leasebook.api.body.redaction import shown_body, shown_text
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS, TABLE
from leasebook.contract.nouns.instance import DescribeComputeUnitRequest
from leasebook.contract.shapes import Empty
from leasebook.domain.record.audit_log import BODY_MAX
from leasebook.domain.values.calendar import Instant

SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    "body",
    [
        {"secretAccessKey": SECRET},
        {"a": [{"webhook": {"Secret": SECRET}}]},
        {"PASSWORD": [SECRET, SECRET]},
        {"credentials": {"id": SECRET}},
        {"masterKey": SECRET, "plain": 1},
        {"authorization": f"bce-auth-v1/AK/{SECRET}"},
        {"run": {"command": ["x"], "env": {"HF_TOKEN": SECRET}}},
        {"run": {"application": "a:b", "arguments": {"key": SECRET}}},
        {"run": {"command": ["sh", "-c", f"login {SECRET}"]}},
        {"run": {"command": f"login {SECRET}"}},
        {"run": {"env": [SECRET]}},
        {"deep": [{"ENV": {"a": {"b": SECRET}}}]},
        {"url": f"https://hooks.example/services/{SECRET}"},
        {"url": f"https://hooks.example/?key={SECRET}"},
        {"url": f"https://me:{SECRET}@hooks.example/"},
        {"url": SECRET},
        {"text": f"see https://hooks.example/a?key={SECRET} there"},
        {"text": f"see https://me:{SECRET}@hooks.example/a"},
        {"text": f"see https://me:p@ss/{SECRET}@hooks.example/a"},
        {"apiKey": SECRET},
        {"token": SECRET},
        {"bearer": SECRET},
        {"note": f"I signed with bce-auth-v1/AK/2030-01-01T00:00:00Z/1800/host/{SECRET}"},
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("well_formed", [True, False])
def test_no_secret_of_a_body_is_written_down(
    body: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001
    well_formed: bool,  # noqa: FBT001
) -> None:
    shown = shown_body(json.dumps(body, ensure_ascii=ascii_only).encode(), well_formed=well_formed)
    assert SECRET not in shown
    assert "redacted" in shown


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            {"run": {"command": ["python", "serve.py", "--key=x"], "env": {"A": "1"}, "port": 0}},
            {"run": {"command": ["python", "[redacted]", "[redacted]"], "env": {"A": "[redacted]"}, "port": 0}},
        ),
        (
            {"kind": "Webhook", "url": "https://hooks.example:8443/a/b?c=d"},
            {"kind": "Webhook", "url": "https://hooks.example:8443/[redacted]"},
        ),
        ({"kind": "Email", "address": "operations@example.org"}, {"kind": "Email", "address": "o…@example.org"}),
        ({"description": "https://a.example/b?c"}, {"description": "https://a.example/b?[redacted]"}),
    ],
)
def test_what_is_no_secret_stays(body: Any, shown: Any) -> None:
    assert json.loads(shown_body(json.dumps(body).encode())) == shown


def test_what_an_error_says_is_cleaned_too() -> None:
    said = f"'https://me:{SECRET}@x.example/?{SECRET}' will not do."
    assert shown_text(said) == "'https://[redacted]@x.example/?[redacted]' will not do."
    assert shown_text("There is no instance 'unit-1'.") == "There is no instance 'unit-1'."


@pytest.mark.parametrize(
    "body",
    [
        b'{"\\u0073ecret": "%b"}' % SECRET.encode(),
        b'{"secret": "%b"' % SECRET.encode(),
        b'{"run": {"\\u0065nv": {"A": "%b"}}}' % SECRET.encode(),
        b'{"run": {"env": {"A": "%b"}' % SECRET.encode(),
        b'{"url": "https://x.example/%b"' % SECRET.encode(),
        b'{"secret": "%b", "more": "%b"}' % (SECRET.encode(), b"x" * 70_000),
        b'\xff{"Secret": "%b"}' % SECRET.encode(),
        SECRET.encode().join([b"secret=", b""]),
    ],
)
def test_a_secret_is_not_hidden_by_how_it_is_written(body: bytes) -> None:
    assert SECRET not in shown_body(body)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.path}-{action.name}")
def test_a_body_whose_keys_are_those_of_its_action_is_shown_as_any_other(action: Action) -> None:
    record = CallRecord("id", "192.0.2.1", action.path, action.name)
    content = json.dumps(action.example).encode()
    record.asks(read_body(action, content, record), None)
    assert record.shape is action.request
    record.body = content
    assert record.line(Instant(0), 200, "OK", "")[1].body == shown_body(content)


def test_a_key_that_no_action_has_is_looked_at_before_a_body_is_written_down() -> None:
    action = TABLE["/v2/computeunit", "DescribeComputeUnit"]
    record = CallRecord("id", "192.0.2.1", action.path, action.name)
    record.body = json.dumps({**action.example, "password": SECRET}).encode()
    record.asks(read_body(action, record.body, record), None)
    assert record.ignored
    assert SECRET not in record.line(Instant(0), 200, "OK", "")[1].body


# Maps that callers fill, and the part of them that is kept. Fields of the contract are judged by their names.
@pytest.mark.parametrize(
    ("path", "name", "given", "shown"),
    [
        (
            "/v2/computeunit",
            "PurchaseComputeUnit",
            {"tags": {"env": "prod", "Secret": "no", "token": "t", "url": "a/b", "command": "run"}},
            None,
        ),
        ("/v2/tag", "TagResource", {"tags": {"environment": "prod", "owner": "ops@example.org"}}, "o…@example.org"),
        ("/v2/computeunit", "DescribeComputeUnits", {"tags": {"env": None}}, None),
        ("/v2/account", "SetTagPolicy", {"policy": {"allowed": {"env": ["prod", "test"], "bearer": None}}}, None),
        ("/v2/account", "SetGuardRails", {"limits": {"tags": {"env": {"prod": {"budget": "10"}}}}}, None),
        (
            "/v2/service",
            "CreateServiceKey",
            {"name": "api", "serviceId": "svco-1", "tags": {"credential": "none"}},
            None,
        ),
    ],
)
@pytest.mark.parametrize("at", ["", "ops@example.org"])
def test_the_keys_of_a_map_that_callers_fill_are_no_fields(
    path: str, name: str, given: dict[str, Any], shown: str | None, at: str
) -> None:
    action = TABLE[path, name]
    record = CallRecord("id", "192.0.2.1", action.path, action.name)
    content = {**action.example, **given}
    if at:
        # An address in the body has all of it rewritten, field by field.
        content |= {"clientToken": at}
    record.body = json.dumps(content).encode()
    record.asks(read_body(action, record.body, record), None)
    written = record.line(Instant(0), 200, "OK", "")[1].body
    kept = json.loads(written)
    assert "redacted" not in written
    assert all(kept[field] == value for field, value in given.items()) or (shown is not None and shown in written)


def test_a_passed_over_key_beside_a_map_is_judged_by_its_name() -> None:
    action = TABLE["/v2/computeunit", "PurchaseComputeUnit"]
    record = CallRecord("id", "192.0.2.1", action.path, action.name)
    record.body = json.dumps({**action.example, "tags": {"env": "prod"}, "env": {"A": SECRET}}).encode()
    record.asks(read_body(action, record.body, record), None)
    written = json.loads(record.line(Instant(0), 200, "OK", "")[1].body)
    assert written["tags"] == {"env": "prod"}
    assert written["env"] == {"A": "[redacted]"}


def test_the_environment_and_the_unread_parts_of_a_model_stay_hidden() -> None:
    action = TABLE["/v2/model", "CreateCustomModel"]
    record = CallRecord("id", "192.0.2.1", action.path, action.name)
    run = {"command": ["serve", SECRET], "env": {"A": SECRET}}
    record.body = json.dumps({**action.example, "run": run, "importMeta": {"password": SECRET}}).encode()
    record.asks(read_body(action, record.body, record), None)
    assert SECRET not in record.line(Instant(0), 200, "OK", "")[1].body


def test_a_plain_body_is_kept_as_it_came_and_cut() -> None:
    assert shown_body(b"") == ""
    for text in ('{"name":  "单位"}', '{"computeUnitCount":  1, "customer":  "status"}', '{"clientToken":  "t"}'):
        assert shown_body(text.encode()) == text
    assert shown_body(b"\xff") == "\N{REPLACEMENT CHARACTER}"
    assert shown_body("单".encode() * 100_000) == "单" * BODY_MAX


WORDS = st.sampled_from(
    [
        "name",
        "secret",
        "Env",
        "url",
        "command",
        "token",
        "clientToken",
        "a@b",
        "x://y?z",
        "bce-auth-v1/a",
        "é",
        '"',
        ":",
    ]
)
TREES = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(TREES, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_known_to_be_json_is_shown_alike(tree: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001
    body = json.dumps(tree, ensure_ascii=ascii_only, indent=indent).encode()
    assert json.loads(shown_body(body, well_formed=True)) == json.loads(shown_body(body))


@given(st.binary(max_size=200), st.sampled_from([b"", b"secret", b'{"secret":', b"\\u0041"]))
def test_whatever_comes_there_is_a_text_of_it(noise: bytes, beginning: bytes) -> None:
    shown = shown_body(beginning + noise)
    assert len(shown) <= BODY_MAX
    json.dumps(shown).encode()


@pytest.mark.parametrize(
    "text", ["@" + "a" * 60_000, "a.a@" * 15_000, "a." * 30_000, "a://" * 15_000, "@://?" * 12_000]
)
def test_nobody_makes_it_take_long(text: str) -> None:
    began = time.process_time()
    shown_body(json.dumps({"name": text, "at": "@"}).encode())
    # Work that grew with the square of the length would take seconds.
    assert time.process_time() - began < 0.5


def test_what_a_request_names_is_found() -> None:
    assert names_of(DescribeComputeUnitRequest(instance_id="unit-1")) == ("unit-1",)
    assert names_of(Empty()) == ()


# The peer, what was forwarded, the address that counts.
@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ([], "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        (["10.0.0.0/8"], "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        (["10.0.0.0/8"], "10.1.2.3", [], "10.1.2.3"),
        (["10.0.0.0/8"], "10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        (["10.0.0.0/8"], "10.1.2.3", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (["10.0.0.0/8"], "10.1.2.3", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        (["10.0.0.0/8"], "10.1.2.3", ["1.1.1.1", "198.51.100.1", "10.9.9.9"], "198.51.100.1"),
        (["10.0.0.0/8"], "10.1.2.3", ["10.4.4.4, 10.9.9.9"], "10.4.4.4"),
        (["10.0.0.0/8"], "10.1.2.3", ["198.51.100.1:4711"], "198.51.100.1"),
        (["10.0.0.0/8"], "10.1.2.3", ["unknown, 10.9.9.9"], "10.9.9.9"),
        (["10.0.0.0/8"], "10.1.2.3", ["198.51.100.1, garbage"], "10.1.2.3"),
        (["10.0.0.0/8"], "10.1.2.3", [""], "10.1.2.3"),
        (["fd00::/8"], "fd00::1", ["2001:db8::7"], "2001:db8::7"),
        (["fd00::/8"], "fd00::1", ["[2001:db8::7]:443"], "2001:db8::7"),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        (["10.0.0.0/8"], "", ["198.51.100.1"], ""),
    ],
)
def test_only_what_trusted_proxies_say_counts_and_nothing_left_of_it(
    trusted: list[str], peer: str, forwarded: list[str], address: str
) -> None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    assert Addresses(trusted).of(peer, headers) == address


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=30), max_size=5))
def test_nobody_breaks_it_with_a_header(forwarded: list[str]) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    assert isinstance(Addresses(["10.0.0.0/8"]).of("10.0.0.1", headers), str)
