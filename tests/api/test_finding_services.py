"""Finding services by everything that they can be found by, and the models that quota is sold of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import IAM, SERVICE, Caller, ServiceHarness, billing_of, new_service

FULL = "QianfanFullControlAccessPolicy"


def names(caller: Caller, **wanted: Any) -> list[str]:
    """List services; returns their names."""
    return [one["name"] for one in caller.do(SERVICE, "DescribeServices", wanted)["serviceList"]]


class ServiceCatalogue:
    """An account with services of all kinds, made by two users."""

    def __init__(self, scene: ServiceHarness) -> None:
        self.scene = scene
        self.owner = scene.customer("100000")
        self.helper = scene.user(self.owner, FULL)
        self.ids = {
            "Translator": self._create("Translator"),
            "translates 50%": self._create("translates 50%", by=self.helper, serviceType="completions"),
            "painter_1": self._create("painter_1", serviceType="text2image", replicas=1),
            "painter 2": self._create("painter 2", serviceType="text2image", replicas=1, months=1),
            "off": self._create("off", replicas=1, protocolVersion=2),
            "stopped": self._create("stopped", replicas=1, months=1),
        }
        both = self.owner.buy()
        scaled = {"serviceId": self.ids["painter 2"], "instanceId": both, "deploymentReplicasCount": 1}
        self.owner.do(SERVICE, "ScaleService", scaled)
        self.owner.do(SERVICE, "DeactivateService", {"serviceId": self.ids["off"]})
        self._create("gone")
        gone = self.owner.do(SERVICE, "DescribeServices", {"name": "gone"})["serviceList"][0]
        self.owner.do(SERVICE, "DeleteService", {"serviceId": gone["serviceId"]})
        stranger = scene.customer()
        stranger.do(SERVICE, "CreateService", {**new_service(), "name": "stranger's"})

    def _create(
        self, name: str, *, by: Caller | None = None, replicas: int = 0, months: int | None = None, **more: Any
    ) -> str:
        body = {**new_service(), "name": name, **more}
        if replicas:
            body = {**body, **new_service(replicasCount=replicas), "name": name, "billing": billing_of(months=months)}
        return str((by or self.owner).do(SERVICE, "CreateService", body)["serviceId"])


@pytest.fixture(scope="module")
def shop(either_shared: ServiceHarness) -> ServiceCatalogue:
    """One on either store, which tests only look at."""
    return ServiceCatalogue(either_shared)


ALL = ["Translator", "translates 50%", "painter_1", "painter 2", "off", "stopped"]


@pytest.mark.both_stores
def test_services_are_found_by_everything_that_they_have(shop: ServiceCatalogue) -> None:
    users = {one["name"]: one["userId"] for one in shop.owner.do(IAM, "DescribeUsers")["users"]}
    for wanted, found in (
        ({}, ALL),
        ({"name": "TRANSL"}, ["Translator", "translates 50%"]),
        ({"name": "0%"}, ["translates 50%"]),
        ({"name": "%"}, ["translates 50%"]),
        ({"name": "r_1"}, ["painter_1"]),
        ({"name": "r_"}, ["painter_1"]),
        ({"name": "nothing"}, []),
        ({"name": ""}, ALL),
        ({"serviceType": ["text2image"]}, ["painter_1", "painter 2"]),
        ({"serviceType": ["completions", "text2image"]}, ["translates 50%", "painter_1", "painter 2"]),
        ({"serviceType": ["image2text"]}, []),
        ({"runStatus": ["New"]}, ["Translator", "translates 50%"]),
        ({"runStatus": ["Serving"]}, ["painter_1", "painter 2", "stopped"]),
        ({"runStatus": ["Done"]}, ["painter_1", "painter 2", "stopped"]),
        ({"runStatus": ["Stopped"]}, ["off"]),
        ({"runStatus": ["New", "Stopped"]}, ["Translator", "translates 50%", "off"]),
        ({"runStatus": ["Failed"]}, []),
        ({"runStatus": ["Deploying"]}, []),
        ({"creator": [users["user"]]}, ["translates 50%"]),
        ({"creator": [users["root"]]}, [name for name in ALL if name != "translates 50%"]),
        ({"creator": [users["root"], users["user"]]}, ALL),
        ({"creator": []}, []),
        ({"chargeType": "ComputingUnit"}, ALL),
        ({"chargeType": "Tokens"}, []),
        ({"payType": "Postpay"}, ["painter_1", "painter 2", "off"]),
        ({"payType": "Prepay"}, ["painter 2", "stopped"]),
        ({"protocolVersion": 2}, ["off"]),
        ({"protocolVersion": 1}, [name for name in ALL if name != "off"]),
        ({"payType": "Postpay", "runStatus": ["Serving"], "name": "paint"}, ["painter_1", "painter 2"]),
    ):
        assert names(shop.owner, **wanted) == found, wanted


def test_a_service_is_stopped_when_all_that_it_runs_on_is(either: ServiceHarness) -> None:
    shop = ServiceCatalogue(either)
    shop.scene.advance("2030-02-15 08:00:00")
    assert names(shop.owner, runStatus=["Stopped"]) == ["off", "stopped"]
    assert names(shop.owner, payType="Prepay") == ["painter 2", "stopped"]
    shop.scene.advance("2030-02-22 08:00:00")
    assert names(shop.owner, runStatus=["New"]) == ["Translator", "translates 50%", "stopped"]
    assert names(shop.owner, payType="Prepay") == []


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_services_are_listed_a_page_at_a_time_in_either_direction(
    shop: ServiceCatalogue, reverse: Any, size: int
) -> None:
    pages = shop.owner.pages(SERVICE, "DescribeServices", {"maxKeys": size, "pageReverse": reverse})
    assert {page["maxKeys"] for page in pages} == {size}
    assert all(0 < len(page["serviceList"]) <= size for page in pages)
    found = [one["name"] for page in pages for one in page["serviceList"]]
    assert found == (ALL[::-1] if reverse else ALL)


def test_a_page_goes_on_with_the_same_filter(shop: ServiceCatalogue) -> None:
    first = shop.owner.do(SERVICE, "DescribeServices", {"maxKeys": 1, "payType": "Postpay"})
    rest = {"maxKeys": 10, "payType": "Postpay", "marker": first["nextMarker"]}
    assert names(shop.owner, **rest) == ["painter 2", "off"]
    assert shop.owner.refused(SERVICE, "DescribeServices", {**rest, "pageReverse": True}) == "InvalidMarker"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"serviceType": "chat"}, "serviceType"),
        ({"serviceType": ["poems"]}, "serviceType[0]"),
        ({"runStatus": ["Running"]}, "runStatus[0]"),
        ({"chargeType": "Calls"}, "chargeType"),
        ({"payType": "Prepaid"}, "payType"),
        ({"protocolVersion": 3}, "protocolVersion"),
        ({"protocolVersion": "1"}, "protocolVersion"),
    ],
)
def test_a_filter_of_another_value_is_named(either_shared: ServiceHarness, wanted: Any, field: str) -> None:
    assert either_shared.operator.field_refused(SERVICE, "DescribeServices", wanted) == field


# --- preset services -------------------------------------------------------------------------------------


def presets(caller: Caller, **wanted: Any) -> dict[str, str]:
    """List models that quota is sold of, with their charge status."""
    found = caller.do(SERVICE, "DescribePresetServices", wanted)["serviceList"]
    return {one["model"]: one["chargeStatus"] for one in found}


def test_the_models_that_quota_is_sold_of_are_preset_services(either: ServiceHarness) -> None:
    caller = either.customer("6")
    assert presets(caller) == {}
    for model in ("ernie-4.0-8k", "qianfan-agent-speed-8k", "ernie-lite-8k"):
        either.sell_quota(model)
    caller.buy_quota("ernie-4.0-8k")
    shown = caller.do(SERVICE, "DescribePresetServices")["serviceList"][0]
    assert shown == {
        "serviceId": shown["serviceId"],
        "name": "ernie-4.0-8k",
        "model": "ernie-4.0-8k",
        "serviceType": "chat",
        "chargeType": "TPM",
        "chargeStatus": "Opened",
        "pricePerMinute": "0.10",
    }
    closed = {"qianfan-agent-speed-8k": "NotOpen", "ernie-lite-8k": "NotOpen"}
    opened = {"ernie-4.0-8k": "Opened"}
    for wanted, found in (
        ({}, {**opened, **closed}),
        ({"serviceIds": [shown["serviceId"]]}, opened),
        ({"serviceIds": ["svcp-1"]}, {}),
        ({"serviceIds": []}, {**opened, **closed}),
        ({"serviceType": ["chat", "completions"]}, {**opened, **closed}),
        ({"serviceType": ["completions"]}, {}),
        ({"chargeType": ["TPM", "Free"]}, {**opened, **closed}),
        ({"chargeType": ["Tokens"]}, {}),
        ({"chargeStatus": ["Opened"]}, opened),
        ({"chargeStatus": ["NotOpen"]}, closed),
        ({"chargeStatus": ["Stopped"]}, {}),
        ({"chargeStatus": ["NotOpen"], "serviceIds": [shown["serviceId"]]}, {}),
        ({"protocolVersion": 1}, {**opened, **closed}),
    ):
        assert presets(caller, **wanted) == found, wanted
    # No other account has opened it; and unpaid it is stopped.
    assert presets(either.customer(), chargeStatus=["Opened"]) == {}
    either.advance("2030-01-16 10:00:00")
    assert presets(caller, chargeStatus=["Stopped"]) == {"ernie-4.0-8k": "Stopped"}
