"""The clock: a virtual one that does everything on its way, and the machine's, watched for jumps."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from leasebook.domain.record.clock_mark import ClockMark
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US, Instant
from leasebook.ports.clock import RealClock, VirtualClock
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_directory
from tests.api.scene import CLOCK, IAM, UNITS, Caller, ServiceHarness, a_scene, check_envelope, order
from tests.harness import Answer

# --- moving the virtual clock ----------------------------------------------------------------------------


def test_the_clock_stands_still_until_it_is_moved(fresh: ServiceHarness) -> None:
    shown = {"now": "2030-01-15T08:00:00+08:00", "mode": "virtual"}
    assert [fresh.operator.do(CLOCK, "DescribeClock") for _ in range(3)] == [shown] * 3
    moved = fresh.operator.do(CLOCK, "AdvanceClock", {"to": "2030-01-15T00:00:00.5Z"})
    assert moved == {"now": "2030-01-15T08:00:00.500000+08:00", "mode": "virtual"}
    assert fresh.customer().do(CLOCK, "DescribeClock") == moved


@pytest.mark.both_stores
def test_the_clock_of_a_new_store_shows_the_same_after_a_restart(migrated: Target) -> None:
    shown = []
    for _ in range(2):
        with a_scene(migrated) as scene:
            shown.append(scene.operator.do(CLOCK, "DescribeClock")["now"])
    assert shown[0] == shown[1]


def test_the_clock_may_be_moved_to_where_it_stands(fresh: ServiceHarness) -> None:
    before = fresh.rows()
    assert fresh.operator.do(CLOCK, "AdvanceClock", {"to": "2030-01-15 08:00:00"})["mode"] == "virtual"
    assert fresh.rows() == before


@pytest.mark.parametrize(
    "to", ["2030-01-15 07:59:59", "2030-01-14T23:59:59.999999Z", "1970-01-01T00:00:00Z", "", "soon", "2030-01-15"]
)
def test_the_clock_is_not_moved_backwards_or_to_what_is_no_time(fresh: ServiceHarness, to: str) -> None:
    before = fresh.rows()
    assert fresh.operator.field_refused(CLOCK, "AdvanceClock", {"to": to}) == "to"
    assert fresh.rows() == before
    assert fresh.operator.do(CLOCK, "DescribeClock")["now"] == "2030-01-15T08:00:00+08:00"


def charged(caller: Caller) -> list[tuple[str, str, int, str]]:
    """List the charges, in the order in which they were made: time, instance, minutes and amount."""
    return [
        (posting["time"][11:19], posting["instanceId"], posting["minutes"], posting["amount"])
        for posting in caller.postings()
        if posting["kind"] == "Usage"
    ]


def test_everything_due_on_the_way_is_done_in_its_order_and_at_its_own_time(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    long = caller.buy(release="2030-01-15 10:30:00")
    on_the_hour = caller.buy(release="2030-01-15 09:00:00")
    fresh.advance("2030-01-15 08:20:00")
    short = caller.buy(count=2, release="2030-01-15 08:45:30")
    endless = caller.buy()
    fresh.advance("2030-01-15 11:00:00")
    assert charged(caller)[0] == ("08:45:30", short, 26, "26.00")
    assert charged(caller)[1] == ("09:00:00", on_the_hour, 60, "30.00")  # a release goes before a charge
    assert sorted(charged(caller)[2:4]) == sorted([("09:00:00", long, 60, "30.00"), ("09:00:00", endless, 40, "20.00")])
    assert sorted(charged(caller)[4:6]) == sorted([("10:00:00", long, 60, "30.00"), ("10:00:00", endless, 60, "30.00")])
    assert charged(caller)[6:] == [("10:30:00", long, 30, "15.00"), ("11:00:00", endless, 60, "30.00")]
    assert [caller.unit(unit)["status"] for unit in (long, on_the_hour, short, endless)] == [
        "Released",
        "Released",
        "Released",
        "Running",
    ]
    assert caller.balance() == "789.00"


def bought(scene: ServiceHarness) -> tuple[Caller, list[str]]:
    caller = scene.customer("100000")
    units = [caller.buy(release=f"2030-01-15 {hour:02}:{minute:02}:07") for hour in (8, 9, 13) for minute in (1, 30)]
    return caller, [*units, caller.buy(count=2, release="2030-01-16 09:30:00"), caller.buy(months=1)]


def test_one_big_step_comes_to_the_same_as_many_small_ones(opened: Path, tmp_path: Path) -> None:
    seen = []
    ways = (
        ["2030-02-23 08:00:01"],
        [f"2030-01-15 {minute // 60:02}:{minute % 60:02}:00" for minute in range(481, 900, 7)]
        + ["2030-02-15 07:59:59", "2030-02-15 08:00:00", "2030-02-22 08:00:00", "2030-02-23 08:00:01"],
    )
    for number, steps in enumerate(ways):
        directory = tmp_path / str(number)
        shutil.copytree(opened, directory)
        with a_scene(directory) as scene:
            caller, units = bought(scene)
            for step in steps:
                scene.advance(step)
            numbers = {unit: place for place, unit in enumerate(units)}
            shown = [{**caller.unit(unit), "instanceId": numbers[unit]} for unit in units]
            charges = sorted(
                (posting["time"], numbers[posting["instanceId"]], posting["minutes"], posting["amount"])
                for posting in caller.postings()
                if posting["kind"] == "Usage"
            )
            seen.append((shown, charges, caller.balance(), scene.operator.offering()))
        assert check_directory(directory).findings == []
    assert seen[0] == seen[1]
    assert len(seen[0][1]) > 35


def test_a_term_that_ends_without_retention_is_released_in_the_same_step(opened: Path, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    shutil.copytree(opened, directory)
    with a_scene(directory, environment={"LEASEBOOK_RETENTION_DAYS": "0"}) as scene:
        caller = scene.customer()
        unit = caller.buy(months=1)
        scene.advance("2030-02-15 08:00:00")
        assert caller.unit(unit)["status"] == "Released"
        assert scene.operator.free() == 10


def test_the_clock_moves_while_others_buy_and_release(fresh: ServiceHarness) -> None:
    caller = fresh.customer("100000")
    fresh.sell(stock=1000)
    answers: list[Answer] = []

    async def crowd() -> None:
        desk, operator = caller.desk, fresh.operator.desk
        moves = [operator.call(CLOCK, "AdvanceClock", {"to": f"2030-01-{day} 00:00:00"}) for day in (16, 18, 17)]
        buys = [desk.call(UNITS, "PurchaseComputeUnit", order(release="2030-01-18 12:00:00")) for _ in range(12)]
        answers.extend(await asyncio.gather(*buys[:6], *moves, *buys[6:]))

    fresh.play(crowd)
    for answer in answers:
        check_envelope(answer)
    assert [answer.status for answer in answers if answer.status != 200] in ([], [400])
    assert fresh.operator.do(CLOCK, "DescribeClock")["now"] == "2030-01-18T00:00:00+08:00"
    fresh.advance("2030-01-18 12:00:00")
    assert fresh.operator.free() == 1000
    assert check_directory(fresh.directory).findings == []


def test_a_real_clock_is_not_moved(tmp_path: Path) -> None:
    with a_scene(tmp_path, clock="real") as scene:
        shown = scene.operator.do(CLOCK, "DescribeClock")
        assert shown["mode"] == "real"
        before = scene.rows()
        answer = scene.operator.ask(CLOCK, "AdvanceClock", {"to": "2090-01-01 00:00:00"})
        assert (answer.status, answer.code) == (409, "OperationNotSupported")
        assert scene.rows() == before
        assert set(scene.operator.do(CLOCK, "ConfirmClock")) == {"now", "mode"}


def test_what_a_virtual_clock_showed_is_what_happened_then(fresh: ServiceHarness) -> None:
    fresh.advance("2040-06-01 12:00:00")
    root = fresh.customer()
    users = root.do(IAM, "DescribeUsers")["users"]
    assert {user["createTime"] for user in users} == {"2040-06-01T12:00:00+08:00"}
    assert root.unit(root.buy())["startTime"] == "2040-06-01T12:00:00+08:00"


def test_a_store_of_one_clock_is_not_opened_with_the_other(tmp_path: Path) -> None:
    with a_scene(tmp_path):
        pass
    with pytest.raises(Exception, match="founded with --clock virtual"), a_scene(tmp_path, clock="real"):
        pass


# --- the machine's clock ---------------------------------------------------------------------------------

START = 1_900_000_000 * SECOND_US
JUMP_MAX = 5 * MINUTE_US


class ClockedMachine:
    """A wall clock that can be set, the time since boot that cannot, and the mark that the store keeps."""

    def __init__(self, mark: ClockMark | None = None, *, boot_name: str = "boot") -> None:
        self.wall = START
        self.boot = 1000 * SECOND_US
        self.boot_name = boot_name
        self.start(mark)

    def start(self, mark: ClockMark | None = None) -> None:
        """Start a server."""
        self.clock = RealClock(
            JUMP_MAX, mark=mark, wall=lambda: self.wall, boot=lambda: self.boot, boot_name=self.boot_name
        )

    def restart(self) -> None:
        """Start the server again."""
        self.start(self.clock.mark())

    def reboot(self) -> None:
        """Start the machine again, and the server on it."""
        mark, self.boot, self.boot_name = self.clock.mark(), 5 * SECOND_US, "another boot"
        self.start(mark)

    def wait(self, us: int) -> None:
        self.wall += us
        self.boot += us

    def set_by(self, us: int) -> None:
        self.wall += us


def test_time_that_passes_is_no_jump_however_long() -> None:
    machine = ClockedMachine()
    for us in (SECOND_US, HOUR_US, 1000 * HOUR_US):
        machine.wait(us)
        assert machine.clock.pause_reason() is None
        assert machine.clock.now() == machine.wall


@pytest.mark.parametrize(("sign", "words"), [(1, "jumped 301 s forward"), (-1, "was set 301 s back")])
def test_a_jump_beyond_the_limit_holds_and_says_how_far_it_went_and_is_not_followed(sign: int, words: str) -> None:
    machine = ClockedMachine()
    machine.set_by(sign * JUMP_MAX)
    assert machine.clock.pause_reason() is None
    machine = ClockedMachine()
    machine.set_by(sign * (JUMP_MAX + SECOND_US))
    reason = machine.clock.pause_reason()
    assert reason is not None
    assert words in reason
    machine.wait(HOUR_US)
    assert machine.clock.pause_reason() == reason
    assert machine.clock.now() == START + HOUR_US


@pytest.mark.parametrize("far", [HOUR_US, -HOUR_US])
def test_a_clock_that_comes_back_is_not_in_doubt_any_more(far: int) -> None:
    machine = ClockedMachine()
    machine.set_by(far)
    assert machine.clock.pause_reason() is not None
    machine.set_by(-far)
    assert machine.clock.pause_reason() is None
    assert machine.clock.now() == machine.wall
    machine.set_by(far)
    assert machine.clock.pause_reason() is not None


def test_a_confirmed_clock_is_not_in_doubt_and_the_next_jump_is_counted_from_there() -> None:
    machine = ClockedMachine()
    machine.set_by(HOUR_US)
    assert machine.clock.pause_reason() is not None
    machine.clock.confirm()
    assert machine.clock.pause_reason() is None
    assert machine.clock.now() == machine.wall
    machine.set_by(JUMP_MAX)
    assert machine.clock.pause_reason() is None
    machine.set_by(JUMP_MAX + 1)
    assert machine.clock.pause_reason() is not None


def test_a_clock_that_is_confirmed_though_it_was_set_back_stands_still_until_it_has_caught_up() -> None:
    machine = ClockedMachine()
    machine.set_by(-HOUR_US)
    assert machine.clock.pause_reason() is not None
    machine.clock.confirm()
    assert machine.clock.pause_reason() is None
    for _ in range(3):
        machine.wait(HOUR_US // 3)
        assert machine.clock.now() == START
    machine.wait(SECOND_US)
    assert machine.clock.now() == START + SECOND_US == machine.wall


@pytest.mark.parametrize("sign", [1, -1])
def test_small_steps_that_put_a_clock_right_are_followed_and_time_never_goes_back(sign: int) -> None:
    machine = ClockedMachine()
    last = machine.clock.now()
    for _ in range(100):
        machine.set_by(sign * 4 * MINUTE_US)
        machine.wait(SECOND_US)
        assert machine.clock.pause_reason() is None
        assert machine.clock.now() >= last
        last = machine.clock.now()
    machine.set_by(sign * 6 * MINUTE_US)
    assert machine.clock.pause_reason() is not None


def test_a_step_back_does_not_make_room_for_a_jump() -> None:
    machine = ClockedMachine()
    machine.set_by(-HOUR_US)
    assert machine.clock.pause_reason() is not None
    machine.set_by(HOUR_US + JUMP_MAX + SECOND_US)
    assert machine.clock.pause_reason() is not None


@pytest.mark.parametrize("far", [HOUR_US, -HOUR_US])
def test_a_jump_while_no_server_ran_is_seen_by_the_next_for_the_store_remembers_the_time_since_boot(far: int) -> None:
    machine = ClockedMachine()
    machine.restart()
    machine.wait(1000 * HOUR_US)
    machine.restart()
    assert machine.clock.pause_reason() is None, "an outage is no jump"
    mark = machine.clock.mark()
    machine.set_by(far)
    machine.wait(HOUR_US)
    for _ in range(6):
        machine.start(mark)
        assert machine.clock.pause_reason() is not None
        assert machine.clock.now() == START + 1001 * HOUR_US
        machine.restart()
        assert machine.clock.pause_reason() is not None


def test_after_a_boot_the_clock_is_believed_unless_it_is_before_what_was_written() -> None:
    machine = ClockedMachine()
    machine.wait(HOUR_US)
    machine.set_by(1000 * HOUR_US)
    machine.clock.confirm()
    machine.reboot()
    assert machine.clock.pause_reason() is None
    machine.set_by(10 * HOUR_US)
    machine.clock.confirm()
    machine.set_by(-20 * HOUR_US)
    machine.reboot()
    reason = machine.clock.pause_reason()
    assert reason is not None
    assert "back" in reason
    assert machine.clock.now() == START + 1011 * HOUR_US, "nothing is written before what was"


def test_a_clock_that_was_in_doubt_is_so_after_a_boot() -> None:
    machine = ClockedMachine()
    machine.set_by(HOUR_US)
    mark = machine.clock.mark()
    assert mark is not None
    assert mark.doubted
    machine.reboot()
    assert machine.clock.pause_reason() is not None


def test_a_virtual_clock_never_goes_back_and_is_never_in_doubt() -> None:
    clock = VirtualClock(Instant(START))
    clock.moved(Instant(START - 1))
    assert clock.now() == START
    clock.moved(Instant(START + HOUR_US))
    assert (clock.now(), clock.pause_reason()) == (START + HOUR_US, None)
    clock.confirm()
    assert clock.now() == START + HOUR_US


def test_a_clock_in_doubt_releases_nothing_until_it_is_confirmed(tmp_path: Path) -> None:
    with a_scene(tmp_path, clock="real") as scene:
        scene.sell()
        caller = scene.customer()
        unit = caller.buy(release=in_an_hour(scene))
        clock, scheduler = scene.running.clock, scene.running.scheduler
        assert isinstance(clock, RealClock)
        done: list[int] = []

        async def work() -> None:
            async with scheduler._turn:
                done.append(await scheduler._work())

        trusted = clock._trusted
        clock._wall = lambda: clock._boot() + trusted + 90 * MINUTE_US
        scene.play(work)
        assert caller.unit(unit)["status"] == "Running"
        scene.operator.do(CLOCK, "ConfirmClock")
        scene.play(work)
        shown = caller.unit(unit)
        assert shown["status"] == "Released"
        # The bill ended at the scheduled moment, an hour after the purchase, and not when it was got round to.
        assert shown["expiredTime"] == shown["releaseTime"]
        assert caller.balance() in ("970.00", "969.50")
        assert sum(done) <= 2


def in_an_hour(scene: ServiceHarness) -> str:
    return (scene.now() + timedelta(hours=1)).replace(microsecond=0).isoformat()
