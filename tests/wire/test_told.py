"""A refusal of a wrong value lists the allowed values, in words and not in the decoder's."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from msgspec import inspect

from leasebook.api.body.decoding import read_body
from leasebook.api.fault import Fault
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS, TABLE
from leasebook.contract.allowed_values import WORDS
from leasebook.contract.unknown import parts_of

UNITS, ACCOUNT, NOTIFICATION, MODEL = "/v2/computeunit", "/v2/account", "/v2/notification", "/v2/model"


class Notes:
    """A call that notes the keys that were ignored."""

    ignored = b""
    shape: type[msgspec.Struct] | None = None


def refusal(action: Action, body: str) -> str:
    with pytest.raises(Fault) as caught:
        read_body(action, body.encode(), Notes())
    return caught.value.message


@pytest.mark.parametrize(
    ("path", "name", "body", "said"),
    [
        (
            NOTIFICATION,
            "CreateSubscription",
            '{"kind": "webhook"}',
            "'webhook' is none of Email, Webhook (did you mean Webhook?). param[kind]",
        ),
        (
            UNITS,
            "ChangeBilling",
            '{"instanceId": "u", "paymentTiming": "monthly"}',
            "'monthly' is none of Postpaid, Prepaid. param[paymentTiming]",
        ),
        (
            ACCOUNT,
            "SetGuardRails",
            '{"limits": {"extendBy": "manager"}}',
            "'manager' is none of anybody, buyer, managers (did you mean managers?). param[limits.extendBy]",
        ),
        (ACCOUNT, "DescribeStatement", '{"month": "2030-2"}', "Expected a month such as 2026-11. param[month]"),
        (ACCOUNT, "TopUpAccount", '{"amount": "x"}', "Expected a plain decimal number such as 12.5. param[amount]"),
        (
            ACCOUNT,
            "SetGuardRails",
            '{"limits": {"userSpend": {"*": ""}}}',
            "Expected a plain decimal number such as 12.5. param[limits.userSpend[...]]",
        ),
        (
            MODEL,
            "CreateCustomModelSet",
            '{"name": "words"}',
            "A required field is missing; passed over as unknown: name. param[modelSetName]",
        ),
    ],
)
def test_the_refusal_of_a_value_lists_what_is_allowed(path: str, name: str, body: str, said: str) -> None:
    assert refusal(TABLE[path, name], body) == said


def test_every_pattern_of_a_request_has_words() -> None:
    for action in ACTIONS:
        assert set(_patterns(action.request)) <= set(WORDS), f"{action.path}-{action.name}"


def _patterns(request: type[object]) -> Iterator[str]:
    for part in parts_of(request):
        of = inspect.type_info(part)
        assert isinstance(of, inspect.StructType)
        waiting = [field.type for field in of.fields]
        while waiting:
            match waiting.pop():
                case inspect.UnionType(types=types):
                    waiting += types
                case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
                    waiting.append(inner)
                case inspect.DictType(key_type=key, value_type=value):
                    waiting += [key, value]
                case inspect.StrType(pattern=pattern) if pattern is not None:
                    yield pattern
                case _:
                    pass
