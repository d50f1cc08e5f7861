"""An instance that is paid and Running while none of its replicas works: its account gets an event."""

from __future__ import annotations

from leasebook.domain.record.event import Event
from tests.reconciler.acts import buying
from tests.reconciler.house import World


async def test_a_loop_of_crashes_is_one_event_and_the_next_loop_another() -> None:
    house = World()
    await house.found()
    _ = (await house.say(buying("unit-1", "svco-1", 1))).result()
    await house.live(5)
    assert house.unit("unit-1").status == "Running"
    assert failing_events(house) == []
    house.world.script("*", exits_after_s=1.0)
    house.world.end(house.replicas()[0].name)
    await house.live(600)
    assert house.unit("unit-1").status == "Running"
    (event,) = failing_events(house)
    assert event.unit_id == "unit-1"
    assert event.data == event.data | {"serviceId": "svco-1", "replica": 0, "failures": 3}
    assert event.data["message"]
    house.world.script("*", exits_after_s=None)
    await house.live(3000, step=10)
    assert [row.state for row in house.replicas()] == ["Ready"]
    assert len(failing_events(house)) == 1
    house.world.script("*", exits_after_s=1.0)
    house.world.end(house.replicas()[0].name)
    await house.live(600)
    assert len(failing_events(house)) == 2


def failing_events(house: World) -> list[Event]:
    return [event for page in house.store.events for event in page.events if event.type == "replica.failing"]
