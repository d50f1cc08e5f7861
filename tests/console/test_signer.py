"""The signer of the reference page: it makes the signatures that the server checks, for any request and any key."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import leasebook
from leasebook.contract.proofs import check_body, nonce_of, signs_body
from leasebook.contract.signing import parse_authorization, signing_key, verify
from tests.conformance.toolchains import missing

SIGNER = Path(leasebook.__file__).parent / "console" / "static" / "reference" / "signer.js"
PROGRAM = """
const signer = require(process.argv[1]);
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const asked = JSON.parse(line);
  const given = { ...asked, url: new URL(asked.url), now: new Date(asked.now) };
  console.log(JSON.stringify(await signer.headers(given)));
});
"""
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=32, max_size=32)


@pytest.fixture(scope="module")
def node() -> Any:
    """A process that signs a request for each line."""
    found = shutil.which("node") or ""
    if not found:
        missing("node is not installed: it runs the page's signer")
    with subprocess.Popen(
        [found, "-e", PROGRAM, str(SIGNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def signed(node: Any, **asked: str) -> dict[str, str]:
    node.stdin.write(json.dumps(asked) + "\n")
    node.stdin.flush()
    answer: dict[str, str] = json.loads(node.stdout.readline())
    return answer


@settings(max_examples=60)
@given(
    method=st.sampled_from(["POST", "GET"]),
    parts=st.lists(TEXTS.filter(lambda one: one not in ("", ".", "..") and "/" not in one), max_size=3),
    query=st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=4, unique=True),
    body=TEXTS,
    key=KEYS,
    secret=KEYS,
)
def test_any_request_is_signed_as_the_server_checks_it(
    node: Any, method: str, parts: list[str], query: list[tuple[str, str]], body: str, key: str, secret: str
) -> None:
    query = [(name, value) for name, value in query if name.lower() != "authorization"]
    path = "/v2/" + "/".join(quote(part, safe="-._~") for part in parts)
    url = f"http://127.0.0.1:8123{path}?{urlencode(query, quote_via=quote, safe='-._~')}"
    headers = signed(
        node,
        method=method,
        url=url,
        body=body,
        accessKey=key,
        secretKey=secret,
        now="2030-01-31T09:30:00.250Z",
        nonce="0123456789abcdef",
    )
    split = urlsplit(url)
    sent = [(b"host", b"127.0.0.1:8123"), *((name.encode(), value.encode()) for name, value in headers.items())]
    auth = parse_authorization(headers["authorization"])
    covered = verify(
        auth,
        signing_key(secret, auth.prefix),
        method=method,
        raw_path=split.path.encode(),
        query=split.query.encode(),
        headers=sent,
    )
    assert headers["x-bce-date"] == "2030-01-31T09:30:00Z"
    assert signs_body(covered)
    assert nonce_of(covered) == "0123456789abcdef"
    check_body(sent, body.encode())
