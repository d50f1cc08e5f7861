"""The context manager: a whole service inside the test's process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest
import structlog

from leasebook.client import Client, ErrorAnswer
from leasebook.config.load import BadSettings
from leasebook.testing import KitError, Leasebook, ReachedElsewhere

START = "2030-01-31 23:00:00"
RESET_S, START_S = 0.005, 0.15
TRIES = 100
"""How often a time is taken at most: on a machine that is busy with other work one of them is undisturbed."""


@pytest.fixture(scope="module")
def kit() -> Iterator[Leasebook]:
    """One service for the module; each test resets it."""
    with Leasebook(start=START, stock={"gpu-1": 3}, balance=100) as service:
        yield service


@pytest.fixture
def fresh(kit: Leasebook) -> Leasebook:
    kit.reset()
    return kit


def test_a_life_of_31_days_is_lived_at_once_and_billed_to_the_minute(fresh: Leasebook) -> None:
    assert fresh.now.isoformat() == "2030-01-31T23:00:00+08:00"
    unit = fresh.given(unit={"type": "gpu-1", "count": 2, "release_in": timedelta(minutes=90)}).unit
    assert unit is not None
    passed = fresh.advance_to_next("RELEASE")
    assert passed.at.isoformat() == "2030-02-01T00:30:00+08:00"
    assert unit in passed.ids
    fresh.advance(days=31)
    assert fresh.now.isoformat() == "2030-03-04T00:30:00+08:00"
    assert fresh.bill("2030-02").charged == 90 * 2 * Decimal("0.2")
    assert fresh.bill().charged == 0
    story = fresh.story(unit)
    assert "is Released" in story
    assert story.index("unit.bought") < story.index("unit.released")


def test_a_reset_brings_books_clock_and_stock_back_in_five_milliseconds_and_keeps_address_and_keys(
    fresh: Leasebook,
) -> None:
    url, key = fresh.url, fresh.account.access_key
    took_s = [RESET_S]
    for _ in range(TRIES):
        if min(took_s) < RESET_S:
            break
        fresh.given(stock={"gpu-1": 9}, balance=500, unit="gpu-1")
        fresh.advance(days=1)
        # The next service is prepared meanwhile, on the host's thread.
        assert fresh._services is not None
        assert fresh._services._next is not None
        fresh._services._next.result()
        began = time.perf_counter()
        fresh.reset()
        took_s.append(time.perf_counter() - began)
    assert min(took_s) < RESET_S
    assert (fresh.url, fresh.account.access_key) == (url, key)
    assert fresh.now.isoformat() == "2030-01-31T23:00:00+08:00"
    assert fresh.client.describe_account().balance == 100
    assert list(fresh.client.each_of_units()) == []
    assert fresh.given(stock={"gpu-1": 3}).balance == 100


def test_a_kit_of_a_kind_that_was_there_before_starts_in_a_sixth_of_a_second() -> None:
    wanted = {"gpu-1": 1}
    with Leasebook(stock=wanted):
        pass
    took_s = [START_S]
    for _ in range(TRIES):
        if min(took_s) < START_S:
            break
        began = time.perf_counter()
        with Leasebook(stock=wanted) as service:
            took_s.append(time.perf_counter() - began)
            assert service.client.describe_account().balance == 0
    assert min(took_s) < START_S


def test_stock_is_what_is_free_and_prices_that_were_set_stay(fresh: Leasebook) -> None:
    fresh.given(unit={"type": "gpu-1", "count": 2})
    fresh.operator.set_offering(region="bj", type="gpu-1", price_per_minute=Decimal("0.5"))
    fresh.given(stock={"gpu-1": 0, "own-type": 7})
    found = {one.type: one for one in fresh.operator.each_of_offerings() if one.region == "bj"}
    assert (found["gpu-1"].stock_total, found["gpu-1"].stock_free) == (2, 0)
    assert found["gpu-1"].price_per_minute == Decimal("0.5")
    assert (found["own-type"].stock_free, found["own-type"].price_per_minute) == (7, Decimal("0.1"))
    with pytest.raises(ErrorAnswer) as refused:
        fresh.account.buy("gpu-1")
    assert refused.value.code == "InsufficientStock"


def test_a_balance_below_the_present_one_and_an_unknown_word_are_refused_with_what_to_do(fresh: Leasebook) -> None:
    with pytest.raises(KitError, match="reset"):
        fresh.given(balance=99)
    with pytest.raises(KitError, match="type"):
        fresh.given(unit={"kind": "gpu-1"})
    with pytest.raises(KitError, match="RELEASE"):
        fresh.advance_to_next("release")
    with pytest.raises(KitError, match="Nothing falls due"):
        fresh.advance_to_next()
    with pytest.raises(BadSettings, match="RETENTION_DAYS"):
        Leasebook(settings={"retention_day": 0})
    with pytest.raises(ValueError, match="time zone"):
        Leasebook(start=datetime(2030, 1, 1))  # noqa: DTZ001


def test_the_variables_of_every_client_are_set_while_it_is_up_and_then_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QIANFAN_ACCESS_KEY", "real")
    monkeypatch.setenv("QIANFAN_BEARER_TOKEN", "real-token")
    monkeypatch.delenv("QIANFAN_CONSOLE_BASE_URL", raising=False)
    with Leasebook() as service:
        assert os.environ["QIANFAN_CONSOLE_API_BASE_URL"] == os.environ["QIANFAN_CONSOLE_BASE_URL"] == service.url
        assert os.environ["QIANFAN_ACCESS_KEY"] == service.account.access_key
        assert "QIANFAN_BEARER_TOKEN" not in os.environ
        with Client() as own:
            assert own.describe_account().account_id == service.account.account_id
    assert os.environ["QIANFAN_ACCESS_KEY"] == "real"
    assert os.environ["QIANFAN_BEARER_TOKEN"] == "real-token"
    assert "QIANFAN_CONSOLE_BASE_URL" not in os.environ


def test_kits_end_in_any_order_and_leave_the_environment_and_the_log_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QIANFAN_ACCESS_KEY", "real")
    monkeypatch.delenv("QIANFAN_CONSOLE_API_BASE_URL", raising=False)
    is_configured = structlog.is_configured()
    first, second = Leasebook(), Leasebook()
    first.start()
    second.start()
    first.stop()
    assert os.environ["QIANFAN_CONSOLE_API_BASE_URL"] == second.url
    assert structlog.is_configured()
    second.stop()
    assert os.environ["QIANFAN_ACCESS_KEY"] == "real"
    assert "QIANFAN_CONSOLE_API_BASE_URL" not in os.environ
    assert structlog.is_configured() == is_configured
    # And the other way round.
    with Leasebook() as outer:
        with Leasebook():
            pass
        assert os.environ["QIANFAN_CONSOLE_API_BASE_URL"] == outer.url


def test_a_forked_process_learns_that_it_has_no_service_and_can_leave_the_kit() -> None:
    def said(act: Callable[[], object]) -> str:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            # It must not hang: nothing here may wait for the other process.
            signal.alarm(20)
            with suppress(BaseException):
                try:
                    os.write(writing, f"done {act()}".encode())
                except KitError as error:
                    os.write(writing, str(error).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        assert os.waitpid(child, 0)[1] == 0
        return text

    with Leasebook(stock={"gpu-1": 1}, balance=100) as kit:
        assert "was forked" in said(kit.reset)
        assert "was forked" in said(kit.advance_to_next)
        assert said(kit.stop) == "done None"
        now = kit.now
        assert said(lambda: kit.now) == f"done {now}"
        kit.reset()
        assert kit.account.buy("gpu-1")


def test_a_client_reaches_nothing_but_the_kit_and_other_code_reaches_what_it_wants(fresh: Leasebook) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = other.getsockname()
        with (
            Client(f"http://127.0.0.1:{address[1]}", "AK", "SK") as stray,
            pytest.raises(ReachedElsewhere, match=fresh.url),
        ):
            stray.describe_account()
        with socket.create_connection(address):
            pass
        with pytest.raises(ReachedElsewhere, match=r"qianfan\.baidubce\.com"):
            socket.create_connection(("qianfan.baidubce.com", 443))
        official = {"__name__": "qianfan.resources.http_client", "socket": socket, "address": address}
        with pytest.raises(ReachedElsewhere, match="The client qianfan"):
            exec("socket.create_connection(address)", official)  # noqa: S102 - as code of the client's package


def test_the_guard_is_gone_with_the_last_kit() -> None:
    before = socket.socket.connect, socket.getaddrinfo
    with Leasebook(guarded=False):
        pass
    with Leasebook(), Leasebook():
        pass
    assert (socket.socket.connect, socket.getaddrinfo) == before or fresh_guard_is_up()


def fresh_guard_is_up() -> bool:
    """The module's own kit may still be up; then its guard is, too."""
    return socket.getaddrinfo.__module__ == "leasebook.testing.guard"


