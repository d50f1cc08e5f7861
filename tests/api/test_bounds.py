"""Bounds on what one account can make: none is passed, however many ask at once, and each says what can be done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any, Final, NamedTuple

import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.scene import (
    IAM,
    MODEL,
    NOTIFICATION,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    new_service,
    order,
)
from tests.copies import STORES, empty
from tests.harness import Client, a_service
from tests.postgres import shared_server

MOST: Final = 4
SETTINGS: Final = {
    f"LEASEBOOK_{name}": str(MOST)
    for name in (
        "ACCOUNT_USERS_MAX",
        "ACCOUNT_ACCESS_KEYS_MAX",
        "ACCOUNT_MODEL_SETS_MAX",
        "ACCOUNT_MODELS_MAX",
        "ACCOUNT_SERVICES_MAX",
        "ACCOUNT_SUBSCRIPTIONS_MAX",
        "ACCOUNT_HELD_QUOTES_MAX",
        "ACCOUNT_SERVICE_KEYS_MAX",
        "ACCOUNT_PROJECTS_MAX",
    )
} | {"LEASEBOOK_USER_ACCESS_KEYS_MAX": "50"}
HOOK: Final = {"kind": "Webhook", "url": "https://receiver.invalid/"}


class Maker(NamedTuple):
    """How something is made, how many there are of it from the start, and what else ends one of them."""

    path: str
    action: str
    body: dict[str, Any]
    setting: str
    there: int = 0
    end: tuple[str, str, dict[str, str]] | None = None
    """Path, action, and which field of the request is which of the answer."""


MAKERS: Final = {
    "users": Maker(
        IAM, "CreateUser", {"name": "one"}, "account.users_max", 1, (IAM, "DeleteUser", {"userId": "userId"})
    ),
    "access keys": Maker(
        *(IAM, "CreateAccessKey", {}, "account.access_keys_max"),
        there=1,
        end=(IAM, "DisableAccessKey", {"accessKeyId": "accessKeyId"}),
    ),
    "model sets": Maker(
        *(MODEL, "CreateCustomModelSet", {"modelSetName": "one"}, "account.model_sets_max"),
        end=(MODEL, "DeleteModelSet", {"modelSetId": "modelSetId"}),
    ),
    "versions": Maker(
        *(MODEL, "CreateCustomModel", {"modelSetId": "SET", "run": {"command": ["x"]}}, "account.models_max"),
        end=(MODEL, "DeleteModel", {"modelId": "modelId"}),
    ),
    "services": Maker(
        *(SERVICE, "CreateService", {**new_service(), "counted": True}, "account.services_max"),
        end=(SERVICE, "DeleteService", {"serviceId": "serviceId"}),
    ),
    "subscriptions": Maker(
        *(NOTIFICATION, "CreateSubscription", HOOK, "account.subscriptions_max"),
        end=(NOTIFICATION, "DeleteSubscription", {"subscriptionId": "subscriptionId"}),
    ),
    "held quotes": Maker(UNITS, "QuotePurchase", {**order(), "hold": True}, "account.held_quotes_max"),
    "service keys": Maker(
        *(SERVICE, "CreateServiceKey", {"name": "shop"}, "account.service_keys_max"),
        end=(SERVICE, "DeleteServiceKey", {"keyId": "keyId"}),
    ),
    "projects": Maker(
        *("/v2/project", "CreateProject", {"name": "NEW"}, "account.projects_max"),
        end=("/v2/project", "CloseProject", {"projectId": "projectId"}),
    ),
}
NUMBERS: Final = count(1)


@pytest.fixture(scope="module", params=STORES)
def bounded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service on either store that allows four of everything; its books are proved in the end."""
    with empty(request.param, tmp_path_factory.mktemp("bounded") / "data", migrated=True) as where:
        with a_scene(where, environment=SETTINGS) as scene:
            scene.sell()
            yield scene
        assert check_store(where).findings == []


def ready(customer: Caller, maker: Maker) -> dict[str, Any]:
    """Return the body, with what it needs made."""
    body = dict(maker.body)
    if body.get("modelSetId") == "SET":
        body |= customer.do(MODEL, "CreateCustomModelSet", {"modelSetName": "of versions"})
    return body


def named(body: dict[str, Any]) -> dict[str, Any]:
    """Give a project a name that no other has."""
    return body | {"name": f"project {next(NUMBERS)}"} if body.get("name") == "NEW" else body


@pytest.mark.parametrize("what", MAKERS)
def test_so_many_and_no_more_and_the_refusal_says_what_to_do(bounded: ServiceHarness, what: str) -> None:
    maker, customer, other = MAKERS[what], bounded.customer(), bounded.customer()
    body = ready(customer, maker)
    made = [customer.do(maker.path, maker.action, named(body)) for _ in range(MOST - maker.there)]
    commits = bounded.commits()
    refused = customer.ask(maker.path, maker.action, named(body))
    assert refused.code == "QuotaExceeded"
    assert maker.setting in refused.body["message"]
    assert f"at most {MOST}" in refused.body["message"]
    assert bounded.commits() == commits
    # It is the account's own bound.
    other.do(maker.path, maker.action, named(ready(other, maker)))
    if maker.end is None:
        return
    path, action, fields = maker.end
    customer.do(path, action, {asked: made[-1][found] for asked, found in fields.items()})
    customer.do(maker.path, maker.action, named(body))
    assert customer.refused(maker.path, maker.action, named(body)) == "QuotaExceeded"


