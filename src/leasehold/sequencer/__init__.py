"""The sequencer: one batch after another, each a page of the book."""

from leasehold.sequencer.batch import DEFERRED, decide_in_parts, load
from leasehold.sequencer.ports import (
    Closed,
    Conflict,
    DueDone,
    DueRequest,
    Limits,
    Meter,
    OutcomeUnknown,
    Overloaded,
    StaleIdentity,
    Store,
    Transaction,
    Unavailable,
    Watcher,
)
from leasehold.sequencer.sequencer import Sequencer
from leasehold.sequencer.trail import Keys, Note, Trail
from leasehold.sequencer.uses import KeyUses

__all__ = [
    "DEFERRED",
    "Closed",
    "Conflict",
    "DueDone",
    "DueRequest",
    "KeyUses",
    "Keys",
    "Limits",
    "Meter",
    "Note",
    "OutcomeUnknown",
    "Overloaded",
    "Sequencer",
    "StaleIdentity",
    "Store",
    "Trail",
    "Transaction",
    "Unavailable",
    "Watcher",
    "decide_in_parts",
    "load",
]
