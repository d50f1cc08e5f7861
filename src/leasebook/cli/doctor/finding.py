"""A finding of ``doctor``. The names of faults are public: append only, and none is used for something else."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

from leasebook.cli.terminal.texts import _

FaultName = Literal[
    # A caller's.
    "BadConfiguration",
    "ProfileOpen",
    "NotReachable",
    "TlsFails",
    "NotLeasebook",
    "ClockSkew",
    "HostRewritten",
    "PathRewritten",
    "KeyUnknown",
    "KeyDisabled",
    "WrongSecret",
    "CallRefused",
    "NoPolicies",
    "OldServer",
    "AccountNotActive",
    "AccountInArrears",
    # Of a server that answers.
    "NotReady",
    "NothingRuns",
    "AuditEntriesLost",
    # An operator's, with the store at hand.
    "BadSettings",
    "DirectoryOpen",
    "DirectoryInUse",
    "SecondServer",
    "DiskLow",
    "InodesLow",
    "NoStore",
    "StoreUnusable",
    "SchemaOld",
    "SchemaNewer",
    "MasterKeyMissing",
    "MasterKeyUnusable",
    "NoAccelerators",
    "EngineUnusable",
    "SandboxIncomplete",
    "RootKeyWeak",
    "DueWorkOverdue",
    "ClockHeld",
    "DatabaseNotDurable",
    "FileLimitLow",
    "PortTaken",
    "BadTls",
]
FAULTS: Final[tuple[FaultName, ...]] = get_args(FaultName)


class Finding(NamedTuple):
    """A fault: its name, how things are, which would be right, and the remedy. The last three are for people."""

    fault: FaultName
    so: str
    allowed: str
    remedy: str


def nothing_runs(why: str) -> Finding:
    """Return the finding of services that no engine runs."""
    return Finding(
        "NothingRuns",
        why,
        _("An engine for each type that is sold: process or ray. The engine instant starts nothing."),
        _("Name an engine in the setting engines, and start the server again (docs/operating/engine-process.md)."),
    )


def unusable(store: str, so: str) -> Finding:
    """Return the finding of a store that cannot be read."""
    return Finding(
        "StoreUnusable",
        so,
        _("A store that can be read: {store}.").format(store=store),
        _("Do what the first line says. If rows are damaged, leasebook check names them, and a backup restores them."),
    )
