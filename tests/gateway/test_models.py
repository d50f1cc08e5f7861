"""GET /v2/models: each listed id leads to the listed service, and lists are bounded as actions are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from leasebook.api.auth.admission import AdmissionLimits
from leasebook.api.auth.rate_limit import Rate
from tests.copies import STORES, empty
from tests.gateway.scene import SERVICE, GatewayHarness, an_office, until
from tests.gateway.test_bearer_tokens import token_of
from tests.gateway.test_chat import in_shape, other_service

MODELS = "/v2/models"
TAKEN = "svco-0123456789ab"


async def got(office: GatewayHarness, path: str = MODELS, key: str = "") -> tuple[int, Any, str | None]:
    """Ask for models; returns the status, the JSON, and Retry-After."""
    headers = {"Authorization": f"Bearer {key or office.key}"}
    async with office.http.get(f"http://{office.base}{path}", headers=headers) as found:
        return found.status, json.loads(await found.read()), found.headers.get("retry-after")


async def test_each_listed_id_leads_to_the_listed_service_also_if_a_suffix_is_the_id_of_another_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_office(tmp_path) as office:
        older = await other_service(office, name="older", suffix=TAKEN)
        with monkeypatch.context() as patch:
            patch.setattr("leasebook.api.handlers.service.services.service_id", lambda: TAKEN)
            assert await other_service(office, name=older, suffix="newer") == TAKEN
        await other_service(office, name="newer", suffix="shared")
        await other_service(office, name="echo", suffix="shared")
        narrow = (await office.do(SERVICE, "CreateServiceKey", {"name": "x", "serviceId": older}))["key"]
        for key, count in ((office.key, 5), (narrow, 1)):
            listed = (await got(office, key=key))[1]["data"]
            assert len({one["id"] for one in listed}) == len(listed) == count
            for one in listed:
                assert (await got(office, f"{MODELS}/{one['id']}", key))[:2] == (200, one)
            assert {one["serviceId"]: one["id"] for one in listed}[older] == older
        by_id = {one["serviceId"]: one["id"] for one in (await got(office))[1]["data"]}
        assert (by_id[TAKEN], by_id[office.service]) == ("newer", "echo")


@pytest.mark.parametrize("where", STORES)
async def test_a_suffix_that_is_the_id_of_another_service_of_the_account_is_refused(tmp_path: Path, where: str) -> None:
    with empty(where, tmp_path / "data", migrated=True) as store:
        async with an_office(store, opened=False) as office:
            first = await other_service(office)
            body: dict[str, Any] = {"modelSetId": "am-0", "modelId": "amv-0", "name": "other", "urlSuffix": first}
            body["resourceConfig"] = {"type": "GPU-1-1"}
            refused = await office.desk.call(SERVICE, "CreateService", body)
            assert (refused.status, refused.code) == (400, "InappropriateJSON")
            assert "param[urlSuffix]" in refused.body["message"]
            made = await office.do("/v2/iam", "CreateAccount", {"name": "stranger"})
            stranger = office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])
            await office.do(SERVICE, "CreateService", body, desk=stranger)
            await office.do(SERVICE, "DeleteService", {"serviceId": first})
            await office.do(SERVICE, "CreateService", body)


async def test_models_and_tokens_count_for_the_limit_of_calls_a_second(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        token = (await token_of(office.desk)).body["token"]
        throttle = office.desk.service.app._throttle
        throttle._limits, throttle._now = [("key", Rate(1, 1))], lambda: 0.0
        for key in (office.key, token):
            assert (await got(office, key=key))[0] == 200
            for path in (MODELS, f"{MODELS}/echo"):
                status, said, after = await got(office, path, key)
                assert (status, said["error"]["code"], after) == (429, "TooManyRequests", "1")
                assert in_shape(said)
        throttle._buckets.clear()
        assert (await token_of(office.desk)).status == 200
        refused = await token_of(office.desk)
        assert (refused.status, refused.body["code"], refused.headers["retry-after"]) == (429, "TooManyRequests", "1")


async def test_lists_of_models_wait_for_a_turn_of_their_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_office(tmp_path) as office:
        account_id = (await got(office))[1]["data"][0]["owned_by"]
        admission = office.desk.service.app._admission
        monkeypatch.setattr("leasebook.api.auth.admission.ALONE_MAX", 1)
        admission._limits = AdmissionLimits(in_flight_max=1, waiting_max=1)
        admission._lanes.clear()
        turn = await admission.turn_of(account_id, "other")
        waits = asyncio.ensure_future(got(office))
        await until(lambda: admission.waiting == 1)
        status, said, after = await got(office)
        assert (status, said["error"]["code"], after) == (503, "Overloaded", "1")
        assert in_shape(said)
        assert not waits.done()
        turn.leave()
        assert (await waits)[0] == 200
        assert (await got(office))[0] == 200, "each list gives its turn back"
