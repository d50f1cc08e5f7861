"""Users, their access keys and their policies, and the actions that create them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import IAM, read, write
from leasebook.contract.policies import PolicyName
from leasebook.contract.shapes import (
    AcrossPagedRequest,
    Id,
    Owned,
    Paged,
    Request,
    Shape,
    Text,
)

ZoneName = Annotated[str, Meta(min_length=1, max_length=64)]
Requirement = Literal["SignedBody", "Nonce"]
Language = Literal["en", "zh-CN"]
MailAddress = Annotated[str, Meta(max_length=254, pattern="^[^\\x00]*$")]


class CreateAccountRequest(Request, kw_only=True):
    """Open an account with a root user and its first key."""

    name: Annotated[Text | None, Meta(description="The name for people.")] = None
    time_zone: Annotated[
        ZoneName | None, Meta(description="The IANA zone of its hours and months; the service's where it is left out.")
    ] = None


class CreatedAccount(Shape, kw_only=True):
    """The account, its root user, and the root's key.

    Only a repeated call with its client token shows the secret again, and not once the key is disabled.
    """

    account_id: Annotated[str, Meta(description="The new account.")]
    user_id: Annotated[str, Meta(description="The account's root user.")]
    access_key_id: Annotated[str, Meta(description="The id of the key pair, which every signature names.")]
    secret_access_key: Annotated[
        str | None, Meta(description="The secret of the key pair. It is never shown again.")
    ] = None


class CreateUserRequest(Request, kw_only=True):
    """Add a user to the caller's account; an operator may name another account."""

    name: Annotated[Text | None, Meta(description="The name for people.")] = None
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class CreatedUser(Shape, kw_only=True):
    """The new user, who may do nothing yet."""

    user_id: Annotated[str, Meta(description="The user.")]
    account_id: Annotated[str, Meta(description="The account that the user belongs to.")]


class CreateAccessKeyRequest(Request, kw_only=True):
    """Give a user another key; the caller where none is named. An operator may name another account's user."""

    user_id: Annotated[Id | None, Meta(description="The user; the caller where it is left out.")] = None
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class CreatedAccessKey(Shape, kw_only=True):
    """The key. Only a repeated call with its client token shows the secret again, and not once the key is disabled."""

    user_id: Annotated[str, Meta(description="The user.")]
    access_key_id: Annotated[str, Meta(description="The id of the key pair, which every signature names.")]
    secret_access_key: Annotated[
        str | None, Meta(description="The secret of the key pair. It is never shown again.")
    ] = None


