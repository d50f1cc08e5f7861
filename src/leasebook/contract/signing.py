"""The bce-auth-v1 request signature: reading, checking and making it, without a clock and without I/O."""

import enum
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar

from leasebook.contract.prepared_key import PreparedKey

__all__ = [
    "Authorization",
    "SignatureFault",
    "SignatureRefused",
    "check_time",
    "lifetime_s",
    "parse_authorization",
    "sign",
    "signing_key",
    "verify",
]

Argument = TypeVar("Argument", bytes, str, tuple[str, ...])
Result = TypeVar("Result")

_SCHEME = "bce-auth-v1"
_SECOND_US = 1_000_000
_AHEAD_MAX_US = 300 * _SECOND_US
_LIFETIME_MAX_S = 24 * 3600
_TEXT_MAX = 4096
_SHOWN_MAX = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = 6
_PORT_MAX = 65535
_REMEMBERED_LENGTH = 128

_ACCESS_KEY = re.compile(r"[!-.0-~]+")  # visible ASCII but the slash, which separates the parts
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
)
_EXPIRY = re.compile(r"[1-9][0-9]{0,9}")
_HEADER_NAMES = re.compile(r"(?:[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*)?")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")

# Only one spelling of each path and query is signed: unreserved bytes bare, every other byte as an upper-case
# escape. A second spelling (%7e, %41, a bare "+") would let one signature stand for two different requests.
_PLAIN = rb"[A-Za-z0-9\-._~]*"
_ESCAPE = rb"%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF])"
_PATH_ESCAPE = _ESCAPE.replace(b"2[0-9A-CF]", b"2[0-9A-C]")  # an escaped slash is no path of this protocol
_PATH = re.compile(rb"/[A-Za-z0-9\-._~/]*(?:%s[A-Za-z0-9\-._~/]*)*" % _PATH_ESCAPE)
_KEY = rb"((?!=)%s(?:%s%s)*)" % (_PLAIN, _ESCAPE, _PLAIN)
_PAIR = re.compile(rb"%s=(%s(?:%s%s)*)" % (_KEY, _PLAIN, _ESCAPE, _PLAIN))
_LAX_PLAIN = rb"[A-Za-z0-9\-._~!'()*]*"
_BARE = re.compile(rb"[!'()*]")
_LAX_PAIR = re.compile(rb"%s=(%s(?:%s%s)*)" % (_KEY, _LAX_PLAIN, _ESCAPE, _LAX_PLAIN))
# An address in brackets has two colons or more: without its brackets it is then no name with a port.
_ADDRESS = rb"\[(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]{2,64}\]"
_HOST = re.compile(rb"([A-Za-z0-9._-]{1,255}|%s)(?::([1-9][0-9]{0,4}))?" % _ADDRESS)

_HOST_NAME = b"host"
_DATE_NAME = b"x-bce-date"
_BCE_PREFIX = b"x-bce-"
_DEFAULT_NAMES = frozenset({_HOST_NAME, b"content-length", b"content-md5", b"content-type"})
_JAVA_NAMES = ("host", "x-bce-date")

_BYTE_TEXT = [
    chr(byte) if re.fullmatch(rb"[A-Za-z0-9\-._~]", bytes((byte,))) else f"%{byte:02X}" for byte in range(256)
]

Headers = Iterable[tuple[bytes, bytes]]


class SignatureFault(enum.Enum):
    """The reasons to refuse a signature; the server maps each to one error code (decision 22)."""

    EMPTY = "empty"
    MALFORMED = "malformed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    MISMATCH = "mismatch"


class SignatureRefused(Exception):
    """A signature that is not accepted.

    ``fault`` is the reason. ``message`` tells the caller what the server found and what to do. It may repeat the
    values of signed headers, so it goes into the answer and never into a log. It never contains a key or the
    correct signature.
    """

    def __init__(self, fault: SignatureFault, message: str) -> None:
        super().__init__(fault, message)
        self.fault = fault
        self.message = message

    def __str__(self) -> str:
        return self.message


