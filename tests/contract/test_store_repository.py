"""Answers of every store about the model repository, keys for calling services, and their addresses."""

from __future__ import annotations

from typing import Any

from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Called, ModelSetFilter
from tests.contract.batches import OnStore, ids, write
from tests.contract.rows import service


def a_set(set_id: str, account: str = "acc-1", **more: Any) -> ModelSet:
    """Make a set."""
    return ModelSet(set_id, account, "user-1", more.pop("name", set_id), "", Instant(1), **more)


def a_model(model_id: str, set_id: str, **more: Any) -> Model:
    """Make a version."""
    return Model(model_id, set_id, "acc-1", "user-1", "V1", "", RunSpec(command=("x",)), Instant(1), **more)


def a_key(key_id: str, **more: Any) -> ServiceKey:
    """Make a key."""
    facts: dict[str, Any] = {"account_id": "acc-1", "service_id": None, "status": "Active"} | more
    return ServiceKey(id=key_id, created_by="user-1", name="app", digest="0", created_at=Instant(1), **facts)


async def test_sets_are_found_by_who_sees_them_by_name_and_in_both_directions(on_store: OnStore) -> None:
    rows = [
        a_set("am-1", name="50%"),
        a_set("am-2", EVERYBODYS, name="For All"),
        a_set("am-3", "acc-2"),
        a_set("am-4", deleted_at=Instant(2)),
        a_set("am-5", name="a_b"),
    ]

    async with on_store() as store:
        for row in rows:
            await write(store, row)

        def found(after: int | None = None, *, reverse: bool = False, limit: int = 9, **asked: Any) -> list[str]:
            wanted = ModelSetFilter(account_id="acc-1", **asked)
            return ids(store.ask(lambda ask: ask.model_sets(wanted, after=after, limit=limit, reverse=reverse)))

        assert found() == ["am-1", "am-2", "am-5"]
        assert found(reverse=True, limit=2) == ["am-5", "am-2"]
        assert found(everybodys=True) == ["am-2"]
        assert found(everybodys=False) == ["am-1", "am-5"]
        assert found(name_part="for") == ["am-2"]
        assert found(name_part="%") == ["am-1"]
        assert found(name_part="_") == ["am-5"]
        (first, *_) = store.ask(
            lambda ask: ask.model_sets(ModelSetFilter(account_id="acc-1"), after=None, limit=1, reverse=False)
        )
        assert found(first.seq) == ["am-2", "am-5"]
        assert store.ask(lambda ask: ask.model_set("am-4")) == rows[3]
        assert store.ask(lambda ask: ask.model_set("am-9")) is None


async def test_a_set_is_found_by_its_name_the_accounts_own_before_everybodys_and_the_oldest_first(
    on_store: OnStore,
) -> None:
    rows = [
        a_set("am-1", EVERYBODYS, name="talker"),
        a_set("am-2", "acc-2", name="talker"),
        a_set("am-3", name="talker", deleted_at=Instant(2)),
        a_set("am-4", name="talker"),
        a_set("am-5", name="talker"),
        a_set("am-6", name="Talker"),
    ]

    async with on_store() as store:
        for row in rows:
            await write(store, row)
        assert store.ask(lambda ask: ask.model_set_named("acc-1", "talker")) == rows[3]
        assert store.ask(lambda ask: ask.model_set_named("acc-3", "talker")) == rows[0]
        assert store.ask(lambda ask: ask.model_set_named("acc-1", "talk")) is None


async def test_the_id_of_a_set_is_a_place_in_the_lists_of_those_who_see_it_even_once_it_is_deleted(
    on_store: OnStore,
) -> None:
    rows = [a_set("am-1", EVERYBODYS), a_set("am-2", "acc-2"), a_set("am-3", deleted_at=Instant(2)), a_set("am-4")]

    async with on_store() as store:
        for row in rows:
            await write(store, row)

        def after(set_id: str) -> list[str] | None:
            place = store.ask(lambda ask: ask.model_set_place("acc-1", set_id))
            wanted = ModelSetFilter(account_id="acc-1")
            if place is None:
                return None
            return ids(store.ask(lambda ask: ask.model_sets(wanted, after=place, limit=9, reverse=False)))

        assert after("am-1") == ["am-4"]
        assert after("am-3") == ["am-4"]
        assert after("am-4") == []
        assert after("am-2") is after("am-9") is None


