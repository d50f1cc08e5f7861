"""A store that was restored: its events have ids that its other life never gave."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leasebook.store.opening import Target
from leasebook.store.rows.epochs import BEGIN, EPOCH_PAGES, first_page
from leasebook.store.verify.check import check_store
from tests.copies import copy_of
from tests.harness import Client, a_service
from tests.outbox.receivers import LOCAL, Receiver, a_receiver, now, until

EVENTS, IAM, NOTIFY = "/v2/events", "/v2/iam", "/v2/notification"


async def _listed(desk: Client) -> list[str]:
    found = (await desk.call(EVENTS, "DescribeEvents", {"oldestFirst": True, "maxKeys": 1000})).result["events"]
    return [event["id"] for event in found]


async def _happen(desk: Client, receiver: Receiver, *names: str) -> None:
    """Make users, each of them an event, and wait until the receiver has got all events meant for it."""
    before = len(receiver.got)
    for name in names:
        _ = (await desk.call(IAM, "CreateUser", {"name": name})).result
    await until("its events have arrived", lambda: len(receiver.got) == before + len(names))


def _page(event_id: str) -> int:
    return int(event_id.partition("-")[0])


async def test_what_happens_in_a_restored_store_has_ids_that_nobody_has_seen(migrated: Target, tmp_path: Path) -> None:
    receiver_ids: list[list[str]] = []
    known: list[str] = []
    lost: list[str] = []

    async def lived(where: Target, receiver: Receiver, *names: str) -> list[str]:
        async with a_service(where, environment=LOCAL) as desk:
            if not (await desk.call(NOTIFY, "DescribeSubscriptions")).result["subscriptions"]:
                _ = (await desk.call(NOTIFY, "CreateSubscription", {"kind": "Webhook", "url": receiver.url})).result
            await _happen(desk, receiver, *names)
            receiver_ids.append([got.id for got in receiver.got])
            receiver.got.clear()
            return await _listed(desk)

    async def whole() -> None:
        async with a_receiver() as receiver:
            known.extend(await lived(migrated, receiver, "one"))
            # Every kind of backup is a copy; this one has the mark of the embedded store with it.
            with copy_of(migrated, tmp_path / "backup") as backup:
                lost.extend((await lived(migrated, receiver, "two", "three"))[len(known) :])
                again = await lived(backup, receiver, "four", "five")
                assert again[: len(known)] == known
                assert len(lost) == len(again[len(known) :]) == 2
                assert not set(lost) & set(again)
                assert max(map(_page, known)) < min(map(_page, again[len(known) :]))
                ids = [one for some in receiver_ids for one in some]
                assert len(ids) == len(set(ids)) == 5
                await _followed(backup, known, lost)
                assert not check_store(backup).findings

    await whole()


async def _followed(backup: Target, known: list[str], lost: list[str]) -> None:
    async with a_service(backup, environment=LOCAL) as desk:
        for never in (*lost, "0-0", "99999-0", f"{_page(known[-1])}-999999999", "999999999999999999-0"):
            for body, header in (({"after": never}, []), (None, [(b"last-event-id", never.encode())])):
                refused = await _follow(desk, body, header)
                assert (refused.status, refused.code) == (400, "InappropriateJSON"), never
                assert never in refused.body["message"]
                assert "DescribeEvents" in refused.body["message"]
        assert (await _follow(desk, {"after": known[0]}, [])).status == 200


async def _follow(desk: Client, body: Any, headers: list[tuple[bytes, bytes]]) -> Any:
    import msgspec

    content = b"" if body is None else msgspec.json.encode(body)
    signed = desk.signed(EVENTS, "Action=FollowEvents", content)
    return await desk.send(EVENTS, "Action=FollowEvents", content, headers=[*signed, *headers])


async def test_a_marker_of_events_that_were_lost_is_refused(migrated: Target, tmp_path: Path) -> None:
    async def page(where: Target, *names: str, **more: Any) -> Any:
        async with a_service(where) as desk:
            for name in names:
                _ = (await desk.call(IAM, "CreateUser", {"name": name})).result
            return await desk.call(EVENTS, "DescribeEvents", {"oldestFirst": True, **more})

    known = len((await page(migrated)).result["events"])
    with copy_of(migrated, tmp_path / "backup") as backup:
        first = (await page(migrated, "one", "two", maxKeys=known)).result["nextMarker"]
        lost = (await page(migrated, maxKeys=known + 1)).result["nextMarker"]
        refused = await page(backup, "three", "four", maxKeys=known + 1, marker=lost)
        assert (refused.status, refused.code) == (400, "InvalidMarker")
        assert "restored" in refused.body["message"]
        assert len((await page(backup, maxKeys=known, marker=first)).result["events"]) > 1


def test_numbers_begin_with_the_millisecond_of_the_opening_and_only_grow() -> None:
    moment = 1_800_000_000_123
    assert first_page(0, moment * 1000 + 999) == moment * EPOCH_PAGES
    assert first_page(17, moment * 1000) == moment * EPOCH_PAGES
    last = moment * EPOCH_PAGES + 5
    # Opened again in the same millisecond, or under a clock that was set back.
    assert first_page(last, moment * 1000) == first_page(last, 0) == (moment + 1) * EPOCH_PAGES
    assert first_page(last, (moment + 60) * 1000) == (moment + 60) * EPOCH_PAGES
    assert len(str(first_page(0, 9_999_999_999_999 * 1000))) == 18


@pytest.mark.parametrize("migrated", ["postgres"], indirect=True)
async def test_a_connection_to_another_database_than_before_begins_anew_too(migrated: Target) -> None:
    """A standby that was promoted, or a restored database, is met by servers that go on."""
    async with a_service(migrated) as desk:
        assert migrated.url is not None
        _ = (await desk.call(IAM, "CreateUser", {"name": "one"})).result
        first = (await _listed(desk))[-1]
        with psycopg.connect(migrated.url, autocommit=True) as connection:
            connection.execute("SELECT setval(pg_get_serial_sequence('event_pages', 'seq'), %s)", (_page(first),))
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        _ = (await desk.call(IAM, "CreateUser", {"name": "two"})).result
        second = (await _listed(desk))[-1]
        assert _page(second) // EPOCH_PAGES > _page(first) // EPOCH_PAGES
        assert datetime.fromisoformat(await now(desk))


@pytest.mark.parametrize("migrated", ["postgres"], indirect=True)
async def test_a_database_that_is_opened_again_and_again_under_a_clock_set_back_never_numbers_backwards(
    migrated: Target,
) -> None:
    """Events are in the order of their numbers: with smaller numbers, a release would come before its beginning."""
    hour_ahead = 3_600_000 * EPOCH_PAGES
    async with a_service(migrated) as desk:
        assert migrated.url is not None
        _ = (await desk.call(IAM, "CreateUser", {"name": "one"})).result
        with psycopg.connect(migrated.url, autocommit=True) as connection:
            # The numbers of a page that was written while the clock was an hour ahead. It is set back now.
            connection.execute("UPDATE event_units SET page = page + %s", (hour_ahead,))
            connection.execute("UPDATE event_pages SET seq = seq + %s", (hour_ahead,))
            connection.execute(
                "SELECT setval(pg_get_serial_sequence('event_pages', 'seq'), (SELECT max(seq) FROM event_pages))"
            )
            for _ in range(2):
                # Another server opens it, and has nothing to write.
                with connection.transaction():
                    for text in BEGIN:
                        connection.execute(text.encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        listed = await _listed(desk)
        _ = (await desk.call(IAM, "CreateUser", {"name": "two"})).result
        assert (await _listed(desk))[: len(listed)] == listed
        assert len(await _listed(desk)) == len(listed) + 1
    assert check_store(migrated).findings == []


@pytest.mark.parametrize("migrated", ["postgres"], indirect=True)
async def test_a_sequence_that_an_earlier_version_left_unused_is_set_after_the_last_page(migrated: Target) -> None:
    assert migrated.url is not None
    async with a_service(migrated) as desk:
        _ = (await desk.call(IAM, "CreateUser", {"name": "one"})).result
    with psycopg.connect(migrated.url, autocommit=True) as connection:
        connection.execute("UPDATE event_pages SET seq = seq + %s", (3_600_000 * EPOCH_PAGES,))
        connection.execute("SELECT setval(pg_get_serial_sequence('event_pages', 'seq'), 1, false)")
        with connection.transaction():
            for text in BEGIN:
                connection.execute(text.encode())
        found = connection.execute(
            "SELECT nextval(pg_get_serial_sequence('event_pages', 'seq')) > (SELECT max(seq) FROM event_pages)"
        )
        assert found.fetchall() == [(True,)]
