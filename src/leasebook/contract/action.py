"""A row of the action table, and how rows are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.documented import DOCUMENTED
from leasebook.contract.shapes import Request

ALWAYS: Final = (
    e.INVALID_HTTP_REQUEST,
    e.ENTITY_TOO_LARGE,
    e.RESOURCE_NOT_FOUND,
    e.SIGNATURE_EMPTY,
    e.INVALID_HTTP_AUTH_HEADER,
    e.INVALID_ACCESS_KEY_ID,
    e.SIGNATURE_DOES_NOT_MATCH,
    e.REQUEST_EXPIRED,
    e.SIGNATURE_TOO_WEAK,
    e.BODY_DIGEST_MISMATCH,
    e.REQUEST_REPLAYED,
    e.ACCESS_DENIED,
    e.MALFORMED_JSON,
    e.INAPPROPRIATE_JSON,
    e.TOO_MANY_REQUESTS,
    e.OVERLOADED,
    e.INTERNAL_ERROR,
)
"""What every action can answer."""
WRITES: Final = (e.STORE_UNAVAILABLE, e.OUTCOME_UNKNOWN, e.ROWS_LOCKED, e.IDEMPOTENT_PARAMETER_MISMATCH)
"""What every action that changes something can answer besides."""
BUYS: Final = (e.INSUFFICIENT_STOCK, e.INSUFFICIENT_BALANCE, e.QUOTA_EXCEEDED, e.OPERATION_NOT_SUPPORTED)
ENDS: Final = (e.INSTANCE_NOT_FOUND, e.OPERATION_NOT_SUPPORTED, e.INVALID_STATE, e.QUOTA_EXCEEDED)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    ``operation`` names what is done; rows with the same operation are the same thing under another name.
    ``result`` is the type of ``result`` in the answer. A caller needs any one of ``policies``; none are
    needed where it is empty.
    """

    path: str
    name: str
    operation: str
    request: type[Request]
    result: Any
    policies: p.Policies
    writes: bool
    errors: tuple[e.ErrorCode, ...] = ()
    summary: str
    example: Mapping[str, Any]
    """A body for the pages. With its ids replaced by real ones a demo answers it well."""
    answer: Any
    """The result that a demo gives to that body, in part where it has many entries; of a stream, one event."""
    legacy: bool = False
    follows: bool = False
    """The answer is a stream of server-sent events, which browsers ask for with GET."""

    @property
    def is_documented(self) -> bool:
        """Whether the public documents or the official clients know it; others are ours, and refuse unknown keys."""
        return (self.path, self.name) in DOCUMENTED

    @property
    def all_errors(self) -> tuple[e.ErrorCode, ...]:
        """Everything that it can answer instead of success."""
        return ALWAYS + (WRITES if self.writes else ()) + self.errors


RESOURCES, UNITS, CHARGE = "/v2/serviceresources", "/v2/computeunit", "/v2/charge"
SERVICE, ACCOUNT, CATALOG, CLOCK, IAM = "/v2/service", "/v2/account", "/v2/catalog", "/v2/clock", "/v2/iam"
EVENTS = "/v2/events"
NOTIFICATION = "/v2/notification"
MODEL = "/v2/model"


def renamed(action: Action, path: str, name: str | None = None, *, legacy: bool = True) -> Action:
    """Return the row of the same operation at another path, and under another name where one is given."""
    return msgspec.structs.replace(action, path=path, name=name or action.name, legacy=legacy)


def write(
    path: str, name: str, operation: str, request: type[Request], result: Any, summary: str, **more: Any
) -> Action:
    """Write a row of an action that changes something."""
    facts = {"policies": p.WRITERS, **more}
    return Action(
        path=path,
        name=name,
        operation=operation,
        request=request,
        result=result,
        summary=summary,
        writes=True,
        **facts,
    )


def read(
    path: str, name: str, operation: str, request: type[Request], result: Any, summary: str, **more: Any
) -> Action:
    """Write a row of an action that only looks."""
    facts = {"policies": p.READERS, **more}
    return Action(
        path=path,
        name=name,
        operation=operation,
        request=request,
        result=result,
        summary=summary,
        writes=False,
        **facts,
    )