class Authorization(NamedTuple):
    """The parts of one Authorization value, as the caller wrote them (bce-auth-v1).

    ``timestamp`` is the text, ``signed_at_us`` the same moment in microseconds since the epoch, UTC.
    ``expires_s`` is the lifetime in seconds that the caller asked for, not yet cut. ``signed_headers`` keeps
    the caller's order; empty means the protocol's default set. ``prefix`` is the text that the signing key is
    derived from.
    """

    access_key: str
    timestamp: str
    expires_s: int
    signed_headers: tuple[str, ...]
    signature: str
    prefix: str
    signed_at_us: int


class _Host(NamedTuple):
    """The ways in which clients sign one Host header, encoded, the most likely first."""

    forms: tuple[str, ...]
    portless: str


def parse_authorization(text: str) -> Authorization:
    """Read an Authorization value strictly: one spelling for everything (bce-auth-v1).

    Raises SignatureRefused: EMPTY for no text, MALFORMED for a text of another form, for one longer than
    4096 characters, and for a list of signed headers that leaves the host out.
    """
    if not text.strip():
        raise SignatureRefused(
            SignatureFault.EMPTY,
            "The request carries no signature: send an Authorization header of bce-auth-v1.",
        )
    if len(text) > _TEXT_MAX:
        raise _malformed(f"it is longer than {_TEXT_MAX} characters")
    parts = text.split("/")
    if len(parts) != _PARTS or parts[0] != _SCHEME:
        raise _malformed("it does not have these six parts")
    _, access_key, timestamp, expiry, names, signature = parts
    if not _ACCESS_KEY.fullmatch(access_key):
        raise _malformed("the access key is empty or holds something else than visible ASCII characters")
    signed_at_us = _instant_us(timestamp)
    if signed_at_us is None:
        raise _malformed("the timestamp is not a UTC time like 2030-01-31T09:30:00Z")
    if not _EXPIRY.fullmatch(expiry):
        raise _malformed("the expiry is not a plain positive number of seconds with at most 10 digits")
    if not _SIGNATURE.fullmatch(signature):
        raise _malformed("the signature is not 64 lower-case hexadecimal digits")
    prefix = text[: -len(names) - len(signature) - 2]
    return Authorization(access_key, timestamp, int(expiry), _header_names(names), signature, prefix, signed_at_us)


def lifetime_s(auth: Authorization) -> int:
    """Return how many seconds a signature lives by what its signer chose; more than 24 hours count as 24 hours."""
    return min(auth.expires_s, _LIFETIME_MAX_S)


def check_time(auth: Authorization, now_us: int, age_max_s: int = _LIFETIME_MAX_S) -> None:
    """Check that a signature is in force at ``now_us``, microseconds since the epoch (decision 22).

    It is from five minutes before its timestamp, for a client whose clock is ahead, until the lifetime it
    names has passed, both moments included. A lifetime above ``age_max_s`` seconds counts as that, and none is longer
    than 24 hours.

    Raises SignatureRefused: NOT_YET_VALID or EXPIRED, with the server's time in the message.
    """
    if auth.signed_at_us > now_us + _AHEAD_MAX_US:
        raise SignatureRefused(
            SignatureFault.NOT_YET_VALID,
            f"The signature is dated {auth.timestamp}, more than 5 minutes ahead of the server's time, "
            f"{_utc_text(now_us)}. Set the client's clock and sign the request again.",
        )
    lives_s = min(lifetime_s(auth), age_max_s)
    if now_us > auth.signed_at_us + lives_s * _SECOND_US:
        cut = f", for which this server takes no longer than {age_max_s}" if lives_s < auth.expires_s else ""
        raise SignatureRefused(
            SignatureFault.EXPIRED,
            f"The signature is dated {auth.timestamp} and was in force for {lives_s} seconds{cut}; the server's time "
            f"is {_utc_text(now_us)}. Sign the request again; if it was new, set the client's clock.",
        )


