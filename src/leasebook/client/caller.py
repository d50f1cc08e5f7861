"""Operations, the request of a call, the meaning of its answer, and which calls may be sent again. No I/O."""

from __future__ import annotations

import difflib
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from leasebook.addressing.host_port import web_of
from leasebook.client.codes import BY_CODE
from leasebook.client.errors import ErrorAnswer, LeasebookError, NaiveTimeError, NoAnswer, UnexpectedAnswer
from leasebook.contract.signing import sign

R = TypeVar("R")

EXPIRES_S: Final = 1800
OK: Final = 200
UNSURE: Final = frozenset({"OutcomeUnknown"})
"""Codes of calls that may have been done."""
SAFE: Final = frozenset({"TooManyRequests", "Overloaded", "StoreUnavailable", "RowsLocked"})
"""Codes of calls that were not done, and may be possible a moment later."""
BACKOFF_S: Final = 0.2
BACKOFF_MAX_S: Final = 10.0


class ActionOf(Generic[R]):
    """One operation of the service: its path and action, the names of its parameters, and the type of its result."""

    __slots__ = ("_decoder", "_names", "action", "follows", "path", "writes")

    def __init__(
        self,
        path: str,
        action: str,
        parameters: type,
        result: Any,
        *,
        writes: bool,
        follows: bool = False,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """``parameters`` is a TypedDict; ``names`` are those that are not the parameter's in lower camel case."""
        self.path: Final = path
        self.action: Final = action
        self.writes: Final = writes
        self.follows: Final = follows
        exact = names or {}
        self._names: Final = {name: exact.get(name, camel(name)) for name in parameters.__annotations__}
        self._decoder: msgspec.json.Decoder[Any] | Any = result

    @classmethod
    def with_names(
        cls, path: str, action: str, names: Mapping[str, str], result: Any, *, writes: bool, follows: bool = False
    ) -> ActionOf[R]:
        """Return an operation whose parameters are not declared; ``names`` has those on the wire by those in Python."""
        parameters = type(action, (), {"__annotations__": dict.fromkeys(names)})
        return cls(path, action, parameters, result, writes=writes, follows=follows, names=names)

    @property
    def takes_token(self) -> bool:
        """Whether a client token makes the call safe to repeat."""
        return self.writes and "client_token" in self._names

    def body(self, request: Mapping[str, Any]) -> bytes:
        """Return the body for parameters by their names in Python.

        Raises TypeError for a name that the operation does not have, and NaiveTimeError.
        """
        body: dict[str, Any] = {}
        for name, value in request.items():
            if name not in self._names:
                near = difflib.get_close_matches(name, self._names, 1)
                more = f" Do you mean {near[0]}?" if near else f" It takes {', '.join(sorted(self._names))}."
                raise TypeError(f"{self.action} has no parameter {name!r}.{more}")
            _check_times(value, name)
            body[self._names[name]] = value
        return msgspec.json.encode(body)

    def result(self, raw: msgspec.Raw) -> R:
        """Read a result; raises msgspec.ValidationError where it has another form."""
        if not isinstance(self._decoder, msgspec.json.Decoder):
            self._decoder = msgspec.json.Decoder(self._decoder)
        found: R = self._decoder.decode(raw)
        return found


def camel(name: str) -> str:
    """Return a name in lower camel case."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _check_times(value: Any, where: str) -> None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise NaiveTimeError(
                f"{where} is a time without a time zone, {value.isoformat()}: give it one, for example "
                "datetime.now(UTC) or datetime(…, tzinfo=ZoneInfo('Asia/Shanghai'))."
            )
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            _check_times(getattr(value, field), f"{where}.{field}")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            _check_times(part, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            _check_times(part, f"{where}[{place}]")


class Keys(NamedTuple):
    """Where the service is, and an access key of it. The secret is not shown when it is printed."""

    url: str
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Keys(url={self.url!r}, access_key={self.access_key!r}, secret_key=…)"


class Sent(NamedTuple):
    """One request as it is sent."""

    url: str
    headers: dict[str, str]
    body: bytes


def signed(keys: Keys, operation: ActionOf[Any], body: bytes) -> Sent:
    """Sign a request, with its body and a new nonce: the signature is good for this body, and once."""
    at = web_of(keys.url)
    host = str(at).partition("://")[2].partition("/")[0]
    covered = {
        "x-bce-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-bce-nonce": secrets.token_hex(16),
    }
    authorization = sign(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        method="POST",
        path=at.path + operation.path,
        query=f"Action={operation.action}",
        headers={"host": host, **covered},
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        expires_s=EXPIRES_S,
        signed_headers=("host", *covered),
    )
    # The library would write the host in lower case, which would not match the signature.
    headers = {"Authorization": authorization, "Host": host, "Content-Type": "application/json", **covered}
    return Sent(f"{at}{operation.path}?Action={operation.action}", headers, body)


class _Envelope(msgspec.Struct, rename="camel"):
    request_id: str = ""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: str | None = None
    message: str | None = None
    error_code: int | str | None = msgspec.field(name="error_code", default=None)
    error_msg: str | None = msgspec.field(name="error_msg", default=None)


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)


def result_of(operation: ActionOf[R], status: int, headers: Mapping[str, str], body: bytes) -> R:
    """Read an answer. Raises the ErrorAnswer of its code, or UnexpectedAnswer."""
    try:
        answer = _ENVELOPES.decode(body)
        if status == OK and answer.code is None and isinstance(answer.result, msgspec.Raw):
            return operation.result(answer.result)
    except msgspec.MsgspecError as error:
        raise _unexpected(operation, status, body, str(error)) from None
    code = answer.code or headers.get("x-bce-error-code") or ""
    if not code and answer.error_code is None:
        raise _unexpected(operation, status, body, "it has neither a result nor a code")
    raise error_of(
        code or str(answer.error_code),
        answer.message or answer.error_msg or "",
        status=status,
        request_id=answer.request_id or headers.get("x-bce-request-id", ""),
        retry_after=headers.get("retry-after"),
    )


def error_of(code: str, message: str, *, status: int, request_id: str, retry_after: str | None) -> ErrorAnswer:
    """Return the exception for a code; ``retry_after`` is the header, in seconds."""
    wait = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return BY_CODE.get(code, ErrorAnswer)(code, message, status=status, request_id=request_id, retry_after_s=wait)


def _unexpected(operation: ActionOf[Any], status: int, body: bytes, why: str) -> UnexpectedAnswer:
    text = body.decode("utf-8", "replace")
    return UnexpectedAnswer(
        f"{operation.action} was answered with status {status} in a form that this client does not know: {why}. "
        "Is the address that of the service, and is the client of the same version or newer?",
        status=status,
        body=text,
    )


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often a call is sent again where that is safe, and for how many seconds in all.

    It is safe for reads, and for writes with a client token, which stays the same. Of other writes only those are sent
    again that were certainly not done.
    """

    tries: int = 4
    within_s: float = 60.0


def pause_before_next(
    retries: Retries,
    operation: ActionOf[Any],
    *,
    has_token: bool,
    failed: int,
    spent_s: float,
    error: LeasebookError,
    dice: float,
) -> float | None:
    """Return for how many seconds to wait before a call is sent again, or None where it is not.

    ``failed`` is the number of tries so far, ``spent_s`` the seconds since the first, and ``dice`` is from 0 to 1.
    """
    if isinstance(error, NoAnswer):
        is_done_perhaps, asked_s = error.may_be_done, None
    elif isinstance(error, ErrorAnswer) and (error.code in SAFE or error.code in UNSURE):
        is_done_perhaps, asked_s = error.code in UNSURE, error.retry_after_s
    else:
        return None
    if is_done_perhaps and operation.writes and not has_token:
        return None
    if failed >= retries.tries:
        return None
    # Between half and all of a time that doubles: clients that failed together come back one by one.
    pause = min(BACKOFF_MAX_S, BACKOFF_S * 2 ** (failed - 1)) * (0.5 + dice / 2)
    pause = max(pause, asked_s or 0.0)
    return None if spent_s + pause > retries.within_s else pause


class Caller:
    """The part of a client that calls and waits."""

    def _call(self, operation: ActionOf[R], request: Mapping[str, Any]) -> R:
        raise NotImplementedError

    def _each(self, operation: ActionOf[Any], request: Mapping[str, Any], rows: str) -> Iterator[Any]:
        raise NotImplementedError

    def _follow(self, operation: ActionOf[R], request: Mapping[str, Any]) -> Iterator[R]:
        raise NotImplementedError

    def _download(self, operation: ActionOf[bytes], request: Mapping[str, Any]) -> Iterator[bytes]:
        raise NotImplementedError


class AsyncCaller:
    """The part of a client that calls and is awaited."""

    async def _call(self, operation: ActionOf[R], request: Mapping[str, Any]) -> R:
        raise NotImplementedError

    def _each(self, operation: ActionOf[Any], request: Mapping[str, Any], rows: str) -> AsyncIterator[Any]:
        raise NotImplementedError

    def _follow(self, operation: ActionOf[R], request: Mapping[str, Any]) -> AsyncIterator[R]:
        raise NotImplementedError

    def _download(self, operation: ActionOf[bytes], request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        raise NotImplementedError
