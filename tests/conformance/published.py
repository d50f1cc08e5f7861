"""The corpus as steps that a client can take, and the comparison of an answer with the published one.

A value of a body that begins with ``$`` is replaced: by a name that is new each time (``$suffix``), or by a part of an
earlier answer (``$host.instanceId``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.conformance.family import CHARGE, MODEL, SERVICE, UNITS, CallStep, billing, purchase

from leasebook.docsgen.published import Member, PublishedCall, corpus, member

MODELS: Final = "/v2/model"
APP: Final = "1483416575"
CALLS: Final = [(pages.path, call) for pages in corpus() for call in pages.calls]
"""Every call with its path, in the order in which they are sent."""
PENDING: Final[Mapping[str, str]] = {}
"""Calls that are not answered as published yet, and why. When one is, its test fails until it is taken out here."""
PENDING_FIELDS: Final[frozenset[str]] = frozenset()
"""Published fields of requests that the contract does not have yet, or not with their type."""
PENDING_OPTIONAL: Final[frozenset[str]] = frozenset()
"""Fields that the contract requires, and that are to be optional as the pages have them."""
PENDING_POLICIES: Final[frozenset[str]] = frozenset()
"""Published policies that do not permit their action yet."""
TYPES: Final = {"string": str, "boolean": bool, "list": list, "object": dict}


def steps(of: str) -> list[CallStep]:
    """The steps that make instances, services and models, and then every call. Names contain the word ``of``."""
    now = datetime.now(UTC)
    new = {
        "$suffix": f"corpus-{of}",
        "$set-name": f"set of {of}",
        "$another-set": f"another set of {of}",
        "$begin": (now - timedelta(hours=1)).isoformat(timespec="seconds"),
        "$end": (now + timedelta(hours=1)).isoformat(timespec="seconds"),
    }
    calls = [CallStep(call.name, path, call.action, dict(call.body)) for path, call in CALLS]
    return [CallStep(one.name, one.route, one.action, _filled(one.body, new)) for one in (*_scene(), *calls)]


def _filled(value: Any, new: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {name: _filled(inner, new) for name, inner in value.items()}
        case list():
            return [_filled(inner, new) for inner in value]
        case str():
            return new.get(value, value)
    return value


def _scene() -> Iterator[CallStep]:
    """Make what the calls name: instances, services, a model, a package and quota."""
    for name, count in (("host", 8), ("resized", 1), ("spare", 1), ("scheduled", 1)):
        yield CallStep(name, UNITS, "PurchaseComputeUnit", purchase(count))
    yield CallStep("prepaid", UNITS, "PurchaseComputeUnit", purchase(months=1))
    placed = [{"instanceId": "$host.instanceId", "deploymentReplicasCount": 1}]
    deployed = {"deploymentConfig": {"deploymentComputeUnitList": placed, "replicasCount": 1}}
    yield CallStep("placed", SERVICE, "CreateService", {**_service("corpus placed"), **deployed})
    for name in ("sold", "held", "kept"):
        bought = {"resourceConfig": {"type": "GPU-1-1", "replicasCount": 1}, "billing": billing()}
        yield CallStep(name, SERVICE, "CreateService", {**_service(f"corpus {name}"), **bought})
    counted = {"serviceId": "$placed.serviceId", "appId": APP, "inputTokens": 2, "outputTokens": 3, "succeeded": 1}
    yield CallStep("counted", SERVICE, "CountServiceCalls", counted)
    yield CallStep("set", MODELS, "CreateCustomModelSet", {"modelSetName": "$set-name"})
    yield CallStep("empty-set", MODELS, "CreateCustomModelSet", {"modelSetName": "empty"})
    run = {"command": ["python", "-m", "leasebook.examples.echo", "--port", "{port}"]}
    yield CallStep("model", MODELS, "CreateCustomModel", {"modelSetId": "$set.modelSetId", "run": run})
    package = {"serviceName": MODEL, "specification": 50, "expiredTime": "2090-01-01T00:00:00Z"}
    yield CallStep("package", CHARGE, "GrantPackageResource", package)
    quota = {"model": MODEL, "purchaseCount": 1, "billing": billing()}
    yield CallStep("quota", CHARGE, "PurchaseTPMResource", quota)


def _service(name: str) -> dict[str, Any]:
    return {
        "modelSetId": "am-gh0azfeb9adu",
        "modelId": "amv-g73j3faikzpz",
        "name": name,
        "urlSuffix": "$suffix",
    }


def with_answers(value: Any, answered: Mapping[str, Any]) -> Any:
    """Return a body with what earlier steps answered in the place of their names, as the programs do it."""
    match value:
        case dict():
            return {name: with_answers(inner, answered) for name, inner in value.items()}
        case list():
            return [with_answers(inner, answered) for inner in value]
        case str() if value.startswith("$"):
            found: Any = answered
            for name in value[1:].split("."):
                found = found[name]
            return found
    return value


def differences(call: PublishedCall, result: Any) -> list[str]:
    """Return the differences between an answer and the published one. More keys are no difference."""
    if not _is(call.result, result):
        return [f"result is {result!r}, and is published as {call.result}"]
    places = {**call.answer, **call.seen, **call.decided}
    return [found for place, said in places.items() for found in _differing(place, member(said), result)]


def _differing(place: str, said: Member, result: Any) -> Iterator[str]:
    parents = [result]
    *above, last = place.replace("[]", ".[]").split(".")
    for name in above:
        parents = [inner for parent in parents for inner in _inside(parent, name)]
    if not parents:
        yield f"{place}: nothing is there that could have it"
    for parent in parents:
        if last == "[]":
            entries = parent if isinstance(parent, list) else []
            yield from (f"{place} has {one!r}, not {said.kind}" for one in entries if not _is(said.kind, one))
        elif not isinstance(parent, dict) or last not in parent:
            if not said.is_optional:
                yield f"{place} is missing"
        elif not _is(said.kind, parent[last]):
            yield f"{place} is {parent[last]!r}, and is published as {said.kind}"


def _inside(parent: Any, name: str) -> list[Any]:
    if name == "[]":
        return list(parent) if isinstance(parent, list) else []
    return [parent[name]] if isinstance(parent, dict) and name in parent else []


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "integer":
            # One client reads every number as a floating one.
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    return isinstance(value, TYPES[kind])