def signing_key(secret: str, prefix: str) -> bytes:
    """Derive the key for one access key, timestamp and expiry: 64 hexadecimal digits as ASCII bytes.

    ``prefix`` is ``Authorization.prefix``. bce-auth-v1 uses the digits themselves as the key, not the bytes
    that they spell.
    """
    return hmac.new(secret.encode(), prefix.encode(), hashlib.sha256).hexdigest().encode("ascii")


def verify(
    auth: Authorization,
    secret_key_hex: bytes | PreparedKey,
    *,
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    path_prefix: bytes = b"",
    without_port: bool = True,
) -> dict[bytes, bytes]:
    """Check that a request is the one that was signed (bce-auth-v1); ``check_time`` is separate.

    Returns the headers that the signature covers, by name; an empty value is covered as being empty. The body is
    covered only through a header that holds a digest of it.

    ``secret_key_hex`` comes from ``signing_key``, prepared where it checks many signatures. The path and the query
    are the bytes of the request line, without the question mark; header names are in lower case, as ASGI has them.
    ``path_prefix`` is the path that the service is published under: one official client leaves it out of what it
    signs. Two of them sign the host without the port that they send; with ``without_port`` false they are refused.

    The official clients differ in what they sign, so several readings of one request are tried. Each reading
    tells any two requests apart, but for two things that some clients do not cover: the port of a Host that
    they signed without it, and one second of x-bce-date in the Java client's form. The order of the query's
    keys never counts, nor whether one of !'()* is escaped; a key named authorization is left out of it.

    Raises SignatureRefused: MALFORMED when a signed header occurs twice, otherwise MISMATCH. The message
    shows the text that should have been signed, or says what keeps the request from having one.
    """
    _check_method(method)
    paths = _path_forms(raw_path, path_prefix.rstrip(b"/"))
    queries = _query_forms(query)
    if not queries:
        raise _unsignable(
            "the query must be key=value pairs joined by '&', no key twice, with every byte but "
            "A-Z a-z 0-9 - . _ ~ written as % and two upper-case digits, and a key without a value as 'key='"
        )
    covered = _covered(auth.signed_headers, headers)
    signature = bytes.fromhex(auth.signature)
    key = PreparedKey(secret_key_hex) if isinstance(secret_key_hex, bytes) else secret_key_hex
    first = ""
    for lines, signed in _header_forms(auth, covered, headers, without_port=without_port):
        for path in paths:
            for query_text in queries:
                canonical = f"{method}\n{path}\n{query_text}\n{lines}"
                if hmac.compare_digest(key.digest(canonical.encode("ascii")), signature):
                    return signed
                first = first or canonical
    raise SignatureRefused(
        SignatureFault.MISMATCH,
        "The signature does not fit the request. Compare the lines below with those that the client signed; "
        f"where they are the same, the secret key is another one.\n{first[:_SHOWN_MAX]}",
    )


def sign(
    *,
    access_key: str,
    secret_key: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    timestamp: str,
    expires_s: int = 1800,
    signed_headers: Sequence[str] = ("host", "x-bce-date"),
) -> str:
    """Make the Authorization value for a request that is about to be sent (bce-auth-v1).

    ``path`` and ``query`` are as the request line will have them, percent-encoded. ``headers`` must hold
    every name in ``signed_headers``, the host among them; with no name at all the protocol's default set is
    signed. ``timestamp`` is UTC like ``2030-01-31T09:30:00Z``; the signature is in force for ``expires_s``
    seconds from then.

    Raises ValueError for a request that ``verify`` would not accept.
    """
    names = ";".join(sorted(name.lower() for name in signed_headers))
    given = [(name.lower().encode(), value.strip(" \t").encode()) for name, value in headers.items()]
    method = method.upper()
    try:
        _check_method(method)
        auth = parse_authorization(f"{_SCHEME}/{access_key}/{timestamp}/{expires_s}/{names}/{'0' * 64}")
        covered = _covered(auth.signed_headers, given)
        lines, _ = next(_header_forms(auth, covered, given, without_port=False))
        path_text = _path_forms(path.encode(), b"")[0]
    except SignatureRefused as refusal:
        raise ValueError(refusal.message) from refusal
    query_text = _strict_query(query.encode())
    if query_text is None:
        raise ValueError(f"This query cannot be signed, percent-encode its keys and values: {query!r}")
    canonical = f"{method}\n{path_text}\n{query_text}\n{lines}"
    key = signing_key(secret_key, auth.prefix)
    return f"{auth.prefix}/{names}/{hmac.digest(key, canonical.encode('ascii'), 'sha256').hex()}"


