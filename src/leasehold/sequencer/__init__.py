"""The sequencer: one batch after another, each a page of the book."""

from leasehold.sequencer.batch import DEFERRED, decide_in_parts, load
from leasehold.sequencer.ports import (
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
from leasehold.sequencer.queue import CommandQueue
from leasehold.sequencer.sequencer import Sequencer
from leasehold.sequencer.spell import Spell
from leasehold.sequencer.trail import Keys, Note, Trail
from leasehold.sequencer.uses import KeyUses
from leasehold.sequencer.writing import Prober, Writing

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
