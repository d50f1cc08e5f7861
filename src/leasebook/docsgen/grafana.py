"""The Grafana board: panels about the metrics that servers have, as a file that Grafana imports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from leasebook.docsgen.reference import Listing

WIDTH: Final = 24
"""Columns of a board."""
HEIGHT: Final = 8
"""Rows of a chart."""
SCHEMA_VERSION: Final = 39
"""Of boards; Grafana 10.4 and later read it."""
_RATE: Final = "[$__rate_interval]"
_JOB: Final = '{job=~"$job"}'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_FACTS: Final = {
    name.strip("`"): (frozenset() if labels == "none" else frozenset(labels.replace("`", "").split(", ")), scope)
    for name, _, labels, _, scope in Listing().rows
}


class Query(NamedTuple):
    """The query behind one line, or one set of lines, of a chart; ``legend`` names labels as ``{{label}}``."""

    text: str
    legend: str


class Panel(NamedTuple):
    """A chart, its unit in Grafana's words, and its share of the width; ``is_stacked``: its lines add up."""

    title: str
    unit: str
    queries: Sequence[Query]
    width: int = 8
    is_stacked: bool = False
    meaning: str = ""


def _without(name: str, keep: Iterable[str]) -> str:
    """Return the labels that a sum leaves out; labels of the monitoring system, for example a store's, remain."""
    labels, _ = _FACTS[name]
    return ", ".join(["instance", *sorted(labels - set(keep))])


def _legend(keep: Sequence[str], otherwise: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in keep) or otherwise


def rate(name: str, *keep: str, legend: str = "", where: str = _JOB) -> Query:
    """Return what a counter counts a second, of all servers together."""
    return Query(f"sum without ({_without(name, keep)}) (rate({name}{where}{_RATE}))", legend or _legend(keep, "all"))


def value(name: str, *keep: str, legend: str = "", how: str = "") -> Query:
    """Return a gauge: the sum over servers, or the greatest, which is right where each shows the whole store."""
    labels, scope = _FACTS[name]
    assert scope == "server" or set(keep) == labels  # noqa: S101 - the greatest of several rows would be none of them
    how = how or ("max" if scope == "store" else "sum")
    return Query(f"{how} without ({_without(name, keep)}) ({name}{_JOB})", legend or _legend(keep, "all"))


def quantile(part: float, name: str, *keep: str) -> Query:
    """Return below which time a part of what a histogram observed lies."""
    dropped = _without(name, keep)
    text = f"histogram_quantile({part}, sum without ({dropped}) (rate({name}_bucket{_JOB}{_RATE})))"
    return Query(text, f"p{part * 100:g} {_legend(keep, '')}".strip())


_REQUESTS: Final = "leasebook_requests_total"
_FAILED: Final = '{job=~"$job", status=~"5.."}'


def _share(part: Query, whole: Query, legend: str) -> Query:
    return Query(f"({part.text}\n    or 0 * {whole.text})\n  / {whole.text}", legend)


def _by_name(text: str) -> str:
    """Give lines about accounts the names of the accounts."""
    return f"{text}\n  * on (job, account) group_left (name) max without (instance) (leasebook_account_info{_JOB})"


def _process(name: str) -> Query:
    return Query(f"{name}{_JOB}", "{{instance}}")


def _state() -> Sequence[Panel]:
    return (
        Panel("Servers", "none", [Query(f"count by (version) (leasebook_build_info{_JOB})", "{{version}}")], 4),
        Panel(
            "Oldest overdue release",
            "s",
            [value("leasebook_oldest_overdue_release_seconds", legend="late by")],
            5,
            meaning="Releases run within a second. Anything that grows here keeps bills open.",
        ),
        Panel(
            "Store away or unwritable",
            "s",
            [
                value("leasebook_store_writes_failing_seconds", how="max", legend="unwritable"),
                value("leasebook_store_away_seconds", "for", how="max", legend="away: {{for}}"),
            ],
            5,
        ),
        Panel("Engines reachable", "none", [value("leasebook_engine_reachable", "engine", how="min")], 5),
        Panel("Due work paused by the clock", "none", [value("leasebook_clock_held", how="max", legend="paused")], 5),
    )