def _remembered(function: Callable[[Argument], Result]) -> Callable[[Argument], Result]:
    """Remember the results for short arguments: the same hosts, paths and types come again and again."""
    short = lru_cache(maxsize=512)(function)

    def look_up(value: Argument) -> Result:
        # Long values are not cached: a stranger could fill the memory with them.
        return short(value) if len(value) <= _REMEMBERED_LENGTH else function(value)

    return look_up


def _malformed(what: str) -> SignatureRefused:
    return SignatureRefused(
        SignatureFault.MALFORMED,
        "The Authorization value must be bce-auth-v1/access key/timestamp/expiry in seconds/signed headers/"
        f"signature, but {what}.",
    )


def _unsignable(what: str) -> SignatureRefused:
    return SignatureRefused(SignatureFault.MISMATCH, f"The request is not in the form that is signed: {what}.")


def _check_method(method: str) -> None:
    if not (method.isascii() and method.isalpha() and method.isupper()):
        raise _unsignable("the method must be upper-case letters")


@_remembered
def _instant_us(text: str) -> int | None:
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def _utc_text(instant_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=instant_us)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


@_remembered
def _header_names(text: str) -> tuple[str, ...]:
    if not _HEADER_NAMES.fullmatch(text):
        raise _malformed("the signed headers are not lower-case names joined by ';'")
    if not text:
        return ()
    names = tuple(text.split(";"))
    if len(set(names)) != len(names):
        raise _malformed("a signed header is listed twice")
    if "host" not in names:
        raise _malformed("the signed headers leave out the host")
    return names


@_remembered
def _encoded(value: bytes) -> str:
    return value.decode("latin-1").translate(_BYTE_TEXT)


@_remembered
def _host_forms(value: bytes) -> _Host | None:
    # Nothing but a name and a port passes: a looser reading could take a signed "name:8000" for the name
    # of a longer host, and find the signature under another Host header.
    match = _HOST.fullmatch(value)
    if match is None or int(match[2] or 0) > _PORT_MAX:
        return None
    name: bytes = match[1]
    forms = dict.fromkeys((value, name, name.strip(b"[]")))
    return _Host(forms=tuple(_encoded(form) for form in forms), portless=_encoded(name))


@_remembered
def _path_text(raw_path: bytes) -> str | None:
    return raw_path.decode("ascii") if _PATH.fullmatch(raw_path) else None


def _path_forms(raw_path: bytes, prefix: bytes) -> tuple[str, ...]:
    path = _path_text(raw_path)
    if path is None:
        raise _unsignable(
            "the path must begin with '/' and have every byte but A-Z a-z 0-9 - . _ ~ / written as % and two "
            "upper-case digits"
        )
    if prefix and raw_path.startswith(prefix + b"/"):
        return path, path[len(prefix) :]
    return (path,)


def _pairs(query: bytes, form: re.Pattern[bytes]) -> list[tuple[str, str]] | None:
    """Split a query into its signed pairs; None where it is not in the one spelling that is signed."""
    pairs: dict[bytes, bytes] = {}
    for part in query.split(b"&") if query else ():
        match = form.fullmatch(part)
        if match is None or match[1] in pairs:
            return None
        pairs[match[1]] = match[2]
    return [
        (key.decode("ascii"), value.decode("ascii")) for key, value in pairs.items() if key.lower() != b"authorization"
    ]


def _strict_query(query: bytes) -> str | None:
    pairs = _pairs(query, _PAIR)
    return None if pairs is None else "&".join(sorted(f"{key}={value}" for key, value in pairs))


