"""One signed request to two servers at once: a nonce is used up once, by the quicker of them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attack.test_signature_wire import TOP_UP, Captured, balance, send
from tests.crash.fleet import ACCOUNT, CLOCK, fleet
from tests.postgres import shared_server

pytestmark = pytest.mark.crash


def test_two_servers_that_get_the_same_request_at_once_do_it_once(tmp_path: Path) -> None:
    with (
        shared_server().database(migrated=True) as url,
        fleet(url, tmp_path, servers=2) as found,
        ThreadPoolExecutor(4) as both,
    ):
        first, second = found.ports
        for number in range(20):
            request = Captured(ACCOUNT, "TopUpAccount", TOP_UP, strong=True).bytes()
            ports = [first, second, first, second] if number % 2 else [second, first, second, first]
            outcomes = Counter(both.map(send, ports, [request] * 4))
            assert outcomes == {(200, ""): 1, (403, "RequestReplayed"): 3}, number
        assert balance(first) == 20 * 5
        read = Captured(CLOCK, "DescribeClock", b"{}", strong=True).bytes()
        assert Counter(both.map(send, [first, second], [read] * 2)) == {(200, ""): 1, (403, "RequestReplayed"): 1}
        found.check()
