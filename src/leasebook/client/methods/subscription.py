"""Methods of the clients: subscription. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.subscription import (
    DeliveryDetail,
    DeliveryPage,
    Redelivered,
    SubscriptionDetail,
    SubscriptionList,
)


class CreateSubscription(TypedDict, total=False):
    """Parameters of ``create_subscription``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    kind: Required[Literal["Webhook", "Email"]]
    """Webhook or Email."""

    url: str | None
    """Where events are posted to, with Webhook: https, and a public address."""

    address: str | None
    """The mail address that events go to, with Email."""

    types: list[str] | None
    """Only events of these types; left out or empty: all."""

    instance_id: str | None
    """Only events of this instance."""

    accounts: list[str] | None
    """The accounts whose events are sent, or `*` alone for all, later ones included; the caller's where it is left out.
    To name others takes LeasebookOperatorPolicy or LeasebookSupportPolicy.
    """

    project_ids: list[str] | None
    """Only what happens to instances, services and packages while they are in these projects. Required of users whose
    policy is for projects.
    """

    name: str | None
    """A name for people, for all lists to show; several may have the same."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart."""


CREATE_SUBSCRIPTION: Final[ActionOf[SubscriptionDetail]] = ActionOf(
    "/v2/notification", "CreateSubscription", CreateSubscription, SubscriptionDetail, writes=True
)


class DescribeSubscriptions(TypedDict, total=False):
    """Parameters of ``describe_subscriptions``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    name: str | None
    """Only of this name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""


DESCRIBE_SUBSCRIPTIONS: Final[ActionOf[SubscriptionList]] = ActionOf(
    "/v2/notification", "DescribeSubscriptions", DescribeSubscriptions, SubscriptionList, writes=False
)


class ModifySubscription(TypedDict, total=False):
    """Parameters of ``modify_subscription``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    subscription_id: Required[str]
    """The subscription."""

    status: Literal["Active", "Paused"] | None
    """Paused: nothing is sent, and events wait. Active: they are sent."""

    types: list[str] | None
    """Only events of these types from now on; empty: all."""

    rotate_secret: bool | None
    """Whether to replace the secret; for 24 hours both sign."""

    revoke_secret: bool | None
    """Whether the old secret signs no more at once; with rotateSecret, the one that is replaced."""

    skip_missed: bool | None
    """Whether what happened until now, and did not come to wait yet, is left out."""


MODIFY_SUBSCRIPTION: Final[ActionOf[SubscriptionDetail]] = ActionOf(
    "/v2/notification", "ModifySubscription", ModifySubscription, SubscriptionDetail, writes=True
)


class DeleteSubscription(TypedDict, total=False):
    """Parameters of ``delete_subscription``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    subscription_id: Required[str]
    """The subscription."""


DELETE_SUBSCRIPTION: Final[ActionOf[bool]] = ActionOf(
    "/v2/notification", "DeleteSubscription", DeleteSubscription, bool, writes=True
)


class DescribeDeliveries(TypedDict, total=False):
    """Parameters of ``describe_deliveries``."""

    subscription_id: str | None
    """Only those to this subscription."""

    state: Literal["Waiting", "Delivered", "GivenUp", "Dropped"] | None
    """Only those in this state."""

    instance_id: str | None
    """Only events of this instance."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


DESCRIBE_DELIVERIES: Final[ActionOf[DeliveryPage]] = ActionOf(
    "/v2/notification", "DescribeDeliveries", DescribeDeliveries, DeliveryPage, writes=False
)


class RedeliverEvent(TypedDict, total=False):
    """Parameters of ``redeliver_event``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    subscription_id: Required[str]
    """The subscription."""

    event_id: Required[str]
    """The event, by its id in DescribeEvents."""


REDELIVER_EVENT: Final[ActionOf[DeliveryDetail]] = ActionOf(
    "/v2/notification", "RedeliverEvent", RedeliverEvent, DeliveryDetail, writes=True
)


class RedeliverGivenUp(TypedDict, total=False):
    """Parameters of ``redeliver_given_up``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    subscription_id: Required[str]
    """The subscription."""

    start_time: datetime | str | None
    """Only deliveries given up from then on; left out: all that the store still has."""

    max_keys: int | None
    """How many one call takes: 100 where it is left out, 1000 at most."""


REDELIVER_GIVEN_UP: Final[ActionOf[Redelivered]] = ActionOf(
    "/v2/notification", "RedeliverGivenUp", RedeliverGivenUp, Redelivered, writes=True
)


class TestSubscription(TypedDict, total=False):
    """Parameters of ``test_subscription``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    subscription_id: Required[str]
    """The subscription."""


TEST_SUBSCRIPTION: Final[ActionOf[bool]] = ActionOf(
    "/v2/notification", "TestSubscription", TestSubscription, bool, writes=True
)


