"""Quota, auto-renew rules and packages."""

from __future__ import annotations

from typing import Final, cast, get_args

import msgspec

from leasebook.api.across import Meant, Owners, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field, refused
from leasebook.api.handlers.instance.instances import after_of, auto_renew, instance_of, meant_instance
from leasebook.api.ids import hex_id, package_id, quota_id
from leasebook.api.paging import OWN, WHOLE, cut, ends, part, place_of, start_of
from leasebook.api.presenters import rows as present
from leasebook.api.presenters.billing import purchase
from leasebook.api.presenters.tags import marked as with_tags
from leasebook.api.presenters.tags import new_tags, wanted_tags
from leasebook.contract.nouns import quota as c
from leasebook.contract.nouns import term as t
from leasebook.contract.policies import FULL
from leasebook.domain.commands.instance.purchase import BuyUnits, Purchased
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import SetAutoRenew
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.service.usage import GrantPackage, no_package
from leasebook.domain.model.instance import Instance, InstanceStatus
from leasebook.domain.model.offering import EVERYWHERE, QUOTA
from leasebook.domain.model.resource.project import public_project, stored_project
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import ResourceTags, Wanted
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import Numbered, ReadRepository, UnitFilter


async def create_auto_renew_rule(context: Context, call: Call[t.CreateAutoRenewRulesRequest]) -> bool:
    """Renew a prepaid instance whenever its term runs out."""
    asked = call.request
    command = auto_renew(call, asked.instance_id, asked.instance_type, asked.auto_renew_time)
    done: bool = await context.submit(call, command)
    return done


async def delete_auto_renew_rule(context: Context, call: Call[t.DeleteAutoRenewRulesRequest]) -> bool:
    """Do not renew an instance any more."""
    command = SetAutoRenew(
        token=call.token(),
        account_id=call.caller.account_id,
        unit_id=call.request.instance_id,
        months=None,
        kind=call.request.instance_type,
    )
    done: bool = await context.submit(call, command)
    return done


async def describe_auto_renew_rules(context: Context, call: Call[t.DescribeAutoRenewRulesRequest]) -> t.AutoRenewRules:
    """List the instances that are renewed by themselves."""
    asked, meant = call.request, accounts_meant(call)
    size = OWN.of(asked.max_keys)
    if asked.instance_id is not None:
        wanted_id = asked.instance_id

        def find(ask: ReadRepository) -> tuple[Owners, Instance]:
            unit = meant_instance(ask, meant, wanted_id)
            return owners_of(ask, meant, [unit.account_id]), unit

        owners, unit = await context.read(call, find)
        rules = [owners.mark(present.renew_rule(unit, context.shown), unit.account_id)] if unit.auto_renew else []
        return t.AutoRenewRules(rules=rules, is_truncated=False, max_keys=size)
    scope = f"rules {meant.ids if meant.named else call.caller.account_id}"
    wanted = UnitFilter(**meant.of(), payment_timing="Prepaid", auto_renew=True)
    after = place_of(asked.marker, scope) or 0

    def look(ask: ReadRepository) -> tuple[Owners, list[Numbered]]:
        meant.require(ask)
        rows = ask.units(wanted, after=after, limit=size + 1)
        return owners_of(ask, meant, [one.row.account_id for one in rows]), rows

    owners, found = await context.read(call, look, long=wanted.across is not None)
    page = cut(found, size, scope)
    return t.AutoRenewRules(
        rules=[owners.mark(present.renew_rule(one.row, context.shown), one.row.account_id) for one in page.rows],
        is_truncated=page.is_truncated,
        max_keys=size,
        next_marker=page.next_marker,
    )


async def purchase_quota(context: Context, call: Call[c.PurchaseTpmRequest]) -> c.PurchasedTpm:
    """Buy quota of a model."""
    asked = call.request
    if asked.billing.payment_timing != "Postpaid":
        raise bad_field("billing.paymentTiming", "Quota is sold Postpaid only.")
    command = BuyUnits(
        token=call.token(),
        purchase=purchase(
            context,
            call.caller,
            asked.billing,
            new_id=quota_id,
            tags=new_tags(asked.name, asked.tags),
            project_id=call.project(asked.project_id),
        ),
        region=EVERYWHERE,
        unit_type=asked.model,
        count=asked.purchase_count,
        kind=QUOTA,
    )
    bought: Purchased = await context.submit(call, command)
    return c.PurchasedTpm(instance_id=bought.unit_id, order_id=bought.order_id)


