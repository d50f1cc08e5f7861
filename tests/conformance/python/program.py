"""Calls a compute-unit server with the official Python client: one scenario, or several by names joined with ``+``.

Every call becomes one line of JSON on standard output. The client is used as its package ships it.
"""

import inspect
import ipaddress
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BASE_URL = "QIANFAN_CONSOLE_API_BASE_URL"
SERVICE = "svco-48esssdpa594"
UNITS, SERVICE_UNITS = "/v2/computeunit", "/v2/serviceresources"
ALTERS_THE_ROUTE = ("QIANFAN_PROXY", "QIANFAN_AK", "QIANFAN_SK", "QIANFAN_DOT_ENV_CONFIG_FILE")


def refuse(reason: str) -> None:
    print(f"refused to start: {reason}", file=sys.stderr)
    sys.exit(2)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def stay_on_this_machine() -> None:
    """The client's default is a real cloud, so nothing starts without an address of this machine."""
    if not is_loopback(os.environ.get(BASE_URL, "")):
        refuse(f"{BASE_URL} must name a loopback host")
    if Path(".env").exists():
        refuse("a .env file here could send the client elsewhere")
    for name in list(os.environ):
        if name in ALTERS_THE_ROUTE or name.lower().endswith("_proxy"):
            del os.environ[name]


# The client reads the environment once, so the check must come before its import.
stay_on_this_machine()

import qianfan  # noqa: E402
from qianfan import resources  # noqa: E402
from qianfan.resources import Charge, Model, Service  # noqa: E402
from qianfan.resources.console import model as models  # noqa: E402

if os.environ[BASE_URL] != qianfan.get_config().CONSOLE_API_BASE_URL:
    refuse("the client did not take the address it was given")


def emit(name: str, **facts: Any) -> None:
    print(json.dumps({"call": name, **facts}), flush=True)


def report(name: str, ask: Callable[[], Any]) -> Any:
    """Runs one call, writes its line, and gives back its result, or None after an error."""
    try:
        body = ask().body
    except Exception as problem:  # noqa: BLE001 - whatever the client raises is the finding
        emit(name, ok=False, result=None, error=str(problem), kind=type(problem).__name__)
        return None
    emit(name, ok=True, result=body.get("result"), requestId=body.get("requestId"), error=None, kind=None)
    return body.get("result")


def call(name: str, route: str, action: str, params: Mapping[str, Any] | None = None) -> Any:
    return report(name, lambda: resources.console.utils.call_action(route, action, dict(params or {})))


def wait_for(wanted: str, ask: Callable[[], Any], status_in: Callable[[Any], str]) -> None:
    """Asks without a line of output until the unit is in the wanted status, at most 20 seconds."""
    for _ in range(100):
        try:
            if status_in(ask().body["result"]) == wanted:
                return
        except Exception:  # noqa: BLE001 - the reported call that follows will show it
            return
        time.sleep(0.2)


def wait_for_unit(instance_id: str, wanted: str) -> None:
    wait_for(
        wanted,
        lambda: resources.console.utils.call_action(UNITS, "DescribeComputeUnit", {"instanceId": instance_id}),
        lambda result: result["computeUnitInstance"]["status"],
    )


def describe(name: str, instance_id: str) -> Any:
    return call(name, UNITS, "DescribeComputeUnit", {"instanceId": instance_id})


def buy_by_the_minute(name: str, **billing: Any) -> str:
    body = {
        "computeUnitCount": 1,
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "billing": {"paymentTiming": "Postpaid", **billing},
    }
    return (call(name, UNITS, "PurchaseComputeUnit", body) or {}).get("instanceId", "")


def purchase_prepaid() -> None:
    months = {"reservationTimeUnit": "Month", "reservationLength": 5}
    body = {
        "serviceId": SERVICE,
        "billing": {"paymentTiming": "Prepaid", "reservation": months},
        "replicasCount": 5,
    }
    call("purchase", SERVICE_UNITS, "PurchaseComputeUnit", body)


def purchase_postpaid() -> None:
    instance_id = buy_by_the_minute("purchase", releaseTime="2030-01-15T09:30:00+08:00")
    describe("describe", instance_id)


def release_schedule(instance_id: str = "unit-xxx") -> None:
    for path, prefix in ((UNITS, "unit"), (SERVICE_UNITS, "service")):

        def schedule(step: str, path: str = path, prefix: str = prefix, **change: str) -> None:
            call(f"{prefix}-{step}", path, "AutoReleaseComputeUnit", {"instanceId": instance_id, **change})
            describe(f"{prefix}-after-{step}", instance_id)

        schedule("set", releaseTime="2030-01-15 09:30:00")
        schedule("move", releaseTime="2030-02-01T00:00:00+00:00")
        schedule("clear")


