"""bce-auth-v1: every path, query, host and header has one spelling that is signed."""

import itertools
import re

import pytest
from tests.wire.signed_requests import DATE, NOON, mutations, refusal_of, request_over

from leasebook.contract import signing
from leasebook.contract.signing import SignatureFault, SignatureRefused

# Twins: two spellings that a looser reader would take for the same.


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        (b"/v2/a%2Fb", "/v2/a/b"),
        (b"/v2/a%2Fb", "/v2/a%2Fb"),
        (b"/v2/a%2fb", "/v2/a%2Fb"),
        (b"/v2/%61", "/v2/a"),
        (b"/v2/%7E", "/v2/~"),
        (b"/v2/a%c3", "/v2/a%C3"),
        (b"/v2/a b", "/v2/a%20b"),
        (b"/v2/a+b", "/v2/a%20b"),
        (b"/v2/a+b", "/v2/a%2Bb"),
        (b"/v2/a%20b", "/v2/a%2520b"),
        (b"/v2/a%2520b", "/v2/a%20b"),
        (b"/v2/\xc3\xa9", "/v2/%C3%A9"),
        (b"/v2/a%", "/v2/a%25"),
        (b"/v2/a%2", "/v2/a%252"),
        (b"/v2/a\n", "/v2/a"),
        (b"/v2//a", "/v2/a"),
        (b"/v2/a/", "/v2/a"),
        (b"/v2/./a", "/v2/a"),
        (b"/v2/x/../a", "/v2/a"),
        (b"", "/"),
        (b"v2/a", "/v2/a"),
    ],
)
def test_a_path_has_one_spelling(path: bytes, canonical: str) -> None:
    sent = request_over(f"POST\n{canonical}\n\nhost:h", path=path, query=b"", headers=((b"host", b"h"),))
    assert not sent.accepted()


@pytest.mark.parametrize("path", [b"/", b"/v2/a%20b", b"/v2/%C3%A9", b"/v2//a", b"/v2/a/", b"/~-_.", b"/%2B"])
def test_the_signed_spelling_of_a_path_is_accepted(path: bytes) -> None:
    canonical = f"POST\n{path.decode()}\n\nhost:h"
    assert request_over(canonical, path=path, query=b"", headers=((b"host", b"h"),)).accepted()


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"Action=X&", "Action=X"),
        (b"&Action=X", "Action=X"),
        (b"Action=X&&b=", "Action=X&b="),
        (b"&", ""),
        (b"a", "a="),
        (b"=a", "=a"),
        (b"a==", "a=%3D"),
        (b"a=b=c", "a=b%3Dc"),
        (b"a=1&a=2", "a=1&a=2"),
        (b"a=2&a=1", "a=1&a=2"),
        (b"a=1&a=1", "a=1&a=1"),
        (b"a=b+c", "a=b%20c"),
        (b"a=b+c", "a=b%2Bc"),
        (b"a=b%2bc", "a=b%2Bc"),
        (b"a=%41", "a=A"),
        (b"%41=a", "A=a"),
        (b"a=b/c", "a=b%2Fc"),
        (b"a=b%20c", "a=b%2520c"),
        (b"a=%", "a=%25"),
        (b"a=1;b=2", "a=1&b=2"),
        (b"a=%7E", "a=~"),
        (b"a=%7E", "a=%7E"),
        (b"a=%28", "a=("),
        (b"%61uthorization=x&b=1", "b=1"),
        (b"authorization=x&authorization=y&b=1", "b=1"),
        (b"authorization&b=1", "b=1"),
        (b"authorizations=x&b=1", "b=1"),
        (b"b=1&authorization=x", "authorization=x&b=1"),
    ],
)
def test_a_query_has_one_spelling(query: bytes, canonical: str) -> None:
    sent = request_over(f"POST\n/\n{canonical}\nhost:h", path=b"/", query=query, headers=((b"host", b"h"),))
    assert not sent.accepted()


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"", ""),
        (b"a=", "a="),
        (b"clientToken=1&Action=X", "Action=X&clientToken=1"),
        (b"text=&text1=%E6%B5%8B%E8%AF%95&text10=test", "text10=test&text1=%E6%B5%8B%E8%AF%95&text="),
        (b"a=b%2Fc%3D%26", "a=b%2Fc%3D%26"),
        (b"a=~", "a=~"),
        (b"b=1&authorization=bce-auth-v1%2Fx", "b=1"),
        (b"Authorization=x", ""),
        # The Java client's encoder.
        (b"a=~", "a=%7E"),
        (b"a=!'()*", "a=!'()*"),
        (b"a=(~)&B=%20", "B=%20&a=(%7E)"),
    ],
)
def test_the_signed_spellings_of_a_query_are_accepted(query: bytes, canonical: str) -> None:
    canonical = f"POST\n/\n{canonical}\nhost:h"
    assert request_over(canonical, path=b"/", query=query, headers=((b"host", b"h"),)).accepted()


