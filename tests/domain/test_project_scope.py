"""A caller with a policy for projects: rules find no other rows and write none, and the unknown is refused."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, cast

import msgspec
import pytest

from leasebook.api.auth.scoped_reads import NotScoped, scoped
from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.project_scope import IN_PROJECTS, is_seen
from leasebook.domain.book.tables import (
    ACCOUNT_LIMITS,
    ACCOUNTS,
    INSTANCES,
    METADATA,
    PROJECTS,
    QUOTES,
    SERVICE_KEYS,
    SERVICES,
    SUBSCRIPTIONS,
    TABLES,
    USERS,
)
from leasebook.domain.commands.command import Command, Decision, Engine, decide
from leasebook.domain.model.account import Account, ProjectPolicy, User, holds_for
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.resource.project import Project
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import Subscription
from leasebook.domain.rules.resource import project_scope
from leasebook.domain.rules.resource.project_scope import SCOPED, check_written
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import DENIED, QUOTA, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import ReadRepository, ServiceFilter, UnitFilter
from tests.contract.rows import service, unit

NOW = Instant(5)
ATLAS = frozenset({"prj-1"})


class Careless(Command, frozen=True, kw_only=True):
    """A command that writes an instance without a look at it, found by reference."""

    unit_id: str
    project_id: str | None = None
    elsewhere: bool = False

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Any:
        del rules, now
        row = draft.require(INSTANCES, self.unit_id)
        draft.put(INSTANCES, msgspec.structs.replace(row, count=9, project_id=self.project_id))
        if self.elsewhere:
            draft.put(METADATA, StoreMetadata("a", "b"))


def a_book() -> Book:
    book = Book()
    for name, project in (("unit-1", "prj-1"), ("unit-2", "prj-2"), ("unit-3", None)):
        book.load(INSTANCES, (name,), unit(name, project_id=project, status="Running"))
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "team", "UTC", Micro(0), NOW))
    for name in ("prj-1", "prj-2"):
        book.load(PROJECTS, (name,), Project(name, "acc-1", name, "", "user-1", NOW))
    book.load(ACCOUNT_LIMITS, ("acc-1",), None)
    book.load(USERS, ("user-1",), User("user-1", "acc-1", "li", True, (), NOW))
    return book


def decided(command: Command, monkeypatch: pytest.MonkeyPatch | None = None) -> Decision:
    if monkeypatch is not None:
        monkeypatch.setattr(project_scope, "SCOPED", SCOPED | {"Careless"})
    return decide(a_book(), command, Rules(), NOW, Engine())


@pytest.mark.parametrize(
    ("within", "seen"),
    [
        (None, ["unit-1", "unit-2", "unit-3"]),
        (ATLAS, ["unit-1"]),
        (frozenset({"default", "prj-2"}), ["unit-2", "unit-3"]),
        (frozenset(), []),
    ],
)
def test_a_draft_finds_the_rows_of_the_projects(within: frozenset[str] | None, seen: list[str]) -> None:
    draft = Draft(a_book(), NOW, within)
    assert [name for name in ("unit-1", "unit-2", "unit-3") if draft.get(INSTANCES, name) is not None] == seen
    assert (draft.get(PROJECTS, "prj-1") is None) is (within is not None and "prj-1" not in within)
    assert (draft.get(USERS, "user-1") is None) is (within is not None)
    assert draft.get(ACCOUNTS, "acc-1") is not None


@pytest.mark.parametrize(
    ("service_id", "project", "seen"),
    [
        ("svco-1", "prj-1", True),
        ("svco-1", "prj-2", False),
        ("svco-1", None, False),
        ("svco-2", "prj-1", False),
        (None, "prj-1", False),
    ],
)
def test_a_service_key_is_of_the_project_of_the_one_service_that_it_opens(
    service_id: str | None, project: str | None, *, seen: bool
) -> None:
    book = a_book()
    book.load(SERVICES, ("svco-1",), service("svco-1", project_id=project))
    book.load(SERVICES, ("svco-2",), None)
    key = ServiceKey("key-1", "acc-1", "user-1", "shop", service_id, "", NOW)
    book.load(SERVICE_KEYS, ("key-1",), key)
    draft = Draft(book, NOW, ATLAS)
    assert (draft.get(SERVICE_KEYS, "key-1") == key) is seen
    draft.put(SERVICE_KEYS, msgspec.structs.replace(key, status="Deleted"))
    if seen:
        check_written(draft, ATLAS)
    else:
        with pytest.raises(Refusal):
            check_written(draft, ATLAS)


def test_a_row_that_the_command_itself_wrote_is_found_as_little() -> None:
    draft = Draft(a_book(), NOW, ATLAS)
    draft.put(INSTANCES, msgspec.structs.replace(draft.require(INSTANCES, "unit-1"), project_id="prj-2"))
    assert draft.get(INSTANCES, "unit-1") is None


def test_a_table_that_is_not_entered_is_hidden_as_a_whole() -> None:
    of_account = Subscription("sub-1", "acc-1", "Webhook", "", b"", (), None, "Active", "user-1", NOW, NOW, 0)
    rows = {SUBSCRIPTIONS: of_account}
    of_project = unit("unit-1", project_id="prj-1")
    hidden = {table.name for table in TABLES if not is_seen(table, rows.get(table, of_project), ATLAS, {})}
    assert {QUOTES.name, USERS.name, "tokens", "hooks", "service_keys"} <= hidden
    for table in TABLES:
        # Each table of rows with a project is entered, or hidden.
        has_project = "project_id" in table.row.__struct_fields__
        assert (table in IN_PROJECTS or table.name in hidden) if has_project else table not in IN_PROJECTS


def test_a_command_that_is_not_entered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Careless(unit_id="unit-1", project_id="prj-1", within=ATLAS)
    refused = decided(mine)
    assert refused.refusal is not None
    assert refused.refusal.reason == DENIED
    assert decided(msgspec.structs.replace(mine, within=None)).refusal is None
    assert decided(mine, monkeypatch).refusal is None


@pytest.mark.parametrize(
    "command",
    [
        Careless(unit_id="unit-2", project_id="prj-2"),
        Careless(unit_id="unit-2", project_id="prj-1"),
        Careless(unit_id="unit-1", project_id="prj-2"),
        Careless(unit_id="unit-1", project_id=None),
        Careless(unit_id="unit-1", project_id="prj-1", elsewhere=True),
    ],
)
def test_whatever_a_command_forgets_no_row_of_another_project_is_written(
    command: Careless, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = decided(msgspec.structs.replace(command, within=ATLAS), monkeypatch).refusal
    assert refusal is not None
    assert refusal.reason == DENIED


def test_a_refusal_for_a_limit_is_veiled_unless_it_says_that_it_tells_no_use() -> None:
    telling = Refusal(QUOTA, "The account holds 7.", field="count")
    assert project_scope.veiled(telling, None) is telling
    veiled = project_scope.veiled(telling, ATLAS)
    assert (veiled.reason, veiled.field, "7" in veiled.message) == (QUOTA, "count", False)
    plain = Refusal(QUOTA, "Give a release time.", tells_no_use=True)
    assert project_scope.veiled(plain, ATLAS) is plain
    other = Refusal(DENIED, "7")
    assert project_scope.veiled(other, ATLAS) is other


def test_a_query_that_is_not_entered_is_not_answered() -> None:
    class Answering:
        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: [name]

    ask = cast("ReadRepository", Answering())
    assert scoped(ask, "acc-1", None) is ask
    confined = scoped(ask, "acc-1", ATLAS)
    own = [base for base in type(confined).__mro__ if base is not object]
    entered = {name for base in own for name in vars(base) if not name.startswith("_")}
    queries = {
        name
        for base in ReadRepository.__mro__
        for name, value in vars(base).items()
        if callable(value) and not name.startswith("_")
    }
    assert entered < queries
    for name in sorted(queries - entered):
        with pytest.raises(NotScoped, match=name):
            getattr(confined, name)("acc-1")
    with pytest.raises(NotScoped):
        confined.units(UnitFilter(account_id="acc-2"))
    with pytest.raises(NotScoped):
        confined.services(ServiceFilter(account_id="", across=Across(("acc-1",))), after=0, limit=1, reverse=False)


def test_replicas_and_places_are_those_of_services_that_are_seen() -> None:
    class Replicating:
        def service(self, service_id: str) -> Any:
            return Found(service_id, "acc-1", "prj-1" if service_id == "svco-1" else "prj-2")

        def unit(self, unit_id: str) -> Any:
            return Found(unit_id, "acc-1", "prj-1" if unit_id == "unit-1" else "prj-2")

        def replicas(self, *_: Any, **__: Any) -> list[str]:
            return ["replica"]

        def run_places(self, *_: Any) -> list[str]:
            return ["place"]

        def called(self, *_: Any, **__: Any) -> list[str]:
            return ["svco-1", "svco-2"]

        def calls(self, *_: Any, services: Any, **__: Any) -> Any:
            return services

        call_intervals = hours_with_minutes = calls

        def user(self, user_id: str) -> Any:
            return Found(user_id, "acc-1" if user_id == "user-1" else "acc-2", None)

    confined: Any = scoped(cast("ReadRepository", Replicating()), "acc-1", ATLAS)
    assert [confined.replicas("acc-1", service_id=one) for one in ("svco-1", "svco-2", None)] == [["replica"], [], []]
    for unit_id in ("unit-1", "unit-2"):
        assert confined.replicas("acc-1", unit_id=unit_id) == (["replica"] if unit_id == "unit-1" else [])
    assert [confined.run_places(one) for one in ("svco-1", "svco-2", None)] == [["place"], [], []]
    assert confined.called("acc-1", 0, 9, apps=None) == ["svco-1"]
    for asked in (confined.calls, confined.hours_with_minutes, partial(confined.call_intervals, interval_us=1)):
        assert asked("acc-1", 0, 9, services=("svco-2", "svco-1"), apps=None) == ("svco-1",)
        assert asked("acc-1", 0, 9, services=("svco-2",), apps=None) == []
        with pytest.raises(NotScoped):
            asked("acc-1", 0, 9, services=None, apps=None)
    assert [confined.user(one) is None for one in ("user-1", "user-2")] == [False, True]


class Found(NamedTuple):
    """A row as far as its owner goes."""

    id: str
    account_id: str
    project_id: str | None


def test_the_account_is_read_without_its_money() -> None:
    class Rich:
        def account(self, account_id: str) -> Account:
            return Account(account_id, "team", "UTC", Micro(7), NOW, NOW, (60,), "Suspended", "It owes 7.")

    confined = scoped(cast("ReadRepository", Rich()), "acc-1", ATLAS)
    assert confined.account("acc-1") == Account("acc-1", "team", "UTC", Micro(0), NOW, status="Suspended")
    assert confined.accounts_by_id(["acc-1", "acc-2"]).keys() == {"acc-1"}


def test_a_policy_for_a_project_is_for_the_rows_of_it() -> None:
    held = (ProjectPolicy("writes", ("default", "prj-1")), ProjectPolicy("reads", ("prj-2",)))
    user = User("user-1", "acc-1", "li", False, (), NOW, project_policies=held)
    writes = frozenset({"writes", "all"})
    assert [holds_for(user, one, writes) for one in (None, "prj-1", "prj-2")] == [True, True, False]
    everywhere = msgspec.structs.replace(user, policies=("all",))
    assert holds_for(everywhere, "prj-2", writes)
