"""A whole service with the process engine: a program that exits at once is a crash loop by the service's clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from leasebook.reconciler.ports import Timing
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.conftest import open_up
from tests.api.scene import MODEL, SERVICE, UNITS, Caller, ServiceHarness, a_scene
from tests.api.test_events import events
from tests.api.test_failure_events import served, until

ENGINE = {"LEASEBOOK_ENGINES": "*=process", "LEASEBOOK_ENGINES_PROCESS_UNITS": "cpu=2"}
TIMING = Timing(look_s=0.1, observe_s=0.1, busy_s=0.05)
KINDS = ["replica.crashLoop", "replica.recovered"]


@contextmanager
def running(where: Target) -> Iterator[ServiceHarness]:
    """A service that runs replicas as processes, and looks after them often."""
    with a_scene(where, environment=ENGINE, timing=TIMING) as scene:
        yield scene
    assert check_store(where).findings == []


def reported(caller: Caller) -> list[Any]:
    return events(caller, types=KINDS)


def row_of(caller: Caller, made: dict[str, str]) -> dict[str, Any]:
    (row,) = caller.do(SERVICE, "DescribeReplicas", {"serviceId": made["serviceId"]})["replicas"]
    found: dict[str, Any] = row
    return found


def another_version(caller: Caller, made: dict[str, str], *command: str) -> str:
    """Make an approved version of the service's model that runs a command."""
    version = {"modelSetId": made["modelSetId"], "run": {"command": list(command), "port": None}}
    model = caller.do(MODEL, "CreateCustomModel", version)["modelId"]
    caller.operator.do(MODEL, "ApproveModel", {"modelId": model})
    return str(model)


def damage(where: Target, text: str) -> None:
    """Change rows as no server does."""
    if where.url is not None:
        with psycopg.connect(where.url, autocommit=True) as database:
            database.execute(text.encode())
        return
    with closing(sqlite3.connect(where.directory / "leasebook.db", isolation_level=None)) as file:
        file.execute(text)


def test_a_program_that_exits_at_once_is_one_event_over_a_restart_and_the_version_that_works_is_another(
    migrated: Target,
) -> None:
    with running(migrated) as scene:
        open_up(scene)
        scene.sell("bj", "cpu")
        customer = scene.customer()
        made = served(customer, "looping", "sleep", "600")
        until(scene, lambda: customer.unit(made["instanceId"])["status"] == "Running")
        works = row_of(customer, made)["modelId"]
        made["modelSetId"] = customer.do(MODEL, "DescribeModel", {"modelId": works})["modelSetId"]
        broken = another_version(customer, made, "sh", "-c", "echo no weights; exit 3")
        service = {"serviceId": made["serviceId"]}
        version = service | {"modelSetId": made["modelSetId"]}
        customer.do(SERVICE, "ModifyService", version | {"modelId": broken})
        until(scene, lambda: row_of(customer, made)["restarts"] == 1)
        row = row_of(customer, made)
        assert (row["downSince"], row["crashLoop"]) == ("2030-01-15T08:00:00+08:00", False)
        scene.advance("2030-01-15T08:04:59+08:00")
        until(scene, lambda: row_of(customer, made)["restarts"] == 2)
        assert reported(customer) == []
        scene.advance("2030-01-15T08:05:00+08:00")
        (event,) = until(scene, lambda: reported(customer))
        assert (event["type"], event["subject"]) == ("replica.crashLoop", made["instanceId"])
        assert event["time"] == "2030-01-15T08:05:00+08:00"
        message = event["data"].pop("message")
        assert "no weights" in message
        since = {"engine": "process", "downSince": "2030-01-15T08:00:00+08:00"}
        assert event["data"] == since | service
        assert row_of(customer, made)["crashLoop"] is True
        text = customer.do(UNITS, "ExplainComputeUnit", {"instanceId": made["instanceId"]})["text"]
        assert f"no replica of {made['serviceId']} on it has stayed healthy since 2030-01-15T08:00:00+08:00" in text
        metrics = scene.operator.send("/metrics", "", method="GET", headers=[]).body
        assert "leasebook_crash_loops 1.0" in metrics
        key = {"accessKeyId": customer.desk.access_key, "secretAccessKey": customer.desk.secret_key}
    with running(migrated) as scene:
        customer = scene.caller(key)
        scene.advance("2030-01-15T09:00:00+08:00")
        failures = row_of(customer, made)["restarts"]
        until(scene, lambda: row_of(customer, made)["restarts"] > failures)
        assert [one["type"] for one in reported(customer)] == KINDS[:1]
        customer.do(SERVICE, "ModifyService", version | {"modelId": works})
        until(scene, lambda: reported(customer)[1:])
        assert [one["type"] for one in reported(customer)] == KINDS
        assert reported(customer)[1]["data"] == since | service
        assert row_of(customer, made)["downSince"] is None
        customer.do(SERVICE, "ModifyService", version | {"modelId": broken})
        until(scene, lambda: row_of(customer, made)["restarts"] == 1)
        scene.advance("2030-01-15T09:05:00+08:00")
        until(scene, lambda: reported(customer)[2:])
        assert [one["type"] for one in reported(customer)] == [*KINDS, KINDS[0]]
        customer.release(made["instanceId"])
        until(scene, lambda: customer.unit(made["instanceId"])["status"] == "Released")
        assert len(reported(customer)) == 3
    damage(migrated, "UPDATE replicas SET outage = 'Down'")
    findings = check_store(migrated).findings
    assert any("outage Down since none, and those do not go together" in one for one in findings), findings
