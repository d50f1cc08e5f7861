"""Services: what a resource type names, and when a service runs."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leasebook.domain.model.service import Service, Shape, resource_type_of, shape_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, Refusal

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
    ("CPU-9-2", Shape("cpu", 2)),
    # Any other type of the catalogue, in capital letters or small ones.
    ("gpu-1-2", Shape("gpu-1", 2)),
    ("gpu-I-2", Shape("gpu-1", 2)),
    ("gpu-i-2", Shape("gpu-i", 2)),
    ("cpu-1-2", Shape("cpu", 2)),
    ("H100-4", Shape("h100", 4)),
    ("h100-8", Shape("h100", 8)),
    ("A100-80G-99", Shape("a100-80g", 99)),
    ("TPU-1-2", Shape("tpu-1", 2)),
    ("GPU-10-1", Shape("gpu-10", 1)),
    ("GPU-X-1", Shape("gpu-x", 1)),
    ("GPU-IIII-1", Shape("gpu-iiii", 1)),
    ("GPU-1-2-3", Shape("gpu-1-2", 3)),
    ("GPU-1", Shape("gpu", 1)),
    ("x" * 32 + "-99", Shape("x" * 32, 99)),
]

NO_SHAPES = [
    "",
    "GPU",
    "-1",
    "GPU-1-",
    "GPU-1-0",
    "GPU-1-01",
    "GPU-1-100",
    "GPU-1--0",
    "GPU-1-2 ",
    " GPU-1-2",
    "GPU-1-2\n",
    "GPU 1-2",
    "GPU_1-2",
    "GPU.1-2",
    "GPU-１-2",  # noqa: RUF001 - a digit of another script
    "GPU-1-２",  # noqa: RUF001
    "ＧPU-1-2",  # noqa: RUF001 - a letter of another script
    "x" * 33 + "-1",
]


def service(**changed: Any) -> Service:
    made = Service(
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
        replicas=0,
        created_at=Instant(0),
    )
    return msgspec.structs.replace(made, **changed)


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


types = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=32)


@given(types, st.integers(1, 99))
def test_what_a_replica_takes_is_read_as_it_is_written(unit_type: str, units: int) -> None:
    # The documented spellings go before: one of them never means a type of the catalogue with that name.
    assume(re.fullmatch(r"gpu-(i{1,3}|iv|v|vi{0,3}|ix)|cpu-([1-9]|i{1,3}|iv|v|vi{0,3}|ix)", unit_type) is None)
    assert shape_of(resource_type_of(unit_type, units)) == Shape(unit_type, units)


@pytest.mark.parametrize("unit_type", ["cpu", *(f"gpu-{card}" for card in range(1, 10))])
def test_the_documented_types_are_written_in_the_documented_way(unit_type: str) -> None:
    written = resource_type_of(unit_type, 2)
    assert re.fullmatch(r"GPU-[1-9]-2|CPU-1-2", written)
    assert shape_of(written) == Shape(unit_type, 2)


# Active, replicas, coming up, prepaid and postpaid instances: what it says of itself.
RUN_STATUSES = [
    (True, 0, 0, 0, 0, "New"),
    (True, 1, 0, 0, 1, "Serving"),
    (True, 7, 0, 2, 0, "Serving"),
    (True, 1, 3, 1, 1, "Serving"),
    (True, 0, 3, 0, 1, "Deploying"),
    (True, 0, 3, 1, 1, "Deploying"),
    # All instances that it runs on are stopped.
    (True, 0, 0, 1, 0, "Stopped"),
    (True, 0, 0, 0, 2, "Stopped"),
    # Taken off by hand.
    (False, 0, 0, 0, 0, "Stopped"),
    (False, 5, 0, 1, 0, "Stopped"),
    (False, 0, 5, 0, 1, "Stopped"),
]


@pytest.mark.parametrize(("active", "replicas", "deploying", "prepaid", "postpaid", "status"), RUN_STATUSES)
def test_a_service_says_how_it_is(
    active: bool,  # noqa: FBT001 - a column of the table
    replicas: int,
    deploying: int,
    prepaid: int,
    postpaid: int,
    status: str,
) -> None:
    row = service(active=active, replicas=replicas, deploying=deploying, prepaid_units=prepaid, postpaid_units=postpaid)
    assert row.run_status == status
    assert row.instances == prepaid + postpaid
    assert row.shape == Shape("gpu-2", 3)