def release_now() -> None:
    instance_id = buy_by_the_minute("purchase")
    call("release", UNITS, "ReleaseComputeUnit", {"instanceId": instance_id})
    wait_for_unit(instance_id, "Released")
    describe("describe", instance_id)


def errors() -> None:
    describe("unknown-instance", "unit-nowhere0")
    buy_by_the_minute("bad-value", paymentTiming="Sometimes")
    call("unknown-action", UNITS, "BorrowComputeUnit")
    wrong_keys(lambda name: call(name, UNITS, "DescribeComputeUnits"))


def wrong_keys(ask: Callable[[str], Any]) -> None:
    """The client looks its keys up at every call, so a script may change them at any time."""
    config = qianfan.get_config()
    secret_key, config.SECRET_KEY = config.SECRET_KEY, "0" * 32
    ask("wrong-secret")
    config.SECRET_KEY, config.ACCESS_KEY = secret_key, "AKNOBODY00000000"
    ask("wrong-access-key")


def describe_all() -> None:
    call("units", UNITS, "DescribeComputeUnits", {"paymentTiming": "Postpaid", "region": "bj"})
    call("units-without-a-body", UNITS, "DescribeComputeUnits")
    call("units-with-nulls", UNITS, "DescribeComputeUnits", {"paymentTiming": None, "type": None})
    call("service-units", SERVICE_UNITS, "DescribeComputeUnits", {"serviceId": SERVICE})
    call("services", "/v2/service", "DescribeServices", {"maxKeys": 10})
    call("service", "/v2/service", "DescribeService", {"serviceId": SERVICE})
    call("account", "/v2/account", "DescribeAccount")
    call("orders", "/v2/account", "DescribeOrders")
    call("offerings", "/v2/catalog", "DescribeOfferings")


def charge_wrappers() -> None:
    """The client's own functions for these actions, which use the older path."""

    def info(instance_id: str) -> Any:
        return Charge.get_service_resource_instance_info(SERVICE, instance_id)

    def buy(name: str, billing: dict[str, Any]) -> str:
        bought = report(name, lambda: Charge.purchase_service_resource(SERVICE, billing, 1))
        return (bought or {}).get("instanceId", "")

    month = {"reservationTimeUnit": "Month", "reservationLength": 1}
    prepaid = buy("purchase-prepaid", {"paymentTiming": "Prepaid", "reservation": month})
    report("list", lambda: Charge.get_service_resource_list(SERVICE))
    report("list-prepaid", lambda: Charge.get_service_resource_list(SERVICE, "Prepaid"))
    report("info-prepaid", lambda: info(prepaid))
    report("auto-renew-prepaid", lambda: Charge.create_auto_renew_rules(prepaid, "ComputingUnit", "Month", 2))

    postpaid = buy("purchase-postpaid", {"paymentTiming": "Postpaid", "releaseTime": "2030-01-15 09:30:00"})
    report("auto-renew-postpaid", lambda: Charge.create_auto_renew_rules(postpaid, "ComputingUnit"))
    report("info-postpaid", lambda: info(postpaid))
    report("release", lambda: Charge.release_service_resource_instance_info(SERVICE, postpaid))
    wait_for("Released", lambda: info(postpaid), lambda result: result["instance"]["status"])
    report("info-released", lambda: info(postpaid))

    report("service-list", lambda: Service.V2.service_list(max_keys=10))
    report("service-detail", lambda: Service.V2.service_detail(SERVICE))
    wrong_keys(lambda name: report(name, lambda: Charge.get_service_resource_list(SERVICE)))


def play(file: str) -> None:
    """Takes the steps of a story, each with what the steps before it answered in the place of its names."""
    answered: dict[str, Any] = {}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        if isinstance(value, str) and value.startswith("$"):
            found: Any = answered
            for name in value[1:].split("."):
                found = found[name]
            return found
        return value

    for step in json.loads(Path(file).read_text()):
        answered[step["call"]] = call(step["call"], step["route"], step["action"], filled(step["body"]))


