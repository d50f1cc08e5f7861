"""The context manager ``Leasebook``: a whole service in this process, for tests of programs that call it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

from leasebook.client import Client, Retries
from leasebook.client.shapes.account import Statement
from leasebook.client.shapes.fault.faults import FaultDetail, FaultWanted
from leasebook.config.load import DECLARED, Settings, load_settings
from leasebook.contract.nouns.fault.faults import FaultKind
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import Instant, parse_time, to_datetime
from leasebook.scheduler.worker import NEVER
from leasebook.testing import guard, quiet
from leasebook.testing.account import AccountInTest
from leasebook.testing.environment import Environment
from leasebook.testing.errors import KitError
from leasebook.testing.host import HOST, Host
from leasebook.testing.seed import Seed, read_seed
from leasebook.testing.services import Services
from leasebook.testing.stock import set_stock
from leasebook.testing.stores import Founded, founded

OPERATOR_KEY: Final = "AKLEASEBOOKTESTING"
OPERATOR_SECRET: Final = "not-a-secret-the-kit-listens-on-loopback-only"  # noqa: S105
FIXED: Final = {
    "root_access_key": OPERATOR_KEY,
    "root_secret_key": OPERATOR_SECRET,
    "engines": "*=instant",
    "faults": "yes",
}
"""Settings of every kit's service; the ones that a test gives go before."""
STEPS_MAX: Final = 100_000
"""Bound on the pieces of due work that ``advance_to_next`` passes on the way to the wanted kind."""
DUE_TOGETHER_MAX: Final = 1000
_last_port = 0


class Given(NamedTuple):
    """The state that ``given`` made: the instance that it bought, or None, and the account's balance."""

    unit: str | None
    balance: Decimal


class Passed(NamedTuple):
    """The due work that ``advance_to_next`` had done: its moment, its kinds (``RELEASE`` …), and their instances."""

    at: datetime
    kinds: tuple[str, ...]
    ids: tuple[str, ...]


