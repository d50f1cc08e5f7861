"""Moving an instance, quota, a service or a package to another project of its account."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, PROJECTS, SERVICES, TOKEN_PACKAGES, Table
from leasebook.domain.commands.command import IN_TRANSITION, Command, Needs
from leasebook.domain.commands.instance.release import unit_needs
from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.limits import judge_move
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.model.service import Service
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import charge_usage
from leasebook.domain.rules.ownership import require_project
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.resource_tags import ResourceKind, kind_of
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted

MOVABLE: Final[dict[ResourceKind, Table[Any]]] = {
    "unit": INSTANCES,
    "tpm": INSTANCES,
    "svco": SERVICES,
    "pkg": TOKEN_PACKAGES,
}
"""Where the things of a kind are that belong to a project."""


class MoveResource(Command, frozen=True, kw_only=True):
    """Put something into another project of its account; None: the default project. Returns True.

    The bill of a metered instance follows from now on: the minutes that have begun are charged to the former project.
    A payment in advance stays with the project that paid it. A service and the instances with its replicas stay
    together, so neither moves while they are.
    """

    answer: ClassVar[type] = bool

    account_id: str
    resource_id: str
    project_id: str | None

    def needs(self) -> Needs:
        """The thing, and the project."""
        kind = kind_of(self.resource_id)
        if kind in MOVABLE:
            yield MOVABLE[kind], (self.resource_id,)
        if self.project_id is not None:
            yield PROJECTS, (self.project_id,)

    def needs_more(self, book: Book) -> Needs:
        """The account, and the rows for charging an instance."""
        yield ACCOUNTS, (self.account_id,)
        kind = kind_of(self.resource_id)
        if kind in MOVABLE and MOVABLE[kind] is INSTANCES:
            yield from unit_needs(book, self.resource_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal: unknown or closed project, nothing of this account, ended, under way, in use, or a limit."""
        kind = kind_of(self.resource_id)
        thing: Any = draft.get(MOVABLE[kind], self.resource_id) if kind in MOVABLE else None
        is_deleted = isinstance(thing, Service) and thing.deleted_at is not None
        if thing is None or thing.account_id != self.account_id or is_deleted:
            raise _no_thing(self.resource_id)
        require_project(draft, self.account_id, self.project_id)
        if thing.project_id == self.project_id:
            return True
        if isinstance(thing, Instance):
            self._move_instance(draft, thing, rules, now)
            return True
        if isinstance(thing, Service):
            _check_service(thing)
        draft.put(MOVABLE[kind], msgspec.structs.replace(thing, project_id=self.project_id))  # type: ignore[index]
        return True

    def _move_instance(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
        if unit.status in GONE or unit.status in IN_TRANSITION:
            what = (
                "it has ended, and its costs stay where they are" if unit.status in GONE else "try again when it runs"
            )
            raise Refusal(WRONG_STATE, f"{unit.id} is {unit.status}: {what}.", field="resourceId")
        if unit.placements:
            services = ", ".join(placed.service_id for placed in unit.placements[:5])
            raise Refusal(
                WRONG_STATE,
                f"{unit.id} has replicas of {services}, and replicas run on instances of their service's project. "
                "Scale them to 0 there (ScaleService), and move both then.",
                field="resourceId",
            )
        refusal = judge_move(
            draft.get(ACCOUNT_LIMITS, unit.account_id),
            unit.type,
            unit.reserved,
            unit.release_at,
            now,
            rules.written_zone,
            project_id=self.project_id,
            is_postpaid=unit.payment_timing == "Postpaid",
        )
        if refusal is not None:
            raise refusal
        change(draft, charge_usage(draft, unit, now), project_id=self.project_id)


def _check_service(service: Service) -> None:
    if service.instances:
        raise Refusal(
            WRONG_STATE,
            f"{service.id} has replicas on {counted(service.instances, 'instance')} of the project "
            f"{public_project(service.project_id)}, and a service runs on instances of its own project. Scale it to 0 "
            "there (ScaleService), and move both then.",
            field="resourceId",
        )


def _no_thing(resource_id: str) -> Refusal:
    return Refusal(
        NO_RESOURCE,
        f"There is no {resource_id[:64]!r} here that belongs to a project: instances, quota, services and packages do.",
        field="resourceId",
    )