def test_a_kit_that_is_not_started_says_so() -> None:
    stopped = Leasebook()
    stopped.stop()
    for use in (stopped.reset, lambda: stopped.url, lambda: stopped.account, lambda: stopped.operator):
        with pytest.raises(KitError, match="call start"):
            use()


def test_accounts_know_nothing_of_each_other(fresh: Leasebook) -> None:
    unit = fresh.given(unit="gpu-1").unit
    other = fresh.new_account("other", balance="7.5")
    assert other.client.describe_account().balance == Decimal("7.5")
    with pytest.raises(ErrorAnswer) as refused:
        other.story(str(unit))
    assert refused.value.code == "InstanceNotFound"


def test_a_seed_file_says_what_is_there_and_names_its_faults(tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(
        '{"stock": {"gpu-2": 4}, "balance": "50.5", "calls": ['
        '{"as": "account", "path": "/v2/computeunit", "action": "PurchaseComputeUnit", "body": {"billing": '
        '{"paymentTiming": "Postpaid"}, "computeUnitConfig": {"type": "gpu-2"}, "computeUnitCount": 2}}]}'
    )
    with Leasebook(seed=file, stock={"gpu-1": 1}) as service:
        (unit,) = service.client.each_of_units()
        assert (unit.type, unit.total_compute_units) == ("gpu-2", 2)
        assert service.client.describe_account().balance == Decimal("50.5")
    file.write_text('{"stocks": {}}')
    with pytest.raises(KitError, match="stocks"):
        Leasebook(seed=file)
    file.write_text('{"calls": [{"path": "/v2/account", "action": "TopUpAccount", "body": {}}]}')
    with pytest.raises(KitError, match="Call 1 of the seed"):
        Leasebook(seed=file).start()
    with pytest.raises(KitError, match="cannot be read"):
        Leasebook(seed=tmp_path / "none")


def test_settings_are_those_of_the_server() -> None:
    with Leasebook(
        settings={"time_zone": "UTC", "release.lead_min_seconds": 60}, start="2030-01-01 00:00:00"
    ) as service:
        assert service.now == datetime(2030, 1, 1, tzinfo=UTC)
        with pytest.raises(ErrorAnswer, match="60"):
            service.given(stock={"gpu-1": 1}, balance=100, unit={"type": "gpu-1", "release_in": timedelta(seconds=30)})


class TestWithUnittest(unittest.TestCase):
    """The same kit without pytest."""

    service: ClassVar[Leasebook]

    @classmethod
    def setUpClass(cls) -> None:
        cls.service = cls.enterClassContext(Leasebook(balance=100, stock={"gpu-1": 1}))

    def setUp(self) -> None:
        self.service.reset()

    def test_buys(self) -> None:
        self.assertTrue(self.service.account.buy("gpu-1"))  # noqa: PT009

    def test_buys_again(self) -> None:
        self.assertTrue(self.service.account.buy("gpu-1"))  # noqa: PT009


def test_to_import_the_plugin_imports_nothing_of_the_server() -> None:
    program = (
        "import sys, leasebook.testing.plugin; "
        "print([name for name in sys.modules if name.startswith('leasebook.') and 'testing' not in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
