"""Headers about a body, and the cover of a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from leasebook.cli.main import cli
from leasebook.contract.proofs import BadProof, WrongDigest, check_body, nonce_of, signs_body
from leasebook.contract.signing import SignatureRefused, parse_authorization, sign, signing_key, verify

SHA, MD5, NONCE = b"x-bce-content-sha256", b"content-md5", b"x-bce-nonce"
AK, SK, AT = "AKEXAMPLE", "secret", "2030-01-31T09:30:00Z"


def digests(body: bytes) -> list[tuple[bytes, bytes]]:
    """Every way in which a body's digests may be written."""
    sha, md5 = hashlib.sha256(body).digest(), hashlib.md5(body, usedforsecurity=False).digest()
    return [
        (SHA, sha.hex().encode()),
        (SHA, sha.hex().upper().encode()),
        (SHA, base64.b64encode(sha)),
        (MD5, base64.b64encode(md5)),
        (MD5, md5.hex().encode()),
    ]


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_body_fits_its_own_digests_and_no_other_bodys(body: bytes, other: bytes) -> None:
    check_body(digests(body), body)
    if other != body:
        for header in digests(other):
            with pytest.raises(WrongDigest, match=header[0].decode()):
                check_body([header], body)


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_one_byte_less_more_or_different_is_another_body(body: bytes, place: int, change: int) -> None:
    place %= len(body)
    changed = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
    for header in digests(body):
        for wrong in (changed, body[:-1], body + b" "):
            with pytest.raises(WrongDigest):
                check_body([header], wrong)


@pytest.mark.parametrize("name", [SHA, MD5])
@pytest.mark.parametrize(
    "value",
    [b"", b" ", b"0", b"z" * 64, b"0" * 63, b"0" * 65, b"=", b"A" * 43 + b"=\n", b"\xff" * 64, b"unsigned-payload"],
)
def test_a_digest_of_another_form_is_refused_for_its_form(name: bytes, value: bytes) -> None:
    with pytest.raises(BadProof, match=name.decode()):
        check_body([(name, value)], b"")


def test_a_client_may_say_that_it_sends_no_digest_and_then_covers_no_body() -> None:
    check_body([(SHA, b"UNSIGNED-PAYLOAD")], b"anything")
    with pytest.raises(BadProof):
        check_body([(MD5, b"UNSIGNED-PAYLOAD")], b"anything")
    assert not signs_body({SHA: b"UNSIGNED-PAYLOAD"})
    assert not signs_body({SHA: b""})
    assert not signs_body({MD5: digests(b"")[3][1]})
    assert signs_body({SHA: digests(b"")[0][1]})


def test_of_two_headers_of_the_same_name_each_must_fit() -> None:
    with pytest.raises(WrongDigest):
        check_body([digests(b"body")[0], digests(b"other")[0]], b"body")


@pytest.mark.parametrize("value", [b"a" * 16, b"AZaz09._~+/=-abc", b"0" * 64])
def test_a_nonce_is_from_16_to_64_plain_characters(value: bytes) -> None:
    assert nonce_of({NONCE: value}) == value.decode()


@pytest.mark.parametrize(
    "value", [b"", b"a" * 15, b"a" * 65, b"a" * 15 + b" ", b"a" * 15 + b"\n", b"\xff" * 16, b"a" * 15 + b"\0"]
)
def test_another_nonce_is_refused(value: bytes) -> None:
    with pytest.raises(BadProof, match="x-bce-nonce"):
        nonce_of({NONCE: value})


# The cover of a signature


def covered(
    signed: dict[str, str], sent: dict[str, str], *, listed: tuple[str, ...], without_port: bool = True
) -> dict[bytes, bytes]:
    """Sign some headers, list some of their names, send some; returns what the verifier says is covered."""
    text = sign(
        access_key=AK,
        secret_key=SK,
        method="POST",
        path="/v2/clock",
        query="Action=DescribeClock",
        headers=signed,
        timestamp=AT,
        signed_headers=tuple(signed),
    )
    prefix, _, signature = text.rpartition("/")
    text = f"{prefix.rpartition('/')[0]}/{';'.join(listed)}/{signature}"
    auth = parse_authorization(text)
    return verify(
        auth,
        signing_key(SK, auth.prefix),
        method="POST",
        raw_path=b"/v2/clock",
        query=b"Action=DescribeClock",
        headers=[(name.encode(), value.encode()) for name, value in sent.items()],
        without_port=without_port,
    )


