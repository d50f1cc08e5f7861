"""Records of the actions of ``contract.nouns.model``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import ENDS_A_PAGE, HEX_ID, MAY_END_A_PAGE, MODEL_ID, SET_ID, TIME, Maybe
from tests.actions.office import Office
from tests.actions.record import MODEL_READERS, MODEL_WRITERS, OPERATORS, ActionRecord
from tests.api.scene import MODEL

SOURCE = re.compile("UserCreate|System")
MODEL_SET = {
    "modelSetId": SET_ID,
    "modelSetName": str,
    "modelType": str,
    "source": SOURCE,
    "labels": [str],
    "modifyTime": TIME,
    "modelIds": [MODEL_ID],
    "modelNames": [re.compile("V[0-9]+")],
    "description": str,
    "creator": HEX_ID,
    "creatorName": Maybe(str),
    "createTime": TIME,
    "tags": Maybe(dict),
}
MODEL_SET_ROW = {**MODEL_SET, "modelsCount": int, "modelCount": int}
MODEL_SETS = {
    "modelSetList": [MODEL_SET_ROW],
    "marker": Maybe(str),
    **ENDS_A_PAGE,
    "pageInfo": {"marker": str, **ENDS_A_PAGE},
}
VERSION = {
    "modelId": MODEL_ID,
    "version": re.compile("V[0-9]+"),
    "description": str,
    "runnable": bool,
    "sourceType": Maybe(str),
    "trusted": bool,
    "approvedBy": Maybe(HEX_ID),
    "approveTime": Maybe(TIME),
    "withdrawTime": Maybe(TIME),
    "servicesCount": int,
    "creator": HEX_ID,
    "creatorName": Maybe(str),
    "createTime": TIME,
    "tags": Maybe(dict),
}
RUN = {
    "command": [str],
    "image": (str, None),
    "env": dict,
    "port": (int, None),
    "healthPath": (str, None),
    "cpus": (float, None),
    "memoryBytes": (int, None),
    "accelerators": int,
    "graceSeconds": float,
    "application": (str, None),
    "arguments": dict,
    "connects": list,
}
MODEL_DETAIL = {
    **VERSION,
    "modelSetId": SET_ID,
    "modelSetName": str,
    "source": SOURCE,
    "run": Maybe(RUN),
    "importMeta": Maybe(dict),
    "trainMeta": Maybe(dict),
}


def create_model(office: Office) -> Any:
    made = office.caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})
    run = {
        "command": ["talk"],
        "image": "talker",
        "env": {"NAME": "value"},
        "port": 8000,
        "healthPath": "/health",
        "cpus": 1.5,
        "memoryBytes": 1 << 30,
        "accelerators": 1,
        "graceSeconds": 5,
    }
    return {
        **made,
        "description": "words",
        "run": run,
        "sourceType": "Import",
        "importMeta": {"bosUri": "bos:/talkers/1"},
        "trainMeta": {"taskId": "task-1"},
        "tags": {"team": "vision"},
    }


def delete_model(office: Office) -> Any:
    return {"modelId": office.caller.do(MODEL, "CreateCustomModel", create_model(office))["modelId"]}


def describe_model_version(office: Office) -> Any:
    return {"modelVersionId": delete_model(office)["modelId"]}


def delete_model_set(office: Office) -> Any:
    return office.caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})


def describe_model_set(office: Office) -> Any:
    return {"modelSetId": create_labelled(office)["modelSetId"], "modelSetName": "talker", "tags": {}}


def create_labelled(office: Office) -> Any:
    made = office.caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker", "labels": ["first"]})
    return office.caller.do(MODEL, "CreateCustomModel", {**made, "sourceType": "Import"})


def describe_system_model_sets() -> Any:
    return {"name": "talk", "maxKeys": 3, "pageReverse": True, "tags": {}}


def describe_custom_model_sets(office: Office) -> Any:
    create_labelled(office)
    return describe_system_model_sets()


def describe_model_sets(office: Office) -> Any:
    return {**describe_custom_model_sets(office), "source": "UserCreate"}


RECORDS: Final = {
    "create_model_set": ActionRecord(
        permitted=MODEL_WRITERS | OPERATORS,
        body={
            "modelSetName": "talker",
            "description": "words",
            "modelType": "Text2Text",
            "labels": ["first"],
            "forEverybody": False,
            "tags": {"team": "vision"},
        },
        shape={"modelSetId": SET_ID},
    ),
    "create_model": ActionRecord(
        permitted=MODEL_WRITERS | OPERATORS,
        body=create_model,
        foreign=({"modelSetId": "SET", "run": {"command": ["talk"]}},),
        shape={"modelSetId": SET_ID, "modelId": MODEL_ID, "version": re.compile("V[0-9]+")},
    ),
    "delete_model": ActionRecord(
        permitted=MODEL_WRITERS | OPERATORS,
        body=delete_model,
        foreign=({"modelId": "MODEL"},),
        shape=True,
        example_stage=3,
    ),
    "delete_model_set": ActionRecord(
        permitted=MODEL_WRITERS | OPERATORS,
        body=delete_model_set,
        foreign=({"modelSetId": "SET"},),
        shape=True,
        example_stage=3,
    ),
    "describe_model_sets": ActionRecord(
        permitted=MODEL_READERS,
        body=describe_model_sets,
        shape=MODEL_SETS,
    ),
    "describe_custom_model_sets": ActionRecord(
        permitted=MODEL_READERS,
        body=describe_custom_model_sets,
        shape={**MODEL_SETS, "customModelSetList": [MODEL_SET_ROW]},
    ),
    "describe_system_model_sets": ActionRecord(
        permitted=MODEL_READERS,
        body=describe_system_model_sets(),
        shape={**MODEL_SETS, "systemModelSetList": [MODEL_SET_ROW]},
    ),
    "describe_model_set": ActionRecord(
        permitted=MODEL_READERS | OPERATORS,
        body=describe_model_set,
        foreign=({"modelSetId": "SET"},),
        shape={**MODEL_SET, "modelList": [VERSION], **MAY_END_A_PAGE},
    ),
    "describe_model": ActionRecord(
        permitted=MODEL_READERS | OPERATORS,
        body=delete_model,
        foreign=({"modelId": "MODEL"},),
        shape=MODEL_DETAIL,
    ),
    "describe_model_version": ActionRecord(
        permitted=MODEL_READERS | OPERATORS,
        body=describe_model_version,
        foreign=({"modelVersionId": "MODEL"},),
        shape={
            "modelIdStr": SET_ID,
            "modelName": str,
            "modelVersionIdStr": MODEL_ID,
            "version": re.compile("[0-9]+"),
            "description": str,
            "sourceType": str,
            "sourceExtra": {"sourceType": str, "trainSourceExtra": {"taskId": None, "runId": None}},
            "state": re.compile("Ready"),
            "createTime": TIME,
            "modifyTime": TIME,
        },
    ),
    "approve_model": ActionRecord(
        permitted=OPERATORS,
        body=delete_model,
        foreign=({"modelId": "MODEL"},),
        shape=MODEL_DETAIL,
    ),
    "withdraw_model_approval": ActionRecord(
        permitted=OPERATORS,
        body=delete_model,
        foreign=({"modelId": "MODEL"},),
        shape=MODEL_DETAIL,
    ),
}
