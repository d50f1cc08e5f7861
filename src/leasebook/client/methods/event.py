"""Methods of the clients: event. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.event import CloudEvent, EventPage, RemindersDetail


class DescribeEvents(TypedDict, total=False):
    """Parameters of ``describe_events``."""

    instance_id: str | None
    """The instance."""

    types: list[str] | None
    """Only events of these types."""

    start_time: datetime | str | None
    """Since when."""

    end_time: datetime | str | None
    """Until before when."""

    oldest_first: bool | None
    """In the order in which they happened."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


DESCRIBE_EVENTS: Final[ActionOf[EventPage]] = ActionOf(
    "/v2/events", "DescribeEvents", DescribeEvents, EventPage, writes=False
)


class FollowEvents(TypedDict, total=False):
    """Parameters of ``follow_events``."""

    after: str | None
    """The id of an event: those that came after it; without it, those from now on."""

    instance_id: str | None
    """The instance."""

    types: list[str] | None
    """Only events of these types."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


FOLLOW_EVENTS: Final[ActionOf[CloudEvent]] = ActionOf(
    "/v2/events", "FollowEvents", FollowEvents, CloudEvent, writes=False, follows=True
)


class SetReminders(TypedDict, total=False):
    """Parameters of ``set_reminders``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    before_seconds: Required[list[int]]
    """How many seconds before a release or an expiry each reminder is sent; empty: no reminders."""

    account_id: str | None
    """The account; the caller's where it is left out."""


SET_REMINDERS: Final[ActionOf[RemindersDetail]] = ActionOf(
    "/v2/account", "SetReminders", SetReminders, RemindersDetail, writes=True
)


class DescribeReminders(TypedDict, total=False):
    """Parameters of ``describe_reminders``."""

    account_id: str | None
    """The account; the caller's where it is left out."""


DESCRIBE_REMINDERS: Final[ActionOf[RemindersDetail]] = ActionOf(
    "/v2/account", "DescribeReminders", DescribeReminders, RemindersDetail, writes=False
)


class EventMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_events(self, **request: Unpack[DescribeEvents]) -> EventPage:
        """List what happened to the account and its instances, newest first.

        ``/v2/events?Action=DescribeEvents``
        """
        return self._call(DESCRIBE_EVENTS, request)

    def each_of_events(self, **request: Unpack[DescribeEvents]) -> Iterator[CloudEvent]:
        """Go over the rows of every page of ``describe_events``."""
        return self._each(DESCRIBE_EVENTS, request, "events")

    def follow_events(self, **request: Unpack[FollowEvents]) -> Iterator[CloudEvent]:
        """Follow what happens, as a stream of server-sent events.

        ``/v2/events?Action=FollowEvents``
        """
        return self._follow(FOLLOW_EVENTS, request)

    def set_reminders(self, **request: Unpack[SetReminders]) -> RemindersDetail:
        """Set how long before a release or an expiry the account is reminded of it.

        ``/v2/account?Action=SetReminders``
        """
        return self._call(SET_REMINDERS, request)

    def describe_reminders(self, **request: Unpack[DescribeReminders]) -> RemindersDetail:
        """Show how long before a release or an expiry the account is reminded of it.

        ``/v2/account?Action=DescribeReminders``
        """
        return self._call(DESCRIBE_REMINDERS, request)


class AsyncEventMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_events(self, **request: Unpack[DescribeEvents]) -> EventPage:
        """List what happened to the account and its instances, newest first.

        ``/v2/events?Action=DescribeEvents``
        """
        return await self._call(DESCRIBE_EVENTS, request)

    def each_of_events(self, **request: Unpack[DescribeEvents]) -> AsyncIterator[CloudEvent]:
        """Go over the rows of every page of ``describe_events``."""
        return self._each(DESCRIBE_EVENTS, request, "events")

    def follow_events(self, **request: Unpack[FollowEvents]) -> AsyncIterator[CloudEvent]:
        """Follow what happens, as a stream of server-sent events.

        ``/v2/events?Action=FollowEvents``
        """
        return self._follow(FOLLOW_EVENTS, request)

    async def set_reminders(self, **request: Unpack[SetReminders]) -> RemindersDetail:
        """Set how long before a release or an expiry the account is reminded of it.

        ``/v2/account?Action=SetReminders``
        """
        return await self._call(SET_REMINDERS, request)

    async def describe_reminders(self, **request: Unpack[DescribeReminders]) -> RemindersDetail:
        """Show how long before a release or an expiry the account is reminded of it.

        ``/v2/account?Action=DescribeReminders``
        """
        return await self._call(DESCRIBE_REMINDERS, request)
