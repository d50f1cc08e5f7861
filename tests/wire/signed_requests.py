"""Requests that are signed from first principles, or that official clients sent, for the tests of signatures."""

import hashlib
import hmac
import json
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from leasebook.contract.signing import (
    Authorization,
    SignatureFault,
    SignatureRefused,
    parse_authorization,
    signing_key,
    verify,
)

AK = "a" * 32
SK = "b" * 32
NOON = "2025-01-02T12:00:00Z"
NOON_US = 1_735_819_200_000_000
SECOND = 1_000_000
HOST = (b"host", b"units.example.com:8000")
DATE = (b"x-bce-date", NOON.encode())
CAPTURED = json.loads(pathlib.Path(__file__).with_name("sdk-requests.json").read_text(encoding="utf-8"))


class Sent(NamedTuple):
    """One request as it arrives, with the secret that the server knows for its key."""

    text: str
    secret: str
    method: str = "POST"
    path: bytes = b"/v2/computeunit"
    query: bytes = b"Action=DescribeComputeUnit"
    headers: tuple[tuple[bytes, bytes], ...] = (HOST, DATE)
    prefix: bytes = b""

    def verify(self) -> Authorization:
        auth = parse_authorization(self.text)
        verify(
            auth,
            signing_key(self.secret, auth.prefix),
            method=self.method,
            raw_path=self.path,
            query=self.query,
            headers=self.headers,
            path_prefix=self.prefix,
        )
        return auth

    def accepted(self) -> bool:
        try:
            self.verify()
        except SignatureRefused as refusal:
            if refusal.fault not in {SignatureFault.MALFORMED, SignatureFault.MISMATCH}:
                raise
            return False
        return True


def captured(case: dict[str, Any]) -> Sent:
    path, _, query = case["request"]["target"].encode().partition(b"?")
    headers = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in case["request"]["headers"])
    return Sent(
        text=dict(headers)[b"authorization"].decode(),
        secret=case["secret_key"],
        method=case["request"]["method"],
        path=path,
        query=query,
        headers=headers,
        prefix=b"/prefix" if case["base_url"].endswith("/prefix") else b"",
    )


def signed_over(canonical: str, names: str, *, timestamp: str = NOON) -> str:
    """An Authorization value made from first principles: this text, under that list of names."""
    prefix = f"bce-auth-v1/{AK}/{timestamp}/1800"
    key = hmac.new(SK.encode(), prefix.encode(), hashlib.sha256).hexdigest()
    return f"{prefix}/{names}/{hmac.new(key.encode(), canonical.encode(), hashlib.sha256).hexdigest()}"


def request_over(canonical: str, names: str = "host", **parts: Any) -> Sent:
    return Sent(text=signed_over(canonical, names), secret=SK, **parts)


def refusal_of(sent: Sent) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as caught:
        sent.verify()
    return caught.value


valid_cases = pytest.mark.parametrize("case", CAPTURED["valid"], ids=lambda case: case["id"])

TELLING = b"/%+& =;:~!#?.,-_'aAzZ0129\t\n\r\x00\x7f\x80\xff"


def replaced(text: bytes, spot: int, byte: int) -> bytes:
    return text[:spot] + bytes((byte,)) + text[spot + 1 :]


def mutations(text: bytes, alphabet: bytes = TELLING) -> Iterator[bytes]:
    found = {text}
    for spot in range(len(text) + 1):
        found.update(text[:spot] + bytes((byte,)) + text[spot:] for byte in alphabet)
        if spot < len(text):
            found.add(text[:spot] + text[spot + 1 :])
            found.add(text[: spot + 1] + text[spot:])
            found.update(replaced(text, spot, text[spot] ^ (1 << bit)) for bit in range(8))
            found.update(replaced(text, spot, byte) for byte in alphabet)
    found.discard(text)
    return iter(found)