@pytest.mark.parametrize("what", MAKERS)
def test_many_at_once_make_as_many_as_there_may_be(bounded: ServiceHarness, what: str) -> None:
    maker, customer = MAKERS[what], bounded.customer()
    body = ready(customer, maker)
    codes: Counter[str] = Counter()

    async def one() -> None:
        answer = await customer.desk.call(maker.path, maker.action, named(body))
        codes["made" if answer.status == 200 else answer.code] += 1

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(20)))

    bounded.play(all_of_them)
    left = MOST - maker.there
    assert codes == {"made": left, "QuotaExceeded": 20 - left}


async def test_two_servers_on_one_store_do_not_pass_a_bound_together(tmp_path: Any) -> None:
    codes: Counter[str] = Counter()

    async def one(desk: Client, maker: Maker, body: Any) -> None:
        answer = await desk.call(maker.path, maker.action, body)
        codes["made" if answer.status == 200 else answer.code] += 1

    async def scene(url: str) -> None:
        first, second = tmp_path / "one", tmp_path / "two"
        async with a_service(Target(first, url), clock="real", environment=SETTINGS) as here:
            second.mkdir(mode=0o700)
            (second / "master.key").write_bytes((first / "master.key").read_bytes())
            (second / "master.key").chmod(0o600)
            async with a_service(Target(second, url), clock="real", environment=SETTINGS) as there:
                prices = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 10}
                _ = (await here.call("/v2/catalog", "SetOffering", prices)).result
                for what in ("model sets", "services", "service keys", "held quotes", "users"):
                    maker = MAKERS[what]
                    made = (await here.call(IAM, "CreateAccount", {"name": "customer"})).result
                    desks = [one.as_user(made["accessKeyId"], made["secretAccessKey"]) for one in (here, there)]
                    codes.clear()
                    await asyncio.gather(*(one(desk, maker, maker.body) for desk in desks for _ in range(10)))
                    assert codes["made"] == MOST - maker.there, what
                    assert codes["QuotaExceeded"] == 20 - codes["made"], what

    (tmp_path / "one").mkdir(mode=0o700)
    with shared_server().database(migrated=True) as url:
        await scene(url)


def test_a_users_own_keys_are_bounded_and_disabled_ones_do_not_count(tmp_path: Any) -> None:
    with a_scene(tmp_path / "data", environment={"LEASEBOOK_USER_ACCESS_KEYS_MAX": "2"}) as scene:
        customer = scene.customer()
        user = {"userId": customer.do(IAM, "CreateUser", {"name": "one"})["userId"]}
        first, _ = (customer.do(IAM, "CreateAccessKey", user) for _ in range(2))
        refused = customer.ask(IAM, "CreateAccessKey", user)
        assert refused.code == "QuotaExceeded"
        assert "user.access_keys_max" in refused.body["message"]
        customer.do(IAM, "DisableAccessKey", {"accessKeyId": first["accessKeyId"]})
        customer.do(IAM, "CreateAccessKey", user)


def test_quotes_that_expired_or_were_used_make_room(tmp_path: Any) -> None:
    with a_scene(tmp_path / "data", environment={"LEASEBOOK_ACCOUNT_HELD_QUOTES_MAX": "1"}) as scene:
        scene.advance("2030-01-15T08:00:00+08:00")
        scene.sell()
        customer = scene.customer()
        held = {**order(), "hold": True}
        quote = customer.do(UNITS, "QuotePurchase", held)
        assert customer.refused(UNITS, "QuotePurchase", held) == "QuotaExceeded"
        # To look at a price holds none.
        customer.do(UNITS, "QuotePurchase", order())
        customer.do(UNITS, "PurchaseComputeUnit", {**order(), "quoteId": quote["quoteId"]})
        customer.do(UNITS, "QuotePurchase", held)
        assert customer.refused(UNITS, "QuotePurchase", held) == "QuotaExceeded"
        scene.advance("2030-01-15T08:15:00+08:00")
        customer.do(UNITS, "QuotePurchase", held)


def test_a_server_gets_its_operators_root_key_whatever_the_bounds_say(tmp_path: Any) -> None:
    tight = {"LEASEBOOK_ACCOUNT_ACCESS_KEYS_MAX": "1", "LEASEBOOK_USER_ACCESS_KEYS_MAX": "1"}
    with a_scene(tmp_path / "data", environment=tight) as scene:
        scene.operator.do("/v2/clock", "DescribeClock")
    other = {"LEASEBOOK_ROOT_ACCESS_KEY": "AKOTHER", "LEASEBOOK_ROOT_SECRET_KEY": "another-secret-for-tests"}
    with a_scene(tmp_path / "data", environment=tight | other) as scene:
        Caller(scene.runner, scene.operator.desk.as_user("AKOTHER", "another-secret-for-tests")).do(
            IAM, "DescribeUsers"
        )
