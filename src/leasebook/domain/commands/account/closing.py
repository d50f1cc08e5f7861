"""Closing an account for ever: nothing may live in it, its keys end with it, and its books stay."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import WholeAccount
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNTS,
    APPROVALS,
    SERVICE_KEYS,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    USERS,
)
from leasebook.domain.book.whole_account import NAMED_MAX
from leasebook.domain.commands.account.account_life import OfAccount, refuse_closed
from leasebook.domain.commands.account.subscription import ended
from leasebook.domain.commands.command import Needs
from leasebook.domain.model.account import Account
from leasebook.domain.model.subscription import LIVE
from leasebook.domain.record.ledger import FUNDING, WRITTEN_OFF, Posting, wallet
from leasebook.domain.rules.approval import end_request
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro, amount_text
from leasebook.domain.values.refusal import DENIED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class CloseAccount(OfAccount, frozen=True, kw_only=True):
    """Close an account for ever. Returns the account after it.

    With it end its access keys, service keys and subscriptions, its requests that wait for an approval, and the
    policies over every account that its users hold. ``pay_out`` pays back the rest of the balance, ``write_off`` gives
    up a debt. ``operator`` is the name of the policy that makes a user an operator, ``operators`` are those of all
    policies over every account.

    The caller's own account is never closed, and the caller must still have its rights when this is decided. So one
    operator always remains, also if two operators close each other's account in the same batch.
    """

    caller_id: str
    caller_account_id: str
    operators: frozenset[str]
    operator: str
    pay_out: bool = False
    write_off: bool = False

    def needs(self) -> Needs:
        """The account with all that is in it, and the caller with its account."""
        yield from super().needs()
        yield ACCOUNTS, (self.caller_account_id,)
        yield ACCOUNT_LIMITS, (self.account_id,)
        yield USERS, (self.caller_id,)
        yield WholeAccount(self.account_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Account:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown, closed or never to be closed; something lives in it; or money or a debt is left."""
        account = self.own(draft)
        self._check_caller(draft)
        refuse_closed(account)
        if draft.book.answers.living(account.id).is_founders:
            raise Refusal(
                WRONG_STATE,
                "This is the account that the store began with. Its root user is the one that the server's environment "
                "names, so it is never closed.",
                field="accountId",
            )
        alive = list(self._alive(draft, now))
        if alive:
            raise Refusal(
                WRONG_STATE,
                f"The account {account.id} is not empty: {'; '.join(alive)}. Release the instances and delete the "
                "services; an auto-renew rule ends with its instance, and a token package when it is used up or over.",
                field="accountId",
            )
        self._settle(draft, account, now)
        self._end_rights(draft)
        for request in draft.rows_of(APPROVALS, self.account_id):
            if request.status == "Open":
                end_request(draft, request, status="Lapsed", decided_at=now, reason="AccountClosed")
        account = msgspec.structs.replace(draft.require(ACCOUNTS, account.id), status="Closed", status_reason="")
        draft.put(ACCOUNTS, account)
        return account

    def _check_caller(self, draft: Draft) -> None:
        if self.account_id == self.caller_account_id:
            raise Refusal(
                WRONG_STATE,
                "This request is signed by a user of the account that it would close. Sign it as a user of another "
                "account.",
                field="accountId",
            )
        caller = draft.require(USERS, self.caller_id)
        home = draft.require(ACCOUNTS, self.caller_account_id)
        if caller.deleted_at is not None or self.operator not in caller.policies or home.status == "Closed":
            raise Refusal(DENIED, "The caller has lost the right to close accounts.")

    def _alive(self, draft: Draft, now: Instant) -> Iterator[str]:
        """Yield a phrase for each kind that keeps the account open, with the number and a few ids."""
        for kind, count, ids in draft.book.answers.living(self.account_id).all():
            yield _phrase(kind, count, ids)
        packages = draft.rows_of(TOKEN_PACKAGES, self.account_id)
        left = [one.id for one in packages if one.left() and now < one.expires_at]
        if left:
            yield _phrase("token package", len(left), left[:NAMED_MAX])

    def _settle(self, draft: Draft, account: Account, now: Instant) -> None:
        """Bring the balance to zero; raises Refusal (WRONG_STATE) unless the request said how."""
        amount, own = amount_text(abs(account.balance)), wallet(account.id)
        if account.balance > 0:
            if not self.pay_out:
                raise Refusal(
                    WRONG_STATE, f"The account still has {amount}. Give payOut: true to pay it back.", field="payOut"
                )
            draft.post(Posting(account.id, now, "PayOut", own, FUNDING, account.balance))
        elif account.balance < 0:
            if not self.write_off:
                raise Refusal(
                    WRONG_STATE,
                    f"The account owes {amount}. Top it up (TopUpAccount, /v2/account), or give writeOff: true to give "
                    "the debt up.",
                    field="writeOff",
                )
            draft.post(Posting(account.id, now, "WriteOff", WRITTEN_OFF, own, Micro(-account.balance)))

    def _end_rights(self, draft: Draft) -> None:
        for user in draft.rows_of(USERS, self.account_id):
            kept = tuple(name for name in user.policies if name not in self.operators)
            if kept != user.policies:
                draft.put(USERS, msgspec.structs.replace(user, policies=kept))
        for key in draft.rows_of(ACCESS_KEYS, self.account_id):
            if key.status == "Active":
                draft.put(ACCESS_KEYS, msgspec.structs.replace(key, status="Disabled"))
        for hook in draft.rows_of(SUBSCRIPTIONS, self.account_id):
            if hook.status in LIVE:
                draft.put(SUBSCRIPTIONS, ended(hook))
        for service_key in draft.rows_of(SERVICE_KEYS, self.account_id):
            if service_key.status == "Active":
                draft.put(SERVICE_KEYS, msgspec.structs.replace(service_key, status="Deleted"))


def _phrase(kind: str, count: int, ids: list[str]) -> str:
    more = ", and more" if count > len(ids) else ""
    return f"{count} {kind}{'' if count == 1 else 's'} ({', '.join(ids)}{more})"
