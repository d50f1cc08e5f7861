"""Which accounts a call is about: the caller's, or those that the request names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from leasebook.api.context import Call
from leasebook.api.fault import Fault, bad_field
from leasebook.contract.errors import ACCESS_DENIED, RESOURCE_NOT_FOUND
from leasebook.contract.policies import BILLING_READERS
from leasebook.domain.model.account import Account
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import ReadRepository

EVERY: Final = "*"


Shown = TypeVar("Shown", bound=msgspec.Struct)


class Meant(NamedTuple):
    """The accounts of a call; ``ids`` None: all of them.

    ``named``: the request names them, so rows say whose they are.
    """

    ids: tuple[str, ...] | None
    named: bool

    def has(self, account_id: str) -> bool:
        """Whether an account is meant."""
        return self.ids is None or account_id in self.ids

    def of(self) -> dict[str, Any]:
        """Return the fields of a filter that select the rows of these accounts."""
        if self.ids is not None and len(self.ids) == 1:
            return {"account_id": self.ids[0]}
        return {"account_id": "", "across": Across(self.ids)}

    def require(self, ask: ReadRepository) -> None:
        """Raise Fault (RESOURCE_NOT_FOUND) for an account that is named and does not exist."""
        if self.named and self.ids is not None:
            require(ask, *self.ids)


def require(ask: ReadRepository, *account_ids: str, field: str = "accountId") -> None:
    """Raise Fault (RESOURCE_NOT_FOUND), naming the field, for an account that does not exist."""
    found = ask.accounts_by_id(account_ids)
    unknown = [one for one in account_ids if one not in found]
    if unknown:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {unknown[0]!r}.", field)


def accounts_meant(call: Call[Any]) -> Meant:
    """Return the accounts that a read is about; raises Fault where the caller may not name them."""
    caller, given = call.caller, call.request.account_id
    if given is None:
        # Who may read every account may read the own one.
        return Meant((caller.account_id,), named=False)
    ids = (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
    if is_at_home(call, ids):
        return Meant(ids, named=True)
    _require_across(call)
    if EVERY not in ids:
        return Meant(ids, named=True)
    if len(ids) > 1:
        raise bad_field("accountId", "`*` stands for every account: give it alone, and not in a list with others.")
    return Meant(None, named=True)


def account_meant(call: Call[Any]) -> str:
    """Return the one account that a read is about; raises Fault where the caller may not name it."""
    given = call.request.account_id
    if given is None or (given == call.caller.account_id and call.caller.may_at_home(call.action)):
        return call.caller.account_id
    _require_across(call)
    return str(given)


def is_at_home(call: Call[Any], account_ids: tuple[str, ...] | None) -> bool:
    """Whether accounts are the caller's own alone, with a policy that permits the action there; None: all accounts."""
    return account_ids == (call.caller.account_id,) and call.caller.may_at_home(call.action)


def sees_money(call: Call[Any], account_ids: tuple[str, ...] | None) -> bool:
    """Whether the caller may see the balances and budgets of accounts; None: all accounts.

    A caller with a policy for some projects of the account may not.
    """
    if call.within is not None:
        return False
    return is_at_home(call, account_ids) or not BILLING_READERS.isdisjoint(call.caller.policies)


class Acted(NamedTuple):
    """Whose row a call changes. ``why`` is the reason for its owner; None: the owner's own user calls."""

    account_id: str
    why: str | None


def account_acted_in(call: Call[Any]) -> Acted:
    """Return the account that a write is about; raises Fault where the caller may not name it, or gives no reason."""
    action, caller, asked = call.action, call.caller, call.request
    is_own = asked.account_id in (None, caller.account_id)
    if is_own and caller.may_at_home(action):
        if asked.reason is not None and (asked.account_id is None or not caller.may_across(action)):
            # Events say that a reason is an operator's: no user of the account itself may write one.
            raise bad_field("reason", "A reason is for the owner of what is in another account; name it as accountId.")
        return Acted(caller.account_id, asked.reason)
    _require_across(call)
    if asked.account_id is None:
        raise bad_field(
            "accountId", f"Your policies permit {action.name} in the account that you name: give accountId."
        )
    if asked.account_id == EVERY:
        raise bad_field("accountId", "`*` is for reads. Give the account whose it is.")
    if asked.reason is None:
        raise bad_field("reason", "Give a reason: the owner reads it in the event.")
    return Acted(asked.account_id, asked.reason)


def _require_across(call: Call[Any]) -> None:
    if not call.caller.may_across(call.action):
        raise Fault(
            ACCESS_DENIED,
            f"{call.action.name} in other accounts takes one of {', '.join(sorted(call.action.across))}, "
            "and this key's user has none of them.",
            "accountId",
        )


class Owners:
    """The accounts of the rows of an answer."""

    def __init__(self, found: Mapping[str, Account], *, named: bool) -> None:
        self._found = found
        self._named = named

    def zone(self, account_id: str) -> str:
        """Return the time zone of an account."""
        return self._found[account_id].time_zone

    def whose(self, account_id: str) -> dict[str, str]:
        """Return the fields that say whose a row is; none if the request names no accounts."""
        return {"account_id": account_id, "account_name": self._found[account_id].name} if self._named else {}

    def mark(self, shown: Shown, account_id: str) -> Shown:
        """Return a shown row with those fields."""
        return msgspec.structs.replace(shown, **self.whose(account_id)) if self._named else shown


def owners_of(ask: ReadRepository, meant: Meant, account_ids: Iterable[str]) -> Owners:
    """Return the accounts of rows. No account is ever deleted."""
    return Owners(ask.accounts_by_id(tuple(dict.fromkeys(account_ids))), named=meant.named)
