"""Keys with which services are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leasebook.api.across import Owners, accounts_meant, owners_of
from leasebook.api.auth.secret_replay import new_service_key, service_key_again
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import refused
from leasebook.api.ids import service_key
from leasebook.api.paging import OWN, cut, place_of
from leasebook.api.presenters.tags import new_tags, shown_tags, wanted_tags
from leasebook.contract.nouns import service_call as k
from leasebook.contract.policies import WRITERS
from leasebook.domain.commands.service.service_key import CreateServiceKey, DeleteServiceKey
from leasebook.domain.model.account import User
from leasebook.domain.model.service_key import Orphan, ServiceKey, digest_of, may_make, orphan_of
from leasebook.domain.rules.ownership import no_service
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import Numbered, ReadRepository


async def create_service_key(context: Context, call: Call[k.CreateServiceKeyRequest]) -> k.CreatedServiceKey:
    """Make a key."""
    token = call.personal_token()
    made = service_key() if token is None else new_service_key(context, token)
    command = CreateServiceKey(
        token=token,
        key_id=made.id,
        account_id=call.caller.account_id,
        user_id=call.caller.user_id,
        name=call.request.name,
        service_id=call.request.service_id,
        digest=digest_of(made.text),
        tags=new_tags(None, call.request.tags),
    )
    row: ServiceKey = await context.submit(call, command)
    if token is None or row.id == made.id:
        key: str | None = made.text
    else:
        key = await service_key_again(context, call, token, row.id)
    return k.CreatedServiceKey(key_id=row.id, key=key, name=row.name, service_id=row.service_id)


async def describe_service_keys(context: Context, call: Call[k.DescribeServiceKeysRequest]) -> k.ServiceKeyPage:
    """List the account's keys."""
    asked, meant = call.request, accounts_meant(call)
    wanted, status = asked.service_id, asked.status or "Active"
    scope = f"service keys {meant.ids if meant.named else call.caller.account_id} {wanted} {status}"
    size, after, wanted_ones = OWN.of(asked.max_keys), place_of(asked.marker, scope), wanted_tags(None, asked.tags)

    def look(
        ask: ReadRepository,
    ) -> tuple[list[Numbered], dict[str, Orphan], dict[str, tuple[User, bool]], dict[str, ResourceTags], Owners]:
        meant.require(ask)
        if wanted is not None:
            service = ask.service(wanted)
            if service is None or not meant.has(service.account_id):
                raise refused(no_service(wanted))
        rows = ask.service_keys(
            Across(meant.ids), service_id=wanted, status=status, tags=wanted_ones, after=after, limit=size + 1
        )
        owners = owners_of(ask, meant, [one.row.account_id for one in rows])
        makers = ask.makers(sorted({one.row.created_by for one in rows}))
        tags, orphans = ask.tags_of([one.row.id for one in rows]), _orphans(ask, [one.row for one in rows], makers)
        return rows, orphans, makers, tags, owners

    found, orphans, makers, tags, owners = await context.read(call, look, long=meant.named)
    page = cut(found, size, scope)
    return k.ServiceKeyPage(
        key_list=[
            k.ServiceKeyDetail(
                key_id=row.id,
                name=row.name,
                service_id=row.service_id,
                status=row.status,
                creator=row.created_by,
                creator_name=makers[row.created_by][0].name if row.created_by in makers else None,
                create_time=context.shown(row.created_at),
                orphan_reason=orphans.get(row.id),
                **owners.whose(row.account_id),
                tags=shown_tags(tags.get(row.id)),
            )
            for row in (numbered.row for numbered in page.rows)
        ],
        is_truncated=page.is_truncated,
        max_keys=size,
        next_marker=page.next_marker,
    )


def _orphans(
    ask: ReadRepository, rows: Sequence[ServiceKey], makers: dict[str, tuple[User, bool]]
) -> dict[str, Orphan]:
    """Return why no user answers for active keys, by their ids."""
    found: dict[str, Orphan] = {}
    projects: dict[str, str | None] = {}
    for row in rows:
        maker, has_access_key = makers.get(row.created_by, (None, False))
        name = row.service_id or ""
        if name and name not in projects and maker is not None and not may_make(maker, WRITERS):
            service = ask.service(name)
            projects[name] = None if service is None else service.project_id
        orphan = orphan_of(row, maker, WRITERS, project_id=projects.get(name), has_access_key=has_access_key)
        if orphan is not None and row.status == "Active":
            found[row.id] = orphan
    return found


async def delete_service_key(context: Context, call: Call[k.DeleteServiceKeyRequest]) -> bool:
    """Make a key useless from now on."""
    key_id = call.request.key_id
    key = None if call.within is None else await context.read(call, lambda ask: ask.service_key(key_id))
    command = DeleteServiceKey(
        token=call.token(),
        account_id=call.caller.account_id,
        key_id=key_id,
        service_id=None if key is None else key.service_id,
    )
    done: bool = await context.submit(call, command)
    return done


OPERATIONS: Final[dict[str, Operation]] = {
    "create_service_key": create_service_key,
    "describe_service_keys": describe_service_keys,
    "delete_service_key": delete_service_key,
}
