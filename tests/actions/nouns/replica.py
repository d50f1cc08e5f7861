"""Records of the actions of ``contract.nouns.replica``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import MAY_END_A_PAGE, PURCHASED, SERVICE_ID, TIME, TIMING, UNIT_ID, Maybe, Unfilled
from tests.actions.office import Office, billed
from tests.actions.record import FLEET_READERS, READERS, SUPPORTERS, WRITERS, ActionRecord, of_own
from tests.api.scene import SERVICE, billing_of

LOG_STORE: Final = {"serviceType": "Custom", "logRegion": "bj", "logProject": "default", "logStoreName": "lines"}
INSTANCE = {
    "instanceId": UNIT_ID,
    "paymentTiming": TIMING,
    "replicasCount": int,
    "status": re.compile("Running|Released|Stopped"),
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
    "name": Maybe(str),
    "tags": Maybe(dict),
}
WORDS: Final = {"name": "training", "tags": {"team": "vision"}}


def describe_service_instance(office: Office) -> Any:
    return {"serviceId": office.service, "instanceId": office.caller.buy_replicas(office.service, 1)}


def describe_replicas(office: Office) -> Any:
    return {"serviceId": office.service, "instanceId": office.caller.buy_replicas(office.service, 1)}


def detach_log_store(office: Office) -> Any:
    service = office.caller.create_service()
    office.caller.do(SERVICE, "AttachLogStore", {"serviceId": service, **LOG_STORE})
    return {"serviceId": service}


RECORDS: Final = {
    "purchase_replicas": ActionRecord(
        permitted=WRITERS,
        body=lambda office: billed({"serviceId": office.service, "replicasCount": 2, **WORDS}),
        foreign=(
            {"serviceId": "SERVICE", "billing": billing_of(), "replicasCount": 1},
            {"serviceId": "SERVICE", "billing": billing_of(), "replicasCount": 100000},
        ),
        shape=PURCHASED,
    ),
    "describe_service_instances": ActionRecord(
        permitted=READERS,
        body=lambda office: {"serviceId": office.service, "paymentTiming": "Postpaid", "tags": {}},
        foreign=({"serviceId": "SERVICE"},),
        shape={"instances": [INSTANCE], **MAY_END_A_PAGE},
    ),
    "describe_service_instance": ActionRecord(
        permitted=READERS,
        body=describe_service_instance,
        foreign=(
            {"serviceId": "SERVICE", "instanceId": "UNIT"},
            {"serviceId": "MINE", "instanceId": "UNIT"},
        ),
        shape={"instance": INSTANCE},
    ),
    "release_replicas": ActionRecord(
        permitted=WRITERS,
        body=describe_service_instance,
        foreign=(
            {"serviceId": "SERVICE", "instanceId": "UNIT"},
            {"serviceId": "MINE", "instanceId": "UNIT"},
        ),
        shape=True,
        example_stage=4,
    ),
    "describe_replicas": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(describe_replicas),
        foreign=(
            {"serviceId": "SERVICE"},
            {"serviceId": "MINE", "instanceId": "UNIT"},
        ),
        shape={"serviceId": SERVICE_ID, "ready": int, "replicas": Unfilled([dict]), **MAY_END_A_PAGE},
        example_differs=True,
    ),
    "describe_replica_logs": ActionRecord(
        permitted=READERS | SUPPORTERS,
        body=of_own(lambda office: {**describe_replicas(office), "replica": 0, "linesMax": 5}),
        foreign=({"serviceId": "SERVICE", "instanceId": "UNIT"},),
        shape={"logLines": Unfilled([str]), "why": (str, None)},
        example_differs=True,
    ),
    "attach_log_store": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"serviceId": office.service, **LOG_STORE},
        foreign=({"serviceId": "SERVICE", **LOG_STORE},),
        shape=True,
        example_stage=1,
    ),
    "detach_log_store": ActionRecord(
        permitted=WRITERS,
        body=detach_log_store,
        foreign=({"serviceId": "SERVICE"},),
        shape=True,
        example_stage=2,
    ),
}
