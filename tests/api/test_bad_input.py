"""Every field of every action with everything that can be wrong with it: a documented answer, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from tests.api.bad_values import ABSENT, KINDS, FieldPlace, allowed, candidates, is_of, places, put, with_unknown_keys
from tests.api.office import AnnexeOfOffice
from tests.api.scene import CLOCK, EVENTS, IAM, ServiceHarness, a_scene, new_service, order

ANY_ACTION = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.path}-{action.name}")

MODEL = "ernie-4.0-8k"
TOKENS = (*KINDS, "a b", "a\0b", "a" * 64, "a" * 64, "a" * 65)
"""Client tokens are the same everywhere; test_client_tokens.py tries everything else."""

PAGED: Final = {action.operation for action in ACTIONS if "maxKeys" in action.request.__struct_encode_fields__}
"""Operations with pages."""


class Office(AnnexeOfOffice):
    """Makes a body for every operation that is answered well, with every field of it that can be given."""

    def __init__(self, scene: ServiceHarness) -> None:
        self.scene = scene
        self.operator = scene.operator
        self.service = self.operator.create_service(region="bj", qps=1.5)
        self.user = self.operator.do(IAM, "CreateUser", {"name": "somebody"})
        self.package = scene.grant(self.operator)
        self.stored = scene.rows()

    def body(self, operation: str) -> Any:
        """Return a body; what it names is there and can still be done to."""
        make: Callable[[], Any] = getattr(self, operation, dict)
        paged = {"maxKeys": 3} if operation in PAGED else {}
        return {**paged, **make()}

    def purchase_units(self) -> Any:
        return self._billed(order(count=2))

    def quote_purchase(self) -> Any:
        return {**self._billed(order(count=2)), "hold": True}

    def purchase_replicas(self) -> Any:
        return self._billed({"serviceId": self.service, "replicasCount": 2})

    def create_service(self) -> Any:
        resource = {"region": "bj", "qps": 2.5, "replicasCount": 1}
        placed = {"deploymentComputeUnitList": [], "replicasCount": 1, "qps": 1.5, "replicaComputeUnitCount": 2}
        kind = {"serviceType": "completions", "protocolVersion": 2}
        return self._billed(
            {**new_service(**resource), **kind, "description": "words", "deploymentConfig": placed, "counted": True},
        )

    def purchase_quota(self) -> Any:
        return self._billed({"model": MODEL, "purchaseCount": 2}, timing="Postpaid", time="2090-01-15 09:30:00")

    def change_billing(self) -> Any:
        return {
            "instanceId": self.operator.buy(),
            "paymentTiming": "Prepaid",
            "reservation": self._billed({})["billing"]["reservation"],
        }

    def _billed(self, body: Any, *, timing: str = "Prepaid", time: str = "2030-01-15 09:30:00") -> Any:
        renewal = {"autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": 2}
        reservation = {"reservationTimeUnit": "Month", "reservationLength": 5, **renewal}
        billing = {"paymentTiming": timing, "reservation": reservation, "chargeType": "ComputingUnit"}
        return {**body, "billing": {**billing, "releaseTime": time}}

    def describe_units(self) -> Any:
        return {"paymentTiming": "Prepaid", "region": "bj", "type": "gpu-1", "status": "Running", "maxKeys": 5}

    def describe_unit(self) -> Any:
        return {"instanceId": self.operator.buy()}

    def release_unit(self) -> Any:
        return {"instanceId": self.operator.buy()}

    def schedule_release(self) -> Any:
        unit = self.operator.buy_replicas(self.service, 1)
        return {"instanceId": unit, "serviceId": self.service, "releaseTime": "2090-01-15 09:30:00"}

    def describe_service_instances(self) -> Any:
        return {"serviceId": self.service, "paymentTiming": "Postpaid"}

    def describe_service_instance(self) -> Any:
        return {"serviceId": self.service, "instanceId": self.operator.buy_replicas(self.service, 1)}

    def release_replicas(self) -> Any:
        return self.describe_service_instance()

    def create_auto_renew_rule(self) -> Any:
        rule = {"instanceType": "ComputingUnit", "autoRenewTimeUnit": "Month", "autoRenewTime": 3}
        return {"instanceId": self.operator.buy(months=1), **rule}

    def describe_auto_renew_rules(self) -> Any:
        return {"instanceId": self.delete_auto_renew_rule()["instanceId"], "maxKeys": 5}

    def delete_auto_renew_rule(self) -> Any:
        return {"instanceId": self.operator.buy(months=1, autoRenew=True), "instanceType": "ComputingUnit"}

    def resize_unit(self) -> Any:
        return {"instanceId": self.operator.buy(), "count": 3}

    def renew_unit(self) -> Any:
        return {"instanceId": self.operator.buy(months=1), "months": 2, "expiryDay": 5}

    def describe_quota(self) -> Any:
        known = {"model": MODEL, "instanceId": self.operator.buy_quota(MODEL)}
        return {**known, "paymentTiming": "Postpaid", "status": "Running"}

    def release_quota(self) -> Any:
        return {"model": MODEL, "instanceId": self.operator.buy_quota(MODEL)}

    def resize_quota(self) -> Any:
        return {"instanceId": self.operator.buy_quota(MODEL), "count": 3}

    def schedule_quota_release(self) -> Any:
        return {"instanceId": self.operator.buy_quota(MODEL), "releaseTime": "2090-01-15 09:30:00"}

    def describe_package(self) -> Any:
        return {"packageId": self.package}

    def grant_package(self) -> Any:
        words = {"serviceName": "ernie", "specification": 1000, "expiredTime": "2090-01-15 09:30:00"}
        return {**words, "accountId": self.user["accountId"]}

    def describe_service(self) -> Any:
        return {"serviceId": self.service}

    def describe_services(self) -> Any:
        words = {"serviceType": ["chat"], "chargeType": "ComputingUnit", "payType": "Prepay", "protocolVersion": 1}
        states = {"runStatus": ["New", "Serving", "Done"], "creator": ["x"]}
        return {"maxKeys": 5, "pageReverse": True, "name": "trans", **words, **states}

    def modify_service(self) -> Any:
        return {"serviceId": self.service, "modelSetId": "am-1", "modelId": "amv-1", "counted": True}

    def scale_service(self) -> Any:
        named = {"serviceId": self.service, "instanceId": self.operator.buy(count=5)}
        return {**named, "deploymentReplicasCount": 2, "deployedReplicasCount": 2}

    def deactivate_service(self) -> Any:
        return {"serviceId": self.operator.create_service()}

    activate_service = delete_service = deactivate_service

    def describe_preset_services(self) -> Any:
        kinds = {"serviceType": ["chat"], "chargeType": ["TPM"], "chargeStatus": ["NotOpen", "Opened"]}
        return {"serviceIds": ["svcp-1"], **kinds, "protocolVersion": 1}

    def describe_service_metric(self) -> Any:
        times = {"startTime": "2030-01-01T00:00:00Z", "endTime": "2030-02-01T00:00:00Z"}
        return {**times, "serviceId": [self.service], "appId": "app-1"}

    def count_service_calls(self) -> Any:
        sums = {"inputTokens": 3, "outputTokens": 4, "succeeded": 1, "failed": 0}
        # Of one that others count on nothing may be left.
        named = {"serviceId": self.service, "appId": "app-1", "packageId": self.scene.grant(self.operator)}
        return {**named, **sums, "time": "2020-01-01 00:00:00"}

    def top_up(self) -> Any:
        return {"amount": "1.5", "accountId": self.user["accountId"]}

    def describe_orders(self) -> Any:
        times = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
        return {"maxKeys": 3, "kind": "Purchase", "instanceId": "unit-00000000", **times}

    def describe_postings(self) -> Any:
        return {**self.describe_orders(), "kind": "Usage"}

    def describe_statement(self) -> Any:
        return {"month": "2030-01", "accountId": self.user["accountId"], "maxKeys": 3}

    def set_guard_rails(self) -> Any:
        limits = {
            "units": {"tpu": 1},
            "userUnits": {"*": {"tpu": 1}},
            "spend": "100000",
            "userSpend": {"*": "100000"},
            "budget": "100000",
            "budgetWarnPercent": [50],
            "budgetRefusePercent": 100,
            "releaseMaxSeconds": 86400 * 36500,
            "releaseDefaultSeconds": 86400 * 365,
            "endRequired": False,
            "extendBy": "buyer",
            "extensionsMax": 1,
        }
        return {"limits": limits, "accountId": self.user["accountId"]}

    def describe_guard_rails(self) -> Any:
        return {"accountId": self.user["accountId"]}

    def describe_events(self) -> Any:
        times = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
        return {"maxKeys": 3, "instanceId": "unit-00000000", "types": ["unit.bought"], "oldestFirst": True, **times}

    def follow_events(self) -> Any:
        last = self.operator.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"]
        return {"instanceId": "unit-00000000", "types": ["unit.bought"], "after": last}

    def set_reminders(self) -> Any:
        return {"beforeSeconds": [86400, 60], "accountId": self.user["accountId"]}

    def set_offering(self) -> Any:
        free = {"pricePerMinute": "0", "pricePerMonth": "0"}
        return {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000, "stockSource": "Set", **free}

    def advance_clock(self) -> Any:
        return {"to": self.operator.do(CLOCK, "DescribeClock")["now"]}

    def create_account(self) -> Any:
        return {"name": "research", "timeZone": "Asia/Shanghai"}

    def create_user(self) -> Any:
        return {"name": "build-server", "accountId": self.user["accountId"]}

    def create_access_key(self) -> Any:
        return self.user

    def disable_access_key(self) -> Any:
        # A user of its own: none has many active keys.
        user = self.operator.do(IAM, "CreateUser", self.create_user())
        key = self.operator.do(IAM, "CreateAccessKey", user)
        return {"accessKeyId": key["accessKeyId"], "accountId": self.user["accountId"]}

    def attach_policy(self) -> Any:
        return {**self.user, "policyName": "QianfanReadAccessPolicy"}

    def detach_policy(self) -> Any:
        return {**self.user, "policyName": "QianfanReadAccessPolicy"}

    def describe_users(self) -> Any:
        return {"accountId": self.user["accountId"]}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A service that gives everything away, so that money and stock stop nobody."""
    keys = {"LEASEBOOK_USER_ACCESS_KEYS_MAX": "1000"}
    with a_scene(tmp_path_factory.mktemp("office"), environment=keys) as scene:
        scene.sell(minute="0", month="0", stock=1_000_000_000)
        scene.sell_quota(MODEL, minute="0", stock=1_000_000_000)
        yield Office(scene)


