"""Errors in the shape that the clients read: ``{"error": {"code", "message", "type"}, "id"}``.

A client that streams looks for ``error`` only. An error without it would look like an answer that is empty.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.contract.errors import ErrorCode
from leasebook.gateway.fault import kind_of

READ_MAX: Final = 64 * 1024
"""Of a longer error only the status is passed on."""
SHOWN_MAX: Final = 500


def conforming(status: int, content_type: str, content: bytes, request_id: str) -> bytes:
    """Return a replica's error as clients read it: as it came, if it has that shape; else with ``error`` and ``id``."""
    try:
        given = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = None
    body: dict[str, Any] = given if isinstance(given, dict) else {}
    error = body.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else {}
    if all(isinstance(inner.get(name), str) for name in ("code", "message")) and isinstance(body.get("id"), str):
        return content
    message = _first_text(inner.get("message"), error, body.get("message"), body.get("detail"))
    if message is None and content_type.startswith("text/plain"):
        message = content[:SHOWN_MAX].decode("utf-8", "replace").strip() or None
    code = next((one for one in (inner.get("code"), body.get("code")) if one not in (None, "")), status)
    shaped = {
        **inner,
        "code": code if isinstance(code, str) else msgspec.json.encode(code).decode(),
        "message": message or f"The replica answered with status {status}, and does not say why.",
        "type": _first_text(inner.get("type"), body.get("type")) or kind_of(status),
    }
    return msgspec.json.encode({**body, "error": shaped, "id": _first_text(body.get("id")) or request_id})


def _first_text(*given: Any) -> str | None:
    return next((one for one in given if isinstance(one, str) and one), None)


def broken_off(error: ErrorCode, message: str, request_id: str) -> bytes:
    """Return the last event of a stream that does not end as it should."""
    shaped = {"code": error.code, "message": message, "type": kind_of(error.status)}
    return b"data: " + msgspec.json.encode({"error": shaped, "id": request_id}) + b"\n\n"