def own_functions() -> None:
    """The client's own functions for quota, services and rules, as their users mean them."""
    model, service = "ernie-4.0-8k", {"model_set_id": "am-gh0azfeb9adu", "model_id": "amv-g73j3faikzpz"}
    by_the_minute = {"paymentTiming": "Postpaid"}
    bought = report("tpm", lambda: Charge.charge_tpm_credit(model, 2, by_the_minute)) or {}
    tpm = bought.get("instanceId", "")
    report("tpm-of-model", lambda: Charge.tpm_credit_info(model))
    report("tpm-info", lambda: Charge.tpm_credit_info(model, "Postpaid", instance_id=tpm, status="Running"))
    report("tpm-resized", lambda: Charge.resize_tpm_resource(tpm, 3))
    report("tpm-not-resized", lambda: Charge.resize_tpm_resource(tpm, None))
    report("tpm-scheduled", lambda: Charge.auto_release_tpm_resource(tpm, "2030-01-15 09:30:00"))
    report("tpm-after-scheduling", lambda: Charge.tpm_credit_info(model, instance_id=tpm))
    report("tpm-cleared", lambda: Charge.auto_release_tpm_resource(tpm, None))
    report("tpm-after-clearing", lambda: Charge.tpm_credit_info(model, instance_id=tpm))
    report("tpm-stopped", lambda: Charge.stop_tpm_credit_charging(model, tpm))
    report("tpm-after-stopping", lambda: Charge.tpm_credit_info(model, instance_id=tpm))

    resource = {"type": "GPU-I-2", "replicasCount": 1, "qps": 0.5}
    month = {"reservationTimeUnit": "Month", "reservationLength": 1}
    billing = {"paymentTiming": "Prepaid", "reservation": month}
    created = report(
        "created",
        lambda: Service.V2.create_service(
            **service, name="own functions", url_suffix="own", resource_config=resource, billing=billing
        ),
    )
    svco, unit = (created or {}).get("serviceId", ""), (created or {}).get("instanceId", "")
    report("detail", lambda: Service.V2.service_detail(svco))
    report("modified", lambda: Service.V2.modify_service(svco, "am-2", "amv-2"))
    report(
        "found",
        lambda: Service.V2.service_list(
            max_keys=10,
            page_reverse=True,
            name="OWN FUNC",
            service_type=["chat"],
            run_status=["Serving", "Done"],
            charge_type="ComputingUnit",
            pay_type="Prepay",
        ),
    )
    report("not-found", lambda: Service.V2.service_list(name="own func", run_status=["Failed"]))
    report("presets", Service.V2.describe_preset_services)
    report("presets-free", lambda: Service.V2.describe_preset_services(charge_type=["Free"], charge_status=["Free"]))

    call("counted", "/v2/service", "CountServiceCalls", {"serviceId": svco, "appId": "own", "succeeded": 3})
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
    report("metric", lambda: Service.V2.service_metric(begin, end, service_id=[svco]))
    report("metric-of-app", lambda: Service.V2.service_metric(begin, end, service_id=[svco], app_id="own"))

    more = report("more", lambda: Charge.purchase_service_resource(svco, by_the_minute, 1)) or {}
    postpaid = more.get("instanceId", "")
    report("resized", lambda: Charge.resize_service_resource_count(postpaid, 4))
    report("prepaid-resized", lambda: Charge.resize_service_resource_count(unit, 3))
    describe("after-resizing", unit)
    report("rule", lambda: Charge.create_auto_renew_rules(unit, "ComputingUnit", "Month", 2))
    report("rule-of-a-month", lambda: Charge.create_auto_renew_rules(unit, "ComputingUnit"))
    call("rules", "/v2/charge", "DescribeAutoRenewRules", {"instanceId": unit})
    report("stopped", lambda: Charge.release_service_resource_instance_info(svco, postpaid))


def model_functions() -> None:
    """The client's own functions for sets of models and their versions."""
    name = f"functions {time.time_ns()}"
    made = report("set", lambda: Model.V2.create_custom_model_set(name, "Text2Text", ["first"])) or {}
    set_id = made.get("modelSetId", "")
    bucket = {"sourceType": "BOS", "bosPath": "bos:/models/first"}
    imported = report(
        "imported", lambda: Model.V2.create_custom_model(set_id, "Import", description="first", import_meta=bucket)
    )
    run = {"command": ["python", "-m", "leasebook.examples.echo", "--port", "{port}"]}
    runs = call("runs", "/v2/model", "CreateCustomModel", {"modelSetId": set_id, "run": run}) or {}
    model_id = runs.get("modelId", "")
    report("set-by-name", lambda: Model.V2.describe_model_set(name))
    report("set-by-id", lambda: Model.V2.describe_model_set(model_set_id=set_id))
    report("own-sets", lambda: Model.V2.describe_custom_model_sets(max_keys=10, page_reverse=True))
    report("own-sets-from-id", lambda: Model.V2.describe_custom_model_sets(marker=set_id))
    report("preset-sets", lambda: Model.V2.describe_system_model_sets(max_keys=10))
    report("model", lambda: Model.V2.describe_model(model_id))
    report("model-deleted", lambda: Model.V2.delete_model(model_id))
    if imported is not None:
        Model.V2.delete_model(imported["modelId"])
    report("set-deleted", lambda: Model.V2.delete_model_set(set_id))


