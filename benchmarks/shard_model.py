"""A model of stock pools split over shards: ``python -m benchmarks.shard_model``.

Accounts are spread over shards, each a database of its own. The stock of a hot type is split among them, and a
keeper moves free units to where they run out: half of what the richest shard has too much. A purchase is refused only
where all shards together have too little, so nothing is oversold and no buyer is refused while there is stock; the
price is the moves. The model counts them, and compares with one pool, purchase by purchase.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Pools:
    """Free units by shard, and what it took to keep them where they are needed."""

    free: list[int]
    moves: int = 0
    asked: int = 0

    def take(self, shard: int, count: int) -> bool:
        """Sell from a shard's own pool, after a refill where it has too little."""
        if self.free[shard] < count:
            self._refill(shard, count)
        if self.free[shard] < count:
            return False
        self.free[shard] -= count
        return True

    def _refill(self, shard: int, count: int) -> None:
        """Gather units from the richest shards until it is enough, and even out what the first of them has too much."""
        self.asked += 1
        while self.free[shard] < count:
            richest = max((other for other in range(len(self.free)) if other != shard), key=self.free.__getitem__)
            missing = count - self.free[shard]
            surplus = (self.free[richest] - self.free[shard]) // 2
            moved = min(self.free[richest], max(missing, surplus))
            if moved == 0:
                return
            self.free[richest] -= moved
            self.free[shard] += moved
            self.moves += 1


@dataclass
class Counts:
    """The counts of a run."""

    purchases: int = 0
    refused: int = 0
    refused_by_one_pool: int = 0
    differences: int = 0
    pools: Pools = field(default_factory=lambda: Pools([]))


def orders(rng: random.Random, total: int, load: float) -> Iterator[tuple[float, int, float]]:
    """Yield purchases: when, for which account, and how long they are kept, so that ``load`` of the stock is wanted."""
    mean_count, mean_life = 2.5, 1.0
    rate = load * total / (mean_count * mean_life)
    at = 0.0
    while True:
        at += rng.expovariate(rate)
        # Few accounts buy much: the k-th buys in proportion to 1/k, roughly.
        yield at, int(10 ** (rng.random() * 5)), rng.expovariate(1 / mean_life)


def run(shards: int, total: int, load: float, purchases: int, seed: int) -> Counts:
    """Play the same purchases against split pools and against one."""
    rng = random.Random(seed)
    counts = Counts(pools=Pools([total // shards + (index < total % shards) for index in range(shards)]))
    one_free = total
    ends: list[tuple[float, int, int, bool, bool]] = []
    for at, account, life in orders(rng, total, load):
        while ends and ends[0][0] <= at:
            _, shard, count, split, whole = heapq.heappop(ends)
            counts.pools.free[shard] += count * split
            one_free += count * whole
        shard, count = (account * 2654435761 >> 7) % shards, rng.choice((1, 1, 2, 2, 4, 5))
        split, whole = counts.pools.take(shard, count), one_free >= count
        one_free -= count * whole
        counts.purchases += 1
        counts.refused += not split
        counts.refused_by_one_pool += not whole
        counts.differences += split != whole
        heapq.heappush(ends, (at + life, shard, count, split, whole))
        if counts.purchases >= purchases:
            break
    return counts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--purchases", type=int, default=200_000)
    parser.add_argument("--stock", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"stock {options.stock}, {options.purchases} purchases, seed {options.seed}")
    print("shards   wanted   refused   by one pool   differ   refills per 1,000   moves per 1,000")
    for shards in (4, 16, 64):
        for load in (0.5, 0.9, 0.99, 1.2):
            counts = run(shards, options.stock, load, options.purchases, options.seed)
            per_thousand = 1000 / counts.purchases
            print(
                f"{shards:6}   {load:6.0%}   {counts.refused / counts.purchases:7.2%}   "
                f"{counts.refused_by_one_pool / counts.purchases:11.2%}   {counts.differences:6}   "
                f"{counts.pools.asked * per_thousand:17.2f}   {counts.pools.moves * per_thousand:15.2f}"
            )


if __name__ == "__main__":
    main()