def _money() -> Sequence[Panel]:
    used = value("leasebook_offering_units_reserved", "kind", "region", "type")
    free = value("leasebook_offering_units_free", "kind", "region", "type")
    spend, budget = (value(f"leasebook_account_{what}", "account").text for what in ("spend", "budget"))
    return (
        Panel("Reserved units", "none", [used], is_stacked=True),
        Panel("Free units", "none", [free], is_stacked=True),
        Panel(
            "Share of units that is reserved",
            "percentunit",
            [Query(f"{used.text}\n  / ({used.text}\n    + {free.text})", used.legend)],
        ),
        Panel(
            "Charges of the month",
            "none",
            [Query(_by_name(spend), "{{name}}")],
            meaning="The accounts that the setting metrics.accounts names, in the currency of the service.",
        ),
        Panel(
            "Share of the budget that is spent",
            "percentunit",
            [Query(_by_name(f"({spend} / {budget})"), "{{name}}")],
        ),
        Panel("Instances", "none", [value("leasebook_units", "status")], is_stacked=True),
        Panel("Units sold beyond an engine's", "none", [value("leasebook_stock_oversold_units", "engine", "type")]),
        Panel(
            "Paid and not running",
            "none",
            [
                value("leasebook_crash_loops", legend="crash loops"),
                value("leasebook_instances_unrun", legend="no engine runs it"),
            ],
        ),
        Panel("Due work done", "ops", [rate("leasebook_due_done_total", "kind")], is_stacked=True),
    )


def _calls() -> Sequence[Panel]:
    return (
        Panel("Calls", "reqps", [rate(_REQUESTS, "action")], is_stacked=True),
        Panel(
            "Calls that failed",
            "percentunit",
            [_share(rate(_REQUESTS, where=_FAILED), rate(_REQUESTS), "failed")],
            meaning="Answers of 500 and above, of all answers.",
        ),
        Panel("Time of a call, 99 of 100", "s", [quantile(0.99, "leasebook_request_seconds", "action")]),
        Panel("Refusals of the rules", "ops", [rate("leasebook_refusals_total", "code")], is_stacked=True),
        Panel("Calls beyond their rate", "ops", [rate("leasebook_throttled_total", "by")], is_stacked=True),
        Panel("Calls waiting", "none", [value("leasebook_calls_waiting", "for")]),
    )


def _batches() -> Sequence[Panel]:
    return (
        Panel(
            "Time of a batch",
            "s",
            [quantile(part, "leasebook_batch_seconds") for part in (0.5, 0.99)],
        ),
        Panel(
            "Time of a commit",
            "s",
            [quantile(part, "leasebook_commit_seconds") for part in (0.5, 0.99)],
        ),
        Panel(
            "Commands",
            "none",
            [
                quantile(0.5, "leasebook_batch_size")._replace(legend="in a batch, half of them"),
                value("leasebook_queue_length", legend="waiting"),
            ],
        ),
        Panel(
            "Lateness of releases",
            "s",
            [quantile(part, "leasebook_release_lateness_seconds") for part in (0.5, 0.99)],
        ),
        Panel("Batches that the store did not write", "ops", [rate("leasebook_store_writes_failed_total", "outcome")]),
        Panel("Audit entries lost", "ops", [rate("leasebook_audit_lost_total", legend="lost")]),
    )