def test_each_byte_has_one_spelling() -> None:
    bare = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    for byte in range(256):
        for text in {f"{chr(byte)}", f"%{byte:02X}", f"%{byte:02x}"}:
            spelled = text == chr(byte) if byte in bare else text == f"%{byte:02X}"
            raw = text.encode("latin-1")
            headers = ((b"host", b"h"),)
            path = request_over(f"POST\n/{text}\n\nhost:h", path=b"/" + raw, query=b"", headers=headers)
            assert path.accepted() == ((spelled and text != "%2F") or text == "/"), text
            query = f"a{text}={text}"
            sent = request_over(f"POST\n/\n{query}\nhost:h", path=b"/", query=query.encode("latin-1"))
            assert sent._replace(headers=headers).accepted() == spelled, text


@pytest.mark.slow
def test_no_two_queries_that_mean_something_else_have_a_signed_text_in_common() -> None:
    tokens = [b"a", b"=", b"&", b"%41", b"%20", b"%2B", b"%7E", b"+", b"~", b"!", b"%21", b"A"]
    owner: dict[str, list[bytes]] = {}
    for chosen in itertools.chain.from_iterable(itertools.product(tokens, repeat=n) for n in range(6)):
        query = b"".join(chosen)
        # The order of the keys does not count, nor whether what some clients leave bare is escaped.
        pairs = sorted(query.replace(b"!", b"%21").split(b"&"))
        for text in signing._query_forms(query):
            assert owner.setdefault(text, pairs) == pairs, text
    assert len(owner) > 1000


def test_no_two_paths_have_a_signed_text_in_common() -> None:
    tokens = [b"/", b"a", b"%41", b"%2F", b"%20", b" ", b"+", b"%2B", b"%252F", b".", b"%2b"]
    owner: dict[str, bytes] = {}
    for chosen in itertools.chain.from_iterable(itertools.product(tokens, repeat=n) for n in range(5)):
        path = b"".join(chosen)
        try:
            forms = signing._path_forms(path, b"")
        except SignatureRefused:
            continue
        assert [owner.setdefault(text, path) for text in forms] == [path]
    assert len(owner) > 100


# Hosts.


@pytest.mark.parametrize(
    ("host", "signed"),
    [
        (b"127.0.0.1:8000", "127.0.0.1%3A8000"),
        (b"127.0.0.1:8000", "127.0.0.1"),
        (b"units.example.com", "units.example.com"),
        (b"UNITS_1.example.com:65535", "UNITS_1.example.com"),
        (b"[::1]:8000", "%5B%3A%3A1%5D%3A8000"),
        (b"[::1]:8000", "%5B%3A%3A1%5D"),
        (b"[::1]:8000", "%3A%3A1"),
        (b"[::1]", "%5B%3A%3A1%5D"),
        (b"[::1]", "%3A%3A1"),
    ],
)
def test_the_ways_of_signing_a_host(host: bytes, signed: str) -> None:
    headers = ((b"host", host),)
    assert request_over(f"POST\n/\n\nhost:{signed}", path=b"/", query=b"", headers=headers).accepted()


