"""Methods of the clients: user. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.user import CreatedAccessKey, CreatedAccount, CreatedUser, UserDetail, UserList


class CreateAccount(TypedDict, total=False):
    """Parameters of ``create_account``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    name: str | None
    """The name for people."""

    time_zone: str | None
    """The IANA zone of its hours and months; the service's where it is left out."""


CREATE_ACCOUNT: Final[ActionOf[CreatedAccount]] = ActionOf(
    "/v2/iam", "CreateAccount", CreateAccount, CreatedAccount, writes=True
)


class CreateUser(TypedDict, total=False):
    """Parameters of ``create_user``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    name: str | None
    """The name for people."""

    account_id: str | None
    """The account; the caller's where it is left out."""


CREATE_USER: Final[ActionOf[CreatedUser]] = ActionOf("/v2/iam", "CreateUser", CreateUser, CreatedUser, writes=True)


class CreateAccessKey(TypedDict, total=False):
    """Parameters of ``create_access_key``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    user_id: str | None
    """The user; the caller where it is left out."""

    account_id: str | None
    """The account; the caller's where it is left out."""


CREATE_ACCESS_KEY: Final[ActionOf[CreatedAccessKey]] = ActionOf(
    "/v2/iam", "CreateAccessKey", CreateAccessKey, CreatedAccessKey, writes=True
)


class DisableAccessKey(TypedDict, total=False):
    """Parameters of ``disable_access_key``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    access_key_id: Required[str]
    """The id of the key pair, which every signature names."""

    account_id: str | None
    """The account; the caller's where it is left out."""


DISABLE_ACCESS_KEY: Final[ActionOf[bool]] = ActionOf("/v2/iam", "DisableAccessKey", DisableAccessKey, bool, writes=True)


class EnableAccessKey(TypedDict, total=False):
    """Parameters of ``enable_access_key``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    access_key_id: Required[str]
    """The id of the key pair, which every signature names."""

    account_id: str | None
    """The account; the caller's where it is left out."""


ENABLE_ACCESS_KEY: Final[ActionOf[bool]] = ActionOf("/v2/iam", "EnableAccessKey", EnableAccessKey, bool, writes=True)


class DeleteUser(TypedDict, total=False):
    """Parameters of ``delete_user``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    user_id: Required[str]
    """The user; not the root of an account, and not the caller."""

    account_id: str | None
    """The account; the caller's where it is left out."""


DELETE_USER: Final[ActionOf[bool]] = ActionOf("/v2/iam", "DeleteUser", DeleteUser, bool, writes=True)


class RenameUser(TypedDict, total=False):
    """Parameters of ``rename_user``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    user_id: Required[str]
    """The user."""

    name: Required[str]
    """The new name for people. Several users may have the same name."""

    account_id: str | None
    """The account; the caller's where it is left out."""


RENAME_USER: Final[ActionOf[bool]] = ActionOf("/v2/iam", "RenameUser", RenameUser, bool, writes=True)


class SetUserContact(TypedDict, total=False):
    """Parameters of ``set_user_contact``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    user_id: Required[str]
    """The user."""

    email: str | None
    """A bare mail address. No mail is sent to it yet."""

    language: Literal["en", "zh-CN"] | None
    """The language that the user reads."""

    account_id: str | None
    """The account; the caller's where it is left out."""


SET_USER_CONTACT: Final[ActionOf[bool]] = ActionOf("/v2/iam", "SetUserContact", SetUserContact, bool, writes=True)


class AttachPolicy(TypedDict, total=False):
    """Parameters of ``attach_policy``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    user_id: Required[str]
    """The user."""

    policy_name: Required[
        Literal[
            "QianfanFullControlAccessPolicy",
            "QianfanServiceOperateAccessPolicy",
            "QianfanServiceReadAccessPolicy",
            "QianfanReadAccessPolicy",
            "QianfanDataFullControlAccessPolicy",
            "QianfanDataOperateAccessPolicy",
            "LeasebookOperatorPolicy",
            "QianfanModelTuningFullControlAccessPolicy",
            "QianfanModelTuningReadAccessPolicy",
            "LeasebookFleetReadPolicy",
            "LeasebookBillingReadPolicy",
            "LeasebookSupportPolicy",
        ]
    ]
    """The policy. LeasebookOperatorPolicy is an operator's to give."""

    project_ids: list[str] | None
    """The projects that it is for, `default` for the default one; left out: the whole account. Only the policies of
    units and services can be for projects. Those that the user has it for already stay.
    """

    account_id: str | None
    """The account; the caller's where it is left out."""


