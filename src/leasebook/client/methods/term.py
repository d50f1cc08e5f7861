"""Methods of the clients: term. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.instance import Billing, ComputeUnitConfig, Reservation
from leasebook.client.shapes.term import AutoRenewRule, AutoRenewRules, BillingChanged, ChangeQuote, Quote, Renewed


class RenewUnit(TypedDict, total=False):
    """Parameters of ``renew_unit``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    months: int | None
    """By how many months."""

    expiry_day: int | None
    """The day of the month to which it is renewed."""

    max_amount: Decimal | None
    """The most to pay at once, such as the amount of QuoteChange. A request that takes more is refused (InvalidState)
    and changes nothing. Left out: no bound.
    """


RENEW_UNIT: Final[ActionOf[Renewed]] = ActionOf("/v2/computeunit", "RenewComputeUnit", RenewUnit, Renewed, writes=True)


class ChangeBilling(TypedDict, total=False):
    """Parameters of ``change_billing``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    payment_timing: Required[Literal["Prepaid", "Postpaid"]]
    """How it is to be paid."""

    reservation: Reservation | None
    """For how long; required to become Prepaid."""

    max_amount: Decimal | None
    """The most to pay at once, such as the amount of QuoteChange. A request that takes more is refused (InvalidState)
    and changes nothing. Left out: no bound.
    """


CHANGE_BILLING: Final[ActionOf[BillingChanged]] = ActionOf(
    "/v2/computeunit", "ChangeBilling", ChangeBilling, BillingChanged, writes=True
)


class QuotePurchase(TypedDict, total=False):
    """Parameters of ``quote_purchase``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    billing: Required[Billing]
    """How it is paid."""

    compute_unit_config: Required[ComputeUnitConfig]
    """The units to buy."""

    compute_unit_count: Required[int]
    """How many units."""

    hold: bool | None
    """Whether the price is to be kept, for a purchase with quoteId."""

    name: str | None
    """The name of the purchase; a quote does not keep it."""

    tags: dict[str, str] | None
    """The tags of the purchase, for the tag policy; a quote does not keep them."""

    project_id: str | None
    """The project that it is to belong to; left out or `default`: the account's default project."""


QUOTE_PURCHASE: Final[ActionOf[Quote]] = ActionOf("/v2/computeunit", "QuotePurchase", QuotePurchase, Quote, writes=True)


class CreateAutoRenewRule(TypedDict, total=False):
    """Parameters of ``create_auto_renew_rule``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    instance_type: Required[Literal["ComputingUnit", "TPM"]]
    """ComputingUnit, or TPM for quota."""

    auto_renew_time_unit: Literal["Month"] | None
    """Month is the only unit."""

    auto_renew_time: int | None
    """By how many months it is renewed, from 1 to 6; 1 where it is left out."""


CREATE_AUTO_RENEW_RULE: Final[ActionOf[bool]] = ActionOf(
    "/v2/charge", "CreateAutoRenewRules", CreateAutoRenewRule, bool, writes=True
)


class DescribeAutoRenewRules(TypedDict, total=False):
    """Parameters of ``describe_auto_renew_rules``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    instance_id: str | None
    """Only the rule of this instance."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""


DESCRIBE_AUTO_RENEW_RULES: Final[ActionOf[AutoRenewRules]] = ActionOf(
    "/v2/charge", "DescribeAutoRenewRules", DescribeAutoRenewRules, AutoRenewRules, writes=False
)


class DeleteAutoRenewRule(TypedDict, total=False):
    """Parameters of ``delete_auto_renew_rule``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    instance_type: Literal["ComputingUnit", "TPM"] | None
    """ComputingUnit, or TPM for quota."""


DELETE_AUTO_RENEW_RULE: Final[ActionOf[bool]] = ActionOf(
    "/v2/charge", "DeleteAutoRenewRules", DeleteAutoRenewRule, bool, writes=True
)


