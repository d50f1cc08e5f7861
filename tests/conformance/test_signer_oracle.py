"""bce-python-sdk, the client of the whole cloud, signs every request exactly as we do, and we verify its signatures."""

import json
import random
import string
import subprocess
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from tests.conformance.toolchains import HERE, Toolchain

from leasebook.contract.signing import SignatureRefused, parse_authorization, sign, signing_key, verify

pytestmark = pytest.mark.conformance

REQUESTS = 400
LETTERS = f"{string.ascii_letters}{string.digits}-._~ !\"#$%&'()*+,/:;<=>?@[]^`{{|}}é千帆\U0001f600"
NAMES = ("content-type", "content-length", "content-md5", "request-source", "user-agent", "x-bce-date", "x-bce-nonce")
HOSTS = ("qianfan.baidubce.com", "127.0.0.1:8000", "[::1]:8000", "leasebook.example:443")
TIMES = ("2015-04-27T08:23:49Z", "2024-02-29T23:59:59Z", "2030-01-15T01:30:00Z")


def a_text(dice: random.Random, least: int = 0) -> str:
    return "".join(dice.choices(LETTERS, k=dice.randint(least, 12))).strip()


def a_request(dice: random.Random) -> dict[str, Any]:
    """Draw a request. The headers to sign are none, which means the default ones, or the host and some others."""
    sent = {name: a_text(dice, 1) or "a" for name in dice.sample(NAMES, dice.randint(0, len(NAMES)))}
    chosen = dice.sample(sorted(sent), dice.randint(0, len(sent)))
    parts = [quote(a_text(dice).replace("/", ""), safe="") for _ in range(dice.randint(0, 3))]
    return {
        "access_key": "".join(dice.choices(string.ascii_letters + string.digits, k=20)),
        "secret_key": "".join(dice.choices(string.ascii_letters + string.digits, k=32)),
        "method": dice.choice(["GET", "POST", "PUT", "DELETE"]),
        "path": "/" + "/".join(parts),
        "query": {a_text(dice, 1) or "Action": a_text(dice) for _ in range(dice.randint(0, 4))},
        "headers": {**sent, "host": dice.choice(HOSTS)},
        "timestamp": dice.choice(TIMES),
        "expires_s": dice.choice([1, 300, 1800, 180_000]),
        "signed_headers": ["host", *chosen] if dice.random() < 0.8 else [],
    }


def by_the_kit(python: str, requests: Sequence[dict[str, Any]]) -> list[str]:
    """Let the kit's signer sign them, in one process."""
    command = [python, str(HERE / "python" / "oracle.py")]
    lines = "".join(f"{json.dumps(request)}\n" for request in requests)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def on_the_wire(request: dict[str, Any]) -> str:
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in request["query"].items())


@pytest.fixture(scope="module")
def signed(python_client: Toolchain) -> list[tuple[dict[str, Any], str]]:
    dice = random.Random(20)  # noqa: S311 - the requests are to be the same every time
    requests = [a_request(dice) for _ in range(REQUESTS)]
    return list(zip(requests, by_the_kit(python_client.command[0], requests), strict=True))


def test_we_make_the_signature_that_the_kit_makes(signed: list[tuple[dict[str, Any], str]]) -> None:
    for request, authorization in signed:
        # The kit signs every x-bce- header that is there, though its list of names may not have it.
        covered = {name for name in request["headers"] if name.startswith("x-bce-")}
        names = sorted({*request["signed_headers"], *covered}) if request["signed_headers"] else []
        facts = {name: request[name] for name in ("access_key", "secret_key", "method", "path", "headers")}
        facts |= {"timestamp": request["timestamp"], "expires_s": request["expires_s"], "signed_headers": names}
        ours = sign(query=on_the_wire(request), **facts)
        assert ours.rpartition("/")[2] == authorization.rpartition("/")[2], request


def test_we_verify_what_the_kit_signed_and_nothing_else(signed: list[tuple[dict[str, Any], str]]) -> None:
    for request, authorization in signed:
        auth = parse_authorization(authorization)
        check = partial(
            verify,
            auth,
            signing_key(request["secret_key"], auth.prefix),
            raw_path=request["path"].encode(),
            headers=[(name.encode(), value.encode()) for name, value in request["headers"].items()],
        )
        check(method=request["method"], query=on_the_wire(request).encode())
        with pytest.raises(SignatureRefused):
            check(method="PATCH", query=on_the_wire(request).encode())
        with pytest.raises(SignatureRefused):
            check(method=request["method"], query=f"{on_the_wire(request)}&More=1".lstrip("&").encode())
