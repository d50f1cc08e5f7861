"""Chooses the next attempts: places are few, and slow receivers of one account do not take those of another.

This module is pure. Times are microseconds of a clock that only runs forward.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Final, Generic, Literal, NamedTuple, TypeVar

import msgspec

from leasebook.domain.values.calendar import MINUTE_US, SECOND_US

T = TypeVar("T")
LaneKey = tuple[str, str]
Limit = Literal["subscription", "account", "receiver", "slow", "all"]

OF_HOOK_MAX: Final = 8
"""Upper bound on the attempts of one subscription in progress; 1 after its last attempt failed."""
ALL_MAX: Final = 1024
"""Upper bound on attempts in progress in a process: each takes a file, and a thread while it looks a name up."""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds on the attempts in progress in a process.

    An attempt is quick for its first ``slow_us`` microseconds; after that it gives its quick place back. If it took
    longer, its receiver counts as slow for ``slow_for_us`` microseconds: attempts at slow receivers have places of
    their own, ``slow`` in all and ``slow_account`` for one account. ``account`` and ``receiver`` bound the attempts of
    one account and at one receiver, ``all_max`` those of the process.
    """

    quick: int = 64
    account: int = 16
    receiver: int = 8
    slow: int = 32
    slow_account: int = 4
    slow_us: int = 2 * SECOND_US
    slow_for_us: int = 10 * MINUTE_US
    all_max: int = ALL_MAX


class Due(NamedTuple):
    """A delivery queue with a due delivery, its account, and its receiver."""

    hook_id: str
    lane: str
    account_id: str
    receiver: str

    @property
    def key(self) -> LaneKey:
        """The key of the queue."""
        return self.hook_id, self.lane

    @property
    def place(self) -> tuple[str, str]:
        """Account and receiver: a receiver may be slow for one account and quick for another."""
        return self.account_id, self.receiver


class _UnderWay(NamedTuple):
    due: Due
    slow: bool
    until_us: int
    """When it stops being quick."""


class Rota(Generic[T]):
    """Takes turns among accounts: the one that was served least recently comes first."""

    def __init__(self, account_of: Callable[[T], str]) -> None:
        self._account_of = account_of
        self._served: dict[str, int] = {}
        self._turn = 0

    def take(self, items: Iterable[T], fits: Callable[[T], bool], limit: int | None = None) -> list[T]:
        """Return up to ``limit`` items, one of each account in turn. ``fits`` is asked once for each item."""
        queues: dict[str, deque[T]] = {}
        for item in items:
            queues.setdefault(self._account_of(item), deque()).append(item)
        taken: list[T] = []
        order = sorted(queues, key=lambda account: self._served.get(account, 0))
        while order:
            left = []
            for account in order:
                if limit is not None and len(taken) >= limit:
                    return taken
                found = _first(queues[account], fits)
                if found is None:
                    continue
                taken.append(found)
                self._turn += 1
                self._served[account] = self._turn
                left.append(account)
            order = left
        return taken

    def keep(self, accounts: Collection[str]) -> None:
        """Forget all other accounts."""
        self._served = {account: turn for account, turn in self._served.items() if account in accounts}


def _first(queue: deque[T], fits: Callable[[T], bool]) -> T | None:
    while queue:
        item = queue.popleft()
        if fits(item):
            return item
    return None