@_remembered
def _query_forms(query: bytes) -> tuple[str, ...]:
    forms = []
    strict = _strict_query(query)
    if strict is not None:
        forms.append(strict)
    # The Java client signs ! ' ( ) * bare and ~ escaped. A tilde must come bare in the request line, so
    # this reading, too, belongs to one query only.
    lax = _pairs(query, _LAX_PAIR)
    if lax is not None:
        lax_text = "&".join(sorted(f"{key}={value.replace('~', '%7E')}" for key, value in lax))
        if lax_text != strict:
            forms.append(lax_text)
    # Baidu's JavaScript SDK sends the same five bare, in keys too, and signs them escaped. Both spellings stand for the
    # same characters, so it is one request all the same.
    if strict is None:
        escaped = _strict_query(_BARE.sub(lambda found: b"%%%02X" % found[0][0], query))
        if escaped is not None:
            forms.append(escaped)
    return tuple(forms)


@_remembered
def _wanted(names: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset(name.encode("ascii") for name in names)


def _covered(names: tuple[str, ...], headers: Headers) -> dict[bytes, bytes]:
    """Pick the signed headers out of a request: those named, or the protocol's default set for no names."""
    wanted = _wanted(names) if names else _default_names(headers)
    covered: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in wanted:
            if name in covered:
                raise SignatureRefused(
                    SignatureFault.MALFORMED,
                    f"The signed header {_encoded(name)} occurs twice: send it once.",
                )
            covered[name] = value
    if len(covered) != len(wanted):
        absent = ", ".join(_encoded(name) for name in sorted(wanted - covered.keys()))
        raise _unsignable(f"these signed headers are absent: {absent}")
    # An empty header leaves no line behind. Where the names are listed that is plain to see; in the default
    # set it could come and go unseen.
    if not names and not all(covered.values()):
        raise _unsignable("a header of the default set is empty; send it with a value or leave it out")
    return covered


def _default_names(headers: Headers) -> frozenset[bytes]:
    present = {name for name, _ in headers if name in _DEFAULT_NAMES or name.startswith(_BCE_PREFIX)}
    return frozenset(present | {_HOST_NAME})


def _header_forms(
    auth: Authorization, covered: dict[bytes, bytes], headers: Headers, *, without_port: bool
) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    """Yield the header lines as the official clients would have signed them, with the headers in them.

    The most likely comes first.
    """
    host = _host_forms(covered[_HOST_NAME])
    if host is None:
        raise _unsignable("the Host header must be a name or an address, with a port from 1 to 65535 or none")
    forms = host.forms if without_port else host.forms[:1]
    lines = [_line(name, value) for name, value in covered.items() if value and name != _HOST_NAME]
    for form in forms:
        yield _joined(lines, form), covered
    # The Python client's lower layer signs every x-bce- header that it sends, whether it lists it or not.
    extra = [(name, value) for name, value in headers if name.startswith(_BCE_PREFIX) and name not in covered]
    if extra and len(dict(extra)) == len(extra):
        more = lines + [_line(name, value) for name, value in extra]
        for form in forms:
            yield _joined(more, form), covered | dict(extra)
    # The Java client reads the clock once for the signature and again for the header, so that the header can
    # be a second late. It alone signs just these two names, and the host without its port.
    if (
        without_port
        and auth.signed_headers == _JAVA_NAMES
        and _instant_us(covered[_DATE_NAME].decode("latin-1")) == auth.signed_at_us + _SECOND_US
    ):
        yield _joined([_line(_DATE_NAME, auth.timestamp.encode("ascii"))], host.portless), covered


def _line(name: bytes, value: bytes) -> str:
    # Digests and nonces come once, so a cache does not help them; letters and digits are signed as they are.
    return f"{_encoded(name)}:{value.decode() if value.isalnum() else _encoded(value)}"


def _joined(lines: list[str], host: str) -> str:
    return "\n".join(sorted((*lines, f"host:{host}")))
