"""Records of the actions of ``contract.nouns.user``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import HEX_ID, KEY_ID, MAY_END_A_PAGE, TIME, Maybe
from tests.actions.office import Office
from tests.actions.record import MANAGERS, OPERATORS, READ, ActionRecord
from tests.api.scene import IAM

USER = {
    "userId": HEX_ID,
    "name": str,
    "isRoot": bool,
    "policies": [str],
    "projectPolicies": Maybe([{"policyName": str, "projectIds": [str]}]),
    "requires": [re.compile("SignedBody|Nonce")],
    "accessKeys": [
        {
            "accessKeyId": KEY_ID,
            "status": re.compile("Active|Disabled"),
            "requires": [re.compile("SignedBody|Nonce")],
            "createTime": TIME,
            "lastUsedTime": Maybe(TIME),
            "name": Maybe(str),
        }
    ],
    "createTime": TIME,
    "email": Maybe(str),
    "language": Maybe(re.compile("en|zh-CN")),
    "deletedTime": Maybe(TIME),
    "openId": Maybe({"issuer": str, "subject": str, "policies": list}),
    "accountId": Maybe(HEX_ID),
    "accountName": Maybe(str),
}


def create_user(office: Office) -> Any:
    return {"name": "build-server", "accountId": office.user["accountId"]}


def disable_access_key(office: Office) -> Any:
    # A user of its own: none has many active keys.
    user = office.caller.do(IAM, "CreateUser", create_user(office))
    key = office.caller.do(IAM, "CreateAccessKey", user)
    return {"accessKeyId": key["accessKeyId"], "accountId": office.user["accountId"]}


def enable_access_key(office: Office) -> Any:
    key = disable_access_key(office)
    office.caller.do(IAM, "DisableAccessKey", key)
    return key


def a_user(office: Office) -> Any:
    # One that no other call needs afterwards.
    return office.caller.do(IAM, "CreateUser", create_user(office))


def described(office: Office) -> Any:
    """Users, one of whom has a policy for a project."""
    held = {**office.user, "policyName": READ, "projectIds": ["default"]}
    office.caller.do(IAM, "AttachPolicy", held)
    return {"accountId": office.user["accountId"], "includeDeleted": True, "maxKeys": 1000}


RECORDS: Final = {
    "create_account": ActionRecord(
        permitted=OPERATORS,
        body={"name": "research", "timeZone": "Asia/Shanghai"},
        shape={
            "accountId": HEX_ID,
            "userId": HEX_ID,
            "accessKeyId": KEY_ID,
            "secretAccessKey": str,
        },
    ),
    "create_user": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=create_user,
        foreign=({"accountId": "ACCOUNT"},),
        shape={"userId": HEX_ID, "accountId": HEX_ID},
    ),
    "create_access_key": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: office.user,
        foreign=(
            {"userId": "USER"},
            {"userId": "USER", "accountId": "ACCOUNT"},
        ),
        shape={"userId": HEX_ID, "accessKeyId": KEY_ID, "secretAccessKey": str},
    ),
    "disable_access_key": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=disable_access_key,
        foreign=(
            {"accessKeyId": "KEY"},
            {"accessKeyId": "KEY", "accountId": "ACCOUNT"},
        ),
        shape=True,
    ),
    "enable_access_key": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=enable_access_key,
        foreign=(
            {"accessKeyId": "KEY"},
            {"accessKeyId": "KEY", "accountId": "ACCOUNT"},
        ),
        shape=True,
    ),
    "delete_user": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=a_user,
        foreign=({"userId": "USER"}, {"userId": "USER", "accountId": "ACCOUNT"}),
        shape=True,
        example_stage=1,
    ),
    "rename_user": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {**office.user, "name": "build-server-2"},
        foreign=(
            {"userId": "USER", "name": "theirs"},
            {"userId": "USER", "name": "theirs", "accountId": "ACCOUNT"},
        ),
        shape=True,
    ),
    "set_user_contact": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {**office.user, "email": "li@example.com", "language": "zh-CN"},
        foreign=(
            {"userId": "USER", "email": None},
            {"userId": "USER", "language": "en", "accountId": "ACCOUNT"},
        ),
        shape=True,
    ),
    "attach_policy": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {**office.user, "policyName": READ, "projectIds": ["default"]},
        foreign=(
            {"userId": "USER", "policyName": READ},
            {"userId": "USER", "policyName": READ, "projectIds": ["PROJECT"]},
            {"userId": "USER", "policyName": READ, "accountId": "ACCOUNT"},
        ),
        shape=True,
    ),
    "detach_policy": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {**office.user, "policyName": READ, "projectIds": ["default"]},
        foreign=({"userId": "USER", "policyName": READ},),
        shape=True,
    ),
    "describe_users": ActionRecord(
        permitted=MANAGERS | OPERATORS | {READ},
        body=described,
        foreign=({"accountId": "ACCOUNT"},),
        shape={"users": [USER], **MAY_END_A_PAGE},
    ),
    "set_key_rules": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        # It is for a key or for a user.
        body=lambda office: {
            "userId": office.user["userId"],
            "accountId": office.user["accountId"],
            "requires": ["Nonce", "SignedBody"],
        },
        foreign=(
            {"accessKeyId": "KEY", "requires": []},
            {"userId": "USER", "requires": ["Nonce"]},
            {"userId": "USER", "requires": [], "accountId": "ACCOUNT"},
        ),
        shape=True,
    ),
}
