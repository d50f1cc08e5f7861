"""What may be asked of the store outside a batch: the port that reads go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from leasebook.domain.model.account import Account, User
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.lease import Worker
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.model import Model, ModelSet
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, Offering, OfferingKind, PriceList
from leasebook.domain.model.replica import Replica, Target
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import OK, AuditPage, Entry, Sealed
from leasebook.domain.record.event import Event
from leasebook.domain.record.ledger import Posting
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.replicas.planner import Job
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace, Head, Working
from leasebook.ports.queries.identities import IdentityQuestions
from leasebook.ports.queries.places import PlaceQuestions

T = TypeVar("T")

IDENTITY_EPOCH: Final = "identity_epoch"
"""Fact that changes with every change of a key or a user, where several servers work on one store."""


class Numbered(msgspec.Struct, frozen=True):
    """A row with its number, by which pages are cut."""

    seq: int
    row: Any


class UnitFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances of an account to list; None: whatever it is, but only live ones (decision 17)."""

    account_id: str
    kind: OfferingKind = UNITS_OF_COMPUTE
    service_id: str | None = None
    status: str | None = None
    payment_timing: str | None = None
    region: str | None = None
    type: str | None = None
    auto_renew: bool | None = None


class ServiceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which services of an account to list; None: whatever it is. Deleted ones are in no list."""

    account_id: str
    name_part: str | None = None
    service_types: tuple[str, ...] | None = None
    run_statuses: tuple[str, ...] | None = None
    creators: tuple[str, ...] | None = None
    payment_timing: str | None = None
    protocol_version: int | None = None


class HistoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders or postings of an account to list, from ``since`` until before ``until``; None: whatever it is."""

    account_id: str
    kind: str | None = None
    unit_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class Place(NamedTuple):
    """Where a page of postings begins: at a moment, after a number."""

    at: int
    seq: int


class Used(NamedTuple):
    """What an app called of a service in a stretch of time."""

    service_id: str
    app_id: str
    input_tokens: int
    output_tokens: int
    succeeded: int
    failed: int


