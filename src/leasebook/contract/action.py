"""A row of the action table, and how rows are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.documented import DOCUMENTED
from leasebook.contract.nouns.resource.project_scope import ProjectWord, word_of
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
    e.STORE_UNAVAILABLE,
    e.INTERNAL_ERROR,
)
"""The errors that any action may return."""
WRITES: Final = (
    e.OUTCOME_UNKNOWN,
    e.ROWS_LOCKED,
    e.IDEMPOTENT_PARAMETER_MISMATCH,
    e.ACCOUNT_SUSPENDED,
)
"""The errors that an action which changes something may return besides those."""
BUYS: Final = (
    e.INSUFFICIENT_STOCK,
    e.INSUFFICIENT_BALANCE,
    e.QUOTA_EXCEEDED,
    e.OPERATION_NOT_SUPPORTED,
    e.APPROVAL_NEEDED,
    e.TAG_POLICY_NOT_MET,
)
ENDS: Final = (e.INSTANCE_NOT_FOUND, e.OPERATION_NOT_SUPPORTED, e.INVALID_STATE, e.QUOTA_EXCEEDED)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Rows with the same ``operation`` are one action under several paths or names; one handler serves them all.
    ``result`` is the type of the answer's ``result`` field. The caller needs one of ``policies``; if there are none,
    any valid key will do.
    """

    path: str
    name: str
    operation: str
    request: type[Request]
    result: Any
    policies: p.Policies
    writes: bool
    across: p.Policies = frozenset()
    """One of these permits the action in the accounts that the request names, whichever they are."""
    own_only: str = ""
    """Of a read that names no other accounts: why that is so."""
    errors: tuple[e.ErrorCode, ...] = ()
    summary: str
    example: Mapping[str, Any]
    """A request body for the reference pages. A demo server accepts it once its ids are replaced by real ones."""
    answer: Any
    """The result that a demo server returns for that body: shortened if it has many entries; one event of a stream."""
    legacy: bool = False
    follows: bool = False
    """The answer is a stream of server-sent events, which browsers ask for with GET."""
    downloads: tuple[str, ...] = ()
    """The answer is a file of one of these media types, without an envelope; none: it is no file."""

    @property
    def is_documented(self) -> bool:
        """Whether the public documents or official clients have this action. Our own actions refuse unknown keys."""
        return (self.path, self.name) in DOCUMENTED

    @property
    def project(self) -> ProjectWord:
        """Whether policies for projects permit the action in those projects (``scoped``), or not at all."""
        return word_of(self.operation)

    @property
    def for_projects(self) -> p.Policies:
        """The policies that permit the action to a user who has them for projects."""
        return self.policies & p.FOR_PROJECTS if self.project == "scoped" else frozenset()

    @property
    def permitted(self) -> p.Policies:
        """The policies that permit the action somewhere; empty: any valid key does."""
        return self.policies | self.across

    @property
    def all_errors(self) -> tuple[e.ErrorCode, ...]:
        """Every error that it may return."""
        return ALWAYS + (WRITES if self.writes else ()) + self.errors


RESOURCES, UNITS, CHARGE = "/v2/serviceresources", "/v2/computeunit", "/v2/charge"
SERVICE, ACCOUNT, CATALOG, CLOCK, IAM = "/v2/service", "/v2/account", "/v2/catalog", "/v2/clock", "/v2/iam"
EVENTS = "/v2/events"
FAULTS = "/v2/faults"
TAG = "/v2/tag"
PROJECT = "/v2/project"
NOTIFICATION = "/v2/notification"
MODEL = "/v2/model"
MODEL_VERSION = "/wenxinworkshop/modelrepo/modelVersionDetail"


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