async def describe_quota(context: Context, call: Call[c.DescribeTpmRequest]) -> c.TpmInstances:
    """List the account's quota of a model, what has ended included."""
    asked = call.request
    if asked.instance_id is None:
        return await _quota_page(context, call)
    wanted_id, wanted, meant = asked.instance_id, wanted_tags(asked.name, asked.tags), accounts_meant(call)

    def look(ask: ReadRepository) -> tuple[Instance | None, ResourceTags | None, Owners]:
        meant.require(ask)
        unit = ask.unit(wanted_id)
        owners = owners_of(ask, meant, [] if unit is None else [unit.account_id])
        return unit, ask.tags_of([wanted_id]).get(wanted_id), owners

    unit, tags, owners = await context.read(call, look)
    if unit is None or not meant.has(unit.account_id) or not _is_asked_for(unit, call) or not wanted.has(tags):
        return c.TpmInstances(instances=[])
    return c.TpmInstances(instances=[owners.mark(with_tags(present.quota(unit, context.shown), tags), unit.account_id)])


def _is_asked_for(unit: Instance, call: Call[c.DescribeTpmRequest]) -> bool:
    asked = call.request
    return (
        (unit.kind, unit.type) == (QUOTA, asked.model)
        and asked.status in (None, present.quota_status(unit.status))
        and asked.payment_timing in (None, unit.payment_timing)
        and asked.project_id in (None, public_project(unit.project_id))
    )


async def _quota_page(context: Context, call: Call[c.DescribeTpmRequest]) -> c.TpmInstances:
    asked, meant = call.request, accounts_meant(call)
    wanted = UnitFilter(
        **meant.of(),
        kind=QUOTA,
        type=asked.model,
        payment_timing=asked.payment_timing,
        tags=wanted_tags(asked.name, asked.tags),
        project_id=asked.project_id,
    )
    scope, size = f"quota {wanted} {asked.status}", WHOLE.of(asked.max_keys)
    start = start_of(asked.marker, scope)

    def look(ask: ReadRepository) -> tuple[list[Numbered], dict[str, ResourceTags], Owners]:
        meant.require(ask)
        rows = _quota_in(ask, wanted, asked.status, after_of(ask, wanted, start), size + 1)
        owners = owners_of(ask, meant, [one.row.account_id for one in rows])
        return rows, ask.tags_of([one.row.id for one in rows]), owners

    found, tags, owners = await context.read(call, look, long=wanted.across is not None)
    page = cut(found, size, scope)

    def shown(unit: Instance) -> c.TpmInstance:
        marked = owners.mark(with_tags(present.quota(unit, context.shown), tags.get(unit.id)), unit.account_id)
        return cast("c.TpmInstance", marked)

    return c.TpmInstances(
        instances=[shown(one.row) for one in page.rows],
        **ends(asked, size, page.next_marker),
    )


def _quota_in(
    ask: ReadRepository, wanted: UnitFilter, status: c.TpmStatus | None, after: int, limit: int
) -> list[Numbered]:
    """Return a page of quota in a documented status, or in every status, in the order in which it was bought."""
    # The store keeps live and released instances in an index each, so every status is looked up by itself.
    statuses: list[str | None] = [None, "Released"]
    if status is not None:
        statuses = [one for one in get_args(InstanceStatus) if present.quota_status(one) == status]
    found = [
        numbered
        for one in statuses
        for numbered in ask.units(msgspec.structs.replace(wanted, status=one), after=after, limit=limit)
    ]
    return sorted(found, key=lambda numbered: numbered.seq)[:limit]


async def release_quota(context: Context, call: Call[c.ReleaseTpmRequest]) -> bool:
    """Release quota now."""
    command = Release(
        token=call.token(),
        account_id=call.caller.account_id,
        unit_id=call.request.instance_id,
        service_id=None,
        kind=QUOTA,
        model=call.request.model,
    )
    done: bool = await context.submit(call, command)
    return done


async def resize_quota(context: Context, call: Call[c.ResizeTpmRequest]) -> bool:
    """Change the amount of quota."""
    asked = call.request
    if asked.count is None:
        # The documents let the number be left out, and do not say what that means: nothing changes.
        instance_of(await context.read(call, lambda ask: ask.unit(asked.instance_id)), call, asked.instance_id, QUOTA)
        return True
    command = Resize(
        token=call.token(),
        account_id=call.caller.account_id,
        by=call.caller.user_id,
        unit_id=asked.instance_id,
        order_id=hex_id(),
        count=asked.count,
        kind=QUOTA,
    )
    await context.submit(call, command)
    return True


async def schedule_quota_release(context: Context, call: Call[c.AutoReleaseTpmRequest]) -> bool:
    """Set, move or clear the release time of quota."""
    asked = call.request
    command = ScheduleRelease(
        token=call.token(),
        account_id=call.caller.account_id,
        unit_id=asked.instance_id,
        service_id=None,
        release_at=context.time(asked.release_time, "releaseTime") if asked.release_time else None,
        kind=QUOTA,
        by_manager=FULL in call.caller.policies,
    )
    done: bool = await context.submit(call, command)
    return done