ATTACH_POLICY: Final[ActionOf[bool]] = ActionOf("/v2/iam", "AttachPolicy", AttachPolicy, bool, writes=True)


class DetachPolicy(TypedDict, total=False):
    """Parameters of ``detach_policy``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    user_id: Required[str]
    """The user."""

    policy_name: Required[
        Literal[
            "QianfanFullControlAccessPolicy",
            "QianfanServiceOperateAccessPolicy",
            "QianfanServiceReadAccessPolicy",
            "QianfanReadAccessPolicy",
            "QianfanDataFullControlAccessPolicy",
            "QianfanDataOperateAccessPolicy",
            "LeasebookOperatorPolicy",
            "QianfanModelTuningFullControlAccessPolicy",
            "QianfanModelTuningReadAccessPolicy",
            "LeasebookFleetReadPolicy",
            "LeasebookBillingReadPolicy",
            "LeasebookSupportPolicy",
        ]
    ]
    """The policy. LeasebookOperatorPolicy is an operator's to give."""

    project_ids: list[str] | None
    """The projects that it is for, `default` for the default one; left out: the whole account. Only the policies of
    units and services can be for projects. Those that the user has it for already stay.
    """

    account_id: str | None
    """The account; the caller's where it is left out."""


DETACH_POLICY: Final[ActionOf[bool]] = ActionOf("/v2/iam", "DetachPolicy", DetachPolicy, bool, writes=True)


class DescribeUsers(TypedDict, total=False):
    """Parameters of ``describe_users``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    include_deleted: bool
    """Whether deleted users are listed too; without it only the others are."""


DESCRIBE_USERS: Final[ActionOf[UserList]] = ActionOf("/v2/iam", "DescribeUsers", DescribeUsers, UserList, writes=False)


class SetKeyRules(TypedDict, total=False):
    """Parameters of ``set_key_rules``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    access_key_id: str | None
    """The key that it is for; this or userId."""

    user_id: str | None
    """The user whose keys it is for, those to come included; this or accessKeyId."""

    requires: Required[list[Literal["SignedBody", "Nonce"]]]
    """The headers that every signature must cover. SignedBody: x-bce-content-sha256. Nonce: x-bce-nonce, which makes a
    signature valid only once. Empty: only the headers that bce-auth-v1 requires.
    """

    account_id: str | None
    """The account; the caller's where it is left out."""


SET_KEY_RULES: Final[ActionOf[bool]] = ActionOf("/v2/iam", "SetKeyRules", SetKeyRules, bool, writes=True)


class UserMethods(Caller):
    """Methods of a client that waits for its answers."""

    def create_account(self, **request: Unpack[CreateAccount]) -> CreatedAccount:
        """Open an account with a root user and its first key.

        ``/v2/iam?Action=CreateAccount``
        """
        return self._call(CREATE_ACCOUNT, request)

    def create_user(self, **request: Unpack[CreateUser]) -> CreatedUser:
        """Add a user, who may do nothing yet.

        ``/v2/iam?Action=CreateUser``
        """
        return self._call(CREATE_USER, request)

    def create_access_key(self, **request: Unpack[CreateAccessKey]) -> CreatedAccessKey:
        """Give a user another key pair.

        ``/v2/iam?Action=CreateAccessKey``
        """
        return self._call(CREATE_ACCESS_KEY, request)

    def disable_access_key(self, **request: Unpack[DisableAccessKey]) -> bool:
        """Make a key useless from now on.

        ``/v2/iam?Action=DisableAccessKey``
        """
        return self._call(DISABLE_ACCESS_KEY, request)

    def enable_access_key(self, **request: Unpack[EnableAccessKey]) -> bool:
        """Enable a disabled key again.

        ``/v2/iam?Action=EnableAccessKey``
        """
        return self._call(ENABLE_ACCESS_KEY, request)

    def delete_user(self, **request: Unpack[DeleteUser]) -> bool:
        """Delete a user, and disable all keys of the user.

        ``/v2/iam?Action=DeleteUser``
        """
        return self._call(DELETE_USER, request)

    def rename_user(self, **request: Unpack[RenameUser]) -> bool:
        """Give a user another name.

        ``/v2/iam?Action=RenameUser``
        """
        return self._call(RENAME_USER, request)

    def set_user_contact(self, **request: Unpack[SetUserContact]) -> bool:
        """Set a user's mail address and language.

        ``/v2/iam?Action=SetUserContact``
        """
        return self._call(SET_USER_CONTACT, request)

    def attach_policy(self, **request: Unpack[AttachPolicy]) -> bool:
        """Permit a user more.

        ``/v2/iam?Action=AttachPolicy``
        """
        return self._call(ATTACH_POLICY, request)

    def detach_policy(self, **request: Unpack[DetachPolicy]) -> bool:
        """Permit a user less.

        ``/v2/iam?Action=DetachPolicy``
        """
        return self._call(DETACH_POLICY, request)

    def describe_users(self, **request: Unpack[DescribeUsers]) -> UserList:
        """List the account's users and their keys.

        ``/v2/iam?Action=DescribeUsers``
        """
        return self._call(DESCRIBE_USERS, request)

    def each_of_users(self, **request: Unpack[DescribeUsers]) -> Iterator[UserDetail]:
        """Go over the rows of every page of ``describe_users``."""
        return self._each(DESCRIBE_USERS, request, "users")

    def set_key_rules(self, **request: Unpack[SetKeyRules]) -> bool:
        """Set what every signature of a key or a user must cover.

        ``/v2/iam?Action=SetKeyRules``
        """
        return self._call(SET_KEY_RULES, request)


class AsyncUserMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def create_account(self, **request: Unpack[CreateAccount]) -> CreatedAccount:
        """Open an account with a root user and its first key.

        ``/v2/iam?Action=CreateAccount``
        """
        return await self._call(CREATE_ACCOUNT, request)

    async def create_user(self, **request: Unpack[CreateUser]) -> CreatedUser:
        """Add a user, who may do nothing yet.

        ``/v2/iam?Action=CreateUser``
        """
        return await self._call(CREATE_USER, request)

    async def create_access_key(self, **request: Unpack[CreateAccessKey]) -> CreatedAccessKey:
        """Give a user another key pair.

        ``/v2/iam?Action=CreateAccessKey``
        """
        return await self._call(CREATE_ACCESS_KEY, request)

    async def disable_access_key(self, **request: Unpack[DisableAccessKey]) -> bool:
        """Make a key useless from now on.

        ``/v2/iam?Action=DisableAccessKey``
        """
        return await self._call(DISABLE_ACCESS_KEY, request)

    async def enable_access_key(self, **request: Unpack[EnableAccessKey]) -> bool:
        """Enable a disabled key again.

        ``/v2/iam?Action=EnableAccessKey``
        """
        return await self._call(ENABLE_ACCESS_KEY, request)

    async def delete_user(self, **request: Unpack[DeleteUser]) -> bool:
        """Delete a user, and disable all keys of the user.

        ``/v2/iam?Action=DeleteUser``
        """
        return await self._call(DELETE_USER, request)

    async def rename_user(self, **request: Unpack[RenameUser]) -> bool:
        """Give a user another name.

        ``/v2/iam?Action=RenameUser``
        """
        return await self._call(RENAME_USER, request)

    async def set_user_contact(self, **request: Unpack[SetUserContact]) -> bool:
        """Set a user's mail address and language.

        ``/v2/iam?Action=SetUserContact``
        """
        return await self._call(SET_USER_CONTACT, request)

    async def attach_policy(self, **request: Unpack[AttachPolicy]) -> bool:
        """Permit a user more.

        ``/v2/iam?Action=AttachPolicy``
        """
        return await self._call(ATTACH_POLICY, request)

    async def detach_policy(self, **request: Unpack[DetachPolicy]) -> bool:
        """Permit a user less.

        ``/v2/iam?Action=DetachPolicy``
        """
        return await self._call(DETACH_POLICY, request)

    async def describe_users(self, **request: Unpack[DescribeUsers]) -> UserList:
        """List the account's users and their keys.

        ``/v2/iam?Action=DescribeUsers``
        """
        return await self._call(DESCRIBE_USERS, request)

    def each_of_users(self, **request: Unpack[DescribeUsers]) -> AsyncIterator[UserDetail]:
        """Go over the rows of every page of ``describe_users``."""
        return self._each(DESCRIBE_USERS, request, "users")

    async def set_key_rules(self, **request: Unpack[SetKeyRules]) -> bool:
        """Set what every signature of a key or a user must cover.

        ``/v2/iam?Action=SetKeyRules``
        """
        return await self._call(SET_KEY_RULES, request)
