"""The contract's checks find engines that break it: each defect is scripted into the fake, and has to be found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.engines.contract import CannotRun
from leasebook.testing.fake_engine import Script
from tests.engines import checks
from tests.engines.checks import CHECKS, Check
from tests.engines.kinds import Behaviour, FakeBench


class FaultyBench(FakeBench):
    """The fake's bench, with a defect in every replica."""

    def __init__(self, defect: dict[str, Any]) -> None:
        super().__init__()
        self._defect = defect

    def behave(self, name: str, behaviour: Behaviour) -> None:
        super().behave(name, behaviour)
        self.world.script(name, **{**msgspec.structs.asdict(self.world.script_of(name)), **self._defect})


DEFECTS: list[tuple[dict[str, Any], Check]] = [
    ({"doubles": True}, checks.to_start_twice_is_to_start_once),
    ({"doubles": True}, checks.to_start_from_many_sides_at_once_is_to_start_once),
    ({"doubles": True}, checks.a_restarted_control_plane_finds_what_runs),
    ({"hidden": True}, checks.what_nobody_remembers_is_seen_all_the_same),
    ({"hidden": True}, checks.what_is_stopped_ends_within_its_grace_and_leaves_nothing),
    ({"shown_ready": True}, checks.a_replica_is_starting_until_it_is_healthy),
    ({"lag_s": 1e6}, checks.a_started_replica_gets_ready_and_has_an_address),
    ({"lag_s": 5.0}, checks.what_ignores_that_it_is_to_end_is_killed_after_the_grace_and_not_before),
    ({"deaf": True}, checks.many_replicas_run_beside_each_other_and_each_ends_alone),
    ({"deaf": True}, checks.a_stop_goes_on_without_the_control_plane),
    ({"deathless": True}, checks.a_replica_ends_at_its_deadline_though_the_control_plane_is_gone),
    ({"deathless": True}, checks.a_deadline_kills_what_ignores_that_it_is_to_end),
    ({"exits_after_s": 0.1}, checks.to_start_twice_is_to_start_once),
    ({"ignores_term": True}, checks.what_is_stopped_ends_within_its_grace_and_leaves_nothing),
    ({"ignores_term": False}, checks.what_ignores_that_it_is_to_end_is_killed_after_the_grace_and_not_before),
    ({"prints": ("line 1", "line 0")}, checks.logs_are_the_last_lines_of_both_streams_oldest_first),
    ({"cannot_run": "Never."}, checks.capacity_is_what_there_is_and_what_is_full_has_no_room),
]


@pytest.mark.parametrize(("defect", "check"), DEFECTS, ids=lambda part: getattr(part, "__name__", str(part)))
async def test_a_defect_is_found(defect: dict[str, Any], check: Check) -> None:
    await check(FakeBench())
    with pytest.raises((AssertionError, KeyError, CannotRun)):
        await check(FaultyBench(defect))


def test_every_defect_that_can_be_scripted_is_found_by_some_check() -> None:
    scripted = {field for defect, _ in DEFECTS for field in defect}
    assert (
        {"doubles", "hidden", "shown_ready", "lag_s", "deaf", "deathless"} <= scripted <= set(Script.__struct_fields__)
    )


def test_every_check_has_a_name_of_its_own() -> None:
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS)
