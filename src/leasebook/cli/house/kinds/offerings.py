"""Offerings: types of unit with region, price and stock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from leasebook.cli.house import schema, words
from leasebook.cli.house.plan import CHANGE, END, MAKE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node
from leasebook.cli.house.server import ACCOUNT, CATALOG, Server
from leasebook.cli.house.words import BadHouse
from leasebook.contract.nouns.offering import SetOfferingRequest

QUOTA: Final = "global"
"""The region under which the file has the quota of models."""
BY_ENGINE: Final = "engine"
OPEN: Final = "open"
CLOSED: Final = "closed"
NO_RENEWALS: Final = "closed without renewals"
_SALES: Final = {"false": OPEN, "true": CLOSED, "noRenewals": NO_RENEWALS}
_PRICES: Final[tuple[str, ...]] = ("pricePerMinute", "pricePerMonth")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class OfferingWanted:
    """An offering of the file; None: the value stays. ``stock`` is a number of units, or ``engine``."""

    region: str
    type: str
    prices: Mapping[str, Decimal]
    stock: int | str | None
    sales: str

    @property
    def key(self) -> tuple[str, str]:
        """Region and type."""
        return self.region, self.type

    @property
    def named(self) -> dict[str, str]:
        """The fields by which actions name the offering."""
        return _named(self.region, self.type)


class Offerings:
    """The catalogue of a house."""

    key: Final = "offerings"

    def read(self, node: Node) -> dict[str, OfferingWanted]:
        """Read ``offerings``; raises BadHouse."""
        found = schema.table(node)
        return {name: _offering(name, one, found.line_of(name)) for name, one in found.entries.items()}

    def look(self, server: Server) -> dict[tuple[str, str], Row]:
        """Return the catalogue by region and type."""
        rows = server.rows(CATALOG, "DescribeOfferings", "offerings")
        return {(row["region"], row["type"]): row for row in rows}

    def plan(self, wanted: Mapping[str, OfferingWanted], there: Mapping[tuple[str, str], Row], plan: Plan) -> None:
        """Add a step for each offering that is to be added or changed."""
        for name, one in wanted.items():
            plan.add(_steps(name, one, there.get(one.key)))

    def prune(
        self,
        wanted: Mapping[str, OfferingWanted],
        there: Mapping[tuple[str, str], Row],
        plan: Plan,
        server: Server,
        maker: str,
    ) -> None:
        """Add a step for each offering that the caller made and the file does not have.

        One whose units are held is closed, and stays in the catalogue until it is empty.
        """
        extra = _extra(wanted, there)
        made = _made_by(server, maker) if extra else set()
        for row in extra:
            name, reserved = words.offering(_name(row)), row["stockTotal"] - row["stockFree"]
            if (row["region"], row["type"]) not in made:
                plan.left.append(words.of_another(name))
            elif reserved and "closedTime" in row:
                plan.hindered.append(words.waits_for_units(name, reserved))
            else:
                plan.ends.append(_end(row, reserved))

    def left(self, wanted: Mapping[str, OfferingWanted], there: Mapping[tuple[str, str], Row]) -> list[str]:
        """Return the offerings that the file does not have."""
        return [words.offering(_name(row)) for row in _extra(wanted, there)]

    def write(self, there: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
        """Write the catalogue."""
        return {_name(row): _written(row) for row in there.values()}


def _offering(name: str, node: Node, line: int) -> OfferingWanted:
    region, _, unit_type = name.partition("/")
    if not region or not unit_type:
        raise BadHouse(words.bad_offering(name), line)
    given = schema.fields(
        node,
        {
            "pricePerMinute": schema.amount,
            "pricePerMonth": schema.amount,
            "stock": _stock,
            "closed": schema.one_of(*_SALES),
        },
    )
    prices = {field: given[field] for field in _PRICES if field in given}
    wanted = OfferingWanted(region, unit_type, prices, given.get("stock"), _SALES[given.get("closed", "false")])
    schema.fitting(SetOfferingRequest, _body(wanted, None), line, {"stockTotal": "stock"})
    return wanted


def _stock(node: Node) -> int | str:
    return BY_ENGINE if schema.text(node) == BY_ENGINE else schema.count(node)


def _named(region: str, unit_type: str) -> dict[str, str]:
    return {"model": unit_type} if region == QUOTA else {"region": region, "type": unit_type}


def _name(row: Row) -> str:
    return f"{row['region']}/{row['type']}"


def _sales(row: Row) -> str:
    if "closedTime" not in row:
        return OPEN
    return NO_RENEWALS if row.get("noRenewals") else CLOSED


def _stock_of(row: Row | None) -> int | str | None:
    if row is None:
        return None
    return BY_ENGINE if row["stockSource"] == "Engine" else int(row["stockTotal"])


def _price(row: Row | None, field: str) -> Decimal | None:
    found = None if row is None else row.get(field)
    return None if found is None else Decimal(found)


def _body(wanted: OfferingWanted, row: Row | None) -> dict[str, Any]:
    """Return the request that makes an offering what the file wants; with no change, only its name."""
    body: dict[str, Any] = dict(wanted.named)
    for field, price in wanted.prices.items():
        if price != _price(row, field):
            body[field] = str(price)
    if wanted.stock is not None and wanted.stock != _stock_of(row):
        if wanted.stock == BY_ENGINE:
            body["stockSource"] = "Engine"
        else:
            body |= {"stockSource": "Set", "stockTotal": wanted.stock}
    return body


def _steps(name: str, wanted: OfferingWanted, row: Row | None) -> list[Step]:
    body, sales = _body(wanted, row), OPEN if row is None else _sales(row)
    details = [change(field, _price(row, field), wanted.prices[field]) for field in _PRICES if field in body]
    if "stockSource" in body:
        details.append(change("stock", _stock_of(row), wanted.stock))
    if wanted.sales != sales:
        details.append(change("sales", sales, wanted.sales))
    if row is not None and not details:
        return []

    def set_offering(run: Run) -> None:
        if row is None or body != wanted.named:
            run.server.call(CATALOG, "SetOffering", **body)

    def do(run: Run) -> None:
        # Nothing is sold at the new price before the offering is open, or at the old one after it is closed.
        set_sales = _sales_change(wanted, sales)
        order = (set_offering, set_sales) if row is None or wanted.sales == OPEN else (set_sales, set_offering)
        for one in order:
            one(run)

    return [Step(MAKE if row is None else CHANGE, words.offering(name), do, tuple(details))]


def _sales_change(wanted: OfferingWanted, sales: str) -> Callable[[Run], None]:
    def do(run: Run) -> None:
        if wanted.sales == OPEN != sales:
            run.server.call(CATALOG, "ReopenOffering", **wanted.named)
        elif wanted.sales != sales:
            no_renewals = wanted.sales == NO_RENEWALS
            run.server.call(CATALOG, "CloseOffering", **wanted.named, noRenewals=no_renewals)

    return do


def _extra(wanted: Mapping[str, OfferingWanted], there: Mapping[tuple[str, str], Row]) -> list[Row]:
    named = {one.key for one in wanted.values()}
    return [row for key, row in there.items() if key not in named]


def _made_by(server: Server, maker: str) -> set[tuple[str, str]]:
    """Return the offerings that a user set, as far back as the audit log goes: no event says who made one."""
    import json

    made: set[tuple[str, str]] = set()
    for entry in server.rows(ACCOUNT, "DescribeAuditLog", "entries", action="SetOffering", userId=maker, code="OK"):
        try:
            body = json.loads(entry["body"])
        except ValueError:
            continue
        made.add((QUOTA, body["model"]) if "model" in body else (body.get("region", ""), body.get("type", "")))
    return made


def _end(row: Row, reserved: int) -> Step:
    named = _named(row["region"], row["type"])

    def do(run: Run) -> None:
        run.server.call(CATALOG, "CloseOffering", **named)
        if not reserved:
            run.server.call(CATALOG, "RemoveOffering", **named)

    return Step(END, words.offering(_name(row)), do, (words.only_closed(reserved),) if reserved else ())


def _written(row: Row) -> dict[str, Any]:
    facts = {field: row[field] for field in _PRICES if row.get(field) is not None}
    facts["stock"] = _stock_of(row)
    sales = _sales(row)
    if sales != OPEN:
        facts["closed"] = next(key for key, one in _SALES.items() if one == sales)
    return facts
