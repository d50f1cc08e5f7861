"""The rate limit: a bucket by key and by account, 429 with the right Retry-After, and memory that has a bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.api.auth import rate_limit as throttle
from leasebook.api.auth.identity import Identity
from leasebook.api.auth.rate_limit import Bucket, Rate, Throttle
from leasebook.api.fault import Fault
from leasebook.contract.errors import TOO_MANY_REQUESTS
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.values.calendar import Instant
from leasebook.observability.metrics import Metrics
from tests.api.scene import ACCOUNT, ServiceHarness, a_scene
from tests.api.test_telemetry import value

RATES = st.builds(Rate, st.integers(1, 50), st.integers(1, 50))
STEPS = st.lists(st.integers(0, 3000), min_size=1, max_size=200)


@given(RATES, STEPS)
def test_in_any_time_no_more_is_let_through_than_the_burst_and_the_rate_allow(rate: Rate, steps: list[int]) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    taken: list[float] = []
    for step in steps:
        now += step / 1000
        if bucket.wait(now) == 0:
            bucket.take()
            taken.append(now)
    for first, began in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= rate.burst + rate.per_second * (taken[last] - began) + 1e-6


@given(RATES, STEPS)
def test_a_caller_that_comes_again_after_the_given_time_is_let_through_and_not_before(
    rate: Rate, steps: list[int]
) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    for step in steps:
        now += step / 1000
        wait = bucket.wait(now)
        if wait > 0:
            assert bucket.wait(now + wait * 0.9) > 0
            now += wait + 1e-9
            assert bucket.wait(now) == 0
        bucket.take()


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(Rate(10, 1), 100.0)
    bucket.take()
    assert bucket.wait(50.0) == pytest.approx(0.1)
    assert bucket.wait(100.05) == pytest.approx(0.05)


class ThrottleHarness:
    """A throttle whose clock is moved by hand."""

    def __init__(self, key: Rate | None, account: Rate | None) -> None:
        self.now = 0.0
        self.metrics = Metrics()
        self.throttle = Throttle(key=key, account=account, now=lambda: self.now, meter=self.metrics)

    def call(self, key: str, account: str) -> int | None:
        """Call; returns after how many seconds to come again, None where it was let through."""
        row = AccessKey(key, account, f"user-{account}", b"", "Active", Instant(0))
        user = User(f"user-{account}", account, "name", True, (), Instant(0))
        try:
            self.throttle.admit(Identity(row, user, "secret", None))
        except Fault as fault:
            return fault.retry_after_s if fault.error is TOO_MANY_REQUESTS else 0
        return None


def test_keys_are_counted_apart_and_together_for_their_account() -> None:
    desk = ThrottleHarness(key=Rate(1, 2), account=Rate(1, 3))
    assert [desk.call("k1", "a"), desk.call("k1", "a"), desk.call("k1", "a")] == [None, None, 1]
    # The refused call took nothing from the account.
    assert [desk.call("k2", "a"), desk.call("k2", "a"), desk.call("k3", "b")] == [None, 1, None]
    assert value(desk.metrics, "leasebook_throttled_total", by="key") == 1
    assert value(desk.metrics, "leasebook_throttled_total", by="account") == 1
    desk.now = 1.0
    assert [desk.call("k1", "a"), desk.call("k1", "a")] == [None, 1]


def test_without_limits_nothing_is_counted_or_remembered() -> None:
    desk = ThrottleHarness(None, None)
    assert {desk.call(f"k{number}", "a") for number in range(3000)} == {None}
    assert desk.throttle._buckets == {}


def test_buckets_that_are_full_again_are_forgotten() -> None:
    desk = ThrottleHarness(key=Rate(10, 10), account=None)
    for number in range(20 * throttle.SWEEP_AT):
        desk.now += 0.001
        desk.call(f"k{number}", "a")
    # A bucket that gave one token is full again after 100 ms, in which 100 others came.
    assert len(desk.throttle._buckets) <= throttle.SWEEP_AT + 100


def limited(**limits: str) -> dict[str, str]:
    return {f"LEASEBOOK_THROTTLE_{name.upper()}": limit for name, limit in limits.items()}


def test_who_calls_too_often_gets_a_time_to_come_again_and_nothing_was_done(tmp_path: Path) -> None:
    environment = limited(key_per_second="1", key_burst="30")
    with a_scene(tmp_path, environment=environment) as scene:
        scene.sell(stock=100)
        caller = scene.customer("1000")
        answers = [caller.ask(ACCOUNT, "DescribeAccount") for _ in range(40)]
        refused = [answer for answer in answers if answer.status != 200]
        assert refused
        for answer in refused:
            assert (answer.status, answer.code) == (429, "TooManyRequests")
            assert answer.headers["retry-after"] == "1"
            assert "This key may make 1 calls a second, and 30 at once" in answer.body["message"]
        # Another key of another account is not kept by it; operators are counted like all.
        assert scene.operator.ask(ACCOUNT, "DescribeAccount").status == 200
        seen = [scene.operator.ask(ACCOUNT, "DescribeAccount").status for _ in range(40)]
        assert {200, 429} == set(seen)
        assert _counted(scene, "key") == len(refused) + seen.count(429)


def test_without_a_setting_nobody_is_throttled(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    assert {caller.ask(ACCOUNT, "DescribeAccount").status for _ in range(60)} == {200}


def _counted(scene: ServiceHarness, by: str) -> float:
    return value(scene.running.metrics, "leasebook_throttled_total", by=by)
