"""Keys that an action does not know: which they are, which key was probably meant, and the body without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import inspect

from leasebook.api.body.decoding import read_body
from leasebook.api.fault import Fault
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.documented import DOCUMENTED
from leasebook.contract.nouns.account import TopUpAccountRequest
from leasebook.contract.nouns.instance import PurchaseComputeUnitRequest
from leasebook.contract.nouns.limits import SetGuardRailsRequest
from leasebook.contract.nouns.model import CreateCustomModelRequest
from leasebook.contract.nouns.service import CreateServiceRequest
from leasebook.contract.shapes import Part, Request
from leasebook.contract.unknown import NAMED_MAX, REFUSED, Unknown, header_of, parts_of, pruned


def test_every_object_in_every_body_notices_keys_that_it_does_not_know() -> None:
    found = {one for action in ACTIONS for one in parts_of(action.request)}
    assert {"GuardRailsChange", "Reservation", "DeploymentComputeUnit", "Run"} <= {one.__name__ for one in found}
    assert all(issubclass(one, Part) and one.__struct_config__.forbid_unknown_fields for one in found)


def test_every_older_name_is_documented_and_what_is_documented_is_no_typo() -> None:
    table = {(action.path, action.name): action for action in ACTIONS}
    assert all(action.is_documented for action in ACTIONS if action.legacy)
    assert table.keys() >= DOCUMENTED
    assert not table["/v2/account", "SetGuardRails"].is_documented
    assert table["/v2/computeunit", "PurchaseComputeUnit"].is_documented


@pytest.mark.parametrize(
    ("request_type", "body", "path", "near"),
    [
        (SetGuardRailsRequest, {"limits": {"unit": {"gpu-1": 4}}}, "limits.unit", "units"),
        (TopUpAccountRequest, {"amount": "1", "ClientToken": "t"}, "ClientToken", "clientToken"),
        (TopUpAccountRequest, {"amount": "1", "account_id": "a"}, "account_id", "accountId"),
        (CreateServiceRequest, {"billing": {"reservation": {"autorenew": 1}}}, "billing.reservation.autorenew", None),
        (CreateCustomModelRequest, {"run": {"healthpath": "/"}}, "run.healthpath", "healthPath"),
        (
            CreateServiceRequest,
            {"deploymentConfig": {"deploymentComputeUnitList": [{}, {"instanceid": "x"}]}},
            "deploymentConfig.deploymentComputeUnitList[1].instanceid",
            "instanceId",
        ),
    ],
)
def test_a_key_is_found_wherever_it_stands_and_the_nearest_is_named(
    request_type: type[Request], body: Any, path: str, near: str | None
) -> None:
    _, found = pruned(request_type, msgspec.json.encode(body))
    assert [one.path for one in found] == [path]
    assert near is None or found[0].nearest() == near
    assert near is None or repr(near) in found[0].message()


def test_what_is_left_is_what_was_sent_to_the_last_digit() -> None:
    body = b'{"x": 1, "amount": 123456789012345678901234.123456, "accountId": "a", "y": {"amount": 5}}'
    left, found = pruned(TopUpAccountRequest, body)
    assert [one.path for one in found] == ["x", "y"]
    assert left == b'{"amount":123456789012345678901234.123456,"accountId":"a"}'


def test_a_value_of_another_kind_is_left_for_the_decoder_to_refuse() -> None:
    body = b'{"billing": [1], "computeUnitConfig": "x", "computeUnitCount": 1, "unknown": 1}'
    left, found = pruned(PurchaseComputeUnitRequest, body)
    assert [one.path for one in found] == ["unknown"]
    with pytest.raises(msgspec.ValidationError, match="Expected `object`"):
        msgspec.json.decode(left, type=PurchaseComputeUnitRequest)


def test_the_decoder_says_it_in_the_words_that_are_looked_for() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b'{"amount": "1", "x": 1}', type=TopUpAccountRequest)
    assert str(caught.value).startswith(REFUSED)


def test_a_header_names_keys_in_visible_ascii_and_not_without_end() -> None:
    odd = [Unknown(name, name, ()) for name in ("a.b[0]", "x\r\ny: z", "键", "a,b", "n" * 1000)]
    text = header_of(odd)
    assert text.startswith(b"a.b[0], x%0D%0Ay%3A%20z, %E9%94%AE, a%2Cb, nnn")
    assert all(0x20 <= byte < 0x7F for byte in text)
    many = header_of([Unknown("键" * 1000, "", ())] * 10_000)
    assert many.count(b",") == NAMED_MAX
    # Each is cut between two characters.
    assert many == (b"%E9%94%AE" * 13 + b"..., ") * NAMED_MAX + b"..."


class Misspelt(NamedTuple):
    """A body with one key in capitals, the path of that key, the right key, and whether its object is ours."""

    body: Any
    path: str
    right: str
    is_ours: bool


def misspelt(of: inspect.Type) -> Iterator[Misspelt]:
    """Misspell every key of every object that a value of a type can have in it, one at a time."""
    match of:
        case inspect.UnionType(types=types):
            for one in types:
                yield from misspelt(one)
        case inspect.Metadata(type=inner):
            yield from misspelt(inner)
        case inspect.ListType(item_type=item):
            yield from (found._replace(body=[found.body], path=f"[0]{found.path}") for found in misspelt(item))
        case inspect.DictType(value_type=value):
            yield from (found._replace(body={"any": found.body}, path=f".any{found.path}") for found in misspelt(value))
        case inspect.StructType(cls=cls, fields=fields):
            for field in fields:
                name = field.encode_name
                yield Misspelt({name.upper(): 1}, f".{name.upper()}", name, getattr(cls, "is_ours", False))
                for found in misspelt(field.type):
                    yield found._replace(body={name: found.body}, path=f".{name}{found.path}")


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.path}-{action.name}")
def test_a_misspelt_key_is_refused_with_the_right_one_or_passed_over_as_the_action_is_documented(
    action: Action,
) -> None:
    cases = list(misspelt(inspect.type_info(action.request)))
    assert len(cases) >= len(inspect.type_info(action.request).fields)  # type: ignore[attr-defined]
    for case in cases:
        path, notes = case.path.lstrip("."), Told()
        said = ""
        try:
            read_body(action, msgspec.json.encode(case.body), notes)
        except Fault as fault:
            said = fault.message
        if action.is_documented and not case.is_ours:
            assert notes.ignored.decode() == path, said
            assert not said or ("A required field is missing" in said and path in said)
        else:
            assert f"Did you mean {case.right!r}?" in said
            assert said.endswith(f"param[{path}]")


class Told:
    """The header of what was passed over."""

    ignored = b""
    shape: type[msgspec.Struct] | None = None