@pytest.mark.parametrize(
    ("host", "signed"),
    [
        (b"127.0.0.1:8000:1", "127.0.0.1%3A8000"),
        (b"127.0.0.1:8000:1", "127.0.0.1%3A8000%3A1"),
        (b"127.0.0.1:", "127.0.0.1"),
        (b"127.0.0.1:0", "127.0.0.1"),
        (b"127.0.0.1:08000", "127.0.0.1"),
        (b"127.0.0.1:65536", "127.0.0.1"),
        (b"127.0.0.1:80x", "127.0.0.1"),
        (b"127.0.0.1 ", "127.0.0.1"),
        (b" 127.0.0.1", "127.0.0.1"),
        (b"user@h", "h"),
        (b"h/", "h"),
        (b"::1", "%3A%3A1"),
        (b"[::1", "%3A%3A1"),
        (b"[h]", "h"),
        (b"[1:80]", "1%3A80"),
        (b"[80]", "80"),
        (b"H", "h"),
        (b"", ""),
        (b"x" * 256, "x" * 256),
        (b"\xe9", "%E9"),
    ],
)
def test_a_host_has_one_reading(host: bytes, signed: str) -> None:
    canonical = f"POST\n/\n\nhost:{signed}" if signed else "POST\n/\n\n"
    assert not request_over(canonical, path=b"/", query=b"", headers=((b"host", host),)).accepted()


def test_no_two_hosts_have_a_signed_text_in_common_but_for_the_port() -> None:
    tokens = [b"a", b"[", b"]", b":", b"::", b"1", b".", b"80"]
    owner: dict[str, bytes] = {}
    for chosen in itertools.chain.from_iterable(itertools.product(tokens, repeat=n) for n in range(6)):
        host = b"".join(chosen)
        forms = signing._host_forms(host)
        name = re.sub(rb":[0-9]+$", b"", host)
        for text in forms.forms if forms else ():
            assert owner.setdefault(text, name) == name
    assert len(owner) > 100


# Headers.


def test_header_lines_are_sorted_as_lines_and_encoded() -> None:
    canonical = "POST\n/\n\na-b:1%2F%20%3A\na:%E9%25\nhost:h"
    headers = ((b"host", b"h"), (b"a", b"\xe9%"), (b"a-b", b"1/ :"))
    assert request_over(canonical, "a;a-b;host", path=b"/", query=b"", headers=headers).accepted()


def test_a_listed_header_without_a_value_leaves_no_line_but_must_be_there() -> None:
    sent = request_over("POST\n/\n\nhost:h", "host;x-note", path=b"/", query=b"")
    assert sent._replace(headers=((b"host", b"h"), (b"x-note", b""))).accepted()
    absent = refusal_of(sent._replace(headers=((b"host", b"h"), (b"x-nota", b""))))
    assert absent.fault is SignatureFault.MISMATCH
    assert "absent: x-note" in absent.message
    assert not sent._replace(headers=((b"host", b"h"), (b"x-note", b" "))).accepted()


@pytest.mark.parametrize("value", [b" v", b"v ", b"\tv", b"v\t", b"V", b"v,v"])
def test_a_header_value_counts_byte_for_byte(value: bytes) -> None:
    sent = request_over("POST\n/\n\nhost:h\nx-note:v", "host;x-note", path=b"/", query=b"")
    assert sent._replace(headers=((b"host", b"h"), (b"x-note", b"v"))).accepted()
    assert not sent._replace(headers=((b"host", b"h"), (b"x-note", value))).accepted()


@pytest.mark.parametrize("names", ["", "host;x-bce-date"])
def test_a_signed_header_that_comes_twice_is_malformed(names: str) -> None:
    sent = request_over(f"POST\n/\n\nhost:h\nx-bce-date:{NOON.replace(':', '%3A')}", names, path=b"/", query=b"")
    once = ((b"host", b"h"), DATE)
    assert sent._replace(headers=once).accepted()
    for extra in once:
        refusal = refusal_of(sent._replace(headers=(*once, extra)))
        assert refusal.fault is SignatureFault.MALFORMED
        assert extra[0].decode() in refusal.message


def test_headers_outside_the_list_may_change() -> None:
    sent = request_over("POST\n/\n\nhost:h", path=b"/", query=b"")
    others = ((b"accept", b"*/*"), (b"accept", b"x"), (b"x-bce-a", b"1"), (b"x-bce-a", b"2"))
    assert sent._replace(headers=((b"host", b"h"), *others)).accepted()


def test_a_request_without_a_host_is_refused() -> None:
    for names in ("", "host"):
        assert not request_over("POST\n/\n\n", names, path=b"/", query=b"", headers=()).accepted()


