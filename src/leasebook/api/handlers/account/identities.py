"""Accounts, users, keys and policies."""

from __future__ import annotations

from typing import Final

from leasebook.api.across import Owners, accounts_meant, owners_of
from leasebook.api.auth.identity import Identity
from leasebook.api.auth.secret_replay import secret_of_key
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.ids import hex_id
from leasebook.api.paging import WHOLE, ends, marker_of, user_of
from leasebook.api.presenters import rows as present
from leasebook.contract.errors import ACCESS_DENIED
from leasebook.contract.nouns import user as iam
from leasebook.contract.policies import FOR_PROJECTS, MANAGERS, OF_THE_HOUSE, OPERATORS
from leasebook.domain.commands.account import identity as commands
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.values.calendar import Instant, zone_names
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import ReadRepository

KEYS_SHOWN_MAX: Final = 100
"""Upper bound on the keys of a user in a list. Disabled keys are never deleted, so there may be many."""


def account_meant(caller: Identity, asked: str | None) -> str:
    """Return the account of a call: the caller's, or for an operator the one that it names; raises Fault."""
    if asked is not None and asked != caller.account_id and not caller.is_operator:
        raise Fault(ACCESS_DENIED, "Only an operator manages the users of another account.", "accountId")
    return asked or caller.account_id


def _new_key(context: Context) -> tuple[commands.NewKey, str]:
    key_id, secret = context.keys.make()
    return commands.NewKey(key_id, context.keys.seal(key_id, secret)), secret


async def create_account(context: Context, call: Call[iam.CreateAccountRequest]) -> iam.CreatedAccount:
    """Open an account with a root user and its first key."""
    name = call.request.time_zone
    if name is not None and name not in zone_names():
        raise bad_field("timeZone", f"{name!r} is no time zone of the IANA database, such as Asia/Shanghai.")
    key, secret = _new_key(context)
    command = commands.CreateAccount(
        token=call.personal_token(),
        account_id=hex_id(),
        user_id=hex_id(),
        name=call.request.name or "",
        time_zone=name,
        key=key,
    )
    made: commands.AccountMade = await context.submit(call, command)
    return iam.CreatedAccount(
        account_id=made.account_id,
        user_id=made.user_id,
        access_key_id=made.key_id,
        secret_access_key=secret if made.key_id == key.id else await secret_of_key(context, call, made.key_id),
    )


async def create_user(context: Context, call: Call[iam.CreateUserRequest]) -> iam.CreatedUser:
    """Add a user, who may do nothing yet."""
    command = commands.CreateUser(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        user_id=hex_id(),
        name=call.request.name or "",
    )
    user: User = await context.submit(call, command)
    return iam.CreatedUser(user_id=user.id, account_id=user.account_id)


async def create_access_key(context: Context, call: Call[iam.CreateAccessKeyRequest]) -> iam.CreatedAccessKey:
    """Give a user another key pair."""
    key, secret = _new_key(context)
    command = commands.CreateAccessKey(
        token=call.personal_token(),
        account_id=account_meant(call.caller, call.request.account_id),
        user_id=call.request.user_id or call.caller.user_id,
        key=key,
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
    )
    made: commands.KeyMade = await context.submit(call, command)
    return iam.CreatedAccessKey(
        user_id=made.user_id,
        access_key_id=made.key_id,
        secret_access_key=secret if made.key_id == key.id else await secret_of_key(context, call, made.key_id),
    )


async def disable_access_key(context: Context, call: Call[iam.DisableAccessKeyRequest]) -> bool:
    """Make a key useless from now on."""
    found = await context.read(call, lambda ask: ask.identity(call.request.access_key_id))
    command = commands.DisableAccessKey(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        access_key_id=call.request.access_key_id,
        user_id=found[1].id if found is not None else "",
        signed_with=call.caller.access_key_id,
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
    )
    done: bool = await context.submit(call, command)
    return done


async def enable_access_key(context: Context, call: Call[iam.EnableAccessKeyRequest]) -> bool:
    """Enable a disabled key again."""
    found = await context.read(call, lambda ask: ask.identity(call.request.access_key_id))
    command = commands.EnableAccessKey(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        access_key_id=call.request.access_key_id,
        user_id=found[1].id if found is not None else "",
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
    )
    done: bool = await context.submit(call, command)
    return done


async def attach_policy(context: Context, call: Call[iam.PolicyRequest]) -> bool:
    """Permit a user more."""
    return await _change_policies(context, call, attach=True)


async def detach_policy(context: Context, call: Call[iam.PolicyRequest]) -> bool:
    """Permit a user less."""
    return await _change_policies(context, call, attach=False)


async def _change_policies(context: Context, call: Call[iam.PolicyRequest], *, attach: bool) -> bool:
    given = call.request.project_ids
    command = commands.ChangePolicies(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        user_id=call.request.user_id,
        policy=call.request.policy_name,
        attach=attach,
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
        project_ids=None if given is None else tuple(dict.fromkeys(given)),
        for_projects=FOR_PROJECTS,
    )
    done: bool = await context.submit(call, command)
    return done


async def describe_users(context: Context, call: Call[iam.DescribeUsersRequest]) -> iam.UserList:
    """List the account's users and their keys."""
    meant = accounts_meant(call)
    scope = f"users {meant.ids if meant.named else call.caller.account_id}"
    after, size = user_of(call.request.marker, scope), WHOLE.of(call.request.max_keys)
    deleted = call.request.include_deleted

    def look(ask: ReadRepository) -> tuple[list[tuple[User, list[AccessKey]]], dict[str, Instant], Owners]:
        meant.require(ask)
        found = ask.users(Across(meant.ids), after=after, limit=size + 1, deleted=deleted)
        whose = tuple(dict.fromkeys(user.account_id for user, _ in found))
        return found, ask.key_uses(Across(whose)), owners_of(ask, meant, whose)

    found, used, owners = await context.read(call, look, long=meant.named)
    page, last = found[:size], found[:size][-1:]
    more = marker_of([last[0][0].created_at, last[0][0].id], scope) if len(found) > size else None
    for key in (key for _, keys in page for key in keys):
        # This server stores the times of use with a delay, so its memory may be newer than the store.
        here = context.identities.last_used(key.id)
        if here is not None:
            used[key.id] = max(here, used.get(key.id, here))
    managing = not call.caller.policies.isdisjoint(MANAGERS | OPERATORS)
    return iam.UserList(
        users=[
            owners.mark(
                present.user(user, shown_keys(keys), context.shown, used, with_contact=managing), user.account_id
            )
            for user, keys in page
        ],
        **ends(call.request, size, more),
    )


def shown_keys(keys: list[AccessKey]) -> list[AccessKey]:
    """Return the keys of a user that a list shows: those that are active, and the newest of the disabled."""
    active = [key for key in keys if key.status == "Active"]
    room = max(0, KEYS_SHOWN_MAX - len(active))
    disabled = [key for key in keys if key.status != "Active"]
    kept = {key.id for key in active} | {key.id for key in disabled[max(0, len(disabled) - room) :]}
    return [key for key in keys if key.id in kept]


OPERATIONS: Final[dict[str, Operation]] = {
    "create_account": create_account,
    "create_user": create_user,
    "create_access_key": create_access_key,
    "disable_access_key": disable_access_key,
    "enable_access_key": enable_access_key,
    "attach_policy": attach_policy,
    "detach_policy": detach_policy,
    "describe_users": describe_users,
}
