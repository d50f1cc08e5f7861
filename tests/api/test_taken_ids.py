"""An id that is drawn and belongs to another row already: another is drawn, and neither caller notices."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from leasebook.api import ids
from leasebook.api.inside.operating import ID_REPEATS
from leasebook.security import vault
from tests.api.scene import CHARGE, IAM, MODEL, NOTIFICATION, SERVICE, UNITS, Caller, ServiceHarness, new_service, order

Throw = Callable[[str, int], str]


class Dice:
    """Give the characters that the test has loaded before those that chance gives."""

    def __init__(self, throw: Throw) -> None:
        self._throw = throw
        self._loaded: list[str] = []
        self._always: str | None = None

    def load(self, *taken: str) -> None:
        """Have the next throws for ids give these ids."""
        self._loaded = [one.rpartition("-")[2] for one in taken]

    def load_for_ever(self, taken: str | None) -> None:
        """Have all throws for ids give this id; None: let chance decide again."""
        self._always = taken and taken.rpartition("-")[2]

    @property
    def left(self) -> int:
        """How many of the loaded throws are to come."""
        return len(self._loaded)

    def throw(self, alphabet: str, length: int) -> str:
        """Throw."""
        return self.loaded(length) or self._throw(alphabet, length)

    def loaded(self, length: int) -> str | None:
        """Return what the dice are loaded with, if it has that length."""
        if self._always is not None and length == len(self._always):
            return self._always
        return self._loaded.pop(0) if self._loaded and length == len(self._loaded[0]) else None


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dice]:
    """Load the dice for ids of all kinds but those of 128 bits."""
    dice = Dice(ids._throw)
    monkeypatch.setattr(ids, "_throw", dice.throw)
    # Without a common beginning, so that one throw is one id; and without a memory of those drawn.
    monkeypatch.setattr(ids, "_UNITS", ids.IdRun(ids._BASE62, 0, 8, 1))
    drawn = vault._base62
    monkeypatch.setattr(vault, "_base62", lambda length: dice.loaded(length) or drawn(length))
    yield dice
    assert dice.left == 0


class RowKind(NamedTuple):
    """How a row of a kind is made, which returns its id, and how it is shown."""

    make: Callable[[Caller], str]
    show: Callable[[Caller, str], Any]


def _made(path: str, action: str, body: Any, field: str) -> Callable[[Caller], str]:
    return lambda caller: str(caller.do(path, action, body)[field])


def _shown(path: str, action: str, field: str) -> Callable[[Caller, str], Any]:
    return lambda caller, name: caller.do(path, action, {field: name})


def _model(caller: Caller) -> str:
    owner = caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})["modelSetId"]
    model = {"modelSetId": owner, "run": {"command": ["x"]}}
    return str(caller.do(MODEL, "CreateCustomModel", model)["modelId"])


def _package(caller: Caller) -> str:
    body = {"serviceName": "ernie", "specification": 7, "expiredTime": "2090-01-01 00:00:00"}
    granted = caller.operator.do(CHARGE, "GrantPackageResource", {**body, "accountId": caller.account_id()})
    return str(granted["instance"]["packageId"])


HOOK = {"kind": "Webhook", "url": "https://hooks.example.org/"}
KINDS = {
    "instance": RowKind(lambda caller: caller.buy(), lambda caller, name: caller.unit(name)),
    "quota": RowKind(lambda caller: caller.buy_quota(), lambda caller, name: caller.quota(name)),
    "package": RowKind(_package, _shown(CHARGE, "DescribePackageResource", "packageId")),
    "service": RowKind(
        _made(SERVICE, "CreateService", new_service(), "serviceId"), lambda caller, name: caller.service(name)
    ),
    "set": RowKind(
        _made(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"}, "modelSetId"),
        _shown(MODEL, "DescribeModelSet", "modelSetId"),
    ),
    "model": RowKind(_model, lambda caller, _: caller.do(MODEL, "DescribeModelSet", {"modelSetName": "talker"})),
    "service key": RowKind(
        _made(SERVICE, "CreateServiceKey", {"name": "shop"}, "keyId"),
        lambda caller, _: caller.do(SERVICE, "DescribeServiceKeys", {})["keyList"],
    ),
    "subscription": RowKind(
        _made(NOTIFICATION, "CreateSubscription", HOOK, "subscriptionId"),
        lambda caller, _: caller.do(NOTIFICATION, "DescribeSubscriptions", {}),
    ),
    "access key": RowKind(
        _made(IAM, "CreateAccessKey", {}, "accessKeyId"),
        lambda caller, _: caller.do(IAM, "DescribeUsers", {}),
    ),
}


@pytest.mark.both_stores
def test_a_taken_id_of_any_kind_is_drawn_again_and_its_owner_keeps_the_row(either: ServiceHarness, dice: Dice) -> None:
    either.sell_quota()
    for name, kind in KINDS.items():
        owner, other = either.customer(), either.customer()
        taken = kind.make(owner)
        before = kind.show(owner, taken)
        dice.load(taken.removeprefix("AK"), taken.removeprefix("AK"))
        made = kind.make(other)
        assert dice.left == 0, name
        assert made != taken, name
        assert kind.show(owner, taken) == before, name
        kind.show(other, made)


def test_others_of_the_same_batch_do_not_notice_that_an_id_is_taken(either: ServiceHarness, dice: Dice) -> None:
    owner, others = either.customer(), [either.customer() for _ in range(3)]
    taken = owner.buy()
    dice.load(taken)

    async def at_once() -> None:
        released = owner.desk.call(UNITS, "ReleaseComputeUnit", {"instanceId": taken})
        answers = await asyncio.gather(
            released, *(one.desk.call(UNITS, "PurchaseComputeUnit", order()) for one in others)
        )
        assert [answer.status for answer in answers] == [HTTPStatus.OK] * 4, [answer.body for answer in answers]
        bought = [answer.result["instanceId"] for answer in answers[1:]]
        assert len({taken, *bought}) == 4
        for one, name in zip(others, bought, strict=True):
            found = (await one.desk.call(UNITS, "DescribeComputeUnits")).result["computeUnitInstanceList"]
            assert [row["instanceId"] for row in found] == [name]

    either.play(at_once)
    assert owner.unit(taken)["status"] == "Released"
    assert either.operator.free() == 7


def test_two_of_one_batch_that_draw_the_same_id_get_one_each(either: ServiceHarness, dice: Dice) -> None:
    callers = [either.customer() for _ in range(3)]
    dice.load("unit-abcdefgh", "unit-abcdefgh", "unit-abcdefgh")

    async def at_once() -> None:
        answers = await asyncio.gather(*(one.desk.call(UNITS, "PurchaseComputeUnit", order()) for one in callers))
        names = [answer.result["instanceId"] for answer in answers]
        assert len(set(names)) == 3
        assert "unit-abcdefgh" in names

    either.play(at_once)
    for one in callers:
        (row,) = one.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
        assert one.unit(row["instanceId"])["status"] == "Running"


def test_a_clock_that_moves_in_the_same_batch_moves(either: ServiceHarness, dice: Dice) -> None:
    owner, other = either.customer(), either.customer()
    taken, due = owner.buy(), owner.buy(release="2030-01-15T12:00:00+08:00")
    dice.load(taken)

    async def at_once() -> None:
        moved = either.operator.desk.call("/v2/clock", "AdvanceClock", {"to": "2030-01-15T13:00:00+08:00"})
        answers = await asyncio.gather(moved, other.desk.call(UNITS, "PurchaseComputeUnit", order()))
        assert [answer.status for answer in answers] == [HTTPStatus.OK] * 2, [answer.body for answer in answers]

    either.play(at_once)
    assert owner.unit(due)["status"] == "Released"
    assert owner.unit(taken)["status"] == "Running"


def test_a_purchase_that_is_decided_again_is_done_once_and_uses_its_token_and_nonce_once(
    either: ServiceHarness, dice: Dice
) -> None:
    owner, other = either.customer(), either.customer()
    taken = owner.buy()
    dice.load(taken, taken, taken)
    query = "Action=PurchaseComputeUnit&clientToken=once"
    content = json.dumps(order(months=1)).encode()
    headers = other.desk.signed(UNITS, query, content, strong=True)
    bought = other.send(UNITS, query, content, headers=headers).result
    assert dice.left == 0
    assert other.send(UNITS, query, content).result == bought
    assert other.send(UNITS, query, content, headers=headers).code == "RequestReplayed"
    assert other.balance() == "900.00"
    assert len(other.do("/v2/account", "DescribeOrders")["orders"]) == 1


def test_dice_that_always_give_a_taken_id_end_in_a_refusal_and_nothing_is_used(
    either: ServiceHarness, dice: Dice, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = either.customer(), either.customer()
    taken = owner.buy()
    thrown = 0

    def throw(alphabet: str, length: int) -> str:
        nonlocal thrown
        thrown += length == len("abcdefgh")
        return dice.throw(alphabet, length)

    monkeypatch.setattr(ids, "_throw", throw)
    dice.load_for_ever(taken)
    token = f"&clientToken={secrets.token_hex(4)}"
    refused = other.ask(UNITS, "PurchaseComputeUnit", order(months=1), query=token)
    assert (refused.status, refused.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
    assert "Nothing was done" in refused.body["message"]
    assert thrown == 1 + ID_REPEATS
    assert (other.balance(), either.operator.free()) == ("1000.00", 9)
    # The store works, so no health check fails.
    assert either.desk.service.sequencer.writing.is_failing is False
    dice.load_for_ever(None)
    other.do(UNITS, "PurchaseComputeUnit", order(months=1), query=token)
    assert other.balance() == "900.00"