class DisableAccessKeyRequest(Request, kw_only=True):
    """Make a key useless from now on."""

    access_key_id: Annotated[Id, Meta(description="The id of the key pair, which every signature names.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class EnableAccessKeyRequest(Request, kw_only=True):
    """Enable a disabled key again, with the secret that it had."""

    access_key_id: Annotated[Id, Meta(description="The id of the key pair, which every signature names.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class DeleteUserRequest(Request, kw_only=True):
    """Delete a user and disable all keys of the user, for good. An operator may name another account's user."""

    user_id: Annotated[Id, Meta(description="The user; not the root of an account, and not the caller.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class RenameUserRequest(Request, kw_only=True):
    """Give a user another name. An operator may name another account's user."""

    user_id: Annotated[Id, Meta(description="The user.")]
    name: Annotated[Text, Meta(description="The new name for people. Several users may have the same name.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class SetUserContactRequest(Request, kw_only=True):
    """Set a user's mail address and language. An absent field keeps its value, and null clears it."""

    user_id: Annotated[Id, Meta(description="The user.")]
    email: Annotated[
        MailAddress | UnsetType | None, Meta(description="A bare mail address. No mail is sent to it yet.")
    ] = UNSET
    language: Annotated[Language | UnsetType | None, Meta(description="The language that the user reads.")] = UNSET
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class PolicyRequest(Request, kw_only=True):
    """Attach a policy to a user, or detach it: for the whole account, or for some projects of it."""

    user_id: Annotated[Id, Meta(description="The user.")]
    policy_name: Annotated[
        PolicyName, Meta(description="The policy. LeasebookOperatorPolicy is an operator's to give.")
    ]
    project_ids: Annotated[
        Annotated[list[Id], Meta(min_length=1, max_length=100)] | None,
        Meta(
            description=(
                "The projects that it is for, `default` for the default one; left out: the whole account. Only the "
                "policies of units and services can be for projects. Those that the user has it for already stay."
            )
        ),
    ] = None
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class DescribeUsersRequest(AcrossPagedRequest, kw_only=True):
    """List the users of the caller's account; an operator may name other accounts."""

    include_deleted: Annotated[
        bool, Meta(description="Whether deleted users are listed too; without it only the others are.")
    ] = False


class KeyDetail(Shape, kw_only=True):
    """An access key, without its secret."""

    access_key_id: Annotated[str, Meta(description="The id of the key pair, which every signature names.")]
    status: Annotated[Literal["Active", "Disabled"], Meta(description="Whether the key can be used.")]
    requires: Annotated[
        list[Requirement],
        Meta(
            description=(
                "The headers that every signature with this key must cover, besides those required of its user."
            )
        ),
    ]
    create_time: Annotated[str, Meta(description="When it was made.")]
    last_used_time: Annotated[
        str | None,
        Meta(description="When the key last signed a request, up to five minutes late; absent where it never did."),
    ] = None
    name: Annotated[
        str | None,
        Meta(description="The machine that its user confirmed at the console; absent for keys made in another way."),
    ] = None


class OpenIdDetail(Shape, kw_only=True):
    """Who a user is at an identity provider."""

    issuer: Annotated[str, Meta(description="The identity provider.")]
    subject: Annotated[str, Meta(description="The person, as the identity provider names it.")]
    policies: Annotated[
        list[str],
        Meta(
            description=(
                "Those of the user's policies that its groups at the identity provider gave at the last sign-in; the "
                "others were attached by hand."
            )
        ),
    ]


class ProjectPolicyDetail(Shape, kw_only=True):
    """A policy that a user has for projects, and not for the rest of the account."""

    policy_name: Annotated[str, Meta(description="The policy.")]
    project_ids: Annotated[list[str], Meta(description="The projects; `default` for the default one.")]


class UserDetail(Owned, kw_only=True):
    """A user, with policies and access keys."""

    user_id: Annotated[str, Meta(description="The user.")]
    name: Annotated[str, Meta(description="The name for people.")]
    is_root: Annotated[bool, Meta(description="Whether it is the account's root, who may do everything in it.")]
    policies: Annotated[
        list[str],
        Meta(
            description=("The policies attached to the user for the whole account; they say which actions it may call.")
        ),
    ]
    project_policies: Annotated[
        list[ProjectPolicyDetail] | None,
        Meta(description="The policies attached for projects, by their names; absent: none is."),
    ] = None
    requires: Annotated[
        list[Requirement], Meta(description="The headers that every signature with any of the user's keys must cover.")
    ]
    access_keys: Annotated[list[KeyDetail], Meta(description="The user's keys, oldest first, disabled ones included.")]
    create_time: Annotated[str, Meta(description="When it was made.")]
    email: Annotated[
        str | None, Meta(description="The mail address; only managers and operators see it. Absent: none is set.")
    ] = None
    language: Annotated[
        Language | None,
        Meta(description="The language that the user reads; only managers and operators see it. Absent: none is set."),
    ] = None
    deleted_time: Annotated[
        str | None, Meta(description="When the user was deleted; absent while the user is not deleted.")
    ] = None
    open_id: Annotated[
        OpenIdDetail | None,
        Meta(
            description=(
                "Who the user is at the identity provider by which it signs in to the console; only managers and "
                "operators see it. Absent: no sign-in with an identity provider made the user."
            )
        ),
    ] = None


class UserList(Paged, kw_only=True):
    """The account's users, oldest first."""

    users: Annotated[list[UserDetail], Meta(description="The users.")]


class SetKeyRulesRequest(Request, kw_only=True):
    """Say what every signature under a key must cover, or under every key of a user; an operator may name an account.

    The call itself must be signed with both, whatever its key requires.
    """

    access_key_id: Annotated[Id | None, Meta(description="The key that it is for; this or userId.")] = None
    user_id: Annotated[
        Id | None, Meta(description="The user whose keys it is for, those to come included; this or accessKeyId.")
    ] = None
    requires: Annotated[
        list[Requirement],
        Meta(
            max_length=8,
            description=(
                "The headers that every signature must cover. SignedBody: x-bce-content-sha256. Nonce: "
                "x-bce-nonce, which makes a signature valid only once. Empty: only the headers that "
                "bce-auth-v1 requires."
            ),
        ),
    ]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


ACTIONS: Final = (
    write(
        IAM,
        "CreateAccount",
        "create_account",
        CreateAccountRequest,
        CreatedAccount,
        "Open an account with a root user and its first key.",
        policies=p.OPERATORS,
        example={"name": "research", "timeZone": "Asia/Shanghai"},
        answer={
            "accountId": "51516421ebd3e7fc1c7fa475456f565d",
            "userId": "aaa20e6cb8ed4fef896ee9ec5563b99b",
            "accessKeyId": "AKC70UExZer2idpaNdD9Q9I0",
            "secretAccessKey": "Q1w2E3r4T5y6U7i8O9p0A1s2D3f4G5h6",
        },
    ),
    write(
        IAM,
        "CreateUser",
        "create_user",
        CreateUserRequest,
        CreatedUser,
        "Add a user, who may do nothing yet.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.QUOTA_EXCEEDED,),
        example={"name": "build-server"},
        answer={"userId": "b368cb56553aa67bc5c6fbd7e3f373a0", "accountId": "00112233445566778899aabbccddeeff"},
    ),
    write(
        IAM,
        "CreateAccessKey",
        "create_access_key",
        CreateAccessKeyRequest,
        CreatedAccessKey,
        "Give a user another key pair.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE, e.QUOTA_EXCEEDED),
        example={"userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
        answer={
            "userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "accessKeyId": "AKtf13ZccVdIGZWgsuO1N0v8",
            "secretAccessKey": "Q1w2E3r4T5y6U7i8O9p0A1s2D3f4G5h6",
        },
    ),
    write(
        IAM,
        "DisableAccessKey",
        "disable_access_key",
        DisableAccessKeyRequest,
        bool,
        "Make a key useless from now on.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"accessKeyId": "AK0123456789ABCDEFGHIJKL"},
        answer=True,
    ),
    write(
        IAM,
        "EnableAccessKey",
        "enable_access_key",
        EnableAccessKeyRequest,
        bool,
        "Enable a disabled key again.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE, e.QUOTA_EXCEEDED),
        example={"accessKeyId": "AK0123456789ABCDEFGHIJKL"},
        answer=True,
    ),
    write(
        IAM,
        "DeleteUser",
        "delete_user",
        DeleteUserRequest,
        bool,
        "Delete a user, and disable all keys of the user.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
        answer=True,
    ),
    write(
        IAM,
        "RenameUser",
        "rename_user",
        RenameUserRequest,
        bool,
        "Give a user another name.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "name": "build-server-2"},
        answer=True,
    ),
    write(
        IAM,
        "SetUserContact",
        "set_user_contact",
        SetUserContactRequest,
        bool,
        "Set a user's mail address and language.",
        policies=p.MANAGERS | p.OPERATORS,
        example={
            "userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "email": "li@example.com",
            "language": "zh-CN",
        },
        answer=True,
    ),
    write(
        IAM,
        "AttachPolicy",
        "attach_policy",
        PolicyRequest,
        bool,
        "Permit a user more.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={
            "userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "policyName": "QianfanServiceOperateAccessPolicy",
            "projectIds": ["default"],
        },
        answer=True,
    ),
    write(
        IAM,
        "DetachPolicy",
        "detach_policy",
        PolicyRequest,
        bool,
        "Permit a user less.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "policyName": "QianfanServiceOperateAccessPolicy"},
        answer=True,
    ),
    read(
        IAM,
        "DescribeUsers",
        "describe_users",
        DescribeUsersRequest,
        UserList,
        "List the account's users and their keys.",
        across=p.OPERATORS,
        policies=p.MANAGERS | p.OPERATORS | frozenset({p.READ}),
        errors=(e.INVALID_MARKER,),
        example={},
        answer={
            "users": [
                {
                    "userId": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "name": "root",
                    "isRoot": True,
                    "policies": ["LeasebookOperatorPolicy"],
                    "requires": [],
                    "accessKeys": [
                        {
                            "accessKeyId": "AKROOT",
                            "status": "Active",
                            "requires": [],
                            "createTime": "2026-11-30T06:13:45+08:00",
                            "lastUsedTime": "2026-11-30T07:18:45+08:00",
                        }
                    ],
                    "createTime": "2026-11-30T06:13:45+08:00",
                }
            ]
        },
    ),
)


KEY_RULES: Final = (
    write(
        IAM,
        "SetKeyRules",
        "set_key_rules",
        SetKeyRulesRequest,
        bool,
        "Set what every signature of a key or a user must cover.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"userId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "requires": ["SignedBody", "Nonce"]},
        answer=True,
    ),
)
