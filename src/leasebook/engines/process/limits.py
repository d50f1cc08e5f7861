"""How the limits of a replica are kept on this machine: control groups where we may, less where we may not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from leasebook.domain.model.replica import RunSpec

log = structlog.get_logger()

_PERIOD_US = 100_000
"""The period over which cpu.max counts, as the kernel has it by default."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The means for limits: ``parent`` is our control group (None: we have none) with these ``controllers``."""

    parent: Path | None = None
    controllers: frozenset[str] = frozenset()

    def orders(self, token: str, spec: RunSpec) -> Mapping[str, str]:
        """Return the keeper's instructions for the limits of one replica.

        Without a memory controller each process of a replica is held to ``memory_bytes`` of data by itself; not where
        it owns accelerators, because their drivers reserve address space far beyond what they use.
        """
        found: dict[str, str] = {}
        if self.parent is not None:
            found["cgroup"] = str(self.parent / f"leasebook-{token}")
        if spec.memory_bytes is not None:
            if "memory" in self.controllers:
                found["memory.max"] = str(spec.memory_bytes)
            elif spec.accelerators == 0:
                found["data.max"] = str(spec.memory_bytes)
        if spec.cpus is not None and "cpu" in self.controllers:
            found["cpu.max"] = f"{max(1000, round(spec.cpus * _PERIOD_US))} {_PERIOD_US}"
        return found

    def say(self) -> None:
        """Write into the log which limits are kept, and how."""
        log.info(
            "How the limits of replicas are kept",
            memory="control group" if "memory" in self.controllers else "data of each process",
            cpus="control group" if "cpu" in self.controllers else "not",
            whole="control group" if self.parent is not None else "process group and descent",
            control_group=str(self.parent) if self.parent is not None else None,
        )


def _mount() -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


def _given_to_us(group: Path) -> bool:
    """Whether a control group was handed to us: by its owner, by systemd's mark, or because it is all that we see."""
    if not os.access(group, os.W_OK) or not os.access(group / "cgroup.procs", os.W_OK):
        return False
    if os.geteuid() != 0:
        return True
    try:
        return any(os.getxattr(group, name) == b"1" for name in ("trusted.delegate", "user.delegate"))
    except OSError:
        return not (group.parent / "cgroup.procs").exists()


def find_limits(parent: Path | None = None) -> Limits:
    """Return what this machine permits, below ``parent`` or else below a control group that was given to us.

    A group with processes in it passes no controllers on, which is the kernel's rule. So where systemd puts us into a
    group below the one that it gave us (DelegateSubgroup=), the upper one is taken.
    """
    try:
        mount = _mount()
        if mount is None:
            return Limits()
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        ours = mount / own.lstrip("/")
        candidates = [parent] if parent is not None else [group for group in (ours.parent, ours) if _given_to_us(group)]
    except (OSError, StopIteration):
        return Limits()
    for group in candidates:
        if (found := _try(group)) is not None:
            return found
    return Limits()


def _try(group: Path) -> Limits | None:
    probe = group / f"leasebook-probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return None
    try:
        if not (probe / "cgroup.kill").exists():  # Linux 5.14
            return None
        there = set((group / "cgroup.controllers").read_text().split())
        for controller in sorted(there & {"cpu", "memory"}):
            try:
                (group / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                continue
        return Limits(parent=group, controllers=frozenset((probe / "cgroup.controllers").read_text().split()))
    except OSError:
        return None
    finally:
        probe.rmdir()
