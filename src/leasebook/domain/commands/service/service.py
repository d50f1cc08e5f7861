"""Commands on services: creating, changing and placing them, and switching them off and on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import PLACES, Asked
from leasebook.domain.book.store_queries import SERVICES as MADE
from leasebook.domain.book.tables import INSTANCES, MODELS, PROJECTS, SERVICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.purchase import (
    Purchase,
    buy_replicas,
    buyer_of,
    offerings_of,
    shelf_of,
)
from leasebook.domain.commands.service.model import is_run, model_of, run_model, use_model
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.model.service import Service, ServiceType, resource_type_of
from leasebook.domain.replicas.trust import check_trust, check_trusted_somewhere
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.ownership import own_service, require_instance, require_project
from leasebook.domain.rules.resource.tag_policy import tag_new
from leasebook.domain.values import wording
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.resource_tags import NewTags, kind_of
from leasebook.domain.values.rule_settings import Rules

MAX_PLACED = 1000
"""Upper bound of the services on one instance; each is an entry in the instance's row."""

_PLACE: Final = "deploymentConfig.deploymentComputeUnitList[{}]"
_COUNT: Final = "deploymentReplicasCount"
_OF_A_PLACE: Final = ("instanceId", _COUNT)


class Created(msgspec.Struct, frozen=True):
    """The new service, and the instance bought for it, if one was."""

    service_id: str
    unit_id: str | None
    order_id: str | None