def shortened(value: Any) -> str:
    text = "absent" if value is ABSENT else repr(value)
    return text if len(text) < 60 else f"{text[:60]}… ({len(text)})"


class Trial:
    """Tries values in the place of one field after another, and collects what is wrong with the answers."""

    def __init__(self, office: Office, action: Action) -> None:
        self.office = office
        self.action = action
        self.findings: list[str] = []
        self._renew()

    def _renew(self) -> None:
        self.body = self.office.body(self.action.operation)
        self.commits = self.office.scene.commits()

    def field(self, place: FieldPlace) -> None:
        """Try everything in the place of a field, and leaving it out."""
        self._try(place, ABSENT, fine=not place.required)
        for value in TOKENS if place.name == "clientToken" else candidates(place.type):
            self._try(place, value, fine=allowed(place.type, value))

    def _try(self, place: FieldPlace, value: Any, *, fine: bool) -> None:
        where = f"{place.name} = {shortened(value)}"
        try:
            answer = self.office.operator.ask(self.action.path, self.action.name, put(self.body, place.path, value))
        except AssertionError as error:
            self.findings.append(f"{where}: {error}")
            return
        if answer.status == 200:
            if not fine:
                self.findings.append(f"{where}: was taken")
            elif not is_of(answer.result, self.action.result):
                self.findings.append(f"{where}: {answer.result}")
            if self.office.scene.commits() != self.commits:
                self._renew()
            return
        message = answer.body["message"]
        if answer.status >= 500 or len(message) > 1000:
            self.findings.append(f"{where}: {answer.status} {message[:200]}")
        if not fine and not (answer.code == "InappropriateJSON" and f"param[{place.name}" in message):
            self.findings.append(f"{where}: {answer.code} {message}")
        if answer.code == "InappropriateJSON" and "param[" not in message:
            self.findings.append(f"{where}: no field is named: {message}")
        if self._changes(place, value):
            self.findings.append(f"{where}: {answer.code}, and something changed")
            self._renew()

    def _changes(self, place: FieldPlace, value: Any) -> bool:
        """Whether a refused call changes something. Where something did, it is asked again.

        What a deletion before it left to be done, the service does by itself in the meantime.
        """
        for _ in range(3):
            if self.office.scene.commits() == self.commits:
                return False
            self.commits = self.office.scene.commits()
            self.office.operator.ask(self.action.path, self.action.name, put(self.body, place.path, value))
        return self.office.scene.commits() != self.commits


