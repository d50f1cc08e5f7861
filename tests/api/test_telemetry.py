"""Logs without secrets, and metrics under fixed names."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from leasebook.config.load import Secret, load_settings
from leasebook.docsgen.reference import metrics_page
from leasebook.observability.logs.lines import LogFormat, LogLevel, configure_logging, request_id
from leasebook.observability.metrics import Metrics

SECRET = "0123456789abcdefSECRET"
SIGNATURE = "bce-auth-v1/ALTAKone/2030-01-15T01:30:00Z/1800/host;x-bce-date/9f86d081884c7d65"
ENCODED = SIGNATURE.replace("/", "%2F").replace(":", "%3A").replace(";", "%3B")

early_log = structlog.get_logger()
"""Made at import, as every module does, before logging is configured."""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Leave the logging of other tests as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.NOTSET)


class Logged:
    """The text written to standard error so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Logged:
    return Logged(capsys)


def records(logged: Logged) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


# --- logs ---


def test_a_line_is_a_sentence_with_facts_beside_it(logged: Logged) -> None:
    configure_logging("json", "info")
    token = request_id.set("req-1")
    with structlog.contextvars.bound_contextvars(unit_id="unit-1"):
        early_log.info("unit released", late=0.5, count=2, ok=True, none=None, tags=["a", 1], at={"b": Path("/c")})
    request_id.reset(token)
    early_log.warning("no request")
    first, second = records(logged)
    assert list(first)[:3] == ["timestamp", "level", "event"]
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "info",
        "event": "unit released",
        "request_id": "req-1",
        "unit_id": "unit-1",
        "late": 0.5,
        "count": 2,
        "ok": True,
        "none": None,
        "tags": ["a", 1],
        "at": {"b": "/c"},
    }
    assert "request_id" not in second


LEVELS: list[LogLevel] = ["debug", "info", "warning", "error", "critical"]


