"""A service that stays up while tests call it, and the people who do: one line a call, every answer looked at."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote

from msgspec import inspect as mi

from leasebook.contract.actions import TABLE
from leasebook.contract.errors import ERRORS
from leasebook.contract.nouns.finance.cost_export import MEDIA_TYPES
from leasebook.store.opening import Target
from leasebook.store.queries.snapshot import snapshot
from tests.api.bad_values import MAPS, alternatives
from tests.api.commits import UNASKED, CommitCounter
from tests.harness import Answer, Client, a_service

if TYPE_CHECKING:
    from leasebook.contract.action import Action
    from leasebook.ports.clock import Mode
    from leasebook.server.composition import Service

UNITS, RESOURCES, CHARGE, SERVICE = "/v2/computeunit", "/v2/serviceresources", "/v2/charge", "/v2/service"
ACCOUNT, CATALOG, CLOCK, IAM = "/v2/account", "/v2/catalog", "/v2/clock", "/v2/iam"
EVENTS = "/v2/events"
NOTIFICATION = "/v2/notification"
MODEL = "/v2/model"

T = TypeVar("T")

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
BY_CODE = {error.code: error for error in ERRORS}
PAGES_MAX = 100
HINTS = {
    "InvalidAccessKeyId": "NotFound, cause: Could not find credential.",
    "SignatureDoesNotMatch": "SignatureDoesNotMatch, cause: Fail to authn user: Signature does not match",
}
MONITORS = ("/healthz", "/readyz", "/metrics")


def check_error_message(answer: Answer) -> None:
    """Fail if the header lacks the message, or the text by which the Python client recognises a wrong key."""
    said = unquote(answer.headers["x-bce-error-message"])
    if answer.code in HINTS:
        assert said == HINTS[answer.code]
    elif said.endswith("..."):
        assert answer.body["message"].startswith(said.removesuffix("..."))
    else:
        assert said == answer.body["message"]


def check_envelope(answer: Answer) -> None:
    """Fail where an answer is not one that the documents and all four official clients understand."""
    if answer.headers["content-type"].startswith(("text/event-stream", *MEDIA_TYPES.values())):
        assert answer.status == 200
        assert UUID.fullmatch(answer.headers["x-bce-request-id"])
        return
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert UUID.fullmatch(answer.body["requestId"])
    assert answer.headers["x-bce-request-id"] == answer.body["requestId"]
    assert "location" not in answer.headers
    if answer.status == 200:
        assert set(answer.body) == {"requestId", "result"}
        assert {"x-bce-error-code", "x-bce-error-message"}.isdisjoint(answer.headers)
        return
    # Callers with a bearer key get the object that clients of models read as well.
    of_models = {"error", "id"} & set(answer.body)
    assert set(answer.body) - of_models == {"requestId", "code", "message", "error_code", "error_msg", "log_id"}
    if of_models:
        assert answer.body["id"] == answer.body["requestId"]
        assert set(answer.body["error"]) == {"code", "message", "type"}
    error = BY_CODE[answer.code]
    assert (answer.status, answer.body["error_code"]) == (error.status, error.number)
    assert type(answer.body["error_code"]) is int
    assert answer.body["error_msg"] == answer.body["message"]
    assert answer.body["log_id"] == answer.body["requestId"]
    assert answer.headers["x-bce-error-code"] == answer.code
    check_error_message(answer)
    assert 10 < len(answer.body["message"]) < 5000


def _fields(found: mi.Type, above: str = "") -> Iterator[str]:
    """Yield the names of all fields, those inside objects and lists of objects with their paths."""
    for one in alternatives(found):
        if isinstance(one, mi.ListType):
            yield from _fields(one.item_type, above)
        elif isinstance(one, mi.StructType):
            for field in one.fields:
                yield f"{above}{field.encode_name}"
                yield from _fields(field.type, f"{above}{field.encode_name}.")


@cache
def _fields_of(request: Any) -> frozenset[str]:
    """Return the names of all fields of a request. To read them off its type takes longer than a call."""
    return frozenset({*_fields(mi.type_info(request)), "clientToken"})


def names_what_can_be_sent(action: Action, message: str) -> bool:
    """Whether the field that a message names, if any, is one that the action takes. No caller sent another."""
    named = re.search(r" param\[([^\s]+)\]$", message)
    if named is None or message.startswith("There is no key"):
        return True  # An unknown key is named as it was sent.
    name = re.sub(r"\[[0-9.]*\]", "", named[1])
    found = _fields_of(action.request)
    # The keys of some objects are names that callers choose.
    return name in found or any(name.startswith(f"{one}.") for one in found if one.rpartition(".")[2] in MAPS)


class Runner:
    """Runs coroutines, one after another, on a loop of its own.

    Python's own runner sets a signal handler at every call and takes it off again, which costs more than many a call.
    """

    def __init__(self) -> None:
        self._own = asyncio.Runner()

    def __enter__(self) -> Self:
        self._own.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._own.close()

    def run(self, awaited: Coroutine[Any, Any, T]) -> T:
        """Run it to its end; returns what it does."""
        return self._own.get_loop().run_until_complete(awaited)

    def run_meanwhile(self, awaited: Coroutine[Any, Any, T]) -> T:
        """Run it while the loop runs something else, for a thread that the service waits for; returns its result."""
        return asyncio.run_coroutine_threadsafe(awaited, self._own.get_loop()).result(30)


class Caller:
    """A caller of a service, who waits for each answer."""

    def __init__(self, runner: Runner, desk: Client) -> None:
        self.runner = runner
        self.desk = desk

    @property
    def operator(self) -> Caller:
        """The operator of the same service."""
        return Caller(self.runner, Client(self.desk.service))

    def __repr__(self) -> str:
        return f"Caller({self.desk.access_key})"

    def ask(self, path: str, action: str, body: Any = None, *, query: str = "") -> Answer:
        """Call an action; whatever comes back has the form that every answer has."""
        answer = self.runner.run(self.desk.call(path, action, body, query=query))
        check_envelope(answer)
        known = TABLE.get((path, action))
        if known is not None and answer.status != 200:
            assert answer.code in {error.code for error in known.all_errors}, answer.body
            assert names_what_can_be_sent(known, answer.body["message"]), answer.body
        return answer

    def do(self, path: str, action: str, body: Any = None, *, query: str = "") -> Any:
        """Call an action that succeeds; returns its result."""
        return self.ask(path, action, body, query=query).result

    def refused(self, path: str, action: str, body: Any = None, *, query: str = "") -> str:
        """Call an action that does not succeed; returns the code."""
        return self.ask(path, action, body, query=query).code

    def field_refused(self, path: str, action: str, body: Any = None, *, query: str = "") -> str:
        """Call an action with a value that will not do; returns the field that the message names."""
        answer = self.ask(path, action, body, query=query)
        assert answer.code == "InappropriateJSON", answer.body
        named = re.search(r" param\[([^\s]+)\]$", answer.body["message"])
        assert named is not None, answer.body
        return named[1]

    def send(self, path: str, query: str, content: bytes = b"", **more: Any) -> Answer:
        """Send a request byte for byte."""
        answer = self.runner.run(self.desk.send(path, query, content, **more))
        if path not in MONITORS:
            check_envelope(answer)
        return answer

    def buy(self, **wanted: Any) -> str:
        """Buy units; returns the instance. See ``order`` for what can be wanted."""
        return str(self.do(UNITS, "PurchaseComputeUnit", order(**wanted))["instanceId"])

    def buy_replicas(self, service: str, replicas: int, **billing: Any) -> str:
        """Buy the units of a service's replicas; returns the instance."""
        bought = self.do(
            RESOURCES,
            "PurchaseComputeUnit",
            {"serviceId": service, "billing": billing_of(**billing), "replicasCount": replicas},
        )
        return str(bought["instanceId"])

    def buy_quota(self, model: str = "ernie-4.0-8k", count: int = 1, **billing: Any) -> str:
        """Buy quota of a model; returns the instance."""
        body = {"model": model, "purchaseCount": count, "billing": billing_of(**billing)}
        return str(self.do(CHARGE, "PurchaseTPMResource", body)["instanceId"])

    def quota(self, unit: str, model: str = "ernie-4.0-8k") -> Any:
        """Show quota."""
        (shown,) = self.do(CHARGE, "DescribeTPMResource", {"model": model, "instanceId": unit})["instances"]
        return shown

    def create_service(self, resource_type: str = "GPU-1-1", **resource: Any) -> str:
        """Create a service without units; returns its id."""
        return str(self.do(SERVICE, "CreateService", new_service(type=resource_type, **resource))["serviceId"])

    def schedule(self, unit: str, time: str | None = None) -> None:
        """Set the release time of an instance, or clear it."""
        assert self.do(UNITS, "AutoReleaseComputeUnit", {"instanceId": unit, "releaseTime": time}) is True

    def release(self, unit: str) -> None:
        """Release an instance now."""
        assert self.do(UNITS, "ReleaseComputeUnit", {"instanceId": unit}) is True

    def unit(self, unit: str) -> Any:
        """Show an instance."""
        return self.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})["computeUnitInstance"]

    def usage(self, unit: str) -> list[Any]:
        """List what services use of an instance."""
        return list(self.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})["serviceUsageList"])

    def account_id(self) -> str:
        """Say which account it is."""
        return str(self.do(ACCOUNT, "DescribeAccount")["accountId"])

    def service(self, service: str) -> Any:
        """Show a service."""
        return self.do(SERVICE, "DescribeService", {"serviceId": service})

    def balance(self) -> str:
        """Say how much money there is."""
        return str(self.do(ACCOUNT, "DescribeAccount")["balance"])

    def postings(self) -> list[Any]:
        """List the movements of money, oldest first."""
        page = self.do(ACCOUNT, "DescribePostings", {"maxKeys": 1000})
        assert page["isTruncated"] is False
        return list(reversed(page["postings"]))

    def pages(self, path: str, action: str, body: Any) -> list[Any]:
        """Ask for a list page by page; returns the pages; each says rightly whether more follow."""
        found: list[Any] = []
        marker = None
        while not found or marker is not None:
            page = self.do(path, action, {**body, "marker": marker})
            assert page["isTruncated"] is ("nextMarker" in page)
            assert len(found) < PAGES_MAX, "the pages never end"
            found.append(page)
            marker = page.get("nextMarker")
        return found

    def offering(self, region: str = "bj", unit_type: str = "gpu-1") -> Any:
        """Show an offering."""
        offerings = self.do(CATALOG, "DescribeOfferings")["offerings"]
        return next(one for one in offerings if (one["region"], one["type"]) == (region, unit_type))

    def free(self, region: str = "bj", unit_type: str = "gpu-1") -> int:
        """Count the free units of an offering."""
        return int(self.offering(region, unit_type)["stockFree"])


