"""Services: what a resource type names, and when a service runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasehold.domain.calendar import Instant
from leasehold.domain.refusal import BAD_VALUE, Refusal
from leasehold.domain.service import Service, Shape, shape_of

ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII", 9: "IX"}

SHAPES = [
    ("GPU-1-1", Shape("gpu-1", 1)),
    ("GPU-1-2", Shape("gpu-1", 2)),
    ("GPU-I-2", Shape("gpu-1", 2)),
    ("GPU-III-8", Shape("gpu-3", 8)),
    ("GPU-IV-4", Shape("gpu-4", 4)),
    ("GPU-6-99", Shape("gpu-6", 99)),
    ("GPU-9-10", Shape("gpu-9", 10)),
    ("CPU-1-1", Shape("cpu", 1)),
    ("CPU-I-16", Shape("cpu", 16)),
]

NO_SHAPES = [
    "",
    "GPU",
    "GPU-1",
    "GPU-1-",
    "GPU--1",
    "GPU-0-1",
    "GPU-10-1",
    "GPU-X-1",
    "GPU-IIII-1",
    "GPU-VIIII-1",
    "GPU-1-0",
    "GPU-1-01",
    "GPU-1-100",
    "GPU-1--2",
    "GPU-1-2 ",
    " GPU-1-2",
    "GPU-1-2\n",
    "gpu-1-2",
    "TPU-1-2",
    "GPU-1-2-3",
    "GPU-i-2",
    "GPU-１-2",  # noqa: RUF001 - a digit of another script
]


def service(replicas: int) -> Service:
    return Service(
        id="svco-1",
        account_id="acc-1",
        created_by="user-1",
        name="demo",
        description="",
        url_suffix="demo",
        model_set_id="am-1",
        model_id="amv-1",
        resource_type="GPU-II-3",
        region=None,
        qps=None,
        replicas=replicas,
        created_at=Instant(0),
    )


@pytest.mark.parametrize(("resource_type", "shape"), SHAPES)
def test_a_resource_type_names_a_type_and_the_units_of_a_replica(resource_type: str, shape: Shape) -> None:
    assert shape_of(resource_type) == shape


@pytest.mark.parametrize("resource_type", NO_SHAPES)
def test_another_resource_type_is_a_bad_value_of_that_field(resource_type: str) -> None:
    with pytest.raises(Refusal, match="write for example GPU-1-2") as caught:
        shape_of(resource_type)
    assert (caught.value.reason, caught.value.field) == (BAD_VALUE, "resourceConfig.type")


def test_a_refused_resource_type_is_shown_in_part_only() -> None:
    with pytest.raises(Refusal) as caught:
        shape_of("GPU-1-" + "9" * 10_000)
    assert len(caught.value.message) < 200


@given(st.integers(1, 9), st.integers(1, 99))
def test_both_spellings_of_a_card_class_mean_the_same(card: int, units: int) -> None:
    assert shape_of(f"GPU-{card}-{units}") == shape_of(f"GPU-{ROMAN[card]}-{units}") == Shape(f"gpu-{card}", units)


def test_a_service_is_new_until_replicas_run() -> None:
    assert [service(replicas).run_status for replicas in (0, 1, 7)] == ["New", "Serving", "Serving"]
    assert service(0).shape == Shape("gpu-2", 3)