@pytest.mark.parametrize("level", LEVELS)
def test_only_lines_of_the_level_and_above_are_written(level: LogLevel, logged: Logged) -> None:
    configure_logging("json", level)
    for each in LEVELS:
        getattr(early_log, each)("a line")
    assert [record["level"] for record in records(logged)] == LEVELS[LEVELS.index(level) :]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("format_", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
)
def test_auto_is_console_on_a_terminal_only(
    format_: LogFormat, stream: type[io.StringIO], *, is_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = stream()
    monkeypatch.setattr(sys, "stderr", target)
    configure_logging(format_, "info")
    early_log.info("a line", fact=1)
    assert target.getvalue().startswith("{") == is_json
    assert "a line" in target.getvalue()
    assert ("\x1b[" in target.getvalue()) == (stream is Terminal and not is_json)


FACTS: dict[str, dict[Any, Any]] = {
    "key secret": {"secret": SECRET},
    "key in capitals": {"Client_SECRET": SECRET},
    "key authorization": {"x_authorization_header": SECRET},
    "key password": {"db_password": SECRET},
    "key master": {"master_key": SECRET},
    "key in a table": {"headers": {"Authorization": SECRET, "host": "x"}},
    "key in a list of tables": {"rows": [({"secretKey": SECRET},)]},
    "known secret": {"note": f"it is {SECRET}!"},
    "known secret as a key": {"seen": {SECRET: 1}},
    "known secret in bytes": {"body": f"it is {SECRET}".encode()},
    "known secret in an object": {"error": ValueError(SECRET)},
    "known secret in a set": {"all": {SECRET}},
    "secret object": {"value": Secret(SECRET)},
    "signature": {"header": SIGNATURE},
    "signature in text": {"text": f"got '{SIGNATURE}', why"},
    "signature in a query": {"url": f"/v2?authorization={ENCODED}&x=1"},
    "signature in capitals": {"header": SIGNATURE.upper()},
}


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
def test_no_secret_reaches_the_log(format_: LogFormat, facts: dict[str, Any], logged: Logged) -> None:
    configure_logging(format_, "info", [Secret(SECRET)])
    early_log.info("a line", kept="fact", **facts)
    text = logged.getvalue()
    assert "fact" in text
    assert "[redacted]" in text or "Secret(***)" in text
    assert not any(part in text.lower() for part in (SECRET.lower(), "9f86d081", "altakone"))


@pytest.mark.parametrize("format_", ["json", "console"])
def test_no_secret_reaches_the_log_by_the_sentence_the_context_or_a_traceback(
    format_: LogFormat, logged: Logged
) -> None:
    configure_logging(format_, "info", [Secret(SECRET)])
    local = SECRET
    with structlog.contextvars.bound_contextvars(client_secret=SECRET, note=SECRET):
        early_log.info(f"bad {SECRET} {SIGNATURE}")  # the mistake under test
        try:
            int(f"{local} {SIGNATURE}")
        except ValueError:
            early_log.exception("it failed")
    assert SECRET not in logged.getvalue()
    assert "9f86d081" not in logged.getvalue()
    assert "Traceback (most recent call last)" in logged.getvalue()
    assert "base 10: '[redacted] bce-auth-v1/[redacted]'" in logged.getvalue()


def test_what_surrounds_a_signature_stays(logged: Logged) -> None:
    configure_logging("json", "info")
    early_log.info("a line", url=f"/v2?authorization={ENCODED}&x=1", text=f"got '{SIGNATURE}', why")
    (record,) = records(logged)
    assert record["url"] == "/v2?authorization=bce-auth-v1/[redacted]&x=1"
    assert record["text"] == "got 'bce-auth-v1/[redacted]', why"


def test_a_short_secret_does_not_blank_out_innocent_words(logged: Logged) -> None:
    configure_logging("json", "info", [Secret(""), Secret("a")])
    early_log.info("a line")
    assert records(logged)[0]["event"] == "a line"


def test_settings_are_logged_without_secrets(logged: Logged) -> None:
    settings = load_settings(None, {"LEASEBOOK_ROOT_ACCESS_KEY": "ALTAKroot", "LEASEBOOK_ROOT_SECRET_KEY": SECRET})
    configure_logging("json", "info")
    early_log.info("settings read", settings=settings, given=[settings.root_secret_key])
    assert SECRET not in logged.getvalue()
    assert "Asia/Shanghai" in logged.getvalue()


@pytest.mark.parametrize("value", [float("nan"), 2**70, "\udc80", "密钥", {1: 2}, b"\xff", object, "line\nbreak"])
def test_every_value_makes_one_line_of_json(value: object, logged: Logged) -> None:
    configure_logging("json", "info")
    early_log.info("a line", value=value)
    assert len(records(logged)) == 1


def test_lines_of_libraries_go_the_same_way(logged: Logged) -> None:
    configure_logging("json", "debug", [Secret(SECRET)])
    token = request_id.set("req-1")
    library = logging.getLogger("a.library")
    library.info("started %s with %s", "it", SECRET)
    library.debug("SELECT with parameters")
    logging.getLogger("httpx2").info("HTTP Request: GET")
    try:
        int(SECRET)
    except ValueError:
        library.exception("it failed")
    request_id.reset(token)
    started, failed = records(logged)
    assert started.pop("timestamp")
    assert started == {
        "level": "info",
        "event": "started it with [redacted]",
        "request_id": "req-1",
        "logger": "a.library",
    }
    assert failed["exception"].endswith("base 10: '[redacted]'")


def test_configuring_again_replaces_and_does_not_double(logged: Logged) -> None:
    configure_logging("json", "info")
    early_log.info("first")
    configure_logging("json", "error")
    early_log.info("not written")
    logging.getLogger("library").info("not written")
    logging.getLogger("library").error("second")
    assert [record["event"] for record in records(logged)] == ["first", "second"]


def test_a_log_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class FailingStream(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", FailingStream())
    configure_logging("json", "info")
    early_log.info("a line")
    monkeypatch.setattr(sys, "stderr", None)
    early_log.info("a line")
    structlog.get_logger("named").info("a line")


# --- metrics ---


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, frozenset(labels.items())]


NAMES = {
    "leasebook_cost_exports_open": "gauge",
    "leasebook_cost_exports": "counter",
    "leasebook_cost_export_bytes": "counter",
    "leasebook_log_store_lines": "counter",
    "leasebook_log_store_requests": "counter",
    "leasebook_log_store_away": "gauge",
    "leasebook_connections_open": "gauge",
    "leasebook_connections_refused": "counter",
    "leasebook_connection_timeouts": "counter",
    "leasebook_requests_unread": "counter",
    "leasebook_requests": "counter",
    "leasebook_request_seconds": "histogram",
    "leasebook_batch_size": "histogram",
    "leasebook_batch_seconds": "histogram",
    "leasebook_commit_seconds": "histogram",
    "leasebook_store_writes_failed": "counter",
    "leasebook_store_writes_failing_seconds": "gauge",
    "leasebook_queue_length": "gauge",
    "leasebook_refusals": "counter",
    "leasebook_approvals_waiting": "gauge",
    "leasebook_refused_calls_unlisted": "counter",
    "leasebook_console_sign_ins": "counter",
    "leasebook_release_lateness_seconds": "histogram",
    "leasebook_oldest_overdue_release_seconds": "gauge",
    "leasebook_due_done": "counter",
    "leasebook_units": "gauge",
    "leasebook_clock_held": "gauge",
    "leasebook_audit_lost": "counter",
    "leasebook_delivery_attempts": "gauge",
    "leasebook_subscription_accounts_behind": "gauge",
    "leasebook_deliveries_held": "counter",
    "leasebook_deliveries": "counter",
    "leasebook_deliveries_waiting": "gauge",
    "leasebook_oldest_waiting_delivery_seconds": "gauge",
    "leasebook_build_info": "gauge",
    "leasebook_engine_reachable": "gauge",
    "leasebook_orphans_stopped": "counter",
    "leasebook_reconciler_step_seconds": "histogram",
    "leasebook_replicas": "gauge",
    "leasebook_instances_unrun": "gauge",
    "leasebook_crash_loops": "gauge",
    "leasebook_replicas_unserved": "gauge",
    "leasebook_stock_offered_units": "gauge",
    "leasebook_stock_engine_units": "gauge",
    "leasebook_stock_oversold_units": "gauge",
    "leasebook_gateway_calls": "counter",
    "leasebook_calls_waiting": "gauge",
    "leasebook_store_away_seconds": "gauge",
    "leasebook_throttled": "counter",
    "leasebook_faults": "counter",
    "leasebook_gateway_first_byte_seconds": "histogram",
    "leasebook_gateway_calls_in_flight": "gauge",
    "leasebook_gateway_websockets": "gauge",
    "leasebook_gateway_websockets_ended": "counter",
    "leasebook_gateway_websocket_bytes": "counter",
    "leasebook_gateway_keys_refused": "counter",
    "leasebook_event_streams": "gauge",
    "leasebook_event_streams_refused": "counter",
    "leasebook_offering_units_reserved": "gauge",
    "leasebook_offering_units_free": "gauge",
    "leasebook_account_info": "gauge",
    "leasebook_costs_behind_postings": "gauge",
    "leasebook_account_spend": "gauge",
    "leasebook_account_budget": "gauge",
    "process_virtual_memory_bytes": "gauge",
    "process_resident_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge",
    "process_cpu_seconds": "counter",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
}


def test_the_names_and_types_are_these() -> None:
    body, _ = Metrics("1.2.3").render()
    families = text_string_to_metric_families(body.decode())
    assert {family.name: family.type for family in families} == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_each_of_them(name: str) -> None:
    shown = f"`{name}_total`" if NAMES[name] == "counter" else f"`{name}`"
    assert f"| {shown} | {NAMES[name]} |" in metrics_page()


def test_requests_are_counted_and_timed() -> None:
    metrics = Metrics()
    for seconds in (0.0004, 0.003, 20.0):
        metrics.request_done("/v2/computeunit", "PurchaseComputeUnit", 200, "", seconds)
    metrics.request_done("/v2/computeunit", "PurchaseComputeUnit", 409, "InsufficientStock", 0.003)
    labels = {"path": "/v2/computeunit", "action": "PurchaseComputeUnit"}
    assert value(metrics, "leasebook_requests_total", **labels, status="200", code="") == 3
    assert value(metrics, "leasebook_requests_total", **labels, status="409", code="InsufficientStock") == 1
    timed = "leasebook_request_seconds"
    assert value(metrics, f"{timed}_bucket", action="PurchaseComputeUnit", le="0.0005") == 1
    assert value(metrics, f"{timed}_bucket", action="PurchaseComputeUnit", le="0.005") == 3
    assert value(metrics, f"{timed}_count", action="PurchaseComputeUnit") == 4
    assert value(metrics, f"{timed}_sum", action="PurchaseComputeUnit") == pytest.approx(20.0064)


def test_batches_and_the_queue_are_measured() -> None:
    metrics = Metrics()
    metrics.batch_done(1, 0.002, 0.001)
    metrics.batch_done(1024, 0.2, 0.1)
    metrics.queue_length(7)
    assert value(metrics, "leasebook_batch_size_bucket", le="1.0") == 1
    assert value(metrics, "leasebook_batch_size_bucket", le="1024.0") == 2
    assert value(metrics, "leasebook_batch_seconds_sum") == pytest.approx(0.202)
    assert value(metrics, "leasebook_commit_seconds_sum") == pytest.approx(0.101)
    assert value(metrics, "leasebook_queue_length") == 7


def test_due_work_and_refusals_are_counted_and_only_releases_record_lateness() -> None:
    metrics = Metrics()
    metrics.due_done("release", 0.02)
    metrics.due_done("release", 4000.0)
    metrics.due_done("charge", 1.0)
    metrics.refused("InsufficientStock")
    assert value(metrics, "leasebook_due_done_total", kind="release") == 2
    assert value(metrics, "leasebook_due_done_total", kind="charge") == 1
    assert value(metrics, "leasebook_release_lateness_seconds_bucket", le="0.01") == 0
    assert value(metrics, "leasebook_release_lateness_seconds_bucket", le="3600.0") == 1
    assert value(metrics, "leasebook_release_lateness_seconds_count") == 2
    assert value(metrics, "leasebook_refusals_total", code="InsufficientStock") == 1


def test_gauges_show_what_is_so_now() -> None:
    metrics = Metrics("1.2.3")
    metrics.units({"Running": 3, "Stopped": 1})
    metrics.units({"Running": 2})
    metrics.oldest_overdue_release(12.5)
    metrics.clock_paused(paused=True)
    assert value(metrics, "leasebook_units", status="Running") == 2
    assert ("leasebook_units", frozenset({("status", "Stopped")})) not in samples(metrics)
    assert value(metrics, "leasebook_oldest_overdue_release_seconds") == 12.5
    assert value(metrics, "leasebook_clock_held") == 1
    metrics.clock_paused(paused=False)
    assert value(metrics, "leasebook_clock_held") == 0
    assert value(metrics, "leasebook_build_info", version="1.2.3") == 1


def test_two_services_in_one_process_do_not_share_metrics() -> None:
    one, two = Metrics(), Metrics()
    one.refused("Overloaded")
    assert ("leasebook_refusals_total", frozenset({("code", "Overloaded")})) not in samples(two)


def test_hostile_label_values_render_and_parse_again() -> None:
    metrics = Metrics()
    hostile = 'a"b\\c\nd{e="f"}'
    metrics.refused(hostile)
    assert value(metrics, "leasebook_refusals_total", code=hostile) == 1