def _services() -> Sequence[Panel]:
    return (
        Panel("Replicas", "none", [value("leasebook_replicas", "state")], is_stacked=True),
        Panel("Calls of services", "reqps", [rate("leasebook_gateway_calls_total", "outcome")], is_stacked=True),
        Panel(
            "Time until a replica answers",
            "s",
            [quantile(part, "leasebook_gateway_first_byte_seconds") for part in (0.5, 0.99)],
        ),
        Panel(
            "Calls and WebSockets under way",
            "none",
            [
                value("leasebook_gateway_calls_in_flight", legend="calls"),
                value("leasebook_gateway_websockets", legend="WebSockets"),
            ],
        ),
        Panel(
            "Time of the reconciler's steps, 99 of 100",
            "s",
            [quantile(0.99, "leasebook_reconciler_step_seconds", "step")],
        ),
        Panel(
            "Replicas without a server or an instance",
            "none",
            [
                value("leasebook_replicas_unserved", "engine", legend="no server looks after it: {{engine}}"),
                rate("leasebook_orphans_stopped_total", "engine", legend="stopped a second: {{engine}}"),
            ],
        ),
    )


def _events() -> Sequence[Panel]:
    return (
        Panel("Deliveries", "ops", [rate("leasebook_deliveries_total", "kind", "result")], is_stacked=True),
        Panel(
            "Waiting deliveries",
            "none",
            [value("leasebook_deliveries_waiting", legend="waiting")],
        ),
        Panel("Oldest waiting delivery", "s", [value("leasebook_oldest_waiting_delivery_seconds", legend="age")]),
        Panel("Open streams of events", "none", [value("leasebook_event_streams", legend="open")]),
        Panel(
            "Cost exports",
            "none",
            [
                value("leasebook_cost_exports_open", legend="under way"),
                rate("leasebook_cost_exports_total", "outcome", legend="a second: {{outcome}}"),
            ],
        ),
        Panel("Lines to the log store", "ops", [rate("leasebook_log_store_lines_total", "outcome")], is_stacked=True),
    )


def _processes() -> Sequence[Panel]:
    return (
        Panel("Memory", "bytes", [_process("process_resident_memory_bytes")], 6),
        Panel("Processors", "none", [Query(f"rate(process_cpu_seconds_total{_JOB}{_RATE})", "{{instance}}")], 6),
        Panel(
            "Share of open files",
            "percentunit",
            [Query(f"process_open_fds{_JOB}\n  / process_max_fds{_JOB}", "{{instance}}")],
            6,
        ),
        Panel("Connections", "none", [value("leasebook_connections_open", "listener")], 6),
    )


def _rows() -> Mapping[str, Sequence[Panel]]:
    return {
        "Is it well": _state(),
        "Units and money": _money(),
        "Calls": _calls(),
        "Batches": _batches(),
        "Services and replicas": _services(),
        "Events and exports": _events(),
        "Processes": _processes(),
    }


def _chart(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "custom": {
                    "fillOpacity": 20 if panel.is_stacked else 0,
                    "showPoints": "never",
                    "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
                },
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query.text, "legendFormat": query.legend}
            for place, query in enumerate(panel.queries)
        ],
    }


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    x = y = 0
    for title, charts in _rows().items():
        grid = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": grid, "panels": []}
        )
        x, y = 0, y + 1
        for chart in charts:
            if x + chart.width > WIDTH:
                x, y = 0, y + HEIGHT
            panels.append(_chart(chart, len(panels) + 1, x, y))
            x += chart.width
        y += HEIGHT
    return panels


def board() -> str:
    """Return the board as Grafana imports it."""
    variables = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "job",
            "label": "Job",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": "label_values(leasebook_build_info, job)", "refId": "jobs"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "current": {"text": "All", "value": "$__all"},
        },
    ]
    return (
        json.dumps(
            {
                "id": None,
                "uid": "leasebook",
                "title": "Leasebook",
                "description": "docs/operating/metrics.md says what each of these metrics means.",
                "tags": ["leasebook"],
                "schemaVersion": SCHEMA_VERSION,
                "version": 1,
                "editable": True,
                "graphTooltip": 1,
                "refresh": "30s",
                "time": {"from": "now-6h", "to": "now"},
                "timezone": "browser",
                "templating": {"list": variables},
                "annotations": {"list": []},
                "panels": _panels(),
            },
            indent=1,
        )
        + "\n"
    )