class Spender(NamedTuple):
    """An instance with a cost in a stretch of time; ``prepaid``: something was paid in advance for it, or paid back."""

    unit_id: str
    prepaid: bool


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of an account to list, from ``since`` until before ``until``; None: whatever it is."""

    account_id: str
    unit_id: str | None = None
    types: tuple[str, ...] | None = None
    since: Instant | None = None
    until: Instant | None = None

    def has(self, event: Event) -> bool:
        """Whether an event is one of those."""
        return (
            self.unit_id in (None, event.unit_id)
            and (self.types is None or event.type in self.types)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
        )


class EventPlace(NamedTuple):
    """Where an event stands: on which page, and where on it. Later ones are greater."""

    page: int
    line: int


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of the audit log to list; None: whatever it is. ``account_id`` "": calls of nobody knows whom."""

    account_id: str
    user_id: str | None = None
    access_key: str | None = None
    address: str | None = None
    action: str | None = None
    code: str | None = None
    refused: bool = False
    unit_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None

    def has(self, entry: Entry) -> bool:
        """Whether an entry is one of those."""
        return (
            all(
                wanted in (None, found)
                for wanted, found in (
                    (self.user_id, entry.user_id),
                    (self.access_key, entry.access_key),
                    (self.address, entry.address),
                    (self.action, entry.action),
                    (self.code, entry.code),
                )
            )
            and (not self.refused or entry.code != OK)
            and (self.unit_id is None or self.unit_id in entry.names)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


class AuditLine(NamedTuple):
    """An entry of the audit log: where it stands, and the chain and number of its page."""

    place: EventPlace
    chain: str
    number: int
    entry: Entry


class AuditFound(NamedTuple):
    """Entries, newest first. ``stopped``: so far was looked, and there may be more; None: these are all."""

    lines: list[AuditLine]
    stopped: EventPlace | None


class RefusedFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of the log of refused calls to list; None: whatever it is. Times are those of minutes."""

    address: str | None = None
    access_key_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class ModelSetFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sets of models to list, of those that an account sees: its own, everybody's, or both (None)."""

    account_id: str
    everybodys: bool | None = None
    name_part: str | None = None


class ReadRepository(IdentityQuestions, PlaceQuestions, Protocol):
    """Questions, each answered from one consistent view."""

    def fact(self, name: str) -> str | None:
        """Return a value that the store remembers about itself."""
        ...

    def refused_calls(self, wanted: RefusedFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return rows of the log of refused calls, those written last first."""
        ...

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        ...

    def unit(self, unit_id: str) -> Instance | None:
        """Return an instance by id, released ones included (decision 17)."""
        ...

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return live instances in the order in which they were bought."""
        ...

    def service(self, service_id: str) -> Service | None:
        """Return a service by id."""
        ...

    def services(self, wanted: ServiceFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return an account's services in the order in which they were created, or the other way round."""
        ...

    def offerings(self) -> list[Offering]:
        """Return the catalogue in its order."""
        ...

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        ...

    def orders(self, wanted: HistoryFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        ...

    def postings(self, wanted: HistoryFilter, *, after: Place | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        ...

    def balance_at(self, account_id: str, until: Instant) -> int:
        """Return what an account had before a moment."""
        ...

    def turnover(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Sum up what was paid in, and what was charged less refunds, in a stretch of time."""
        ...

    def billed_units(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[str]:
        """Return the ids of instances that have postings in a stretch of time, in order."""
        ...

    def bill(self, unit_id: str, since: Instant, until: Instant) -> list[Posting]:
        """Return an instance's postings in a stretch of time, in the order in which they were written."""
        ...

    def bills(
        self, account_id: str, unit_ids: Sequence[str], since: Instant, until: Instant
    ) -> Iterator[tuple[str, list[Posting]]]:
        """Yield the bills of instances of an account, in the order in which they are named."""
        ...

    def spenders(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[Spender]:
        """Return the instances with postings in a stretch of time or a paid term that reaches into it, by their ids."""
        ...

    def terms(self, unit_id: str, until: Instant) -> list[Posting]:
        """Return what was paid in advance for an instance, or paid back, before a moment, in the order of writing."""
        ...

    def quota(self, account_id: str, model: str, *, status: str | None) -> list[Instance]:
        """Return an account's live quota instances of a model."""
        ...

    def calls(
        self, account_id: str, since: Instant, until: Instant, *, services: tuple[str, ...] | None, app: str | None
    ) -> list[Used]:
        """Sum up the calls of an account's services in a stretch of time, by service and app."""
        ...

    def package(self, package_id: str) -> TokenPackage | None:
        """Return a package by id."""
        ...

    def packages(self, account_id: str) -> list[TokenPackage]:
        """Return an account's packages, oldest first."""
        ...

    def accounts(self) -> list[Account]:
        """Return all accounts, oldest first."""
        ...

    def events(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, Event]]:
        """Return an account's events, newest first or in the order in which they happened."""
        ...

    def guard(self, account_id: str) -> AccountLimits | None:
        """Return an account's limits, with what is used of them."""
        ...

    def last_event(self, account_id: str) -> EventPlace | None:
        """Return where the last event of an account stands."""
        ...

    def audit(self, wanted: AuditFilter, *, after: EventPlace | None, limit: int) -> AuditFound:
        """Return an account's entries of the audit log, newest first; it looks at a bounded number of pages."""
        ...

    def audit_export(self, account_id: str | None, since: Instant | None, until: Instant | None) -> Iterator[AuditPage]:
        """Return pages of the audit log on which something of a stretch of time stands, in the order of writing."""
        ...

    def audit_chains(self, limit: int) -> list[Sealed]:
        """Return the ends of the chains of the audit log, the one written last first."""
        ...

    def audit_closures(self, *, after: int | None, limit: int) -> list[Numbered]:
        """Return what stands for pages that were removed, newest first."""
        ...

    def hooks(self, account_id: str) -> list[Subscription]:
        """Return an account's subscriptions, oldest first, without deleted ones."""
        ...

    def hook(self, hook_id: str) -> Subscription | None:
        """Return a subscription by id."""
        ...

    def used_link(self, unit_id: str, deadline: Instant) -> UsedLink | None:
        """Return which link of a deadline of an instance was used; None: none."""
        ...

    def working_hooks(self) -> list[Working]:
        """Return the hooks of all accounts that are active, to be confirmed, or being deleted."""
        ...

    def event_pages(self, account_id: str, *, after: int, limit: int) -> list[tuple[int, tuple[Event, ...]]]:
        """Return the pages of an account's events after one, oldest first, each with its number."""
        ...

    def event_at(self, account_id: str, place: EventPlace) -> Event | None:
        """Return an account's event by where it stands."""
        ...

    def due_lanes(
        self, hook_ids: Sequence[str], until: Instant, leased_until: Instant | None, limit: int
    ) -> list[tuple[str, str]]:
        """Return lanes in which something may be tried by then, at most so many of each hook, the longest due first.

        Left out are those whose lease ends after ``leased_until``; None: nobody's lease counts.
        """
        ...

    def heads(self, lanes: Sequence[tuple[str, str]]) -> list[Head]:
        """Return what is to be delivered first in each of some lanes."""
        ...

    def deliveries(self, wanted: DeliveryFilter, *, after: DeliveryPlace | None, limit: int) -> list[Delivery]:
        """Return an account's deliveries, those of the newest events first."""
        ...

    def given_up(self, account_id: str, hook_id: str, *, since: Instant, limit: int) -> list[Delivery]:
        """Return what was given up for a hook of an account since a time, those of the oldest events first."""
        ...

    def waiting_deliveries(self) -> tuple[int, Instant | None]:
        """Count what waits, and return since when the oldest of it does."""
        ...

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work that is due by then, in the order in which it is to be done."""
        ...

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return since when the oldest release that should have been done by then is due."""
        ...

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        ...

    def model_set(self, set_id: str) -> ModelSet | None:
        """Return a set of models by id."""
        ...

    def model_sets(self, wanted: ModelSetFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return sets of models in the order in which they were added, or the other way round."""
        ...

    def model(self, model_id: str) -> Model | None:
        """Return a version of a model by id."""
        ...

    def models(self, set_id: str) -> list[Model]:
        """Return the versions of a set that are not deleted, oldest first."""
        ...

    def service_key(self, key_id: str) -> ServiceKey | None:
        """Return a key for calling services by id."""
        ...

    def service_keys(
        self, account_id: str, *, service_id: str | None, status: str, after: int | None, limit: int
    ) -> list[Numbered]:
        """Return an account's keys for calling services, oldest first; with a service, those that open it alone."""
        ...

    def makers(self, user_ids: Sequence[str]) -> dict[str, tuple[User, bool]]:
        """Return users by id, each with whether an access key of theirs is active."""
        ...

    def services_at(self, account_id: str, suffixes: Sequence[str]) -> dict[str, str]:
        """Return by suffix which service answers at each: the first of the account's that has it and is not deleted."""
        ...

    def targets(self, service_id: str) -> list[Target]:
        """Return a service's replicas that take requests: what answers on instances that are up, healthy ones first.

        A service that was taken off has none.
        """
        ...

    def replicas(self, account_id: str, *, service_id: str | None = None, unit_id: str | None = None) -> list[Replica]:
        """Return an account's replicas of a service, or on an instance, by instance, service and number."""
        ...

    def jobs(self, unit_ids: Sequence[str] | None) -> list[Job]:
        """Return instances whose replicas somebody must look after, with what is known of these; None: all of them.

        They are those with replicas that an engine runs or is to run, and those that wait for what an engine was asked.
        """
        ...

    def workers(self) -> list[Worker]:
        """Return who looks after replicas, or did and has leases yet."""
        ...

    def workers_up(self) -> list[Worker]:
        """Return every worker that did not stop cleanly, whether it still lives or not."""
        ...

    def workers_named(self, worker_ids: Sequence[str]) -> list[Worker]:
        """Return workers by id, in order; those that are not known are left out."""
        ...

    def supplies(self) -> list[EngineCapacity]:
        """Return what every engine was last said to have, by the engine's name."""
        ...

    def replica_counts(self) -> dict[str, int]:
        """Count the replicas by state, without those that are gone."""
        ...


class Reader(Protocol):
    """Somebody who answers questions."""

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer, off the event loop, from what is committed; what may take ``long`` keeps nobody else waiting."""
        ...


class Glancer(Reader, Protocol):
    """Somebody who has a thread of its own for the questions of monitors."""

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a short question that waits for nobody else's."""
        ...
