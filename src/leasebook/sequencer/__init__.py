"""The sequencer: one batch after another, each a page of the book."""

from leasebook.sequencer.batch import DEFERRED, decide_in_parts, load
from leasebook.sequencer.ports import (
    Blocked,
    Closed,
    Conflict,
    DueDone,
    DueRequest,
    Limits,
    LockedOut,
    Meter,
    NeedsRestart,
    OutcomeUnknown,
    Outdated,
    Overloaded,
    StaleIdentity,
    Store,
    Transaction,
    Unavailable,
    Watcher,
)
from leasebook.sequencer.queue import CommandQueue
from leasebook.sequencer.sequencer import Sequencer
from leasebook.sequencer.spell import Spell
from leasebook.sequencer.trail import Keys, Note, Trail
from leasebook.sequencer.uses import KeyUses
from leasebook.sequencer.writing import Prober, Writing

__all__ = [
    "DEFERRED",
    "Blocked",
    "Closed",
    "CommandQueue",
    "Conflict",
    "DueDone",
    "DueRequest",
    "KeyUses",
    "Keys",
    "Limits",
    "LockedOut",
    "Meter",
    "NeedsRestart",
    "Note",
    "OutcomeUnknown",
    "Outdated",
    "Overloaded",
    "Prober",
    "Sequencer",
    "Spell",
    "StaleIdentity",
    "Store",
    "Trail",
    "Transaction",
    "Unavailable",
    "Watcher",
    "Writing",
    "decide_in_parts",
    "load",
]
