"""Whose attempt is next: places are few, and no account's receivers, however slow, take those of another.

All of it is reckoned from what it was told; times are microseconds of a clock that only runs forward.
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
"""Attempts of one subscription under way at once; one only while its last attempt failed."""
ALL_MAX: Final = 1024
"""Attempts under way in a process, whoever's: each takes a file, and a thread while a name is looked up."""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts may be under way at once in a process.

    An attempt is quick until it has lasted ``slow_us``; after that it takes no quick place any more. A receiver that
    took so long is slow for ``slow_for_us``: attempts at it have places of their own, ``slow`` in all and
    ``slow_account`` of one account. ``account`` and ``receiver`` bound all attempts of an account and at a receiver,
    ``all_max`` all there are.
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
    """A lane in which something may be tried: of which account, and at whom."""

    hook_id: str
    lane: str
    account_id: str
    receiver: str

    @property
    def key(self) -> LaneKey:
        """What the lane is known by."""
        return self.hook_id, self.lane

    @property
    def place(self) -> tuple[str, str]:
        """The receiver as this account knows it: what is slow for one account need not be so for another."""
        return self.account_id, self.receiver


class _UnderWay(NamedTuple):
    due: Due
    slow: bool
    until_us: int
    """When it stops being quick."""


class Rota(Generic[T]):
    """Takes turns among accounts: whoever had none for the longest time is first."""

    def __init__(self, account_of: Callable[[T], str]) -> None:
        self._account_of = account_of
        self._served: dict[str, int] = {}
        self._turn = 0

    def take(self, items: Iterable[T], fits: Callable[[T], bool], limit: int | None = None) -> list[T]:
        """Return items in turns, one of an account at a time; ``fits`` says of each, once, whether it may be had."""
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
    """Chooses among what is due, and remembers what is under way and which receivers are slow.

    Whatever others do, an account that has no quick attempt under way gets one, so that its event is never further away
    than a look at the store: all other limits are about how much one may have at once.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._rota: Rota[Due] = Rota(lambda due: due.account_id)
        self._under_way: dict[LaneKey, _UnderWay] = {}
        self._slow_until: dict[tuple[str, str], int] = {}
        self._failing: set[str] = set()
        self.held: Counter[Limit] = Counter()
        """What the last choice left waiting, by the limit that kept it."""

    def is_under_way(self, hook_id: str) -> bool:
        """Whether something of a subscription is being tried."""
        return any(key[0] == hook_id for key in self._under_way)

    def counts(self, now_us: int) -> tuple[int, int]:
        """Count what is quick by now, and what is under way and is not."""
        quick = sum(self._is_quick(one, now_us) for one in self._under_way.values())
        return quick, len(self._under_way) - quick

    def worth_a_look(self, hooks: Iterable[Due], now_us: int) -> set[str]:
        """Return the subscriptions of which something may begin now, whatever of them is due."""
        tally = _Tally(self._under_way.values(), now_us)
        return {one.hook_id for one in hooks if self._kept_by(one, tally, now_us) is None}

    def choose(self, due: Sequence[Due], now_us: int) -> list[Due]:
        """Return what may begin now, in turns: among accounts, and among the subscriptions of one."""
        tally = _Tally(self._under_way.values(), now_us)
        self.held = Counter()

        def fits(one: Due) -> bool:
            if one.key in self._under_way:
                return False
            limit = self._kept_by(one, tally, now_us)
            if limit is not None:
                self.held[limit] += 1
                return False
            tally.add(one, slow=self._is_slow(one, now_us))
            return True

        return self._rota.take(_spread(due), fits)

    def begun(self, one: Due, now_us: int) -> None:
        """Take note that an attempt is under way."""
        self._under_way[one.key] = _UnderWay(one, self._is_slow(one, now_us), now_us + self._places.slow_us)

    def ended(self, key: LaneKey, now_us: int, *, failed: bool) -> None:
        """Take note that nothing of an attempt is left: no connection, and no thread that looks a name up."""
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
        """Forget what is not about these any more."""
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
            # The first of each account is let in: else one account could keep others from whom they share.
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
    """Counts what is under way, by everything that is bounded."""

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
