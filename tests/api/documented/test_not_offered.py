"""Documented actions that this service does not have say so, and why."""

from __future__ import annotations

import pytest

from leasebook.contract.actions import TABLE
from leasebook.contract.documented import DOCUMENTED, NOT_OFFERED
from tests.api.scene import SERVICE, ServiceHarness


def test_every_documented_action_is_offered_or_says_why_not() -> None:
    assert set(NOT_OFFERED) == DOCUMENTED - set(TABLE)


@pytest.mark.parametrize("service_type", ["Custom", "Preset"])
def test_a_log_store_is_refused_clearly_and_nothing_is_kept(shared: ServiceHarness, service_type: str) -> None:
    caller = shared.customer()
    service = caller.create_service()
    before = caller.service(service)
    body = {"serviceType": service_type, "serviceId": service, "logRegion": "bj", "logProject": "default"}
    answer = caller.ask(SERVICE, "AttachLogStore", {**body, "logStoreName": "replicas"})
    assert (answer.status, answer.code) == (409, "OperationNotSupported")
    assert "no setting switches it on" in answer.body["message"]
    assert "DescribeReplicaLogs" in answer.body["message"]
    assert caller.service(service) == before
