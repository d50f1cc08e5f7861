"""A program as customers write them: a pool of rented units, which buys, keeps, and lets go.

It knows the service by the variables of its environment only, as the official clients do.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from leasebook.client import Client, ErrorAnswer, Retries
from leasebook.client.shapes.instance import Billing, ComputeUnitConfig

CODES_OF_SCARCITY = ("InsufficientStock", "QuotaExceeded")


class NoUnit(Exception):
    """None of the wanted types can be had."""


class Pool:
    """Units for jobs: the first wanted type that is there, released after its hours."""

    def __init__(self, *types: str, patience_s: float = 60.0) -> None:
        self._types = types
        self._client = Client(retries=Retries(tries=4, within_s=patience_s))

    def close(self) -> None:
        """Close the connections. The units stay."""
        self._client.close()

    def rent(self, count: int, hours: float) -> str:
        """Rent units that are released by themselves; returns the instance. Raises NoUnit."""
        until = self._now() + timedelta(hours=hours)
        for unit_type in self._types:
            try:
                bought = self._client.purchase_units(
                    billing=Billing(payment_timing="Postpaid", release_time=until.isoformat()),
                    compute_unit_config=ComputeUnitConfig(type=unit_type, region=""),
                    compute_unit_count=count,
                )
            except ErrorAnswer as error:
                if error.code not in CODES_OF_SCARCITY:
                    raise
                continue
            return bought.instance_id
        raise NoUnit(f"none of {', '.join(self._types)} has {count} units")

    def keep(self, instance_id: str, hours: float) -> datetime:
        """Keep an instance for longer; returns its new release time."""
        until = self._now() + timedelta(hours=hours)
        self._client.schedule_release(instance_id=instance_id, release_time=until)
        return until

    def give_back(self, instance_id: str) -> None:
        """Release an instance now; one that is gone already is no error."""
        try:
            self._client.release_unit(instance_id=instance_id)
        except ErrorAnswer as error:
            if error.code not in ("InstanceNotFound", "InvalidState"):
                raise

    def rented(self) -> list[str]:
        """Return the instances that run."""
        return [unit.instance_id for unit in self._client.each_of_units(status="Running")]

    def _now(self) -> datetime:
        return self._client.describe_clock().now