class NewService(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of a new service, independent of the instances that it runs on."""

    service_id: str
    account_id: str
    user_id: str
    name: str
    description: str
    url_suffix: str
    model_set_id: str
    model_id: str
    qps: float | None
    service_type: ServiceType = "chat"
    protocol_version: int = 1
    counted: bool | None = None
    """True: only count it. False: run it. None: the settings decide about an unknown model."""
    tags: NewTags = NewTags()
    project_id: str | None = None

    def row(self, resource_type: str, region: str | None, now: Instant) -> Service:
        """Return the service's first row."""
        return Service(
            id=self.service_id,
            account_id=self.account_id,
            created_by=self.user_id,
            name=self.name,
            description=self.description,
            url_suffix=self.url_suffix,
            model_set_id=self.model_set_id,
            model_id=self.model_id,
            resource_type=resource_type,
            region=region,
            qps=self.qps,
            replicas=0,
            created_at=now,
            service_type=self.service_type,
            protocol_version=self.protocol_version,
            project_id=self.project_id,
        )

    def needs(self) -> Needs:
        """The new row, a service whose id is the suffix, the model, the project, and the number of services."""
        if self.project_id is not None:
            yield PROJECTS, (self.project_id,)
        yield SERVICES, (self.service_id,)
        yield SERVICES, (self.url_suffix,)
        yield MODELS, (self.model_id,)
        yield from bound_needs(self.account_id, counted(MADE, self.account_id))

    def enter(self, draft: Draft, rules: Rules, resource_type: str, region: str | None, now: Instant) -> Service:
        """Write the first row, which says whether an engine runs the service or it is only counted.

        Raises Refusal if the account has too many services or not the project, its suffix is the id of another one, or
        no engine could run it.
        """
        require_project(draft, self.account_id, self.project_id)
        check_bound(draft, rules, MADE, self.account_id)
        if draft.within is not None and kind_of(self.url_suffix) == "svco":
            # Whether another project has a service of that id must not show.
            raise Refusal(
                BAD_VALUE,
                f"{self.url_suffix!r} has the form of a service's id. Give another suffix.",
                field="urlSuffix",
            )
        other = draft.get(SERVICES, self.url_suffix)
        if other is not None and other.account_id == self.account_id and other.deleted_at is None:
            # Calls name a service by its id or its suffix, and an id has to lead to its own service.
            raise Refusal(
                BAD_VALUE,
                f"{self.url_suffix!r} is the id of the service {other.name!r}. Give another suffix.",
                field="urlSuffix",
            )
        service = self.row(resource_type, region, now)
        service = msgspec.structs.replace(service, runs=is_run(draft, rules, service, self.counted))
        draft.add(SERVICES, service)
        tag_new(draft, self.tags, service.id, service.account_id)
        use_model(draft, service, 1)
        return service


class CreateService(Command, frozen=True, kw_only=True):
    """Create a service, and buy the units for its first replicas if billing is given."""

    answer: ClassVar[type] = Created

    new: NewService
    resource_type: str
    region: str | None
    replicas: int
    purchase: Purchase | None

    def needs(self) -> Needs:
        """The needs of every new service."""
        return self.new.needs()

    def needs_more(self, book: Book) -> Needs:  # noqa: ARG002
        """The offerings, and the rows of the buyer."""
        yield from shelf_of(self.new.row(self.resource_type, self.region, Instant(0)))
        if self.purchase is not None:
            yield from buyer_of(self.purchase)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Created:
        """Raises the refusals of a purchase, and Refusal (UNTRUSTED) if the version may run nowhere."""
        service = self.new.enter(draft, rules, self.resource_type, self.region, now)
        check_trusted_somewhere(rules, run_model(draft, service), offerings_of(draft, service))
        if self.purchase is None:
            return Created(service.id, None, None)
        field = "resourceConfig.type"
        bought = buy_replicas(draft, rules, now, self.purchase, service, self.replicas, field=field)
        return Created(service.id, bought.unit_id, bought.order_id)


class Place(msgspec.Struct, frozen=True):
    """A number of replicas on an instance."""

    unit_id: str
    replicas: int


class DeployService(Command, frozen=True, kw_only=True):
    """Create a service on instances of the account. All must be of one type, which becomes the service's."""

    answer: ClassVar[type] = Created

    new: NewService
    places: tuple[Place, ...]
    units_each: int

    def needs(self) -> Needs:
        """The needs of every new service, and the instances."""
        yield from self.new.needs()
        for place in self.places:
            yield INSTANCES, (place.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The other services on the instances."""
        for place in self.places:
            yield from _placed_needs(book, place.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Created:
        """Raises Refusal: an instance is not the account's, of another type, too full, or may not run it."""
        first = self._instance(draft, 0)
        service = self.new.enter(draft, rules, resource_type_of(first.type, self.units_each), None, now)
        for number, place in enumerate(self.places):
            unit = self._instance(draft, number)
            with _fields_in(_PLACE.format(number)):
                place_replicas(
                    draft, rules, unit, service, place.replicas + unit.replicas_of(service.id), version_field="modelId"
                )
        return Created(service.id, None, None)

    def _instance(self, draft: Draft, number: int) -> Instance:
        with _fields_in(_PLACE.format(number)):
            return require_instance(draft, self.new.account_id, self.places[number].unit_id)


@contextmanager
def _fields_in(where: str) -> Iterator[None]:
    """Let a refusal name the fields of a place where the request has them: in its list of places."""
    try:
        yield
    except Refusal as refusal:
        if refusal.field in _OF_A_PLACE:
            refusal.field = f"{where}.{refusal.field}"
        raise


class ScaleService(Command, frozen=True, kw_only=True):
    """Set the number of a service's replicas on an instance; 0 takes the service off it."""

    answer: ClassVar[type] = bool

    account_id: str
    service_id: str
    unit_id: str
    replicas: int
    field: str = _COUNT
    """The name that the request has for the number of replicas."""

    def needs(self) -> Needs:
        """The service and the instance."""
        yield INSTANCES, (self.unit_id,)
        yield SERVICES, (self.service_id,)

    def needs_more(self, book: Book) -> Needs:
        """The other services on the instance, and the model."""
        yield from _placed_needs(book, self.unit_id)
        yield from model_of(book.get(SERVICES, self.service_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - nothing depends on the time
        """Raises Refusal: the instance is of another type, does not run, is too full, or may not run it."""
        service = own_service(draft, self.account_id, self.service_id)
        unit = require_instance(draft, self.account_id, self.unit_id)
        place_replicas(draft, rules, unit, service, self.replicas, field=self.field)
        return True


class ModifyService(Command, frozen=True, kw_only=True):
    """Change a service to another version of a model."""

    answer: ClassVar[type] = bool

    account_id: str
    service_id: str
    model_set_id: str
    model_id: str
    counted: bool | None = None
    """Like ``NewService.counted``."""

    def needs(self) -> Needs:
        """The service, and its new version."""
        yield SERVICES, (self.service_id,)
        yield MODELS, (self.model_id,)

    def needs_more(self, book: Book) -> Needs:
        """The service's present version, and its places."""
        yield from model_of(book.get(SERVICES, self.service_id))
        yield Asked(PLACES, self.service_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - nothing depends on the time
        """Raises Refusal: unknown service, or replicas that would begin or cease to be run by an engine.

        Also if no engine could run the version and counting is not asked for, or if a replica's instance may not run
        it.

        The rows of the instances say for each placement whether an engine runs it. Those rows may be many, so a service
        changes between running and counting only while it has no replicas.
        """
        before = own_service(draft, self.account_id, self.service_id)
        after = msgspec.structs.replace(before, model_set_id=self.model_set_id, model_id=self.model_id)
        after = msgspec.structs.replace(after, runs=is_run(draft, rules, after, self.counted))
        if after.runs is not before.runs and before.instances:
            named = f"the version {self.model_id[:64]!r} of the set {self.model_set_id[:64]!r}"
            raise Refusal(
                WRONG_STATE,
                f"{before.id} has replicas on {before.instances} instances, "
                + (
                    f"which are run, and {named} would not be. Name one that is runnable (DescribeModelSet)"
                    if before.runs
                    else f"which are only counted, and {named} would be run"
                )
                + ", or scale the service to 0 there (ScaleService) first.",
                field="modelId",
            )
        check_trust(rules, run_model(draft, after), draft.book.answers.places(before.id))
        use_model(draft, before, -1)
        draft.put(SERVICES, after)
        use_model(draft, after, 1)
        return True


class Switched(msgspec.Struct, frozen=True):
    """Whether a service was switched, and how many postpaid instances it keeps meanwhile."""

    changed: bool
    postpaid_units: int


class SwitchService(Command, frozen=True, kw_only=True):
    """Switch a service off or on. Its instances stay, and metering goes on.

    Switching it on starts its replicas, so it is checked like placing them.
    """

    answer: ClassVar[type] = Switched

    account_id: str
    service_id: str
    active: bool

    def needs(self) -> Needs:
        """The service."""
        yield SERVICES, (self.service_id,)

    def needs_more(self, book: Book) -> Needs:
        """The service's version, and its places."""
        if self.active:
            yield from model_of(book.get(SERVICES, self.service_id))
            yield Asked(PLACES, self.service_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Switched:  # noqa: ARG002 - whenever that is
        """Raises Refusal: unknown service, or an instance that may not run its version."""
        service = own_service(draft, self.account_id, self.service_id)
        if self.active and not service.active:
            check_trust(rules, run_model(draft, service), draft.book.answers.places(service.id), field="serviceId")
        changed = service.active is not self.active
        draft.put(SERVICES, msgspec.structs.replace(service, active=self.active))
        return Switched(changed, service.postpaid_units)


class DeleteService(Command, frozen=True, kw_only=True):
    """Delete a service that has no replicas left, and detach its log store. Its calls and costs stay on record."""

    answer: ClassVar[type] = bool

    account_id: str
    service_id: str

    def needs(self) -> Needs:
        """The service."""
        yield SERVICES, (self.service_id,)

    def needs_more(self, book: Book) -> Needs:
        """The model that it runs."""
        return model_of(book.get(SERVICES, self.service_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal (WRONG_STATE) if it has replicas."""
        service = own_service(draft, self.account_id, self.service_id)
        if service.instances:
            raise Refusal(
                WRONG_STATE,
                f"{service.id} has replicas on {service.instances} instances. Scale it to 0 there (ScaleService), or "
                "release them, and delete it then.",
                field="serviceId",
            )
        use_model(draft, service, -1)
        draft.put(SERVICES, msgspec.structs.replace(service, active=False, deleted_at=now, log_store=None))
        return True


def place_replicas(
    draft: Draft,
    rules: Rules,
    unit: Instance,
    service: Service,
    replicas: int,
    *,
    field: str = _COUNT,
    version_field: str = "serviceId",
) -> None:
    """Set the number of a service's replicas on an instance.

    Raises Refusal. The caller gave that number in ``field``, and in ``version_field`` the version or its service.
    """
    shape, has = service.shape, unit.replicas_of(service.id)
    others = tuple(placed for placed in unit.placements if placed.service_id != service.id)
    if replicas > has:
        _check_room(unit, service, replicas, field)
        check_trust(rules, run_model(draft, service), [unit.offering], field=version_field)
        if len(others) >= MAX_PLACED:
            raise Refusal(WRONG_STATE, f"{unit.id} has replicas of {MAX_PLACED} services already.", field="instanceId")
    elif unit.status not in ("Creating", "Running", "Stopped", "ReconfigureFailed", "Reconfiguring", "BillingChanging"):
        raise _not_up(unit)
    placed = (Placement(service.id, replicas, shape.units_per_replica, service.runs),) if replicas else ()
    change(draft, unit, placements=(*others, *placed))


def _check_room(unit: Instance, service: Service, replicas: int, field: str) -> None:
    shape = service.shape
    if unit.project_id != service.project_id:
        raise Refusal(
            WRONG_STATE,
            f"{unit.id} is in the project {public_project(unit.project_id)}, and {service.id} in "
            f"{public_project(service.project_id)}: a service runs on instances of its own project. Move one of them "
            "(MoveResource, /v2/project).",
            field="instanceId",
        )
    if unit.type != shape.unit_type:
        raise Refusal(
            NOT_SUPPORTED,
            f"{unit.id} is {unit.type}, and a replica of {service.id} takes {shape.unit_type}.",
            field="instanceId",
        )
    if unit.status not in ("Creating", "Running", "ReconfigureFailed", "Reconfiguring", "BillingChanging"):
        raise _not_up(unit)
    there = min(unit.count, unit.target_count or unit.count)
    free = there - unit.used + unit.replicas_of(service.id) * shape.units_per_replica
    needed = replicas * shape.units_per_replica
    if needed > free:
        raise Refusal(
            WRONG_STATE,
            f"{wording.counted(replicas, 'replica')} of {service.id} would take {wording.counted(needed, 'unit')}, and "
            f"{unit.id} has {max(free, 0)} for them. Ask for fewer, or resize the instance (ResizeComputeUnit).",
            field=field,
        )


def _not_up(unit: Instance) -> Refusal:
    return Refusal(WRONG_STATE, f"{unit.id} is {unit.status}; replicas cannot be placed there.", field="instanceId")


def _placed_needs(book: Book, unit_id: str) -> Needs:
    unit = book.get(INSTANCES, unit_id)
    if unit is not None:
        for placed in unit.placements:
            yield SERVICES, (placed.service_id,)
