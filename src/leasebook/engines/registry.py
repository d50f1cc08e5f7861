"""Making the engines that the routes name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from leasebook.domain.cards import Cards
from leasebook.domain.model.engine_capacity import UNBOUNDED
from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.replicas.planner import INSTANT
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.process.devices import DeclaredDevices, DeviceFinder, NotDevice, NvmlDevices
from leasebook.engines.process.engine import ProcessEngine
from leasebook.engines.process.files import PARTS
from leasebook.engines.sandbox.sandbox import Sandbox, checked_paths
from leasebook.security.file_access import DIRECTORY, FILE, NoAccess, check_access

ACCELERATED: Final = "gpu-"
"""Types that begin so have one accelerator a unit, on a machine that has any."""


EVERY: Final = "*"


class NoEngine(Exception):
    """A route names an engine that this server does not have; the message says so in one line."""


def build_engines(
    routes: Routes,
    directory: Path,
    units: Mapping[str, int] | None,
    ray_address: str | None = None,
    ray_serve_port: int = 8000,
    sandbox: Sandbox | None = None,
    cards: Cards | None = None,
) -> dict[str, ReplicaEngine]:
    """Make every engine that is named, by its name. Raises NoEngine."""
    engines: dict[str, ReplicaEngine] = {}
    for name in sorted({route.engine for route in routes} - {INSTANT}):
        if name == "ray":
            engines[name] = ray_engine(ray_address, ray_serve_port)
            continue
        if name != "process":
            raise NoEngine(f"engines: there is no engine {name} in this server; route its offerings to another.")
        # The stock of the offerings bounds the sale. The engine need not bound it a second time, and types that are
        # offered later can run as well.
        has = {EVERY: UNBOUNDED} if units is None else dict(units)
        accelerated: frozenset[str] = frozenset()
        finder = device_finder(cards)
        if finder.find():
            has |= {f"{ACCELERATED}*": UNBOUNDED} if units is None else {}
            accelerated = frozenset(one for one in has if one.startswith(ACCELERATED))
        engines[name] = _process(directory, has, accelerated, sandbox or Sandbox(), finder)
    return engines


def device_finder(cards: Cards | None) -> DeviceFinder:
    """Return the finder of accelerators: of those that an operator declared, else by the driver. Raises NoEngine."""
    if cards is None:
        return NvmlDevices()
    try:
        return DeclaredDevices(cards)
    except NotDevice as error:
        raise NoEngine(f"engines_process.devices: {error}; name the files of accelerators.") from None


def _process(
    directory: Path, has: Mapping[str, int], accelerated: frozenset[str], sandbox: Sandbox, finder: DeviceFinder
) -> ProcessEngine:
    root = directory / "replicas"
    try:
        for part in (root, *(root / name for name in PARTS)):
            check_access(part, DIRECTORY)
        check_access(root / "lock", FILE)
        return ProcessEngine(root, has, accelerated=accelerated, devices=finder, sandbox=_hiding(directory, sandbox))
    except NoAccess as error:
        raise NoEngine(
            f"engines: the process engine keeps its replicas in {root}, and that cannot be used: {error}"
        ) from None
    except OSError as error:
        raise NoEngine(
            f"engines: the process engine keeps its replicas in {root}, and that cannot be used: "
            f"{error.filename or root}: {error.strerror}."
        ) from None


def _hiding(directory: Path, sandbox: Sandbox) -> Sandbox:
    """Return the sandbox with the data directory out of sight."""
    hidden = tuple(dict.fromkeys((str(directory.absolute()), str(directory.resolve()))))
    if (why := checked_paths(sandbox.paths, hidden)) is not None:
        raise NoEngine(f"engines_process.paths: {why}; choose other paths.")
    return msgspec.structs.replace(sandbox, hidden=hidden)


def ray_engine(address: str | None, serve_port: int) -> ReplicaEngine:
    """Make the engine on a cluster, without a connection to it. Raises NoEngine."""
    if address is None:
        raise NoEngine("engines: a route names ray; say with engines_ray.address where the head of its cluster is.")
    from leasebook.engines.ray.engine import RayEngine

    try:
        return RayEngine(address, serve_port=serve_port)
    except (ValueError, RuntimeError) as error:
        raise NoEngine(f"engines: {error}.") from None
