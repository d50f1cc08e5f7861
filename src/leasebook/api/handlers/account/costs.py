"""Costs: what was spent, by whom and on what, and what will be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from leasebook.api.across import accounts_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.costs import AskedCosts, Found, RowKey, look_at_costs, read_group_by, read_only
from leasebook.api.fault import Fault
from leasebook.api.paging import OWN, id_of, marker_of, unknown_marker
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns.finance import costs as c
from leasebook.domain.costs.question import Amounts
from leasebook.domain.values.calendar import rfc3339
from leasebook.domain.values.money import amount_text
from leasebook.ports.queries.read_repository import ReadRepository

ID_LENGTH: Final = 16


async def describe_costs(context: Context, call: Call[c.DescribeCostsRequest]) -> c.Costs:
    """Sum costs by period and group."""
    asked, meant = call.request, accounts_meant(call)
    question = AskedCosts(
        since=asked.from_,
        until=asked.to,
        granularity=asked.granularity,
        group_by=read_group_by(asked.group_by or ()),
        only=read_only(asked.filter or {}),
        forecast=asked.forecast,
        now=context.clock.now(),
        rules=context.rules,
    )
    size, scope = OWN.of(asked.max_keys), _scope(call, meant.ids)
    after = id_of(asked.marker, scope)

    def look(ask: ReadRepository) -> tuple[Found, list[RowKey], dict[str, dict[str, str]]]:
        meant.require(ask)
        found = look_at_costs(ask, meant, question)
        page = _page(found, after, size + 1)
        return found, page, _names(ask, question.group_by, page[:size])

    found, page, names = await context.read(call, look, long=True)
    if not found.zones:
        raise Fault(RESOURCE_NOT_FOUND, "There is no such account.")
    zone = found.zones.pop() if len(found.zones) == 1 and not context.rules.times_in_utc else context.rules.written_zone
    return c.Costs(
        currency=context.rules.currency,
        total=c.CostTotal(**_amounts(found.total, forecast=asked.forecast)),
        costs=[
            c.CostRow(
                start_time=rfc3339(key.since, zone),
                end_time=rfc3339(key.until, zone),
                group=dict(zip(question.group_by, key.values, strict=True)),
                names=_named(question.group_by, key, names),
                **_amounts(found.rows[key], forecast=asked.forecast),
            )
            for key in page[:size]
        ],
        is_truncated=len(page) > size,
        max_keys=size,
        next_marker=marker_of(_id_of(page[size - 1]), scope) if len(page) > size else None,
    )


def _scope(call: Call[c.DescribeCostsRequest], ids: tuple[str, ...] | None) -> str:
    """Name the list that a marker is for: the question, without the place and the size of the page."""
    bare = msgspec.structs.replace(call.request, marker=None, max_keys=None, client_token=None)
    asked = msgspec.json.encode((ids, bare, None if call.within is None else sorted(call.within)))
    return f"costs {sha256(asked).hexdigest()}"


def _id_of(key: RowKey) -> str:
    return sha256(msgspec.json.encode(key)).hexdigest()[:ID_LENGTH]


def _page(found: Found, after: str | None, size: int) -> list[RowKey]:
    """Return the rows after the one that ended a page; raises Fault where no row did."""
    keys = sorted(found.rows, key=_order)
    if after is None:
        return keys[:size]
    for place, key in enumerate(keys):
        if _id_of(key) == after:
            return keys[place + 1 : place + 1 + size]
    raise unknown_marker()


def _order(key: RowKey) -> tuple[Any, ...]:
    return key.since, key.until, [(value is None, value or "") for value in key.values]


def _names(ask: ReadRepository, group_by: Sequence[str], keys: Iterable[RowKey]) -> dict[str, dict[str, str]]:
    """Return the names of the accounts, projects, users and services of rows, by id."""
    wanted: dict[str, set[str]] = {}
    for key in keys:
        for name, value in zip(group_by, key.values, strict=True):
            if value is not None and name in ("account", "project", "user", "service"):
                wanted.setdefault(name, set()).add(value)
    names: dict[str, dict[str, str]] = {}
    accounts = ask.accounts_by_id(sorted(wanted.get("account", ())))
    names["account"] = {account.id: account.name for account in accounts.values()}
    projects = (ask.project(project_id) for project_id in wanted.get("project", ()))
    names["project"] = {project.id: project.name for project in projects if project is not None}
    users = (ask.user(user_id) for user_id in wanted.get("user", ()))
    names["user"] = {user.id: user.name for user in users if user is not None}
    services = (ask.service(service_id) for service_id in wanted.get("service", ()))
    names["service"] = {service.id: service.name for service in services if service is not None}
    return names


def _named(group_by: Sequence[str], key: RowKey, names: dict[str, dict[str, str]]) -> dict[str, str] | None:
    found = {
        name: names[name][value]
        for name, value in zip(group_by, key.values, strict=True)
        if value is not None and value in names.get(name, ())
    }
    return found or None


def _amounts(sums: Amounts, *, forecast: bool) -> dict[str, str]:
    shown = {"billed": amount_text(sums.billed), "amortised": amount_text(sums.amortised)}
    if forecast:
        shown["forecast_billed"] = amount_text(sums.billed + sums.more_billed)
        shown["forecast_amortised"] = amount_text(sums.amortised + sums.more_amortised)
    return shown


OPERATIONS: Final[dict[str, Operation]] = {"describe_costs": describe_costs}
