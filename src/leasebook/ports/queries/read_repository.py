"""The port for reads: all queries to the store outside a batch."""

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
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import OK, AuditPage, Entry, Sealed
from leasebook.domain.record.event import Event
from leasebook.domain.record.ledger import Posting
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.replicas.planner import Job
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import EVERYTHING, Wanted
from leasebook.domain.values.tag_policy import TagPolicy
from leasebook.ports.queries.accounts import AccountQuestions
from leasebook.ports.queries.across import Across, AcrossQuestions
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace, Head, Working
from leasebook.ports.queries.due_work import DueQuestions
from leasebook.ports.queries.identities import IdentityQuestions
from leasebook.ports.queries.log_stores import LogStoreQuestions
from leasebook.ports.queries.places import PlaceQuestions
from leasebook.ports.queries.service_calls import CallQuestions
from leasebook.ports.queries.spending import SpendingQuestions
from leasebook.ports.queries.tags import TagQuestions

T = TypeVar("T")

IDENTITY_EPOCH: Final = "identity_epoch"
"""The metadata row that changes with every change of a key or a user, if several servers share the store."""


class Numbered(msgspec.Struct, frozen=True):
    """A row and its number, by which lists are cut into pages."""

    seq: int
    row: Any


class UnitFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for live instances of an account, or ``across`` several (decision 17); None: any value."""

    account_id: str
    across: Across | None = None
    kind: OfferingKind = UNITS_OF_COMPUTE
    service_id: str | None = None
    created_by: str | None = None
    status: str | None = None
    payment_timing: str | None = None
    region: str | None = None
    type: str | None = None
    auto_renew: bool | None = None
    tags: Wanted = EVERYTHING
    project_id: str | None = None
    broken: TagPolicy | None = None  # only those whose tags it would refuse


class ServiceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for an account's services that are not deleted; None: any value."""

    account_id: str
    across: Across | None = None
    name_part: str | None = None
    service_types: tuple[str, ...] | None = None
    run_statuses: tuple[str, ...] | None = None
    creators: tuple[str, ...] | None = None
    payment_timing: str | None = None
    protocol_version: int | None = None
    tags: Wanted = EVERYTHING
    project_id: str | None = None


class HistoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for an account's orders or postings, from ``since`` to before ``until``; None: any value."""

    account_id: str
    across: Across | None = None
    kind: str | None = None
    unit_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class Place(NamedTuple):
    """The start of a page of postings: after a time and a number."""

    at: int
    seq: int


CALLED_MAX: Final = 20  # More services of one name than a message can list.


class Called(NamedTuple):
    """The three words that a service is called by, and its project; None: the default one."""

    id: str
    suffix: str
    name: str
    project_id: str | None = None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for an account's events, from ``since`` to before ``until``; None: any value."""

    account_id: str
    across: Across | None = None
    unit_id: str | None = None
    types: tuple[str, ...] | None = None
    since: Instant | None = None
    until: Instant | None = None

    def has(self, event: Event) -> bool:
        """Whether an event passes the filter."""
        return (
            self.unit_id in (None, event.unit_id)
            and (self.types is None or event.type in self.types)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
        )


