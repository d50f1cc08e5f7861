"""Taking an offering out of sale and out of the catalogue: close, reopen, remove."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import OfferingsOfType
from leasebook.domain.book.tables import ENGINE_CAPACITIES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.store.offering import reckon
from leasebook.domain.model.offering import BY_HAND, EVERYWHERE, Offering
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import are


class CloseOffering(Command, frozen=True, kw_only=True):
    """Sell no more units of an offering; held units stay with their buyers. Returns the offering.

    With ``no_renewals`` terms are not renewed either. A closed offering keeps the time at which it was closed first.
    """

    answer: ClassVar[type] = Offering

    region: str
    unit_type: str
    no_renewals: bool = False

    def needs(self) -> Needs:
        """The offering."""
        yield OFFERINGS, (self.region, self.unit_type)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Offering:  # noqa: ARG002
        """Raises Refusal (NO_RESOURCE) if the catalogue does not have it."""
        offering = _listed(draft, self.region, self.unit_type)
        closed_at = now if offering.closed_at is None else offering.closed_at
        offering = msgspec.structs.replace(offering, closed_at=closed_at, no_renewals=self.no_renewals)
        draft.put(OFFERINGS, offering)
        return offering


class ReopenOffering(Command, frozen=True, kw_only=True):
    """Sell units of a closed offering again. Returns the offering, also if it was not closed."""

    answer: ClassVar[type] = Offering

    region: str
    unit_type: str

    def needs(self) -> Needs:
        """The offering."""
        yield OFFERINGS, (self.region, self.unit_type)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Offering:  # noqa: ARG002
        """Raises Refusal (NO_RESOURCE) if the catalogue does not have it."""
        offering = _listed(draft, self.region, self.unit_type)
        offering = msgspec.structs.replace(offering, closed_at=None, no_renewals=False)
        draft.put(OFFERINGS, offering)
        return offering


class RemoveOffering(Command, frozen=True, kw_only=True):
    """Take a closed offering whose units are all free out of the catalogue. Returns True.

    The row and its prices stay for the books, without stock. The stock no longer follows an engine, so that no report
    of one brings units back. ``until`` says in words when the last instance ends; it is part of the refusal's message.
    """

    answer: ClassVar[type] = bool

    region: str
    unit_type: str
    until: str
    routes: Routes = ()

    @property
    def engine(self) -> str:
        """The engine that serves it."""
        return INSTANT if self.region == EVERYWHERE else engine_for(self.routes, self.region, self.unit_type)

    def needs(self) -> Needs:
        """The offering; if an engine serves it, the engine and all offerings of the type."""
        yield OFFERINGS, (self.region, self.unit_type)
        if self.engine != INSTANT:
            yield ENGINE_CAPACITIES, (self.engine,)
            yield OfferingsOfType(self.unit_type)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: not in the catalogue (NO_RESOURCE), not closed, or units are held (WRONG_STATE)."""
        offering = _listed(draft, self.region, self.unit_type)
        if offering.is_sold:
            raise Refusal(
                WRONG_STATE,
                f"The offering {offering.name} is open. Close it first (CloseOffering, /v2/catalog).",
            )
        held = offering.reserved
        if held:
            raise Refusal(
                WRONG_STATE,
                f"{are(held, 'unit', f'of {offering.name}')} held by instances{self.until}. Remove the offering when "
                "all units are free: wait, or have the instances released.",
            )
        removed = msgspec.structs.replace(offering.stocked(0), stock_source=BY_HAND, removed_at=now)
        draft.put(OFFERINGS, removed)
        if self.engine != INSTANT:
            reckon(draft, self.engine, self.unit_type, draft.offerings_of(self.unit_type), self.routes)
        return True


def _listed(draft: Draft, region: str, unit_type: str) -> Offering:
    """Return an offering of the catalogue; raises Refusal (NO_RESOURCE)."""
    offering = draft.get(OFFERINGS, region, unit_type)
    if offering is None or offering.removed_at is not None:
        what = f"quota of {unit_type}" if region == EVERYWHERE else f"{unit_type} in {region}"
        raise Refusal(
            NO_RESOURCE, f"The catalogue has no {what[:120]}. DescribeOfferings (/v2/catalog) lists all offerings."
        )
    return offering