def names() -> None:
    """Every function of the classes that have functions for actions of this service."""
    for owner in (Service.V2, Charge, Model.V2):
        for name, function in inspect.getmembers(owner, inspect.ismethod):
            if not name.startswith("_"):
                emit(f"{owner.__qualname__}.{name}", ok=True, result=function.__name__)


def model_deploy(engine_runs: str) -> None:
    """The client's way from a model to a service that answers, as its users write it."""
    made = report("set", lambda: models.Model.V2.create_custom_model_set("deployed", "Text2Text", labels=["first"]))
    owner = (made or {}).get("modelSetId", "")
    report(
        "version",
        lambda: models.Model.V2.create_custom_model(owner, "Import", import_meta={"uri": "bos:/models/first"}),
    )
    report("by-name", lambda: models.Model.V2.describe_model_set("deployed"))
    report("by-id", lambda: models.Model.V2.describe_model_set(model_set_id=owner))
    report("own-sets", lambda: models.Model.V2.describe_custom_model_sets(max_keys=1))
    report("system-sets", lambda: models.Model.V2.describe_system_model_sets(marker=owner, page_reverse=True))
    for name, ask in (
        ("no-system-conf", lambda: models.Model.V2.describe_model_system_advanced_conf("chat")),
        ("no-custom-conf", lambda: models.Model.V2.describe_model_custom_advanced_conf("amv-000000000000")),
        ("no-export", lambda: models.Model.V2.create_model_export_model("amv-000000000000")),
        ("no-version", lambda: models.Model.detail("amv-000000000000")),
    ):
        report(name, ask)
    from qianfan.model import Model

    qianfan.get_config().DEPLOY_STATUS_POLLING_INTERVAL = 0.2
    completed = Model(set_id=owner)
    emit("completed-by-set", ok=True, result={"set": completed.set_id, "id": completed.id})
    completed = Model(id=completed.id)
    emit("completed-by-id", ok=True, result={"set": completed.set_id, "id": completed.id})
    deploy("deployed", completed)
    try:
        Model(id=completed.id, set_id=owner).publish()
    except Exception as problem:  # noqa: BLE001 - whatever the client raises is the finding
        emit("published", ok=False, result=None, error=str(problem), kind=type(problem).__name__)
    if engine_runs == "yes":
        deploy("run", Model(id="amv-echo00000000", set_id="am-echo00000000"), name="echo", suffix="echo")
    deploy("by-the-hour", Model(id=completed.id, set_id=owner), months=None)


def deploy(call_name: str, model: Any, *, suffix: str = "", months: int | None = 1, **more: Any) -> None:
    """Deploys a model, and writes a line about the service."""
    from qianfan.model.configs import DeployConfig
    from qianfan.model.consts import ServiceType

    config = DeployConfig(service_type=ServiceType.Chat, months=months, endpoint_suffix=suffix, **more)
    try:
        service = model.deploy(config)
    except Exception as problem:  # noqa: BLE001 - whatever the client raises is the finding
        emit(call_name, ok=False, result=None, error=str(problem), kind=type(problem).__name__)
        return
    emit(call_name, ok=True, result={"endpoint": service.endpoint, "status": service.status})


def burst(count: str) -> None:
    for _ in range(int(count)):
        buy_by_the_minute("purchase")


def books() -> None:
    """The account and all its orders, page by page."""
    call("account", "/v2/account", "DescribeAccount")
    here: dict[str, str] | None = {}
    while here is not None:
        page = call("orders", "/v2/account", "DescribeOrders", {"maxKeys": 100, **here})
        following = (page or {}).get("nextMarker")
        here = {"marker": following} if following else None


SCENARIOS: Mapping[str, Callable[..., None]] = {
    "purchase-prepaid": purchase_prepaid,
    "purchase-postpaid": purchase_postpaid,
    "release-schedule": release_schedule,
    "release-now": release_now,
    "errors": errors,
    "describe": describe_all,
    "charge-wrappers": charge_wrappers,
    "play": play,
    "own-functions": own_functions,
    "model-functions": model_functions,
    "names": names,
    "model-deploy": model_deploy,
    "burst": burst,
    "books": books,
}


def main(arguments: list[str]) -> None:
    chosen = arguments[0].split("+") if arguments else [""]
    if not set(chosen) <= set(SCENARIOS):
        refuse(f"name one of these scenarios: {', '.join(SCENARIOS)}")
    for name in chosen:
        if len(chosen) > 1:
            emit("", ok=True, result=name)
        scenario = SCENARIOS[name]
        scenario(*arguments[1 : 1 + scenario.__code__.co_argcount])


if __name__ == "__main__":
    main(sys.argv[1:])