def billing_of(*, release: str | None = None, months: int | None = None, **reservation: Any) -> Any:
    """Pay by the minute, until a release time where there is one; or in advance for some months."""
    if months is None:
        return {"paymentTiming": "Postpaid", **({} if release is None else {"releaseTime": release})}
    length = {"reservationTimeUnit": "Month", "reservationLength": months}
    return {"paymentTiming": "Prepaid", "reservation": {**length, **reservation}}


def order(*, region: str | None = "bj", type: str = "gpu-1", count: int = 1, **billing: Any) -> Any:  # noqa: A002
    """Return the body of a purchase."""
    config = {"type": type} if region is None else {"region": region, "type": type}
    return {"billing": billing_of(**billing), "computeUnitConfig": config, "computeUnitCount": count}


def new_service(**resource: Any) -> Any:
    """Return the body that creates a service."""
    return {
        "modelSetId": "am-000000000000",
        "modelId": "amv-000000000000",
        "name": "translator",
        "urlSuffix": "translator",
        "resourceConfig": {"type": "GPU-1-1", **resource},
    }


class ServiceHarness:
    """A running service with its operator."""

    def __init__(self, runner: Runner, desk: Client, where: Target) -> None:
        self.runner = runner
        self.desk = desk
        self.where = where
        self.directory = where.directory
        self.operator = Caller(runner, desk)
        self._open: sqlite3.Connection | None = None
        self._commits = CommitCounter()
        self.running.sequencer.watch(self._commits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()

    @property
    def _watcher(self) -> sqlite3.Connection:
        """The embedded store, looked at from outside."""
        if self._open is None:
            self._open = sqlite3.connect(self.directory / "leasebook.db")
        return self._open

    @property
    def running(self) -> Service:
        """The service itself."""
        return self.desk.service

    def caller(self, key: Mapping[str, str]) -> Caller:
        """Call with a key pair as it was answered."""
        return Caller(self.runner, self.desk.as_user(key["accessKeyId"], key["secretAccessKey"]))

    def customer(self, funds: str | None = "1000", *, zone: str | None = None) -> Caller:
        """Open an account with some money; returns its root."""
        made = self.operator.do(
            IAM, "CreateAccount", {"name": "customer"} | ({} if zone is None else {"timeZone": zone})
        )
        if funds is not None:
            self.operator.do(ACCOUNT, "TopUpAccount", {"amount": funds, "accountId": made["accountId"]})
        return self.caller(made)

    def user(self, of: Caller, *policies: str) -> Caller:
        """Add a user with a key to the caller's account, and give it policies."""
        user = {"userId": of.do(IAM, "CreateUser", {"name": "user"})["userId"]}
        account = of.do(ACCOUNT, "DescribeAccount")["accountId"]
        # No operator attaches a policy over every account to a user whose key another made.
        key = self.operator.do(IAM, "CreateAccessKey", {**user, "accountId": account})
        for policy in policies:
            self.operator.do(IAM, "AttachPolicy", {**user, "policyName": policy, "accountId": account})
        return self.caller(key)

    def sell(
        self, region: str = "bj", unit_type: str = "gpu-1", *, minute: str = "0.5", month: str = "100", stock: int = 10
    ) -> None:
        """Put an offering into the catalogue."""
        prices = {"pricePerMinute": minute, "pricePerMonth": month}
        self.operator.do(CATALOG, "SetOffering", {"region": region, "type": unit_type, **prices, "stockTotal": stock})

    def sell_quota(self, model: str = "ernie-4.0-8k", *, minute: str = "0.1", stock: int = 100) -> None:
        """Put quota of a model into the catalogue."""
        self.operator.do(CATALOG, "SetOffering", {"model": model, "pricePerMinute": minute, "stockTotal": stock})

    def grant(self, to: Caller, specification: int = 1000, expires: str = "2090-01-01 00:00:00", **more: Any) -> str:
        """Give an account a package of tokens; returns it."""
        body = {"serviceName": "ernie", "specification": specification, "expiredTime": expires, **more}
        granted = self.operator.do(CHARGE, "GrantPackageResource", {**body, "accountId": to.account_id()})
        return str(granted["instance"]["packageId"])

    def now(self) -> datetime:
        """Say what time it is for units and bills."""
        return datetime.fromisoformat(self.operator.do(CLOCK, "DescribeClock")["now"])

    def sum_costs(self) -> None:
        """Add all postings to the sums of costs, as the service does by itself a little later."""
        self.runner.run(self.running.costs.catch_up())

    def sum_all_costs(self) -> None:
        """Do so until none is left: a transaction of another test on the database's server holds the last ones back."""
        until = time.monotonic() + 60
        while True:
            self.sum_costs()
            with snapshot(self.where) as ask:
                if ask.costs_summed() == ask.posting_edge().last:
                    return
            assert time.monotonic() < until, "the sums of costs do not have all postings after 60 s"

    def advance(self, to: str) -> None:
        """Move the virtual clock."""
        assert self.operator.do(CLOCK, "AdvanceClock", {"to": to})["mode"] == "virtual"

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        """Run several calls at once."""

        async def whole() -> None:
            await scene()

        self.runner.run(whole())

    def commits(self) -> int:
        """Return a number that changes with every commit that wrote something besides the audit log."""
        return self._commits.number

    def rows(self) -> dict[str, list[Any]]:
        """Return every row of the store but the remembered client tokens."""
        return rows(self.directory)

    def stored(self, column: str, unit: str) -> Any:
        """Return a column of an instance that no answer shows."""
        ((value,),) = self._watcher.execute(f"SELECT {column} FROM units WHERE id = ?", (unit,))
        return value


def rows(directory: Path) -> dict[str, list[Any]]:
    """Return every row of a store but what calls leave behind anyway, and what the service does by itself."""
    with closing(sqlite3.connect(directory / "leasebook.db")) as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        kept = [name for name in names if name not in UNASKED and not name.startswith("audit_")]
        if "access_keys" in kept:
            # When it was last used changes with calls, and nothing else.
            store.execute("CREATE TEMP TABLE access_keys AS SELECT * FROM main.access_keys")
            store.execute("UPDATE temp.access_keys SET used_at = NULL")
        if "facts" in kept:
            # The time of a real clock is written down now and then, and so is how far costs are summed.
            store.execute(
                "CREATE TEMP TABLE facts AS SELECT * FROM main.facts WHERE name NOT IN ('clock_seen', 'costs_summed')"
            )
        return {name: sorted(store.execute(f"SELECT * FROM {name}"), key=repr) for name in kept}


@contextmanager
def a_scene(
    where: Path | Target,
    *,
    clock: Mode = "virtual",
    demo: bool = False,
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> Iterator[ServiceHarness]:
    """Run a service while its callers are called one after another. ``more`` is for the service."""
    with Runner() as runner:
        stack = AsyncExitStack()
        service = a_service(where, clock=clock, demo=demo, environment=environment, **more)
        desk = runner.run(stack.enter_async_context(service))
        try:
            with ServiceHarness(runner, desk, Target(where) if isinstance(where, Path) else where) as scene:
                yield scene
        finally:
            runner.run(stack.aclose())


async def exchange(
    scene: ServiceHarness,
    path: str,
    query: str,
    headers: list[tuple[bytes, bytes]],
    messages: list[dict[str, Any]],
    *,
    method: str = "POST",
) -> Answer:
    """Speak to the service as a server does, message by message."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
    }
    left = iter(messages)
    sent: list[Any] = []

    async def receive() -> Any:
        return next(left)

    async def send(message: Any) -> None:
        sent.append(message)

    await scene.running.app(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, json.loads(b"".join(message["body"] for message in sent[1:])))
