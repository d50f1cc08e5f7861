"""The sequencer: one batch after another, each a page of the book."""

from leasebook.batch.audit_writer import Keys, Note, Trail
from leasebook.batch.deciding import DEFERRED, decide_in_parts, load
from leasebook.batch.key_uses import KeyUses
from leasebook.batch.outage_log import Spell
from leasebook.batch.ports import (
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
from leasebook.batch.queue import CommandQueue
from leasebook.batch.sequencer import Sequencer
from leasebook.batch.write_health import Prober, Writing

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
