"""Users after they were made: delete, rename, and set the mail address and the language."""

from __future__ import annotations

from typing import Final

from leasebook.addressing.mail import ADDRESS
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.handlers.account.identities import account_meant
from leasebook.contract.nouns import user as iam
from leasebook.contract.policies import OF_THE_HOUSE, OPERATOR
from leasebook.domain.commands.account.user import DeleteUser, RenameUser, SetUserContact


async def delete_user(context: Context, call: Call[iam.DeleteUserRequest]) -> bool:
    """Delete a user, and disable all keys of the user."""
    command = DeleteUser(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        user_id=call.request.user_id,
        caller_id=call.caller.user_id,
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
        operator=OPERATOR,
    )
    done: bool = await context.submit(call, command)
    return done


async def rename_user(context: Context, call: Call[iam.RenameUserRequest]) -> bool:
    """Give a user another name."""
    command = RenameUser(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        user_id=call.request.user_id,
        name=call.request.name,
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
    )
    done: bool = await context.submit(call, command)
    return done


async def set_user_contact(context: Context, call: Call[iam.SetUserContactRequest]) -> bool:
    """Set a user's mail address and language."""
    email = call.request.email
    if isinstance(email, str) and ADDRESS.fullmatch(email) is None:
        raise bad_field("email", f"{email[:80]!r} is no bare mail address, such as li@example.com.")
    command = SetUserContact(
        token=call.token(),
        account_id=account_meant(call.caller, call.request.account_id),
        user_id=call.request.user_id,
        email=email,
        language=call.request.language,
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
    )
    done: bool = await context.submit(call, command)
    return done


OPERATIONS: Final[dict[str, Operation]] = {
    "delete_user": delete_user,
    "rename_user": rename_user,
    "set_user_contact": set_user_contact,
}