async def test_the_versions_of_several_sets_are_found_at_once_without_deleted_ones(on_store: OnStore) -> None:
    async with on_store() as store:
        for row in (
            a_model("amv-1", "am-1"),
            a_model("amv-2", "am-2"),
            a_model("amv-3", "am-1", deleted_at=Instant(2)),
            a_model("amv-4", "am-1"),
        ):
            await write(store, row)
        assert store.ask(lambda ask: ask.versions_of(["am-1", "am-9"])) == {
            "am-1": [("amv-1", "V1"), ("amv-4", "V1")],
            "am-9": [],
        }
        assert store.ask(lambda ask: ask.versions_of([])) == {}


async def test_versions_are_found_by_id_and_those_of_a_set_without_deleted_ones(on_store: OnStore) -> None:
    rows = [
        a_model("amv-1", "am-1"),
        a_model("amv-2", "am-2"),
        a_model("amv-3", "am-1", deleted_at=Instant(2)),
        a_model("amv-4", "am-1"),
    ]

    async with on_store() as store:
        for row in rows:
            await write(store, row)
        assert store.ask(lambda ask: ask.models("am-1")) == [rows[0], rows[3]]
        assert store.ask(lambda ask: ask.models("am-9")) == []
        assert store.ask(lambda ask: ask.model("amv-3")) == rows[2]
        assert store.ask(lambda ask: ask.model("amv-9")) is None


async def test_keys_are_found_by_id_and_listed_by_account_service_and_status(on_store: OnStore) -> None:
    rows = [
        a_key("key-1"),
        a_key("key-2", service_id="svco-1"),
        a_key("key-3", account_id="acc-2"),
        a_key("key-4", status="Deleted"),
    ]

    async with on_store() as store:
        for row in rows:
            await write(store, row)

        def found(service_id: str | None = None, status: str = "Active", after: int | None = None) -> list[Any]:
            return store.ask(
                lambda ask: ask.service_keys("acc-1", service_id=service_id, status=status, after=after, limit=9)
            )

        assert ids(found()) == ["key-1", "key-2"]
        assert ids(found(after=found()[0].seq)) == ["key-2"]
        assert ids(found("svco-1")) == ["key-2"]
        assert ids(found(status="Deleted")) == ["key-4"]
        assert store.ask(lambda ask: ask.service_key("key-3")) == rows[2]
        assert store.ask(lambda ask: ask.service_key("key-9")) is None


async def test_an_address_belongs_to_the_first_service_that_has_it_and_is_not_deleted(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, service("svco-0", url_suffix="talk", deleted_at=Instant(2)))
        await write(store, service("svco-9", url_suffix="talk"))
        await write(store, service("svco-1", url_suffix="talk"))
        await write(store, service("svco-2", url_suffix="talk", account_id="acc-2"))
        await write(store, service("svco-3", url_suffix="say"))
        asked = ["talk", "say", "nowhere"]
        assert store.ask(lambda ask: ask.services_at("acc-1", asked)) == {"talk": "svco-9", "say": "svco-3"}
        assert store.ask(lambda ask: ask.services_at("acc-2", asked)) == {"talk": "svco-2"}
        assert store.ask(lambda ask: ask.services_at("acc-1", [])) == {}


async def test_a_word_finds_the_services_whose_id_suffix_or_name_it_is(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, service("svco-0", url_suffix="talk", name="talk", deleted_at=Instant(2)))
        await write(store, service("svco-9", url_suffix="talk", name="one"))
        await write(store, service("svco-1", url_suffix="say", name="talk"))
        await write(store, service("svco-2", url_suffix="talk", name="two", account_id="acc-2"))

        def called(word: str) -> list[Called]:
            return store.ask(lambda ask: ask.services_called("acc-1", word))

        assert called("talk") == [Called("svco-9", "talk", "one"), Called("svco-1", "say", "talk")]
        assert called("svco-1") == [Called("svco-1", "say", "talk")]
        assert called("two") == called("svco-2") == called("tal%") == []


async def test_of_many_services_that_a_word_finds_none_of_an_earlier_kind_is_left_out(on_store: OnStore) -> None:
    async with on_store() as store:
        for number in range(25):
            await write(store, service(f"svco-n{number}", url_suffix=f"n{number}", name="talk"))
        for number in range(25):
            await write(store, service(f"svco-s{number}", url_suffix="talk", name="x"))
        await write(store, service("talk", url_suffix="i", name="x"))

        def called(first: str | None = None) -> list[str]:
            return [one.id for one in store.ask(lambda ask: ask.services_called("acc-1", "talk", first))]

        suffixes = [f"svco-s{number}" for number in range(25)]
        assert called() == ["talk", *suffixes[:19]]
        assert called("svco-s24") == ["talk", "svco-s24", *suffixes[:18]]
