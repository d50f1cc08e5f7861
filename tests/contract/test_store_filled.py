"""Stores that benchmarks fill: their books are right, as those of a store that was bought from are."""

from __future__ import annotations

from benchmarks.filling import Filler
from benchmarks.history_size import running_for_a_month
from benchmarks.sinks import sink

from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.scene import a_scene


def test_a_filled_store_is_right_and_one_that_is_filled_again_is_too(migrated: Target) -> None:
    with a_scene(migrated, clock="real", demo=True):
        pass
    for seed in (1, 2):
        with sink(migrated, tidy=False) as out:
            filler = Filler(out, seed=seed, others=3)
            soon = Instant(filler.now + 30 * MINUTE_US)
            for sales in (
                filler.pending(20),
                filler.due(5, soon, charge_at=Instant(soon + MINUTE_US)),
                filler.released(10),
                filler.prepaid(10),
                filler.prepaid(5, stopped=True),
            ):
                filler.add(sales)
            if seed == 1:
                running_for_a_month(filler, 1)
            filler.close()
        keys = AuditKeys(bytes.fromhex((migrated.directory / "master.key").read_text()))
        assert check_store(migrated, keys).findings == []