class EventPlace(NamedTuple):
    """The position of an event: its page, and its line there. Later events have greater positions."""

    page: int
    line: int


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for entries of the audit log; None: any value. ``account_id`` "" selects unauthenticated calls."""

    account_id: str
    across: Across | None = None
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
        """Whether an entry passes the filter."""
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
    """An entry of the audit log: its position, the chain and number of its page, and the account that called."""

    place: EventPlace
    chain: str
    number: int
    entry: Entry
    account_id: str


class AuditFound(NamedTuple):
    """Entries, newest first. ``stopped``: the search ended at this position, and more may follow; None: all found."""

    lines: list[AuditLine]
    stopped: EventPlace | None


class RefusedFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for the log of refused calls; None: any value. Times are those of minutes."""

    address: str | None = None
    access_key_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class ModelSetFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for the model sets that an account sees: its own, those for all accounts, or both (None)."""

    account_id: str
    everybodys: bool | None = None
    name_part: str | None = None
    tags: Wanted = EVERYTHING


class ReadRepository(
    AccountQuestions,
    AcrossQuestions,
    CallQuestions,
    DueQuestions,
    SpendingQuestions,
    IdentityQuestions,
    LogStoreQuestions,
    PlaceQuestions,
    TagQuestions,
    Protocol,
):
    """Queries, each answered from one consistent snapshot."""

    def fact(self, name: str) -> str | None:
        """Return a metadata value of the store."""
        ...

    def former_nonces_until(self) -> Instant:
        """Return the last hour until which a former row of a used nonce is of use; 0: there is none."""
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
        """Return an account's services in the order of creation, or reversed."""
        ...

    def offerings(self, *, removed: bool = False) -> list[Offering]:
        """Return the catalogue in its order; with ``removed`` also the offerings removed from it."""
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
        """Return an account's balance before an instant."""
        ...

    def turnover(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Return the sum of top-ups, and the sum of charges less refunds, in a period."""
        ...

    def billed_units(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[str]:
        """Return the ids of instances with postings in a period, in order."""
        ...

    def bill(self, unit_id: str, since: Instant, until: Instant) -> list[Posting]:
        """Return an instance's postings in a period, in the order in which they were written."""
        ...

    def bills(self, unit_ids: Sequence[str], since: Instant, until: Instant) -> Iterator[tuple[str, list[Posting]]]:
        """Yield the bills of instances, in the order of ``unit_ids``."""
        ...

    def quota(self, account_id: str, model: str, *, status: str | None) -> list[Instance]:
        """Return an account's live quota instances of a model."""
        ...

    def accounts(self) -> list[Account]:
        """Return all accounts, oldest first."""
        ...

    def events(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, Event]]:
        """Return an account's events, newest first or oldest first."""
        ...

    def guard(self, account_id: str) -> AccountLimits | None:
        """Return an account's limits and their usage."""
        ...

    def last_event(self, account_id: str) -> EventPlace | None:
        """Return the position of an account's last event."""
        ...

    def audit(self, wanted: AuditFilter, *, after: EventPlace | None, limit: int) -> AuditFound:
        """Return an account's entries of the audit log, newest first; the search reads a bounded number of pages."""
        ...

    def audit_export(self, account_id: str | None, since: Instant | None, until: Instant | None) -> Iterator[AuditPage]:
        """Return the pages of the audit log with entries in a period, in the order of writing."""
        ...

    def audit_chains(self, limit: int) -> list[Sealed]:
        """Return the ends of the chains of the audit log, last written first."""
        ...

    def audit_closures(self, *, after: int | None, limit: int) -> list[Numbered]:
        """Return the receipts of removed pages, newest first."""
        ...

    def hooks(self, account_id: str) -> list[Subscription]:
        """Return an account's subscriptions, oldest first, without deleted ones."""
        ...

    def hook(self, hook_id: str) -> Subscription | None:
        """Return a subscription by id."""
        ...

    def used_link(self, unit_id: str, deadline: Instant) -> UsedLink | None:
        """Return which link of a deadline of an instance was used; None: no link."""
        ...

    def working_hooks(self) -> list[Working]:
        """Return the subscriptions of all accounts that are active, pending, or being deleted."""
        ...

    def event_pages(self, account_id: str, *, after: int, limit: int) -> list[tuple[int, tuple[Event, ...]]]:
        """Return the pages of an account's events after one, oldest first, each with its number."""
        ...

    def event_at(self, account_id: str, place: EventPlace) -> Event | None:
        """Return an account's event at a position."""
        ...

    def due_lanes(
        self, hook_ids: Sequence[str], until: Instant, leased_until: Instant | None, limit: int
    ) -> list[tuple[str, str]]:
        """Return queues with a delivery due by ``until``, at most ``limit`` a subscription, the longest due first.

        Queues whose lease ends after ``leased_until`` are left out; None: leases are ignored.
        """
        ...

    def heads(self, lanes: Sequence[tuple[str, str]]) -> list[Head]:
        """Return the first waiting delivery of each queue."""
        ...

    def deliveries(self, wanted: DeliveryFilter, *, after: DeliveryPlace | None, limit: int) -> list[Delivery]:
        """Return an account's deliveries, those of the newest events first."""
        ...

    def given_up(self, account_id: str, hook_id: str, *, since: Instant, limit: int) -> list[Delivery]:
        """Return the deliveries to a subscription given up since an instant, those of the oldest events first."""
        ...

    def waiting_deliveries(self) -> tuple[int, Instant | None]:
        """Return the number of waiting deliveries, and since when the oldest of them waits."""
        ...

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work due by an instant, in the order in which it is done."""
        ...

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return the due time of the oldest release that is overdue; None: no release is."""
        ...

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        ...

    def model_set(self, set_id: str) -> ModelSet | None:
        """Return a set of models by id."""
        ...

    def model_sets(self, wanted: ModelSetFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return model sets in the order in which they were added, or reversed."""
        ...

    def model_set_named(self, account_id: str, name: str) -> ModelSet | None:
        """Return the oldest set of that name that an account sees; its own go before those for all accounts."""
        ...

    def model_set_place(self, account_id: str, set_id: str) -> int | None:
        """Return the place in lists of a set that belongs to an account or to all, even if it is deleted since."""
        ...

    def versions_of(self, set_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return id and number of the versions of each set that are not deleted, oldest first."""
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
        self,
        account_id: str | Across,
        *,
        service_id: str | None,
        status: str,
        tags: Wanted = EVERYTHING,
        after: int | None,
        limit: int,
    ) -> list[Numbered]:
        """Return an account's keys for calling services, oldest first; with a service, only keys for that one."""
        ...

    def makers(self, user_ids: Sequence[str]) -> dict[str, tuple[User, bool]]:
        """Return users by id, each with whether one of their access keys is active."""
        ...

    def services_at(self, account_id: str, suffixes: Sequence[str]) -> dict[str, str]:
        """Return the service that answers at each suffix: the first of the account's that has it and is not deleted."""
        ...

    def services_called(self, account_id: str, word: str, first: str | None = None) -> list[Called]:
        """Return the services of an account with that id, suffix or name that are not deleted, in this order.

        Of each kind the service ``first`` goes first, and then the oldest. They are at most ``CALLED_MAX``.
        """
        ...

    def targets(self, service_id: str) -> list[Target]:
        """Return a service's replicas that answer, on instances that are up, healthy ones first.

        A service that is switched off has none.
        """
        ...

    def replicas(self, account_id: str, *, service_id: str | None = None, unit_id: str | None = None) -> list[Replica]:
        """Return an account's replicas of a service, or on an instance, by instance, service and number."""
        ...

    def jobs(self, unit_ids: Sequence[str] | None) -> list[Job]:
        """Return the instances whose replicas need a worker, with their rows; None: all of them.

        They are the instances with replicas that an engine runs or has to run, and those that wait for an engine.
        """
        ...

    def workers(self) -> list[Worker]:
        """Return the workers that look after replicas, and former ones that still have leases."""
        ...

    def workers_up(self) -> list[Worker]:
        """Return every worker that did not stop cleanly, alive or not."""
        ...

    def workers_named(self, worker_ids: Sequence[str]) -> list[Worker]:
        """Return workers by id, in order; unknown ids are left out."""
        ...

    def supplies(self) -> list[EngineCapacity]:
        """Return the last reports about every engine, by the engine's name."""
        ...

    def replica_counts(self) -> dict[str, int]:
        """Count the replicas by state, without those that are gone."""
        ...


class Reader(Protocol):
    """An object that answers queries."""

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer from committed rows, off the event loop. ``long`` queries run apart, so short ones do not wait."""
        ...


class Glancer(Reader, Protocol):
    """A reader with its own thread for the queries of monitors."""

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a short query without waiting for other queries."""
        ...