class Leasebook:
    """A service with a virtual clock, on a free port of 127.0.0.1, that is there for one test or for many.

    Use it with ``with``, or call ``start`` and ``stop``. It starts empty: an operator, one account without money, and
    nothing to sell, unless ``stock``, ``balance`` or ``seed`` say otherwise. ``reset`` brings that state back; address
    and keys stay, so that clients which have read them once stay right. It may be used by several threads, and not by
    processes that were forked from this one.
    """

    def __init__(
        self,
        *,
        start: datetime | str | None = None,
        stock: Mapping[str, int] | None = None,
        balance: Decimal | float | str | None = None,
        seed: Path | str | None = None,
        settings: Mapping[str, object] | None = None,
        environment: bool = True,
        guarded: bool = True,
    ) -> None:
        """``start`` is where the clock begins: an aware datetime, or a text in the service's zone; None: now.

        ``stock`` is free units by type, and ``balance`` the account's money. ``seed`` is a file (see the page "Test
        your code"). ``settings`` are those of the server, by their names, such as ``{"retention_days": 0}``.
        ``environment``: set the clients' variables while it is started. ``guarded``: let clients reach nothing else.

        Raises BadSettings, KitError for a bad seed file, and ValueError for a bad ``start``.
        """
        self._settings: Final[Settings] = _settings_of(settings or {})
        self._starts_at: Final[Instant | None] = _instant(start, self._settings)
        self._seed: Final[Seed] = read_seed(seed, stock, balance)
        self._sets_environment: Final = environment
        self._guarded: Final = guarded
        self._host: Host | None = None
        self._services: Services | None = None
        self._is_quiet = False
        self._account: AccountInTest | None = None
        self._environment: Final = Environment()
        self._clients: Final[dict[tuple[str, str], Client]] = {}

    # --- its life ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start it; returns itself. Does nothing if it is started."""
        global _last_port  # noqa: PLW0603 - clients remember an address, so a later kit takes it if it is free
        if self._host is not None:
            return self
        self._is_quiet = quiet.keep()
        self._host = Host(_last_port)
        try:
            _last_port = self._host.port
            if self._guarded:
                guard.allow((HOST, self._host.port))
            kind = (self._settings, self._starts_at, self._seed)
            store = founded(kind, self._found)
            self._services = Services(self._host, self._settings, store)
            self._services.renew(again=False)
            self._account = self._account_of(store)
        except BaseException:
            self.stop()
            raise
        if self._sets_environment:
            self._environment.set(self._account.environment())
        return self

    def stop(self) -> None:
        """Stop it, forget all that happened in it, and restore the environment.

        In a process that was forked from this one it ends nothing of the service, which is not there.
        """
        host, self._host = self._host, None
        if host is None:
            return
        self._environment.restore()
        if self._is_quiet:
            quiet.forget()
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        try:
            if self._services is not None and not host.is_elsewhere:
                self._services.close()
        finally:
            self._services = self._account = None
            if self._guarded:
                guard.forget((HOST, host.port))
            host.close()

    def reset(self) -> None:
        """Bring the state of the start back: books, clock, stock, faults. Address and keys stay the same.

        A fresh service takes the place of this one, which ends after its last answer. From the second call on it has
        been prepared meanwhile.
        """
        self._started()
        assert self._services is not None  # noqa: S101 - a kit that is started has them
        self._services.renew(again=True)

    def _found(self, folder: Path) -> Founded:
        """Found the store that all resets copy, and put into it what the seed says."""
        host = self._started()
        served = host.run(host.begin(self._settings, folder, self._starts_at))
        host.show(served)
        try:
            made = self.operator.create_account(name="test")
            store = Founded(folder, made.account_id, made.access_key_id, made.secret_access_key or "")
            self._seed.plant(self.operator, self._account_of(store), self.given)
        finally:
            host.show(None)
            host.run(host.end(served))
        return store

    def _account_of(self, store: Founded) -> AccountInTest:
        return AccountInTest(self.url, store.account_id, store.access_key, store.secret_key, self._client)

    def _started(self) -> Host:
        if self._host is None:
            raise KitError("The kit is not started: use it with `with`, or call start().")
        return self._host

    # --- who calls --------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the service, without a slash at its end."""
        return self._started().url

    @property
    def account(self) -> AccountInTest:
        """The account whose keys are in the environment."""
        self._started()
        assert self._account is not None  # noqa: S101 - a kit that is started has one
        return self._account

    @property
    def client(self) -> Client:
        """A client of that account."""
        return self.account.client

    @property
    def operator(self) -> Client:
        """A client of the operator, who sets prices and stock, gives money, and moves the clock."""
        return self._client(OPERATOR_KEY, OPERATOR_SECRET)

    def new_account(self, name: str = "another", *, balance: Decimal | float | str = 0) -> AccountInTest:
        """Make another account with a key of its own; returns it."""
        made = self.operator.create_account(name=name)
        account = AccountInTest(
            self.url, made.account_id, made.access_key_id, made.secret_access_key or "", self._client
        )
        self._give_money(account, _amount(balance))
        return account

    def _client(self, access_key: str, secret_key: str) -> Client:
        keys = (access_key, secret_key)
        if keys not in self._clients:
            retries = Retries(tries=1) if access_key == OPERATOR_KEY else None
            self._clients[keys] = Client(self.url, access_key, secret_key, retries=retries)
        return self._clients[keys]

    # --- the state before -------------------------------------------------------------------------------------

    def given(
        self,
        *,
        stock: Mapping[str, int] | None = None,
        balance: Decimal | float | str | None = None,
        unit: str | Mapping[str, Any] | None = None,
        region: str = "bj",
        account: AccountInTest | None = None,
    ) -> Given:
        """Bring about a state: free units of each type, the account's balance, and a unit.

        ``stock`` sets how many units of each type are free in the region, and a price if there is none; ``balance``
        tops the account up to that amount; ``unit`` is bought then, by the minute: its type, or a mapping with ``type``
        and, if wanted, ``count``, ``months`` (prepaid) and ``release_in`` (a timedelta). ``account`` is the one of the
        environment if it is left out.

        Raises KitError for a balance below the present one, and the client's errors.
        """
        account = account or self.account
        if stock is not None:
            set_stock(self.operator, region, stock)
        has = account.client.describe_account().balance
        if balance is not None:
            self._give_money(account, _amount(balance) - has)
        bought = None if unit is None else self._buy(account, {"type": unit} if isinstance(unit, str) else unit)
        return Given(bought, account.client.describe_account().balance)

    def _give_money(self, account: AccountInTest, amount: Decimal) -> None:
        if amount < 0:
            raise KitError(
                f"The account has {-amount} more than that already, and money only leaves it by what it buys. Say the "
                "balance before the test buys, or reset() first."
            )
        if amount > 0:
            self.operator.top_up(account_id=account.account_id, amount=amount)

    def _buy(self, account: AccountInTest, wanted: Mapping[str, Any]) -> str:
        unknown = set(wanted) - {"type", "count", "months", "release_in"}
        if unknown or "type" not in wanted:
            raise KitError("unit is a type, or a mapping with type and, if wanted, count, months and release_in.")
        billing: dict[str, Any] = {"paymentTiming": "Postpaid"}
        if "months" in wanted:
            reservation = {"reservationTimeUnit": "Month", "reservationLength": wanted["months"]}
            billing = {"paymentTiming": "Prepaid", "reservation": reservation}
        if "release_in" in wanted:
            billing["releaseTime"] = self.now + wanted["release_in"]
        return account.buy(wanted["type"], wanted.get("count", 1), billing=billing)

    # --- the clock --------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time on the virtual clock, in the service's zone."""
        return self.operator.describe_clock().now

    def advance(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        to: datetime | str | None = None,
    ) -> datetime:
        """Move the clock forward by a span, or to a moment; returns the new time.

        All work that falls due on the way is done, in order, each piece at its own time. Raises the client's errors,
        for example for a moment that has passed.
        """
        if to is None:
            to = self.now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        wanted = to if isinstance(to, str) else to.isoformat()
        return self.operator.advance_clock(to=wanted).now

    def advance_to_next(self, kind: str | None = None) -> Passed:
        """Move the clock to the next due work, and have it done; with a ``kind``, to the next work of that kind.

        The next due work is the first row of the agenda: what the instances of all accounts, and requests for
        approvals, make happen by themselves. Kinds are RENEW, RELEASE, EXPIRE, RETIRE, CHARGE, STOP, RESUME, REMIND and
        APPROVAL. Raises KitError if nothing falls due any more.
        """
        if kind is not None and kind not in DueKind.__members__:
            raise KitError(f"There is no kind of due work {kind!r}; the kinds are {', '.join(DueKind.__members__)}.")
        for _ in range(STEPS_MAX):
            found = self._first_due()
            if not found:
                break
            at = to_datetime(found[0].at, self._settings.time_zone)
            self.advance(to=at)
            if kind is None or any(due.kind.name == kind for due in found):
                kinds = tuple(dict.fromkeys(due.kind.name for due in found))
                return Passed(at, kinds, tuple(due.unit_id for due in found))
        raise KitError(f"Nothing falls due any more{'' if kind is None else f' of the kind {kind}'}.")

    def _first_due(self) -> list[Due]:
        """Return the due work of the earliest moment."""
        host = self._started()

        async def ask() -> list[Due]:
            return list(await host.service.store.read(lambda ask: ask.due(NEVER, DUE_TOGETHER_MAX)))

        found = host.run(ask())
        return [due for due in found if due.at == found[0].at]

    # --- faults -----------------------------------------------------------------------------------------------

    def fail(
        self,
        kind: FaultKind,
        *,
        action: str | None = None,
        count: int | None = 1,
        probability: float | None = None,
        seed: int | None = None,
        seconds: float | None = None,
        account: AccountInTest | Literal["all"] | None = None,
    ) -> str:
        """Have the service make a fault; returns its id. The kinds and their meanings are those of SetFaults.

        It happens to calls of the ``action`` (None: of every action that can have it), ``count`` times (None: until it
        is cleared), and with a ``probability`` in place of always, which the ``seed`` makes the same in each run. It is
        for the account of the environment, unless ``account`` names another one or all of them; ReplicaLost is always
        for all. Raises the client's errors for a fault that no call could have.
        """
        of_all = account == "all" or kind == "ReplicaLost"
        wanted = FaultWanted(kind=kind, action=action, count=count, probability=probability, seed=seed, seconds=seconds)
        if not of_all:
            wanted.account_id = account.account_id if isinstance(account, AccountInTest) else self.account.account_id
        return self.operator.set_faults(faults=[wanted]).faults[-1].fault_id

    def faults(self) -> list[FaultDetail]:
        """Return the faults that are set, with how often each has happened."""
        return self.operator.describe_faults().faults

    def clear_faults(self) -> None:
        """Have the service make no faults any more; instances that waited for their engine go on."""
        self.operator.clear_faults()

    # --- what came of it --------------------------------------------------------------------------------------

    def bill(self, month: str | None = None) -> Statement:
        """Return the account's statement of a month (``2030-01``); None: the month that the clock shows."""
        return self.account.bill(month)

    def story(self, unit: str) -> str:
        """Return the whole life of an instance of the account, in lines."""
        return self.account.story(unit)


def _amount(value: Decimal | float | str) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _settings_of(given: Mapping[str, object]) -> Settings:
    """Return the server's settings; raises BadSettings. The environment's settings are not for a test's server."""
    by_name = {declared.name: declared.variable for declared in DECLARED.values()}
    variables = {}
    for name, value in {**FIXED, **given}.items():
        # An unknown name becomes an unknown variable, which is refused with the nearest name.
        variable = by_name.get(name, f"LEASEBOOK_{name.replace('.', '_').upper()}")
        variables[variable] = str(value)
    return load_settings(None, variables)


def _instant(start: datetime | str | None, settings: Settings) -> Instant | None:
    if start is None:
        return None
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise ValueError(f"start is a time without a time zone, {start.isoformat()}: give it one, or give a text.")
        start = start.isoformat()
    return parse_time(start, settings.time_zone)