async def describe_packages(context: Context, call: Call[c.DescribePackagesRequest]) -> c.PackageList:
    """List the account's packages."""
    meant, now = accounts_meant(call), context.clock.now()
    tagged = wanted_tags(call.request.name, call.request.tags)

    def look(ask: ReadRepository) -> tuple[_Packages, tuple[int] | None, Owners]:
        meant.require(ask)
        found, left = _packages_of(ask, meant, call.request, now, tagged)
        return found, left, owners_of(ask, meant, [row.account_id for _, row, _ in found])

    found, left, owners = await context.read(call, look, long=meant.named)
    wanted = (call.request.service_name, call.request.status, call.request.creator, tagged, call.request.project_id)
    scope = f"packages {meant.ids if meant.named else call.caller.account_id} {wanted}"
    page, end = part(found, lambda one: one[:1], call.request, scope, row_id=lambda one: one[1].id, left=left)
    return c.PackageList(
        instances=[
            owners.mark(with_tags(present.package(row, now, context.shown), tags), row.account_id)
            for _, row, tags in page
        ],
        **end,
    )


_Packages = list[tuple[int, TokenPackage, ResourceTags | None]]


def _packages_of(
    ask: ReadRepository, meant: Meant, asked: c.DescribePackagesRequest, now: Instant, tagged: Wanted
) -> tuple[_Packages, tuple[int] | None]:
    """Return the packages that a request asks for, each with its place among all of the accounts; and the marker's.

    No package is ever deleted, so the places stay what they are. The one that a marker names may have left those that
    are asked for: it is used up, or its time is over.
    """
    rows = ask.packages(Across(meant.ids))
    tags = ask.tags_of([row.id for row in rows])
    makers = {row.created_by for row in rows} if asked.creator else set()
    named = {maker for maker in makers if (user := ask.user(maker)) is not None and user.name == asked.creator}
    found = [
        (place, row, tags.get(row.id))
        for place, row in enumerate(rows)
        if (not asked.service_name or row.service_name == asked.service_name)
        and asked.status in (None, row.status(now))
        and (not asked.creator or row.created_by == asked.creator or row.created_by in named)
        and tagged.has(tags.get(row.id))
        and asked.project_id in (None, public_project(row.project_id))
    ]
    return found, next(((place,) for place, row in enumerate(rows) if row.id == asked.marker), None)


async def describe_package(context: Context, call: Call[c.DescribePackageRequest]) -> c.PackageResult:
    """Show one package."""
    wanted, meant = call.request.package_id, accounts_meant(call)

    def look(ask: ReadRepository) -> tuple[TokenPackage | None, ResourceTags | None, Owners]:
        meant.require(ask)
        found = ask.package(wanted)
        owners = owners_of(ask, meant, [] if found is None else [found.account_id])
        return found, ask.tags_of([wanted]).get(wanted), owners

    found, tags, owners = await context.read(call, look)
    if found is None or not meant.has(found.account_id):
        raise refused(no_package(wanted))
    shown = with_tags(present.package(found, context.clock.now(), context.shown), tags)
    return c.PackageResult(instance=owners.mark(shown, found.account_id))


async def grant_package(context: Context, call: Call[c.GrantPackageRequest]) -> c.PackageResult:
    """Give an account a package of tokens."""
    asked = call.request
    tags = new_tags(asked.name, asked.tags)
    command = GrantPackage(
        token=call.token(),
        package_id=package_id(),
        account_id=asked.account_id or call.caller.account_id,
        user_id=call.caller.user_id,
        service_name=asked.service_name,
        specification=asked.specification,
        expires_at=context.time(asked.expired_time, "expiredTime"),
        starts_at=context.time(asked.start_time, "startTime") if asked.start_time else None,
        tags=tags,
        project_id=stored_project(asked.project_id),
    )
    granted: TokenPackage = await context.submit(call, command)
    shown = present.package(granted, context.clock.now(), context.shown)
    return c.PackageResult(instance=with_tags(shown, tags.of(granted.id, granted.account_id)))


OPERATIONS: Final[dict[str, Operation]] = {
    "create_auto_renew_rule": create_auto_renew_rule,
    "delete_auto_renew_rule": delete_auto_renew_rule,
    "describe_auto_renew_rules": describe_auto_renew_rules,
    "purchase_quota": purchase_quota,
    "describe_quota": describe_quota,
    "release_quota": release_quota,
    "resize_quota": resize_quota,
    "schedule_quota_release": schedule_quota_release,
    "describe_packages": describe_packages,
    "describe_package": describe_package,
    "grant_package": grant_package,
}