def test_what_is_listed_is_covered_and_what_is_only_sent_is_not() -> None:
    signed = {"host": "a.example", "x-bce-nonce": "n" * 16}
    sent = {**signed, "x-bce-content-sha256": "0" * 64, "content-md5": "x"}
    found = covered(signed, sent, listed=("host", "x-bce-nonce"))
    assert found == {b"host": b"a.example", NONCE: b"n" * 16}


def test_the_python_clients_signer_covers_every_x_bce_header_listed_or_not() -> None:
    signed = {"host": "a.example", "x-bce-nonce": "n" * 16, "x-bce-content-sha256": "0" * 64}
    found = covered(signed, signed, listed=("host",))
    assert found == {name.encode(): value.encode() for name, value in signed.items()}


def test_a_header_that_somebody_adds_to_a_signed_request_is_never_covered() -> None:
    signed = {"host": "a.example"}
    for added in ({"x-bce-nonce": "n" * 16}, {"x-bce-content-sha256": "0" * 64}):
        assert covered(signed, signed | added, listed=("host",)) == {b"host": b"a.example"}


@pytest.mark.parametrize("change", ["taken out", "emptied", "changed"])
def test_a_covered_header_cannot_be_taken_out_emptied_or_changed(change: str) -> None:
    signed = {"host": "a.example", "x-bce-nonce": "n" * 16}
    sent = {"taken out": {"host": "a.example"}, "emptied": {**signed, "x-bce-nonce": ""}}.get(
        change, {**signed, "x-bce-nonce": "m" * 16}
    )
    for listed in (("host", "x-bce-nonce"), ("host",)):
        with pytest.raises(SignatureRefused):
            covered(signed, sent, listed=listed)


@pytest.mark.parametrize("host", ["a.example:8000", "127.0.0.1:1", "[::1]:8000"])
def test_a_host_may_be_signed_without_its_port_only_where_that_is_taken(host: str) -> None:
    name = host.rpartition(":")[0]
    for signed in {name, name.strip("[]")}:
        text = sign_host(signed)
        assert verified(text, host) == {b"host": host.encode()}
        with pytest.raises(SignatureRefused):
            verified(text, host, without_port=False)
    assert verified(sign_host(host), host, without_port=False)


def sign_host(host: str) -> str:
    # An address without brackets is no host, but one client signs it so; sign() makes only what it takes itself.
    if ":" in host and not host.startswith("["):
        prefix = f"bce-auth-v1/{AK}/{AT}/1800"
        text = f"POST\n/v2/clock\nAction=DescribeClock\nhost:{host.replace(':', '%3A')}"
        return f"{prefix}/host/{hmac.new(signing_key(SK, prefix), text.encode(), 'sha256').hexdigest()}"
    return sign(
        access_key=AK,
        secret_key=SK,
        method="POST",
        path="/v2/clock",
        query="Action=DescribeClock",
        headers={"host": host},
        timestamp=AT,
        signed_headers=("host",),
    )


def verified(text: str, host: str, *, without_port: bool = True) -> dict[bytes, bytes]:
    auth = parse_authorization(text)
    return verify(
        auth,
        signing_key(SK, auth.prefix),
        method="POST",
        raw_path=b"/v2/clock",
        query=b"Action=DescribeClock",
        headers=[(b"host", host.encode())],
        without_port=without_port,
    )


def test_our_command_line_signs_the_body_and_a_nonce() -> None:
    command = ["sign", "/v2/clock", "DescribeClock", '{"a": 1}', "--url", "http://units.example.com:8000/prefix"]
    command += ["--access-key", AK, "--secret-key", SK]
    nonces = set()
    for _ in range(2):
        done = CliRunner().invoke(cli, command)
        assert done.exit_code == 0, done.output
        sent = {name.lower(): value for name, value in (line.split(": ", 1) for line in done.output.splitlines())}
        auth = parse_authorization(sent.pop("authorization"))
        headers = [(name.encode(), value.encode()) for name, value in sent.items()]
        found = verify(
            auth,
            signing_key(SK, auth.prefix),
            method="POST",
            raw_path=b"/prefix/v2/clock",
            query=b"Action=DescribeClock",
            headers=[*headers, (b"host", b"units.example.com:8000")],
            path_prefix=b"/prefix",
            without_port=False,
        )
        assert signs_body(found)
        check_body(headers, b'{"a": 1}')
        nonces.add(nonce_of(found))
    assert len(nonces) == 2
