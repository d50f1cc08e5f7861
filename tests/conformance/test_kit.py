"""The official Python client, unchanged, against the service of the test kit."""

import os
import subprocess

import pytest
from tests.conformance.toolchains import Toolchain

from leasebook.testing import Leasebook

pytestmark = pytest.mark.conformance

PROGRAM = """
from qianfan import resources

one = {"billing": {"paymentTiming": "Postpaid"}, "computeUnitConfig": {"type": "gpu-1", "region": ""},
       "computeUnitCount": 1, "clientToken": "once"}
for number in range(2):
    try:
        answer = resources.console.utils.call_action("/v2/computeunit", "PurchaseComputeUnit", one)
        print("bought", answer.body["result"]["instanceId"])
    except Exception as error:
        print("failed", error)
"""


def test_the_official_client_finds_the_kit_and_its_faults_by_the_variables_alone(python_client: Toolchain) -> None:
    with Leasebook(stock={"gpu-1": 3}, balance=100) as service:
        service.fail("ErrorAfter", action="PurchaseComputeUnit", count=None)
        environment = {"PATH": os.environ["PATH"], **service.account.environment()}
        command = (python_client.command[0], "-c", PROGRAM)
        first = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
        assert "bought" not in first.stdout
        (unit,) = service.client.each_of_units()
        service.clear_faults()
        then = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
        assert then.stdout == f"bought {unit.instance_id}\n" * 2
        assert len(list(service.client.each_of_units())) == 1
