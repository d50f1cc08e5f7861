"""Random histories: what users, operators and engines ask for, and how time passes between."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.identity import CreateAccount, NewKey
from leasebook.domain.commands.command import Command, Engine
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE, BootstrapStore
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.offering import EVERYWHERE, QUOTA
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant, parse_time
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.simulation.asks import (
    Again,
    Ask,
    AutoRenew,
    Buy,
    BuyQuoted,
    Delete,
    Deploy,
    Drop,
    Fund,
    Grant,
    Modify,
    Offer,
    PlaceReplicas,
    Quoted,
    Renew,
    Report,
    ReportCalls,
    Resize,
    Scale,
    Schedule,
    Serve,
    Step,
    Switch,
    SwitchBilling,
    Wait,
)
from tests.simulation.scribe import ACCOUNTS, MODEL, Round, Scribe, micro

T = TypeVar("T")

ZONES = ("Asia/Shanghai", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Europe/London")
STARTS = tuple(
    parse_time(text, "UTC")
    for text in (
        "2030-01-15T09:30:00Z",
        "2030-01-31T10:59:30.000001Z",  # the next month lacks that day
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
LONG_WAITS = (HOUR, DAY, 6 * DAY, 24 * DAY, 28 * DAY, TERM_OVER)
"""Near the tries to renew a term of a month, and beyond its end."""


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
        return list(Scribe(self.start).rounds(_opening(self), self.steps))


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
    yield BootstrapStore(facts={CLOCK_MODE: "virtual", VIRTUAL_NOW: str(history.start)}, root=first)
    yield second
    for region, unit_type, per_minute, per_month, stock in (
        ("bj", "gpu-1", 500_000, 300_000_000, 12),
        ("bd", "gpu-1", 500_001, 250_000_000, 8),
        ("bj", "cpu", 33_333, None, 3),
        (EVERYWHERE, MODEL, 70_001, None, 7),
    ):
        yield SetOffering(
            region=region,
            unit_type=unit_type,
            per_minute=Micro(per_minute),
            per_month=micro(per_month),
            stock_total=stock,
            kind=QUOTA if unit_type == MODEL else None,
        )
    for account in ACCOUNTS:
        yield TopUp(account_id=account, amount=history.funds)


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """Choose one strategy, each as often as its weight says; ``one_of`` knows no weights."""
    table = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.integers(0, len(table) - 1).flatmap(table.__getitem__)


# Few draws make a step, so that many histories are made in a second. The first choices are the simplest.
ago = st.sampled_from((0, 0, 0, -1, -1, -1, -2, -2, -3, 1, 1, 2, 3))
"""How long ago something came up, or the first, second or third that ever did (-1, -2, -3)."""
rarely = st.sampled_from((False, False, False, False, True))
sometimes = st.sampled_from((False, False, True))
leads = st.sampled_from(LEADS)
who = st.sampled_from((*("owner" for _ in range(20)), "stranger", "mistaken"))
accounts = (0, 0, 0, 1)
regions = (None, "bj", "bj", "bd")
types = (*("gpu-1" for _ in range(12)), "cpu", "cpu", MODEL, MODEL, "gpu-9")
shapes = ("GPU-1-1", "GPU-1-1", "GPU-I-2", "CPU-1-1")
endings = st.sampled_from(
    [
        *((0, lead, 0) for lead in LEADS),
        *((1, None, 0) for _ in range(4)),
        (1, None, 1),
        (1, None, 1),
        (1, None, 2),
        (2, None, 0),
    ]
)
"""Months, lead, and months of the auto-renew rule: a third is prepaid."""
buys = st.builds(
    lambda place, count, end: Buy(place[0], place[1], place[2], count, *end),
    st.sampled_from(list(product(accounts, regions, types))),
    st.integers(1, 3),
    endings,
)
serves = st.builds(
    lambda place, end: Serve(*place, *end),
    st.sampled_from(list(product(accounts, regions, shapes, (0, 1, 2)))),
    endings,
)
scales = st.builds(lambda ago, replicas, end: Scale(ago, replicas, *end), ago, st.integers(1, 2), endings)
buys_quoted = st.builds(BuyQuoted, ago, st.sampled_from(("same", "same", "same", "anywhere", "more", "stranger")))
renewals = st.sampled_from(
    [(1, None), (1, None), (2, None), *((0, day) for day in (1, 15, 28, 31)), *((1, day) for day in (1, 16, 30, 31))]
)
deploys = st.builds(Deploy, st.lists(ago, min_size=1, max_size=2).map(tuple), st.integers(1, 2), st.integers(1, 2))
asks = st.builds(
    Ask,
    weighted(
        (8, buys),
        (2, st.builds(Quoted, buys, st.sampled_from((True, True, True, False)))),
        (3, buys_quoted),
        (2, serves),
        (1, scales),
        (2, deploys),
        (3, st.builds(PlaceReplicas, ago, ago, st.integers(0, 3))),
        (1, st.builds(Delete, ago)),
        (1, st.one_of(st.builds(Modify, ago), st.builds(Switch, ago, st.booleans()))),
        (3, st.builds(Schedule, ago, leads, who)),
        (2, st.builds(Drop, ago, who)),
        (5, st.builds(Resize, ago, st.integers(1, 5), who)),
        (3, st.builds(lambda ago, longer, who: Renew(ago, longer[0], longer[1], who), ago, renewals, who)),
        (2, st.builds(AutoRenew, ago, st.sampled_from((1, 1, 2, 6, None)), who)),
        (4, st.builds(SwitchBilling, ago, st.sampled_from((0, 0, 1, 2)), st.sampled_from((0, 0, 1)), who)),
        (2, st.builds(Fund, st.sampled_from(accounts), st.sampled_from((1, 90_000_001, 500_000_000, 3_000_000_000)))),
        (
            1,
            st.builds(
                Grant,
                st.sampled_from(accounts),
                st.integers(1, 2000),
                st.sampled_from((-1, HOUR)),
                st.sampled_from((None, None, -1, HOUR // 2, HOUR)),
            ),
        ),
        (
            1,
            st.builds(
                ReportCalls,
                ago,
                st.sampled_from(("app-1", "app-2")),
                st.sampled_from((0, 0, 1, HOUR, -1)),
                st.integers(0, 1000),
                st.one_of(st.none(), ago),
            ),
        ),
    ),
    sometimes,
)


def offers(*regions: str) -> st.SearchStrategy[Ask]:
    """Changes of prices and stock, and new offerings where other regions than the founded ones are given."""
    prices = st.one_of(st.none(), st.integers(0, 2_000_000))
    by_month = st.one_of(st.none(), st.integers(0, 300_000_000))
    stock = st.one_of(st.none(), st.none(), st.integers(0, 12))
    places = st.sampled_from([*product(regions, ("gpu-1", "cpu")), (EVERYWHERE, MODEL)])
    offer = st.builds(lambda place, *rest: Offer(*place, *rest), places, prices, by_month, stock)
    return st.builds(Ask, offer, sometimes)


def reports(engine: Engine) -> tuple[int, st.SearchStrategy[Step]]:
    """The reports of an engine, and how often it makes them: the instant one has said everything already."""
    one = st.builds(Report, ago, rarely)
    if isinstance(engine, InstantEngine):
        return 1, one
    return 6, st.one_of(one, st.builds(Report, st.none(), rarely))


FIRST = st.lists(
    st.builds(
        lambda place, count, end: Ask(Buy(place[0], place[1], place[2], count, *end)),
        st.sampled_from(
            [(0, "bj", "gpu-1"), (0, "bj", "gpu-1"), (0, "bd", "gpu-1"), (1, "bj", "gpu-1"), (0, "bj", MODEL)]
        ),
        st.integers(1, 2),
        st.sampled_from(((0, None, 0), (0, None, 0), (1, None, 0), (1, None, 1))),
    ),
    min_size=1,
    max_size=4,
)
"""The first purchases, most of them successful, so that later steps have instances to act on."""


def story(*choices: tuple[Step, ...]) -> st.SearchStrategy[tuple[Step, ...]]:
    """One of a few stories."""
    return st.sampled_from(choices)


STORIES = story(
    (Ask(Fund(0, 6_000_000_000)), Ask(Fund(1, 6_000_000_000))),
    (Wait(25 * HOUR), Ask(Fund(0, 500_000_000))),
    (Wait(12 * HOUR), Wait(25 * HOUR), Ask(Fund(0, 2_000_000_000))),
    (Ask(Buy(0, "bj", "gpu-1", 1, 1, None)), Report(0), Ask(SwitchBilling(0, 0)), Wait(TERM_OVER)),
    (Ask(Buy(0, "bd", "gpu-1", 1, 1, None, 1)), Report(0), Wait(24 * DAY), Ask(Fund(0, 900_000_000)), Wait(TERM_OVER)),
    (Ask(Buy(0, "bd", "gpu-1", 1, 1, None)), Report(0), Wait(31 * DAY - HOUR), Wait(HOUR), Ask(Renew(0, 1, None))),
    (Ask(Resize(-1, 4)), Report(-1, failed=True), Ask(Resize(-1, 5)), Wait(60), Report(-1)),
    (Ask(Resize(-1, 5)), Wait(20), Report(-1), Ask(Resize(-1, 1)), Wait(20), Report(-1)),
    (Ask(Resize(-2, 3)), Ask(Renew(-2, 1, 15)), Wait(HOUR), Report(-2, failed=True)),
    (Ask(Deploy((-1,), 1, 1)), Ask(PlaceReplicas(0, -1, 2)), Ask(PlaceReplicas(0, -2, 1)), Ask(Resize(-1, 1))),
    (Ask(SwitchBilling(-1, 1, 1)), Wait(HOUR), Ask(SwitchBilling(-1, 0)), Ask(SwitchBilling(-1, 1))),
    (
        *(Ask(Quoted(Buy(0, "bj", "gpu-1", 1, 0, None), keep=True)), Wait(30)),
        *(Ask(Offer("bj", "gpu-1", 600_000, None, None)), Wait(1), Ask(BuyQuoted(0, "same")), Report(0)),
        *(Wait(HOUR), Ask(Offer("bj", "gpu-1", 500_000, None, None)), Ask(BuyQuoted(0, "same"))),
    ),
    (Ask(Quoted(Buy(0, "bd", "gpu-1", 1, 1, None), keep=True)), Wait(60), Ask(BuyQuoted(0, "same"))),
)
"""Beginnings that seldom come by chance."""


def steps(
    engine: Engine, waits: tuple[int, ...], *, rounds: int, new_regions: bool
) -> st.SearchStrategy[tuple[Step, ...]]:
    """Steps of every kind, some of them at the same moment."""
    offered = offers("bj", "bd", "gz") if new_regions else offers("bj", "bd")
    again = st.builds(Again, ago, sometimes)
    commands: st.SearchStrategy[Step] = weighted((16, asks), (1, again), reports(engine), (1, offered))
    said = st.lists(commands, min_size=1, max_size=8).map(tuple)
    pair = st.tuples(weighted((4, said), (1, STORIES)), st.builds(Wait, st.sampled_from(waits)))
    return st.tuples(FIRST, st.lists(pair, min_size=1, max_size=rounds)).map(
        lambda drawn: (*drawn[0], Report(), *(step for said, wait in drawn[1] for step in (*said, wait)))
    )


RULES = st.builds(
    Rules,
    postpaid_balance_min=st.sampled_from((None, Micro(0))),
    retention_us=st.sampled_from((DAY_US, 7 * DAY_US, HOUR_US, 0)),
    arrears_grace_us=st.sampled_from((0, HOUR_US, DAY_US)),
    quote_keep_us=st.sampled_from((MINUTE_US, 15 * MINUTE_US)),
    remind_before_us=st.sampled_from(((DAY_US, HOUR_US), (7 * DAY_US, DAY_US, MINUTE_US), ())),
    # When tokens are forgotten depends on the machine's clock, too; here none is.
    token_keep_us=st.just(1000 * DAY_US),
)


@st.composite
def histories(draw: st.DrawFn, *, rounds: int = 12, new_regions: bool = True, terms: bool = True) -> History:
    """A history; with ``terms`` one in two is long enough for prepaid instances to run out and be renewed."""
    engine = draw(st.sampled_from((InstantEngine(), Engine())))
    if terms and draw(st.booleans()):
        said = draw(steps(engine, LONG_WAITS, rounds=5, new_regions=new_regions))
    else:
        said = draw(steps(engine, WAITS, rounds=rounds, new_regions=new_regions))
    return History(
        start=draw(st.sampled_from(STARTS)),
        funds=draw(st.sampled_from((Micro(5_000_000_000), Micro(1_000_000_000), Micro(150_000_000)))),
        zones=(draw(st.sampled_from(ZONES)), draw(st.sampled_from(ZONES))),
        rules=draw(RULES),
        engine=engine,
        steps=said,
    )
