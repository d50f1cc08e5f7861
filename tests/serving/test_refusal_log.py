"""Connections that were refused: each is counted, and the log gets a line now and then."""

from __future__ import annotations

import json

from structlog.testing import capture_logs

from leasebook.server.transport.connection_limits import Caps
from leasebook.server.transport.refusal import TOO_MANY, refusal
from leasebook.server.transport.refusal_log import LOG_EVERY_S, RefusalLog
from tests.serving.place import ListenerMeter


def test_each_refusal_is_counted_and_a_line_tells_of_those_since_the_last() -> None:
    meter, now = ListenerMeter(), 1000.0
    refusals = RefusalLog(meter, Caps(8, 2, lambda _: False), lambda: now)
    with capture_logs() as lines:
        for passed_s in (0.0, 1.0, LOG_EVERY_S - 1.1, 0.2):
            now += passed_s
            refusals.add("address", "192.0.2.7")
    assert meter.seen == {"address": 4}
    assert [line["since_last_told"] for line in lines] == [1, 3]
    assert lines[0] == {
        "event": "connections are not let in",
        "log_level": "warning",
        "reason": "address",
        "address": "192.0.2.7",
        "since_last_told": 1,
        "open": 0,
        "most": 8,
        "most_of_one_address": 2,
        "help": "if it is a proxy, name it in trusted_proxies; else raise http.connections_per_address_max",
    }


def test_a_refusal_before_the_headers_are_read_has_the_shape_that_clients_of_models_read() -> None:
    head, _, body = refusal(TOO_MANY, []).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    said = json.loads(body)
    assert said["error"] == {"code": "Overloaded", "message": said["message"], "type": "server_error"}
    assert said["id"] == said["requestId"]