@ANY_ACTION
def test_whatever_is_in_a_field_the_answer_is_documented_and_a_refusal_changes_nothing(
    office: Office, action: Action
) -> None:
    trial = Trial(office, action)
    for place in places(action.request):
        trial.field(place)
    assert not trial.findings, "\n" + "\n".join(trial.findings)


@ANY_ACTION
def test_keys_that_nobody_knows_are_passed_over_as_the_cloud_does_or_refused_where_the_action_is_ours(
    office: Office, action: Action
) -> None:
    body, before = with_unknown_keys(office.body(action.operation)), office.scene.rows()
    answer = office.operator.ask(action.path, action.name, body)
    # How a replica is run no document says, so that block is ours wherever it stands.
    if action.is_documented and "run" not in body:
        assert is_of(answer.result, action.result)
        ignored = answer.headers["x-leasebook-ignored"].split(", ")
        assert {"unknown", "client_token", "__class__"} <= set(ignored)
        inner = [name for name, value in body.items() if isinstance(value, dict) and name != "unknown"]
        assert {f"{name}.unknown" for name in inner} <= set(ignored)
    else:
        assert answer.code == "InappropriateJSON"
        assert office.scene.rows() == before


@ANY_ACTION
def test_parameters_that_nobody_knows_are_passed_over_or_refused_like_keys(office: Office, action: Action) -> None:
    body, before = office.body(action.operation), office.scene.rows()
    answer = office.operator.ask(action.path, action.name, body, query="&ClientToken=twice")
    if action.is_documented:
        assert is_of(answer.result, action.result)
        assert answer.headers["x-leasebook-ignored"] == "?ClientToken"
    else:
        assert answer.code == "InappropriateJSON"
        assert "Did you mean 'clientToken'?" in answer.body["message"]
        assert office.scene.rows() == before