class QuoteChange(TypedDict, total=False):
    """Parameters of ``quote_change``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    count: int | None
    """How many units it would have after a resize."""

    months: int | None
    """By how many months it would be renewed."""

    expiry_day: int | None
    """The day of the month to which it would be renewed."""

    payment_timing: Literal["Prepaid", "Postpaid"] | None
    """How it would be paid."""

    reservation: Reservation | None
    """For how long it would be; required to become Prepaid."""


QUOTE_CHANGE: Final[ActionOf[ChangeQuote]] = ActionOf(
    "/v2/computeunit", "QuoteChange", QuoteChange, ChangeQuote, writes=True
)


class TermMethods(Caller):
    """Methods of a client that waits for its answers."""

    def renew_unit(self, **request: Unpack[RenewUnit]) -> Renewed:
        """Renew a prepaid instance by months, to a day of a month, or both; a stopped one runs again.

        ``/v2/computeunit?Action=RenewComputeUnit``
        """
        return self._call(RENEW_UNIT, request)

    def change_billing(self, **request: Unpack[ChangeBilling]) -> BillingChanged:
        """Make a postpaid instance prepaid now, or a prepaid one postpaid from the end of its term.

        ``/v2/computeunit?Action=ChangeBilling``
        """
        return self._call(CHANGE_BILLING, request)

    def quote_purchase(self, **request: Unpack[QuotePurchase]) -> Quote:
        """Judge a purchase by every rule without buying; and hold its price for some minutes if asked to.

        ``/v2/computeunit?Action=QuotePurchase``
        """
        return self._call(QUOTE_PURCHASE, request)

    def create_auto_renew_rule(self, **request: Unpack[CreateAutoRenewRule]) -> bool:
        """Renew a prepaid instance whenever its term runs out.

        ``/v2/charge?Action=CreateAutoRenewRules``
        """
        return self._call(CREATE_AUTO_RENEW_RULE, request)

    def describe_auto_renew_rules(self, **request: Unpack[DescribeAutoRenewRules]) -> AutoRenewRules:
        """List the instances that are renewed by themselves.

        ``/v2/charge?Action=DescribeAutoRenewRules``
        """
        return self._call(DESCRIBE_AUTO_RENEW_RULES, request)

    def each_of_auto_renew_rules(self, **request: Unpack[DescribeAutoRenewRules]) -> Iterator[AutoRenewRule]:
        """Go over the rows of every page of ``describe_auto_renew_rules``."""
        return self._each(DESCRIBE_AUTO_RENEW_RULES, request, "rules")

    def delete_auto_renew_rule(self, **request: Unpack[DeleteAutoRenewRule]) -> bool:
        """Do not renew an instance any more.

        ``/v2/charge?Action=DeleteAutoRenewRules``
        """
        return self._call(DELETE_AUTO_RENEW_RULE, request)

    def quote_change(self, **request: Unpack[QuoteChange]) -> ChangeQuote:
        """Judge a renewal, a resize or a change of billing by every rule without making it, and tell its price.

        ``/v2/computeunit?Action=QuoteChange``
        """
        return self._call(QUOTE_CHANGE, request)


class AsyncTermMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def renew_unit(self, **request: Unpack[RenewUnit]) -> Renewed:
        """Renew a prepaid instance by months, to a day of a month, or both; a stopped one runs again.

        ``/v2/computeunit?Action=RenewComputeUnit``
        """
        return await self._call(RENEW_UNIT, request)

    async def change_billing(self, **request: Unpack[ChangeBilling]) -> BillingChanged:
        """Make a postpaid instance prepaid now, or a prepaid one postpaid from the end of its term.

        ``/v2/computeunit?Action=ChangeBilling``
        """
        return await self._call(CHANGE_BILLING, request)

    async def quote_purchase(self, **request: Unpack[QuotePurchase]) -> Quote:
        """Judge a purchase by every rule without buying; and hold its price for some minutes if asked to.

        ``/v2/computeunit?Action=QuotePurchase``
        """
        return await self._call(QUOTE_PURCHASE, request)

    async def create_auto_renew_rule(self, **request: Unpack[CreateAutoRenewRule]) -> bool:
        """Renew a prepaid instance whenever its term runs out.

        ``/v2/charge?Action=CreateAutoRenewRules``
        """
        return await self._call(CREATE_AUTO_RENEW_RULE, request)

    async def describe_auto_renew_rules(self, **request: Unpack[DescribeAutoRenewRules]) -> AutoRenewRules:
        """List the instances that are renewed by themselves.

        ``/v2/charge?Action=DescribeAutoRenewRules``
        """
        return await self._call(DESCRIBE_AUTO_RENEW_RULES, request)

    def each_of_auto_renew_rules(self, **request: Unpack[DescribeAutoRenewRules]) -> AsyncIterator[AutoRenewRule]:
        """Go over the rows of every page of ``describe_auto_renew_rules``."""
        return self._each(DESCRIBE_AUTO_RENEW_RULES, request, "rules")

    async def delete_auto_renew_rule(self, **request: Unpack[DeleteAutoRenewRule]) -> bool:
        """Do not renew an instance any more.

        ``/v2/charge?Action=DeleteAutoRenewRules``
        """
        return await self._call(DELETE_AUTO_RENEW_RULE, request)

    async def quote_change(self, **request: Unpack[QuoteChange]) -> ChangeQuote:
        """Judge a renewal, a resize or a change of billing by every rule without making it, and tell its price.

        ``/v2/computeunit?Action=QuoteChange``
        """
        return await self._call(QUOTE_CHANGE, request)
