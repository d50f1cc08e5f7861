"""The demo sells every type of resource that the page about CreateService lists."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.api.scene import SERVICE, ServiceHarness, a_scene, billing_of, new_service

TYPES = ("CPU-1-1", "GPU-1-1", "GPU-1-2", "GPU-1-4", "GPU-1-8", "GPU-5-1", "GPU-5-2", "GPU-6-1", "GPU-6-2")
NEWEST = ("GPU-7-1", "GPU-7-2")


def are_sold(scene: ServiceHarness, types: tuple[str, ...]) -> None:
    for resource_type in types:
        for region in ("bj", "bd"):
            for months in (None, 1):
                body = new_service(type=resource_type, region=region, replicasCount=1)
                body = {**body, "billing": billing_of(months=months)}
                assert "instanceId" in scene.operator.do(SERVICE, "CreateService", body)


def test_every_documented_type_is_sold_by_the_minute_and_by_the_month(tmp_path: Path) -> None:
    with a_scene(tmp_path, demo=True) as scene:
        are_sold(scene, TYPES + NEWEST)


def test_the_demo_is_loaded_into_a_store_that_an_earlier_version_founded(tmp_path: Path) -> None:
    with a_scene(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "leasebook.db")) as store, store:
        assert store.execute("DELETE FROM offerings WHERE type = 'gpu-7'").rowcount == 2
    with a_scene(tmp_path, demo=True) as scene:
        are_sold(scene, NEWEST)