@ANY_ACTION
def test_a_body_with_every_field_is_answered_well(office: Office, action: Action) -> None:
    body = office.body(action.operation)
    assert is_of(office.operator.do(action.path, action.name, body), action.result)
    given = {place.path[0] for place in places(action.request) if place.path[0] in body}
    assert given == set(body)
    left_out = {place.name for place in places(action.request) if place.path[0] not in body}
    # A rule is no schedule, quota has no region, a quote is for one purchase only, and a webhook has no mail address.
    rule = {"instanceType", "autoRenewTimeUnit", "autoRenewTime"}
    assert left_out <= {"clientToken", "address", "marker", "model", "quoteId", "accessKeyId", *rule}


def test_every_required_field_that_is_missing_is_named(office: Office) -> None:
    findings, before = [], office.scene.rows()
    for action in ACTIONS:
        required = [place for place in places(action.request) if place.required and len(place.path) == 1]
        if required:
            answer = office.operator.ask(action.path, action.name, {})
            named = any(f"param[{place.name}]" in answer.body.get("message", "") for place in required)
            if answer.status == 200 or answer.code != "InappropriateJSON" or not named:
                findings.append(f"{action.path} {action.name} with nothing: {answer.status} {answer.body}")
    assert not findings, "\n" + "\n".join(findings)
    # None of them changed anything.
    assert office.scene.rows() == before
