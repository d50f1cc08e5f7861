"""The program of docs/how-to/approve-purchases.md, run with the official Python client."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.server import ConformanceServer, running
from tests.conformance.test_catch_errors import output
from tests.conformance.toolchains import ROOT, VENV, Toolchain

pytestmark = pytest.mark.conformance

PAGE = (ROOT / "docs/how-to/approve-purchases.md").read_text()
(BUY,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STORY = """
import re

call = resources.console.utils.call_action
needs = {"units": {"*": 0}, "selfApproval": True}
call("/v2/account", "SetGuardRails", {"limits": {"needsApproval": needs}})
offered = call("/v2/catalog", "DescribeOfferings", {})["result"]["offerings"]
config = {"type": next(one["type"] for one in offered if one["kind"] == "ComputingUnit" and "pricePerMinute" in one)}
purchase = {
    "clientToken": "training-7",
    "computeUnitCount": 1,
    "computeUnitConfig": config,
    "billing": {"paymentTiming": "Postpaid"},
}
assert buy(purchase) is None
(waiting,) = call("/v2/account", "DescribeApprovals", {"status": "Open"})["result"]["approvals"]
approved = call("/v2/account", "ApprovePurchase", {"approvalId": waiting["approvalId"]})["result"]
bought = buy(purchase)["result"]
assert (bought["instanceId"], bought["orderId"]) == (approved["instanceId"], approved["orderId"])
print(waiting["approvalId"], "bought")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    with running("sqlite", tmp_path_factory.mktemp("server")) as started:
        yield started


def test_the_clients_exception_carries_the_code_and_the_message_and_its_token_the_result(
    python_client: Toolchain, place: ConformanceServer, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(BUY + STORY)
    said = output(str(VENV / "bin" / "python"), "program.py", cwd=tmp_path, toolchain=python_client, url=place.base_url)
    # Clients may log beside the program.
    (sentence,) = [line for line in said if line.startswith("This needs an approval: ")]
    request = re.search(r"apr-[0-9a-f]{32}", sentence)
    assert request is not None
    assert f"{request[0]} bought" in said
