"""The Grafana board asks for metrics that exist, by labels that they have, and aggregates them as their page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from leasebook.docsgen.grafana import board
from leasebook.docsgen.reference import Listing

FILE = Path(__file__).parents[2] / "docs" / "operating" / "grafana" / "leasebook.json"
METRIC = re.compile(r"\b(?:leasebook|process)_\w+")
SELECTED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"\b(?:by|without|on|group_left)\s*\(([^)]*)\)")
AGGREGATED = re.compile(r"(\w+) without \(([^)]*)\) \((rate\()?((?:leasebook|process)_\w+)")
LEGEND = re.compile(r"\{\{(\w+)\}\}")
GIVEN = frozenset({"job", "instance", "le"})
"""Labels that Prometheus gives, and the bound of a bucket."""


class Metric(NamedTuple):
    kind: str
    labels: frozenset[str]
    scope: str


def metrics() -> dict[str, Metric]:
    """Return every metric of the registry, by the names of its series."""
    found: dict[str, Metric] = {}
    for name, kind, labels, _, scope in Listing().rows:
        metric = Metric(kind, frozenset(re.findall(r"`(\w+)`", labels)), scope)
        series = (f"{name.strip('`')}{ending}" for ending in ("_bucket", "_sum", "_count"))
        found.update(dict.fromkeys(series if kind == "histogram" else (name.strip("`"),), metric))
    return found


METRICS = metrics()
PANELS: list[dict[str, Any]] = json.loads(board())["panels"]


def labels_of(group: str) -> set[str]:
    return {label.strip() for label in group.split(",")}


def queries() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]


def test_every_metric_exists_and_has_every_label_that_is_named() -> None:
    for text, legend in queries():
        names = set(METRIC.findall(text))
        assert names, text
        assert not names - set(METRICS)
        named = {*SELECTED.findall(text), *LEGEND.findall(legend)}
        for group in GROUPED.findall(text):
            named |= labels_of(group)
        assert not named - GIVEN - frozenset().union(*(METRICS[name].labels for name in names)), text


def test_counters_are_read_as_rates() -> None:
    for text, _ in queries():
        for found in METRIC.finditer(text):
            is_rate = text[: found.start()].endswith("rate(")
            assert is_rate == (METRICS[found[0]].kind != "gauge"), text
            assert not is_rate or "}[$__rate_interval]" in text[found.end() :], text


def test_every_server_is_counted_as_the_page_says_and_every_line_has_a_legend_of_its_own() -> None:
    for text, legend in queries():
        for how, dropped, _, name in AGGREGATED.findall(text):
            metric = METRICS[name]
            assert metric.scope != "store" or how == "max", text
            assert metric.kind == "gauge" or how == "sum", text
            # The account's name is in the place of its id.
            shown = {*LEGEND.findall(legend), *(["account"] if "group_left" in text else [])}
            assert metric.labels - labels_of(dropped) <= shown, text


def test_every_value_of_the_store_is_aggregated() -> None:
    text = "\n".join(text for text, _ in queries())
    bare = [name for name in METRIC.findall(text) if METRICS[name].scope == "store"]
    assert len(bare) == sum(METRICS[name].scope == "store" for _, _, _, name in AGGREGATED.findall(text))


def test_charts_have_places_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations((panel["gridPos"] for panel in PANELS), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in PANELS) == 24


def test_the_file_is_the_one_that_is_generated() -> None:
    assert FILE.read_text(encoding="utf-8") == board()
