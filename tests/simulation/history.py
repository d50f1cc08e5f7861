"""Random histories: what users, operators and engines ask for, and how time passes between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

import msgspec
from hypothesis import strategies as st

from leasehold.commands.clock import VIRTUAL_NOW
from leasehold.commands.command import Command, Engine
from leasehold.commands.confirm import ConfirmReleased, ConfirmRunning
from leasehold.commands.founding import CLOCK_MODE, Found
from leasehold.commands.funds import TopUp
from leasehold.commands.identity import CreateAccount, NewKey
from leasehold.commands.offering import SetOffering
from leasehold.commands.purchase import Billing, BuyReplicas, BuyUnits, Purchase
from leasehold.commands.release import Release, ScheduleRelease
from leasehold.commands.renewal import SetAutoRenew
from leasehold.commands.service import CreateService
from leasehold.domain.calendar import DAY_US, HOUR_US, SECOND_US, Instant, parse_time
from leasehold.domain.money import Micro
from leasehold.domain.rules import Rules
from leasehold.domain.token import Token
from leasehold.engines.instant import InstantEngine

T = TypeVar("T")

ACCOUNTS = ("acc-1", "acc-2")
ZONES = ("Asia/Shanghai", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Europe/London")
STARTS = tuple(
    parse_time(text, "UTC")
    for text in (
        "2030-01-15T09:30:00Z",
        "2030-01-31T10:59:30.000001Z",  # a month later there is no such day
        "2028-02-29T23:15:00Z",
        "2030-03-31T00:20:00Z",  # London's clocks go forward
        "2030-04-06T14:10:00Z",  # Lord Howe's go back by half an hour
        "2030-11-03T04:29:59.999999Z",  # those of St John's by a whole one
    )
)

HOUR, DAY = 3600, 86_400
LEADS = (None, None, None, None, -1, 0, 1, 30, 59, 60, 61, 600, 1800, HOUR, 5400, 2 * HOUR, 12 * HOUR, 25 * HOUR)
WAITS = (1, 30, 60, 61, 600, 1800, HOUR, 5400, 2 * HOUR, 2 * HOUR, 6 * HOUR, 25 * HOUR)
TERM_OVER = 31 * DAY + 17


# What is asked for. Units, services and earlier requests are meant by how long ago they came up.


class Buy(NamedTuple):
    account: int
    region: str | None
    unit_type: str
    number: int
    months: int  # 0: postpaid
    lead: int | None


class Serve(NamedTuple):
    account: int
    region: str | None
    resource_type: str
    replicas: int  # 0: buys nothing
    months: int
    lead: int | None


class Scale(NamedTuple):
    service: int
    replicas: int
    months: int
    lead: int | None


class Schedule(NamedTuple):
    unit: int
    lead: int | None
    stranger: bool


class Drop(NamedTuple):
    unit: int
    stranger: bool


class Renew(NamedTuple):
    unit: int
    months: int


class Fund(NamedTuple):
    account: int
    amount: int


class Offer(NamedTuple):
    region: str
    unit_type: str
    per_minute: int | None
    per_month: int | None
    stock: int | None


class Report(NamedTuple):
    unit: int


class Again(NamedTuple):
    """An earlier request once more, under the same token where it had one; or other parameters under it."""

    back: int
    changed: bool


class Ask(NamedTuple):
    what: Buy | Serve | Scale | Schedule | Drop | Renew | Fund | Offer
    token: bool


class Wait(NamedTuple):
    seconds: int


Step = Ask | Again | Report | Wait


class Round(NamedTuple):
    """Commands that come at one moment."""

    at: Instant
    commands: tuple[Command, ...]


class History(NamedTuple):
    """A founded store's whole life, and the rules and the engine that it is lived under."""

    start: Instant
    funds: Micro
    zones: tuple[str, str]
    rules: Rules
    engine: Engine
    steps: tuple[Step, ...]

    @property
    def rounds(self) -> list[Round]:
        """The commands, round by round."""
        return list(_Scribe(self).rounds())


