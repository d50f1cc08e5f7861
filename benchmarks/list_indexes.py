"""The cost of each listing index: ``python -m benchmarks.list_indexes [--store postgres]``.

Postpaid and prepaid instances are bought, charged for two hours and released by statements alone, 64 to a commit, with
this version's tables: with all indexes, and without one of them at a time. The instances belong to 16 accounts and are
of six types. Printed for one instance: processor time, that of making the statements included (with the database's
own on PostgreSQL), and bytes of the log.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from benchmarks.due_layouts import BATCH, UNITS, Bench, Layout, benches, bought, charged, released
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import PREPAID_REVENUE, USAGE_REVENUE, Order, Posting, wallet
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.store.rows.schema import metadata
from leasebook.store.rows.updates import columns_of, updates

ACCOUNTS: Final = 16
STEPS: Final = ("purchase", "first charge", "second charge", "release")
TABLES: Final = ("account_numbers", "units", "order_rows", "posting_rows")
NEEDED: Final = frozenset({"account_numbers_account", "units_id", "units_due"})
"""Accounts and instances are looked up by the first two, and due work is found along the third."""
BASE: Final = Layout("all indexes", index="due_at, due_kind, seq, release_at", tables=TABLES)


def layouts() -> list[Layout]:
    """Return the layout with all indexes, and one without each."""
    names = sorted(str(index.name) for name in TABLES for index in metadata.tables[name].indexes)
    without = [frozenset({name}) for name in names if name not in NEEDED]
    return [
        BASE,
        *(msgspec.structs.replace(BASE, name=f"without {min(some)}", without=some) for some in without),
    ]


def sale(number: int, dice: random.Random) -> tuple[Instance, Order, Posting | None]:
    """Return what a purchase writes: every fourth is prepaid."""
    unit, order = bought(number)
    account = f"{dice.randrange(ACCOUNTS):032x}"
    place: dict[str, Any] = {
        "account_id": account, "region": dice.choice(("bj", "gz")), "type": dice.choice(("gpu-1", "gpu-2", "gpu-4")),
        "payment_timing": "Prepaid" if dice.random() < 0.25 else "Postpaid",
    }  # fmt: skip
    unit, order = msgspec.structs.replace(unit, **place), msgspec.structs.replace(order, **place)
    if unit.payment_timing == "Postpaid":
        return unit, order, None
    paid = Posting(
        account, unit.created_at, "Purchase", wallet(account), PREPAID_REVENUE, Micro(1_000_000), order.id, unit.id,
        None, 1, Micro(1_000_000), unit.created_at, unit.release_at,
    )  # fmt: skip
    return unit, order, paid


def hourly(unit: Instance) -> Posting | None:
    """Return the posting of an hour's charge."""
    if unit.payment_timing == "Prepaid" or unit.charge_at is None:
        return None
    own = wallet(unit.account_id)
    return Posting(
        unit.account_id, unit.charge_at, "Usage", own, USAGE_REVENUE, Micro(30_000_000), None, unit.id, 60, 1,
        Micro(500_000), Instant(unit.charge_at - HOUR_US),
    )  # fmt: skip


def _post(bench: Bench, postings: Sequence[Posting | None]) -> None:
    if written := [posting for posting in postings if posting is not None]:
        bench.post(written)


def _buy(bench: Bench, sales: Sequence[tuple[Instance, Order, Posting | None]]) -> None:
    bench.sell(UNITS, [unit for unit, _, _ in sales])
    bench.order([order for _, order, _ in sales], [unit for unit, _, _ in sales])
    _post(bench, [posting for _, _, posting in sales])
    bench.commit()


def _change(bench: Bench, before: Sequence[Instance], after: Sequence[Instance]) -> None:
    for changed, values in updates(UNITS, before, after).items():
        bench.update(columns_of(UNITS, changed), values)
    _post(bench, [hourly(unit) for unit in before])
    bench.commit()


def play(bench: Bench, count: int) -> list[tuple[float, float]]:
    """Buy, charge and release; returns for each step the microseconds and the bytes of the log of one instance."""
    dice = random.Random(1)
    bench.insert("account_numbers", ("account_id",), [(f"{number:032x}",) for number in range(ACCOUNTS)])
    sales = [sale(number, dice) for number in range(count)]
    warm = count // 4
    for at in range(0, warm, BATCH):
        _buy(bench, sales[at : min(at + BATCH, warm)])
    found, begun = [], bench.used()
    for at in range(warm, count, BATCH):
        _buy(bench, sales[at : at + BATCH])
    found.append(_each(begun, bench.used(), count - warm))
    units = [unit for unit, _, _ in sales]
    for step in (charged, charged, released):
        after = [step(unit) for unit in units]
        begun = bench.used()
        for at in range(0, count, BATCH):
            _change(bench, units[at : at + BATCH], after[at : at + BATCH])
        found.append(_each(begun, bench.used(), count))
        units = after
    return found


def _each(begun: tuple[float, int], ended: tuple[float, int], count: int) -> tuple[float, float]:
    return (ended[0] - begun[0]) / count * 1e6, (ended[1] - begun[1]) / count


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--units", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = None
    if options.store == "postgres":
        from tests.postgres import PostgresServer

        server = PostgresServer(durable=True)
    least: dict[str, list[tuple[float, float]]] = {}
    try:
        for _ in range(options.rounds):
            for layout in layouts():
                with benches(options.store, layout, server) as bench:
                    found = play(bench, options.units)
                pairs = zip(found, least.get(layout.name, found), strict=True)
                least[layout.name] = [(min(new[0], old[0]), min(new[1], old[1])) for new, old in pairs]
    finally:
        if server is not None:
            server.remove()
    print(f"{'the least of all rounds':30}" + "".join(f"{step:>20}" for step in STEPS))
    for name, found in least.items():
        print(f"{name:30}" + "".join(f"{us:>9.1f} us {size:>6.0f} B" for us, size in found))


if __name__ == "__main__":
    main()