class Turns:
    """Chooses among due deliveries, and remembers attempts in progress and slow receivers.

    An account without a quick attempt in progress always gets one, whatever others do, so that its event waits no
    longer than until the next look at the store. All other limits bound what one account may have at once.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._rota: Rota[Due] = Rota(lambda due: due.account_id)
        self._under_way: dict[LaneKey, _UnderWay] = {}
        self._slow_until: dict[tuple[str, str], int] = {}
        self._failing: set[str] = set()
        self.deferred: Counter[Limit] = Counter()
        """How many deliveries the last choice deferred, by limit."""

    def is_under_way(self, hook_id: str) -> bool:
        """Whether an attempt of a subscription is in progress."""
        return any(key[0] == hook_id for key in self._under_way)

    def counts(self, now_us: int) -> tuple[int, int]:
        """Return the numbers of quick attempts and of other attempts in progress."""
        quick = sum(self._is_quick(one, now_us) for one in self._under_way.values())
        return quick, len(self._under_way) - quick

    def worth_a_look(self, hooks: Iterable[Due], now_us: int) -> set[str]:
        """Return the ids of subscriptions that may begin an attempt now."""
        tally = _Tally(self._under_way.values(), now_us)
        return {one.hook_id for one in hooks if self._kept_by(one, tally, now_us) is None}

    def choose(self, due: Sequence[Due], now_us: int) -> list[Due]:
        """Return the deliveries that may begin now, in turns among accounts and among the subscriptions of each."""
        tally = _Tally(self._under_way.values(), now_us)
        self.deferred = Counter()

        def fits(one: Due) -> bool:
            if one.key in self._under_way:
                return False
            limit = self._kept_by(one, tally, now_us)
            if limit is not None:
                self.deferred[limit] += 1
                return False
            tally.add(one, slow=self._is_slow(one, now_us))
            return True

        return self._rota.take(_spread(due), fits)

    def begun(self, one: Due, now_us: int) -> None:
        """Record the begin of an attempt."""
        self._under_way[one.key] = _UnderWay(one, self._is_slow(one, now_us), now_us + self._places.slow_us)

    def ended(self, key: LaneKey, now_us: int, *, failed: bool) -> None:
        """Record the end of an attempt: its connection and its thread for looking a name up are gone."""
        one = self._under_way.pop(key)
        if now_us >= one.until_us:
            self._slow_until[one.due.place] = now_us + self._places.slow_for_us
        elif not failed:
            self._slow_until.pop(one.due.place, None)
        if failed:
            self._failing.add(one.due.hook_id)
        else:
            self._failing.discard(one.due.hook_id)

    def keep(self, hook_ids: Collection[str], account_ids: Collection[str], now_us: int) -> None:
        """Forget all other subscriptions and accounts."""
        self._failing.intersection_update(hook_ids)
        self._rota.keep(account_ids)
        self._slow_until = {
            place: until for place, until in self._slow_until.items() if until > now_us and place[0] in account_ids
        }

    def _of_hook(self, hook_id: str) -> int:
        return 1 if hook_id in self._failing else OF_HOOK_MAX

    def _is_slow(self, one: Due, now_us: int) -> bool:
        return self._slow_until.get(one.place, 0) > now_us

    @staticmethod
    def _is_quick(one: _UnderWay, now_us: int) -> bool:
        return not one.slow and now_us < one.until_us

    def _kept_by(self, one: Due, tally: _Tally, now_us: int) -> Limit | None:
        places = self._places
        if tally.hook[one.hook_id] >= self._of_hook(one.hook_id):
            return "subscription"
        if tally.account[one.account_id] >= places.account:
            return "account"
        if tally.receiver[one.receiver] >= places.receiver and tally.place[one.place]:
            # The first of each account is let in: one account must not keep others from a receiver that they share.
            return "receiver"
        if tally.all >= self._places.all_max:
            return "all"
        if self._is_slow(one, now_us):
            full = tally.slow >= places.slow or tally.slow_account[one.account_id] >= places.slow_account
            return "slow" if full else None
        if tally.quick >= places.quick and tally.quick_account[one.account_id]:
            return "all"
        return None


class _Tally:
    """Counts the attempts in progress, for every bound."""

    def __init__(self, under_way: Iterable[_UnderWay], now_us: int) -> None:
        self.all = self.quick = self.slow = 0
        self.hook: Counter[Hashable] = Counter()
        self.account: Counter[Hashable] = Counter()
        self.receiver: Counter[Hashable] = Counter()
        self.place: Counter[Hashable] = Counter()
        self.quick_account: Counter[Hashable] = Counter()
        self.slow_account: Counter[Hashable] = Counter()
        for one in under_way:
            self.add(one.due, slow=one.slow, lingers=now_us >= one.until_us)

    def add(self, due: Due, *, slow: bool, lingers: bool = False) -> None:
        """Count one more."""
        self.all += 1
        self.hook[due.hook_id] += 1
        self.account[due.account_id] += 1
        self.receiver[due.receiver] += 1
        self.place[due.place] += 1
        if slow:
            self.slow += 1
            self.slow_account[due.account_id] += 1
        elif not lingers:
            self.quick += 1
            self.quick_account[due.account_id] += 1


def _spread(due: Sequence[Due]) -> list[Due]:
    """Return the first of each subscription, then the second of each, and so on: none hides behind another."""
    seen: Counter[str] = Counter()
    ranks = []
    for place, one in enumerate(due):
        ranks.append((seen[one.hook_id], place))
        seen[one.hook_id] += 1
    return [due[place] for _, place in sorted(ranks)]
