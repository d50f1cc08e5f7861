"""What the fields of the shapes mean, where they tell of engines and stock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUPPLY_MEANINGS: Final[Mapping[str, str]] = {
    "ageSeconds": "How many seconds ago it was seen, on the machines' clocks; null: it never was.",
    "counts": "Whether its units count; not where its worker has been dead for stock.node_gone_minutes.",
    "difference": (
        "How many units of the type are offered, in all regions that the engine serves, that it has not; below zero: "
        "how many it has that are offered nowhere."
    ),
    "EngineNode.engine": "The engine.",
    "EngineStock.engine": "The engine that serves it; instant: none does.",
    "engineTypes": (
        "What it has of each type, used units included, as it was last seen; a type that ends with a star stands for "
        "all that begin so and are not named."
    ),
    "engineUnits": (
        "How many units of the type the engine has, for all regions that it serves; null: unknown, or without a bound."
    ),
    "EngineNode.node": "The machine; null: the engine is one for all machines.",
    "nodes": "What each engine was last seen to have, machine by machine.",
    "oversold": "How many units instances hold beyond what the engine leaves to it; none is sold until it is 0.",
    "EngineStock.region": "The region; null: the engine has units of the type that are offered nowhere.",
    "seenTime": "When it was seen last, on the machine's clock; of several machines, the one not seen for longest.",
    "stocks": "Every offering that an engine serves or is to say the stock of, and types that are offered nowhere.",
    "stockSold": "How many units instances hold.",
    "stockSource": (
        "Who says how many units there are: Set, an operator; Engine, the engine that serves it, less what is set by "
        "hand for its other regions."
    ),
    "SetOfferingRequest.stockSource": (
        "Set: the stock is stockTotal. Engine: it is what the engine has that serves it, less what is set by hand for "
        "its other regions; an offering of each type and engine at most. Left out: as it was, Set for a new offering."
    ),
    "EngineNode.trouble": "Why the engine cannot be asked now; null: it could be. What was seen before holds.",
    "EngineStock.trouble": "What keeps its stock from being compared, or makes it old; null: nothing.",
    "troubleTime": "Since when it cannot be asked, on the machine's clock.",
    "units": "How many units; null: as many as are sold.",
}