class _Scribe:
    """Writes a history down as commands. What a step means depends on the steps before it, never on answers."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._now = history.start
        self._number = 0
        self._units: list[tuple[str, str]] = []
        self._services: list[tuple[str, str]] = []
        self._asked: list[Command] = []

    def rounds(self) -> Iterator[Round]:
        # What opens the store is answered before anybody asks for something.
        yield Round(self._now, tuple(_opening(self._history)))
        commands: list[Command] = []
        for step in self._history.steps:
            self._number += 1
            if isinstance(step, Wait):
                yield Round(self._now, tuple(commands))
                self._now = Instant(self._now + step.seconds * SECOND_US)
                commands = []
            else:
                commands += self._commands(step)
        yield Round(self._now, tuple(commands))

    def _commands(self, step: Ask | Again | Report) -> Sequence[Command]:
        if isinstance(step, Again):
            command = self._again(step)
        elif isinstance(step, Report):
            _, unit_id = _ago(self._units, step.unit) or ("", "")
            return (ConfirmRunning(unit_id=unit_id), ConfirmReleased(unit_id=unit_id)) if unit_id else ()
        else:
            command = self._command(step)
        if command is None:
            return ()
        self._asked.append(command)
        return (command,)

    def _command(self, step: Ask) -> Command | None:
        what = step.what
        match what:
            case Buy():
                account = ACCOUNTS[what.account]
                token = self._token(account, step)
                purchase = self._purchase(account, what.months, what.lead)
                return BuyUnits(
                    token=token, purchase=purchase, region=what.region, unit_type=what.unit_type, count=what.number
                )
            case Serve():
                return self._service(what, self._token(ACCOUNTS[what.account], step))
            case Scale():
                found = _ago(self._services, what.service)
                if found is None:
                    return None
                purchase = self._purchase(found[0], what.months, what.lead)
                return BuyReplicas(
                    token=self._token(found[0], step), purchase=purchase, service_id=found[1], replicas=what.replicas
                )
            case Schedule() | Drop() | Renew():
                return self._on_unit(what, step)
            case Fund():
                account = ACCOUNTS[what.account]
                return TopUp(token=self._token(account, step), account_id=account, amount=Micro(what.amount))
            case Offer():
                return SetOffering(
                    token=self._token(ACCOUNTS[0], step),
                    region=what.region,
                    unit_type=what.unit_type,
                    per_minute=_micro(what.per_minute),
                    per_month=_micro(what.per_month),
                    stock_total=what.stock,
                )

    def _on_unit(self, what: Schedule | Drop | Renew, step: Ask) -> Command | None:
        found = _ago(self._units, what.unit)
        if found is None:
            return None
        owner, unit_id = found
        stranger = ACCOUNTS[1 - ACCOUNTS.index(owner)]
        match what:
            case Schedule():
                account = stranger if what.stranger else owner
                release_at = self._ahead(what.lead)
                return ScheduleRelease(
                    token=self._token(account, step),
                    account_id=account,
                    unit_id=unit_id,
                    service_id=None,
                    release_at=release_at,
                )
            case Drop():
                account = stranger if what.stranger else owner
                token = self._token(account, step)
                return Release(token=token, account_id=account, unit_id=unit_id, service_id=None)
            case Renew():
                return SetAutoRenew(
                    token=self._token(owner, step), account_id=owner, unit_id=unit_id, months=what.months
                )

    def _service(self, what: Serve, token: Token | None) -> Command:
        account = ACCOUNTS[what.account]
        service_id = f"svco-{self._number:03}"
        self._services.append((account, service_id))
        return CreateService(
            token=token,
            service_id=service_id,
            account_id=account,
            user_id=f"user-{account}",
            name="a service",
            description="",
            url_suffix="service",
            model_set_id="am-1",
            model_id="amv-1",
            resource_type=what.resource_type,
            region=what.region,
            qps=1.5,
            replicas=what.replicas,
            purchase=self._purchase(account, what.months, what.lead) if what.replicas else None,
        )

    def _again(self, step: Again) -> Command | None:
        asked = _ago(self._asked, step.back)
        if asked is None:
            return None
        if asked.token is None:
            return self._anew(asked, keep=True)
        digest = "changed" if step.changed else asked.token.digest
        return msgspec.structs.replace(
            self._anew(asked, keep=False), token=msgspec.structs.replace(asked.token, digest=digest)
        )

    def _anew(self, asked: Command, *, keep: bool) -> Command:
        """Give a repeated request the new ids that the rim would give it."""
        if isinstance(asked, CreateService):
            service_id = f"svco-{self._number:03}"
            if keep:
                self._services.append((asked.account_id, service_id))
            asked = msgspec.structs.replace(asked, service_id=service_id)
        purchase = getattr(asked, "purchase", None)
        if purchase is None:
            return asked
        unit_id = f"unit-{self._number:03}"
        if keep:
            self._units.append((purchase.account_id, unit_id))
        purchase = msgspec.structs.replace(purchase, unit_id=unit_id, order_id=f"order-{self._number:03}")
        return msgspec.structs.replace(asked, purchase=purchase)

    def _purchase(self, account: str, months: int, lead: int | None) -> Purchase:
        unit_id = f"unit-{self._number:03}"
        self._units.append((account, unit_id))
        billing = (
            Billing(payment_timing="Prepaid", months=months)
            if months
            else Billing(payment_timing="Postpaid", release_at=self._ahead(lead))
        )
        return Purchase(
            account_id=account,
            user_id=f"user-{account}",
            unit_id=unit_id,
            order_id=f"order-{self._number:03}",
            billing=billing,
        )

    def _ahead(self, lead: int | None) -> Instant | None:
        return None if lead is None else Instant(self._now + lead * SECOND_US)

    def _token(self, account: str, step: Ask) -> Token | None:
        return Token(account, f"token-{self._number:03}", f"digest-{self._number:03}") if step.token else None


def _ago(rows: list[T], back: int) -> T | None:
    return rows[-1 - back % len(rows)] if rows else None


def _micro(amount: int | None) -> Micro | None:
    return None if amount is None else Micro(amount)


def _opening(history: History) -> Iterator[Command]:
    """Found the store, open the second account, price and stock a few offerings, and pay in something."""
    first, second = (
        CreateAccount(
            account_id=account,
            user_id=f"user-{account}",
            name=account,
            time_zone=zone,
            key=NewKey(f"key-{account}", b"sealed"),
        )
        for account, zone in zip(ACCOUNTS, history.zones, strict=True)
    )
    yield Found(facts={CLOCK_MODE: "virtual", VIRTUAL_NOW: str(history.start)}, root=first)
    yield second
    for region, unit_type, per_minute, per_month, stock in (
        ("bj", "gpu-1", 500_000, 300_000_000, 9),
        ("bd", "gpu-1", 500_001, 250_000_000, 8),
        ("bj", "cpu", 33_333, None, 3),
    ):
        yield SetOffering(
            region=region,
            unit_type=unit_type,
            per_minute=Micro(per_minute),
            per_month=_micro(per_month),
            stock_total=stock,
        )
    for account in ACCOUNTS:
        yield TopUp(account_id=account, amount=history.funds)


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """Choose one strategy, each as often as its weight says; ``one_of`` knows no weights."""
    table = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.integers(0, len(table) - 1).flatmap(table.__getitem__)


# Few draws make a step, so that many histories are made in a second. What comes first is the simplest.
ago = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 5))
rarely = st.sampled_from((False, False, False, False, True))
sometimes = st.sampled_from((False, False, True))
leads = st.sampled_from(LEADS)
accounts = (0, 1)
regions = (None, "bj", "bd")
types = ("gpu-1", "gpu-1", "gpu-1", "gpu-1", "gpu-1", "cpu", "gpu-9")
shapes = ("GPU-1-1", "GPU-1-1", "GPU-I-2", "CPU-1-1")
endings = st.sampled_from([*((0, lead) for lead in LEADS), *((1, None) for _ in range(6))])
"""Months and lead: a quarter is prepaid."""
buys = st.builds(
    lambda place, count, ending: Buy(place[0], place[1], place[2], count, ending[0], ending[1]),
    st.sampled_from(list(product(accounts, regions, types))),
    st.integers(1, 3),
    endings,
)
serves = st.builds(
    lambda place, ending: Serve(*place, *ending),
    st.sampled_from(list(product(accounts, regions, shapes, (0, 1, 2)))),
    endings,
)
asks = st.builds(
    Ask,
    weighted(
        (6, buys),
        (2, serves),
        (2, st.builds(lambda ago, replicas, ending: Scale(ago, replicas, *ending), ago, st.integers(1, 2), endings)),
        (3, st.builds(Schedule, ago, leads, rarely)),
        (2, st.builds(Drop, ago, rarely)),
        (1, st.builds(Renew, ago, st.integers(1, 6))),
        (1, st.builds(Fund, st.sampled_from(accounts), st.integers(1, 500_000_000))),
    ),
    sometimes,
)
waits = st.builds(Wait, st.sampled_from(WAITS))


def offers(*regions: str) -> st.SearchStrategy[Ask]:
    """Changes of prices and stock, and new offerings where other regions than the founded ones are given."""
    prices = st.one_of(st.none(), st.integers(0, 2_000_000))
    by_month = st.one_of(st.none(), st.integers(0, 300_000_000))
    stock = st.one_of(st.none(), st.none(), st.integers(0, 12))
    places = st.sampled_from(list(product(regions, ("gpu-1", "cpu"))))
    offer = st.builds(lambda place, *rest: Offer(*place, *rest), places, prices, by_month, stock)
    return st.builds(Ask, offer, sometimes)


def steps(*, rounds: int, new_regions: bool) -> st.SearchStrategy[tuple[Step, ...]]:
    """Steps of every kind, some of them at the same moment."""
    offered = offers("bj", "bd", "gz") if new_regions else offers("bj", "bd")
    again, report = st.builds(Again, ago, sometimes), st.builds(Report, ago)
    commands: st.SearchStrategy[Step] = weighted((12, asks), (1, again), (2, report), (1, offered))
    return st.lists(st.tuples(st.lists(commands, max_size=8), waits), min_size=1, max_size=rounds).map(
        lambda pairs: tuple(step for said, wait in pairs for step in (*said, wait))
    )


@st.composite
def histories(draw: st.DrawFn, *, rounds: int = 12, new_regions: bool = True, terms: bool = True) -> History:
    """A history; with ``terms`` one in two is long enough for prepaid instances to run out."""
    if terms and draw(st.booleans()):
        before, after = (steps(rounds=4, new_regions=new_regions) for _ in range(2))
        first = (*draw(before), Wait(TERM_OVER), *draw(after))
    else:
        first = draw(steps(rounds=rounds, new_regions=new_regions))
    return History(
        start=draw(st.sampled_from(STARTS)),
        funds=draw(st.sampled_from((Micro(5_000_000_000), Micro(100_000_000)))),
        zones=(draw(st.sampled_from(ZONES)), draw(st.sampled_from(ZONES))),
        rules=Rules(
            postpaid_balance_min=draw(st.sampled_from((None, Micro(0)))),
            retention_us=draw(st.sampled_from((0, HOUR_US, DAY_US))),
        ),
        engine=draw(st.sampled_from((InstantEngine(), Engine()))),
        steps=first,
    )
