"""Reading the body of a call: what an action takes, and what becomes of keys that it does not know (decision 21)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from leasebook.api.fault import Fault
from leasebook.contract import errors as e
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.allowed_values import in_words
from leasebook.contract.amounts import odd_amount
from leasebook.contract.shapes import Request
from leasebook.contract.unknown import REFUSED, Unknown, header_of, pruned

IGNORED: Final = b"x-leasebook-ignored"
"""The header that names the ignored keys of the body and ignored parameters of the query of a documented action."""
PARAMETERS: Final = ("Action", "clientToken")
"""The known parameters of a query, besides ``authorization`` in any spelling."""
FIELD_MAX: Final = 128
MESSAGE_MAX: Final = 300
PASSED_SHOWN: Final = 5
MISSING: Final = "A required field is missing"
"""A value that will not do is shown in the message, and may be as long as the body."""

_DECODERS: Final = {action.request: msgspec.json.Decoder(action.request) for action in ACTIONS}


class Notes(Protocol):
    """Receives the names of ignored keys and parameters, and the type as which a body was decoded without these."""

    ignored: bytes
    shape: type[msgspec.Struct] | None


def read_body(action: Action, body: bytes, notes: Notes, parameters: Sequence[str] = ()) -> Request:
    """Read a body as the action's request; raises Fault naming the field.

    ``parameters`` are those of the query that no action has. Where the action is documented, unknown keys and
    parameters are passed over and noted for the caller; where it is ours, the first of them is refused.
    """
    given = body or b"{}"
    passed = [Unknown(f"?{name}", name, PARAMETERS) for name in parameters]
    decoder = _DECODERS[action.request]
    try:
        try:
            request: Request = decoder.decode(given)
        except msgspec.ValidationError as error:
            if not str(error).startswith(REFUSED):
                raise
            given, unknown = pruned(action.request, given)
            passed += unknown
            request = decoder.decode(_pass_over(action, given, passed, notes))
        else:
            if passed:
                _pass_over(action, given, passed, notes)
        notes.shape = action.request
        odd = odd_amount(action.request, given)
    except msgspec.ValidationError as error:
        field, what = _field(action.request, str(error))
        if passed and what == MISSING:
            names = ", ".join(one.path[:FIELD_MAX] for one in passed[:PASSED_SHOWN])
            what = f"{what}; passed over as unknown: {names}"
        raise Fault(e.INAPPROPRIATE_JSON, f"{what}.", field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault(e.MALFORMED_JSON, f"The body is not well-formed JSON in UTF-8: {error}.") from None
    if odd is not None:
        raise Fault(e.INAPPROPRIATE_JSON, f"{odd[1][:64]!r} is not a plain decimal number such as 12.5.", odd[0])
    return request


def _pass_over(action: Action, given: bytes, passed: Sequence[Unknown], notes: Notes) -> bytes:
    """Record the ignored keys and parameters; raises Fault if one of them is of our own actions or objects."""
    for one in passed:
        if not action.is_documented or one.is_ours:
            raise Fault(e.INAPPROPRIATE_JSON, one.message(), one.path[:FIELD_MAX])
    notes.ignored = header_of(passed)
    return given


def _field(request: type[Request], text: str) -> tuple[str | None, str]:
    """Return the field of a validation message, and the message for the caller."""
    # The path comes last; the value that is shown before it may contain anything.
    what, found, place = text.rpartition(" - at `")
    if not found:
        what, place = text, ""
    # A key of a mapping that will not do is placed by the mapping.
    path = place.removeprefix("key` in `").rstrip("`").removeprefix("$").removeprefix(".")
    if what.startswith("Object missing required field `"):
        name = what.split("`")[1]
        return (f"{path}.{name}" if path else name), MISSING
    return path or None, in_words(request, path, what)[:MESSAGE_MAX].replace("`", "")