class SubscriptionMethods(Caller):
    """Methods of a client that waits for its answers."""

    def create_subscription(self, **request: Unpack[CreateSubscription]) -> SubscriptionDetail:
        """Have the account's events, or those of other accounts, sent to a URL or a mail address.

        ``/v2/notification?Action=CreateSubscription``
        """
        return self._call(CREATE_SUBSCRIPTION, request)

    def describe_subscriptions(self, **request: Unpack[DescribeSubscriptions]) -> SubscriptionList:
        """List the account's subscriptions.

        ``/v2/notification?Action=DescribeSubscriptions``
        """
        return self._call(DESCRIBE_SUBSCRIPTIONS, request)

    def each_of_subscriptions(self, **request: Unpack[DescribeSubscriptions]) -> Iterator[SubscriptionDetail]:
        """Go over the rows of every page of ``describe_subscriptions``."""
        return self._each(DESCRIBE_SUBSCRIPTIONS, request, "subscriptions")

    def modify_subscription(self, **request: Unpack[ModifySubscription]) -> SubscriptionDetail:
        """Pause a subscription or have it go on, change its types, or replace or revoke its secret.

        ``/v2/notification?Action=ModifySubscription``
        """
        return self._call(MODIFY_SUBSCRIPTION, request)

    def delete_subscription(self, **request: Unpack[DeleteSubscription]) -> bool:
        """End a subscription; what waits for it is not sent.

        ``/v2/notification?Action=DeleteSubscription``
        """
        return self._call(DELETE_SUBSCRIPTION, request)

    def describe_deliveries(self, **request: Unpack[DescribeDeliveries]) -> DeliveryPage:
        """List what was sent to the account's subscriptions and what waits, newest first.

        ``/v2/notification?Action=DescribeDeliveries``
        """
        return self._call(DESCRIBE_DELIVERIES, request)

    def each_of_deliveries(self, **request: Unpack[DescribeDeliveries]) -> Iterator[DeliveryDetail]:
        """Go over the rows of every page of ``describe_deliveries``."""
        return self._each(DESCRIBE_DELIVERIES, request, "deliveries")

    def redeliver_event(self, **request: Unpack[RedeliverEvent]) -> DeliveryDetail:
        """Send an event to a subscription again.

        ``/v2/notification?Action=RedeliverEvent``
        """
        return self._call(REDELIVER_EVENT, request)

    def redeliver_given_up(self, **request: Unpack[RedeliverGivenUp]) -> Redelivered:
        """Send a subscription's given-up deliveries again.

        ``/v2/notification?Action=RedeliverGivenUp``
        """
        return self._call(REDELIVER_GIVEN_UP, request)

    def test_subscription(self, **request: Unpack[TestSubscription]) -> bool:
        """Send a test event to a subscription, the way all others go; to a Pending one, the link that confirms it.

        ``/v2/notification?Action=TestSubscription``
        """
        return self._call(TEST_SUBSCRIPTION, request)


class AsyncSubscriptionMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def create_subscription(self, **request: Unpack[CreateSubscription]) -> SubscriptionDetail:
        """Have the account's events, or those of other accounts, sent to a URL or a mail address.

        ``/v2/notification?Action=CreateSubscription``
        """
        return await self._call(CREATE_SUBSCRIPTION, request)

    async def describe_subscriptions(self, **request: Unpack[DescribeSubscriptions]) -> SubscriptionList:
        """List the account's subscriptions.

        ``/v2/notification?Action=DescribeSubscriptions``
        """
        return await self._call(DESCRIBE_SUBSCRIPTIONS, request)

    def each_of_subscriptions(self, **request: Unpack[DescribeSubscriptions]) -> AsyncIterator[SubscriptionDetail]:
        """Go over the rows of every page of ``describe_subscriptions``."""
        return self._each(DESCRIBE_SUBSCRIPTIONS, request, "subscriptions")

    async def modify_subscription(self, **request: Unpack[ModifySubscription]) -> SubscriptionDetail:
        """Pause a subscription or have it go on, change its types, or replace or revoke its secret.

        ``/v2/notification?Action=ModifySubscription``
        """
        return await self._call(MODIFY_SUBSCRIPTION, request)

    async def delete_subscription(self, **request: Unpack[DeleteSubscription]) -> bool:
        """End a subscription; what waits for it is not sent.

        ``/v2/notification?Action=DeleteSubscription``
        """
        return await self._call(DELETE_SUBSCRIPTION, request)

    async def describe_deliveries(self, **request: Unpack[DescribeDeliveries]) -> DeliveryPage:
        """List what was sent to the account's subscriptions and what waits, newest first.

        ``/v2/notification?Action=DescribeDeliveries``
        """
        return await self._call(DESCRIBE_DELIVERIES, request)

    def each_of_deliveries(self, **request: Unpack[DescribeDeliveries]) -> AsyncIterator[DeliveryDetail]:
        """Go over the rows of every page of ``describe_deliveries``."""
        return self._each(DESCRIBE_DELIVERIES, request, "deliveries")

    async def redeliver_event(self, **request: Unpack[RedeliverEvent]) -> DeliveryDetail:
        """Send an event to a subscription again.

        ``/v2/notification?Action=RedeliverEvent``
        """
        return await self._call(REDELIVER_EVENT, request)

    async def redeliver_given_up(self, **request: Unpack[RedeliverGivenUp]) -> Redelivered:
        """Send a subscription's given-up deliveries again.

        ``/v2/notification?Action=RedeliverGivenUp``
        """
        return await self._call(REDELIVER_GIVEN_UP, request)

    async def test_subscription(self, **request: Unpack[TestSubscription]) -> bool:
        """Send a test event to a subscription, the way all others go; to a Pending one, the link that confirms it.

        ``/v2/notification?Action=TestSubscription``
        """
        return await self._call(TEST_SUBSCRIPTION, request)
