"""bce-auth-v1: what holds for every request."""

import string
from typing import NamedTuple
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from leasebook.contract.signing import SignatureRefused, parse_authorization, sign, signing_key, verify

TOKEN = string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~"
TIMESTAMP = "2025-01-02T03:04:05Z"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
access_keys = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE"])
# An escaped slash has no signed form.
paths = st.lists(texts.filter(lambda part: "/" not in part), max_size=4).map(
    lambda parts: "/" + "/".join(quote(part, safe="") for part in parts)
)
queries = st.dictionaries(texts.filter(bool), texts, max_size=4).map(
    lambda pairs: "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs.items())
)
names = st.text(TOKEN, min_size=1, max_size=10).filter(lambda name: name != "host" and not name.startswith("x-bce"))
header_values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12).map(str.strip)
hosts = st.from_regex(r"([a-z0-9.-]{1,20}|\[[0-9a-f]{0,4}::[0-9a-f]{1,4}\])(:[1-9][0-9]{0,3})?", fullmatch=True)
headers = st.dictionaries(names, header_values, max_size=4)


class Request(NamedTuple):
    text: str
    secret: str
    method: str
    path: bytes
    query: bytes
    headers: dict[str, str]

    def accepted(self) -> bool:
        auth = parse_authorization(self.text)
        try:
            verify(
                auth,
                signing_key(self.secret, auth.prefix),
                method=self.method,
                raw_path=self.path,
                query=self.query,
                headers=[(name.encode(), value.strip(" \t").encode()) for name, value in self.headers.items()],
            )
        except SignatureRefused:
            return False
        return True


@st.composite
def signed_requests(draw: st.DrawFn) -> Request:
    secret, method, path, query = draw(texts), draw(methods), draw(paths), draw(queries)
    sent = {**draw(headers), "host": draw(hosts)}
    text = sign(
        access_key=draw(access_keys),
        secret_key=secret,
        method=method,
        path=path,
        query=query,
        headers=sent,
        timestamp=TIMESTAMP,
        expires_s=draw(st.integers(1, 10**10 - 1)),
        signed_headers=draw(st.permutations(list(sent))),
    )
    return Request(text, secret, method, path.encode(), query.encode(), sent)


def same_pairs(first: bytes, second: bytes) -> bool:
    return sorted(first.split(b"&")) == sorted(second.split(b"&"))


@given(signed_requests())
def test_what_is_signed_verifies(request: Request) -> None:
    assert request.accepted()
    assert not request._replace(secret=request.secret + "x").accepted()


@given(signed_requests(), signed_requests())
def test_a_signature_fits_one_request_only(request: Request, other: Request) -> None:
    assert request._replace(method=other.method).accepted() == (other.method == request.method)
    assert request._replace(path=other.path).accepted() == (other.path == request.path)
    assert request._replace(query=other.query).accepted() == same_pairs(other.query, request.query)
    for name in request.headers.keys() & other.headers.keys() - {"host"}:
        changed = request.headers | {name: other.headers[name]}
        assert request._replace(headers=changed).accepted() == (changed == request.headers)


@given(signed_requests(), st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_at_all_are_answered(request: Request, path: bytes, query: bytes) -> None:
    assert request._replace(path=path).accepted() == (path == request.path)
    assert request._replace(query=query).accepted() == same_pairs(query, request.query)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"bce-auth-v1/{text}", f"bce-auth-v1/ak/{TIMESTAMP}/1/{text}/{'0' * 64}"):
        try:
            auth = parse_authorization(candidate)
        except SignatureRefused:
            continue
        listed = ";".join(auth.signed_headers)
        assert f"{auth.prefix}/{listed}/{auth.signature}" == candidate
