"""Which engine runs what."""

from __future__ import annotations

import pytest

from leasebook.domain.replicas.engine_route import engine_for, parse_counts, parse_routes


@pytest.mark.parametrize(
    ("rules", "region", "unit_type", "engine"),
    [
        ("*=process", "bj", "gpu-1", "process"),
        ("gpu-*=process", "bj", "cpu", "instant"),
        # The most specific rule counts, wherever it is in the list: a region, a whole type, a longer beginning.
        ("gpu-*=process, bj/gpu-1=ray, *=instant", "bj", "gpu-1", "ray"),
        ("gpu-*=process, bj/gpu-1=ray, *=instant", "gz", "gpu-1", "process"),
        ("gpu-*=process, bj/gpu-1=ray, *=instant", "bj", "cpu", "instant"),
        ("bj/*=ray, gpu-1=process", "bj", "gpu-1", "ray"),
        ("gpu-*=ray, gpu-1=process", "bj", "gpu-1", "process"),
        ("g*=ray, gpu-*=process", "bj", "gpu-1", "process"),
    ],
)
def test_of_the_rules_that_fit_the_one_that_says_most_counts(
    rules: str, region: str, unit_type: str, engine: str
) -> None:
    assert engine_for(parse_routes(rules), region, unit_type) == engine


@pytest.mark.parametrize(
    "text", ["", "gpu-1", "gpu-1=", "=ray", "gpu-1=docker", "*=ray, *=process", "a=ray,", "a b=ray"]
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rule|engine"):
        parse_routes(text)


@pytest.mark.parametrize("text", ["", "cpu", "cpu=x", "cpu=-1", "cpu=1, cpu=2"])
def test_what_is_no_number_of_a_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_counts(text)
