"""Records of the actions of ``contract.nouns.service``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import ENDS_A_PAGE, HEX_ID, OWNER, PAGE_INFO, PROJECT_ID, SERVICE_ID, TIME, UNIT_ID, Maybe
from tests.actions.office import Office, billed
from tests.actions.record import (
    DATA_FULL,
    DATA_OPERATE,
    FLEET_READERS,
    READERS,
    SUPPORTERS,
    WRITERS,
    ActionRecord,
    of_own,
)
from tests.api.scene import new_service

SERVICE_DETAIL = {
    **OWNER,
    "serviceId": SERVICE_ID,
    "name": str,
    "description": str,
    "baseModel": str,
    "modelSetId": str,
    "modelId": str,
    "modelVersionId": str,
    "urlSuffix": str,
    "url": re.compile("http://leasebook.test/services/(translator|demo|svco-[0-9a-z]{12})"),
    "endpoint": str,
    "serviceType": re.compile("chat"),
    "protocolVersion": int,
    "runStatus": re.compile("New|Serving|Stopped"),
    "updateStatus": re.compile("None"),
    "chargeType": re.compile("ComputingUnit"),
    "payType": Maybe(re.compile("Prepay|Postpay|Prepay,Postpay")),
    "chargeStatus": re.compile("NotOpen|Opened"),
    "resourceConfig": {"type": str, "replicasCount": int, "region": Maybe(str), "qps": Maybe(float)},
    "creator": HEX_ID,
    "creatorName": Maybe(str),
    "createTime": TIME,
    "counted": bool,
    "tags": Maybe(dict),
    "projectId": Maybe(PROJECT_ID),
    "logStore": Maybe({"logRegion": Maybe(str), "logProject": str, "logStoreName": str, "attachedAt": TIME}),
    "whyNotRun": Maybe(list),
}
OPERATION = {"operation": True, "message": str}


def create_service() -> Any:
    resource = {"region": "bj", "qps": 2.5, "replicasCount": 1}
    placed = {"deploymentComputeUnitList": [], "replicasCount": 1, "qps": 1.5, "replicaComputeUnitCount": 2}
    kind = {"serviceType": "completions", "protocolVersion": 2}
    return billed(
        {
            **new_service(**resource),
            **kind,
            "description": "words",
            "deploymentConfig": placed,
            "counted": True,
            "tags": {"team": "vision"},
            "projectId": "default",
        },
    )


def describe_services() -> Any:
    words = {"serviceType": ["chat"], "chargeType": "ComputingUnit", "payType": "Prepay", "protocolVersion": 1}
    states = {"runStatus": ["New", "Serving", "Done"], "creator": ["x"]}
    return {
        "maxKeys": 5,
        "pageReverse": True,
        "name": "trans",
        **words,
        **states,
        "tags": {"team": None},
        "projectId": "default",
    }


def scale_service(office: Office) -> Any:
    named = {"serviceId": office.service, "instanceId": office.caller.buy(count=5)}
    return {**named, "deploymentReplicasCount": 2, "deployedReplicasCount": 2}


def deactivate_service(office: Office) -> Any:
    return {"serviceId": office.caller.create_service()}


RECORDS: Final = {
    "create_service": ActionRecord(
        permitted=WRITERS,
        body=create_service(),
        foreign=(
            {**new_service(), "projectId": "PROJECT"},
            {
                **new_service(),
                "deploymentConfig": {
                    "deploymentComputeUnitList": [{"instanceId": "UNIT", "deploymentReplicasCount": 1}]
                },
            },
        ),
        shape={"serviceId": SERVICE_ID, "instanceId": Maybe(UNIT_ID), "orderId": Maybe(HEX_ID)},
    ),
    "describe_service": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(lambda office: {"serviceId": office.service}),
        foreign=({"serviceId": "SERVICE"},),
        shape=SERVICE_DETAIL,
    ),
    "describe_services": ActionRecord(
        permitted=READERS | FLEET_READERS | {DATA_FULL, DATA_OPERATE},
        body=of_own(describe_services()),
        searches=({"projectId": "PROJECT"},),
        shape={"serviceList": [SERVICE_DETAIL], "marker": Maybe(str), "pageInfo": PAGE_INFO, **ENDS_A_PAGE},
    ),
    "modify_service": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"serviceId": office.service, "modelSetId": "am-1", "modelId": "amv-1", "counted": True},
        foreign=({"serviceId": "SERVICE", "modelSetId": "am-1", "modelId": "amv-1"},),
        shape=True,
    ),
    "scale_service": ActionRecord(
        permitted=WRITERS,
        body=scale_service,
        foreign=(
            {"serviceId": "SERVICE", "instanceId": "UNIT", "deploymentReplicasCount": 1},
            {"serviceId": "MINE", "instanceId": "UNIT", "deploymentReplicasCount": 1},
            {"serviceId": "SERVICE", "instanceId": "OWN", "deploymentReplicasCount": 1},
        ),
        shape=True,
        example_stage=1,
    ),
    "deactivate_service": ActionRecord(
        permitted=WRITERS | SUPPORTERS,
        body=of_own(lambda office: {**deactivate_service(office), "reason": "It floods a partner."}),
        foreign=(
            {"serviceId": "SERVICE"},
            {"serviceId": "SERVICE", "accountId": "ACCOUNT", "reason": "It floods a partner."},
        ),
        shape=OPERATION,
        example_stage=1,
    ),
    "activate_service": ActionRecord(
        permitted=WRITERS,
        body=deactivate_service,
        foreign=({"serviceId": "SERVICE"},),
        shape=OPERATION,
        example_stage=2,
    ),
    "delete_service": ActionRecord(
        permitted=WRITERS,
        body=deactivate_service,
        foreign=({"serviceId": "SERVICE"},),
        shape=True,
        example_stage=3,
    ),
}