def test_the_default_set() -> None:
    canonical = "POST\n/\n\ncontent-length:2\nhost:h\nx-bce-a:1\nx-bce-b:2"
    signed = ((b"x-bce-b", b"2"), (b"host", b"h"), (b"x-bce-a", b"1"), (b"content-length", b"2"))
    sent = request_over(canonical, "", path=b"/", query=b"")
    assert sent._replace(headers=signed).accepted()
    assert sent._replace(headers=(*signed, (b"accept", b"*/*"))).accepted()
    for more in ((b"x-bce-c", b"3"), (b"x-bce-c", b""), (b"content-md5", b""), (b"content-type", b"x")):
        assert not sent._replace(headers=(*signed, more)).accepted()
    for spot in range(len(signed)):
        assert not sent._replace(headers=signed[:spot] + signed[spot + 1 :]).accepted()


def test_unlisted_bce_headers_count_where_the_client_signed_them() -> None:
    canonical = "POST\n/\n\ncontent-type:j\nhost:h\nx-bce-a:1\nx-bce-b:2"
    signed = ((b"host", b"h"), (b"x-bce-b", b"2"), (b"x-bce-a", b"1"), (b"content-type", b"j"))
    sent = request_over(canonical, "host;content-type", path=b"/", query=b"")
    assert sent._replace(headers=signed).accepted()
    for more in ((b"x-bce-c", b"3"), (b"x-bce-c", b""), (b"x-bce-a", b"1")):
        assert not sent._replace(headers=(*signed, more)).accepted()
    twice = request_over("POST\n/\n\nhost:h\nx-bce-a:1\nx-bce-a:2", path=b"/", query=b"")
    assert not twice._replace(headers=(signed[0], (b"x-bce-a", b"1"), (b"x-bce-a", b"2"))).accepted()
    for spot in range(len(signed)):
        for name in mutations(signed[spot][0]):
            changed = ((name, signed[spot][1]), *signed[:spot], *signed[spot + 1 :])
            assert not sent._replace(headers=changed).accepted(), name
        for value in mutations(signed[spot][1]):
            changed = ((signed[spot][0], value), *signed[:spot], *signed[spot + 1 :])
            assert not sent._replace(headers=changed).accepted(), value


@pytest.mark.parametrize(
    ("names", "signed_host", "sent_date", "accepted"),
    [
        ("host;x-bce-date", "h", "2025-01-02T12:00:00Z", True),
        ("host;x-bce-date", "h", "2025-01-02T12:00:01Z", True),
        ("host;x-bce-date", "h", "2025-01-02T12:00:02Z", False),
        ("host;x-bce-date", "h", "2025-01-02T11:59:59Z", False),
        ("host;x-bce-date", "h", "2025-01-02T12:00:01z", False),
        ("host;x-bce-date", "h", "", False),
        ("host;x-bce-date", "h%3A8000", "2025-01-02T12:00:00Z", True),
        ("host;x-bce-date", "h%3A8000", "2025-01-02T12:00:01Z", False),
        ("x-bce-date;host", "h", "2025-01-02T12:00:01Z", False),
        ("host", "h", "2025-01-02T12:00:01Z", False),
        ("", "h", "2025-01-02T12:00:01Z", False),
    ],
)
def test_only_the_java_form_may_date_its_header_a_second_late(
    names: str, signed_host: str, sent_date: str, *, accepted: bool
) -> None:
    canonical = f"POST\n/\n\nhost:{signed_host}\nx-bce-date:{NOON.replace(':', '%3A')}"
    headers = ((b"host", b"h:8000"), (b"x-bce-date", sent_date.encode()))
    sent = request_over(canonical, names, path=b"/", query=b"", headers=headers)
    assert sent.accepted() is accepted


def test_a_header_date_need_not_equal_the_timestamp() -> None:
    canonical = "POST\n/\n\nhost:h\nx-bce-date:2025-01-02T11%3A55%3A00Z"
    headers = ((b"host", b"h"), (b"x-bce-date", b"2025-01-02T11:55:00Z"))
    assert request_over(canonical, "host;x-bce-date", path=b"/", query=b"", headers=headers).accepted()


@pytest.mark.parametrize("method", ["post", "Post", "", "POST ", "POST\n/", "GET", "PÖST"])
def test_a_method_counts_as_sent(method: str) -> None:
    assert not request_over("POST\n/\n\nhost:h", method=method, path=b"/", query=b"").accepted()
