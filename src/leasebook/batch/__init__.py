"""The sequencer and its pieces: a queue, batches that are decided and committed together, and replies."""

from leasebook.batch.audit_writer import AuditContext, AuditWriter, Keys
from leasebook.batch.deciding import DUE_DEFERRED, decide_in_parts, load
from leasebook.batch.key_uses import KeyUses
from leasebook.batch.ports import (
    BatchLimits,
    BatchMetrics,
    Blocked,
    Closed,
    Conflict,
    DueDone,
    DueRequest,
    Duplicate,
    IdTaken,
    LockedOut,
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
from leasebook.batch.queue import CommandQueue, FairQueue
from leasebook.batch.sequencer import Sequencer
from leasebook.batch.write_health import Prober, WriteHealth
from leasebook.observability.outage_log import OutageLog

__all__ = [
    "DUE_DEFERRED",
    "AuditContext",
    "AuditWriter",
    "BatchLimits",
    "BatchMetrics",
    "Blocked",
    "Closed",
    "CommandQueue",
    "Conflict",
    "DueDone",
    "DueRequest",
    "Duplicate",
    "FairQueue",
    "IdTaken",
    "KeyUses",
    "Keys",
    "LockedOut",
    "NeedsRestart",
    "OutageLog",
    "OutcomeUnknown",
    "Outdated",
    "Overloaded",
    "Prober",
    "Sequencer",
    "StaleIdentity",
    "Store",
    "Transaction",
    "Unavailable",
    "Watcher",
    "WriteHealth",
    "decide_in_parts",
    "load",
]
