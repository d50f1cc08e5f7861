"""Renewals by rule that are foreseen are those that are made: what forbids one is known before (decision 36)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CHARGE, UNITS, Caller, ServiceHarness, a_scene, billing_of

RULE: dict[str, Any] = {"autoRenewTimeUnit": "Month", "autoRenewTime": 1}


@pytest.fixture
def kept(opened: Path, tmp_path: Path) -> Iterator[ServiceHarness]:
    """A service that keeps released instances for two months."""
    directory = tmp_path / "data"
    shutil.copytree(opened, directory)
    with a_scene(directory, environment={"LEASEBOOK_RETENTION_DAYS": "60"}) as scene:
        yield scene


def limit(caller: Caller, **limits: Any) -> None:
    caller.do(ACCOUNT, "SetGuardRails", {"limits": limits})


def explained(caller: Caller, unit: str) -> Any:
    return caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})


def set_rule(caller: Caller, unit: str) -> None:
    caller.do(CHARGE, "CreateAutoRenewRules", {"instanceId": unit, "instanceType": "ComputingUnit", **RULE})


@pytest.mark.parametrize(
    ("limits", "ends"),
    [
        ({"extensionsMax": 1}, "2030-02-15T08:00:00+08:00"),
        # The change was the first, so that one renewal is left.
        ({"extensionsMax": 2}, "2030-03-15T08:00:00+08:00"),
        ({"extendBy": "managers"}, "2030-02-15T08:00:00+08:00"),
        # Not even a try at the end of its retention is near enough to the end of another month.
        ({"releaseMaxSeconds": 20 * 86_400}, "2030-02-15T08:00:00+08:00"),
    ],
)
def test_limits_on_release_times_hold_for_what_is_foreseen_of_a_unit_that_gave_one_up(
    fresh: ServiceHarness, limits: dict[str, Any], ends: str
) -> None:
    caller = fresh.customer()
    unit = caller.buy(release="2030-01-20 00:00:00")
    caller.do(UNITS, "ChangeBilling", {"instanceId": unit, **billing_of(months=1, autoRenew=True, **RULE)})
    limit(caller, **limits)
    told = explained(caller, unit)
    assert (told["endsBy"], told["endsTime"]) == ("expiry", ends)
    fresh.advance(ends.replace("T08", "T23"))
    assert (caller.unit(unit)["status"], caller.unit(unit)["expiredTime"]) == ("Stopped", ends)
    assert explained(caller, unit)["endsBy"] == "retention"


def test_what_was_bought_in_advance_is_foreseen_to_be_renewed_whatever_limits_on_release_times_say(
    fresh: ServiceHarness,
) -> None:
    caller = fresh.customer("250")
    unit = caller.buy(months=1, autoRenew=True, **RULE)
    limit(caller, extensionsMax=0, extendBy="managers", releaseMaxSeconds=60)
    assert explained(caller, unit)["endsTime"] == "2030-03-15T08:00:00+08:00"


def test_a_renewal_that_would_be_over_before_it_began_is_not_foreseen_and_the_reason_is_given(
    kept: ServiceHarness,
) -> None:
    caller = kept.customer("500")
    unit = caller.buy(months=1)
    kept.advance("2030-03-16 00:00:00")
    set_rule(caller, unit)
    told = explained(caller, unit)
    assert (told["endsBy"], told["endsTime"]) == ("retention", "2030-04-16T08:00:00+08:00")
    assert "as things stand, the renewal would be over before it began: renew it for longer by hand" in told["text"]
    kept.advance("2030-03-31 00:00:00")
    assert caller.unit(unit)["status"] == "Stopped"


def test_two_renewals_of_one_month_count_together_against_its_limit(kept: ServiceHarness) -> None:
    caller = kept.customer("1000")
    unit = caller.buy(months=1)
    kept.advance("2030-03-05 00:00:00")
    limit(caller, spend="50")
    set_rule(caller, unit)
    limit(caller, spend="150")
    told = explained(caller, unit)
    assert "is tried at 2030-03-05T08:00:00+08:00" in told["text"]
    assert (told["endsBy"], told["endsTime"]) == ("expiry", "2030-03-15T08:00:00+08:00")
    kept.advance("2030-03-16 00:00:00")
    assert (caller.unit(unit)["status"], caller.unit(unit)["expiredTime"]) == ("Stopped", told["endsTime"])
