"""The replicas that run already at a start: whether this server will look after them, and whether it has them at all.

The process engine knows what runs by its data directory, and Ray by its cluster. So the store has a fact for each
machine, and one for Ray, that says where that is: a server that would look in another place would find nothing, and
start everything a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from leasebook.batch import Sequencer
from leasebook.config.load import Settings
from leasebook.domain.commands.store.engine_home import ClaimHome
from leasebook.domain.model.lease import Worker
from leasebook.domain.replicas.address import LOCAL
from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.replicas.planner import INSTANT, Job
from leasebook.domain.replicas.unserved import Left, counted, serving, unserved, written
from leasebook.security.file_access import DIRECTORY, READ, NoAccess, check_access
from leasebook.security.private_files import create_private
from leasebook.server.factories import gone_of, node_of
from leasebook.store.opening import OpenStore, Target

log = structlog.get_logger()

MARK: Final = "home"
"""The file in the process engine's directory that tells it from every other one, wherever it is moved to."""
POLL_S: Final = 0.2
TYPES_SHOWN: Final = 5


class NotServed(Exception):
    """Running replicas would have no server under these settings, or start twice; the message says so in one line."""


class Home(msgspec.Struct, frozen=True):
    """The place where an engine keeps its replicas: name and id of the fact, and its wording for people."""

    engine: str
    name: str
    id: str
    said: str

    @property
    def value(self) -> str:
        """The value of the fact."""
        return f"{self.id} {self.said}"


class Homes:
    """The places of a server's engines, as a start compares them with those in the store.

    Without ``routes`` another process compares the engines.
    """

    def __init__(self, settings: Settings, where: Target, store: OpenStore, routes: Routes) -> None:
        self._settings = settings
        self._where = where
        self._store = store
        self._routes = routes
        self._node = node_of(settings)
        self._gone = gone_of(settings)
        self._engines = sorted({route.engine for route in routes} - {INSTANT})
        self._found: dict[str, str | None] = {}

    async def require(self) -> None:
        """See that what runs will be looked after here, and that it is here. Raises NotServed; nothing is touched."""
        if not self._routes:
            return
        jobs = await self._store.read(lambda ask: ask.jobs(None))
        left = unserved(
            jobs, self._routes, self._engines, here=self._node, alone=self._where.url is None, gone=self._gone
        )
        if left:
            raise NotServed(refusal(left, self._routes, self._node))
        for home in self._homes(make=False):
            fact = await self._store.read(lambda ask, name=home.name: ask.fact(name))  # type: ignore[misc]
            self._found[home.name] = fact
            if fact is not None and not self._is_same(home, fact):
                await self._require_home(home, fact, jobs)
        if self._gone:
            log.warning("the setting engines_gone ends what is written down of engines; take it out once that is done")

    async def claim(self, sequencer: Sequencer) -> None:
        """Write down where the engines of this server keep what they run. Raises NotServed where another did."""
        for home in self._homes(make=True):
            before = self._found.get(home.name)
            if before != home.value and not await sequencer.submit(
                ClaimHome(name=home.name, before=before, after=home.value)
            ):
                await self.confirm()

    async def confirm(self) -> None:
        """See that no other server has written another place down meanwhile. Raises NotServed."""
        for home in self._homes(make=True):
            fact = await self._store.read(lambda ask, name=home.name: ask.fact(name))  # type: ignore[misc]
            if fact is not None and not self._is_same(home, fact):
                raise NotServed(_twice(home, _said(fact), self._node))

    def _homes(self, *, make: bool) -> list[Home]:
        found = []
        for engine in self._engines:
            if engine in LOCAL:
                folder = (self._where.directory / "replicas").absolute()
                found.append(Home(engine, f"home {engine} {self._node}", _mark(folder, make=make), str(folder)))
            elif self._settings.engines_ray_address is not None:
                address = self._settings.engines_ray_address
                found.append(Home(engine, f"home {engine}", address, address))
        return found

    @staticmethod
    def _is_same(home: Home, fact: str) -> bool:
        mark, _, said = fact.partition(" ")
        # A directory that was emptied has lost its mark, and the replicas that ran there.
        return mark == home.id if home.id else said == home.said

    async def _require_home(self, home: Home, fact: str, jobs: Sequence[Job]) -> None:
        if any(one.engine == home.engine and one.place in (None, self._node, _said(fact)) for one in self._gone):
            return
        local = home.engine in LOCAL
        live = sum(
            row.is_live and row.engine == home.engine and (not local or row.node == self._node)
            for job in jobs
            for row in job.replicas
        )
        if live:
            place = f"{home.engine}@{self._node}" if local else f"{home.engine}@{_said(fact)}"
            where = f"on {self._node} in {_said(fact)}" if local else f"on the cluster at {_said(fact)}"
            raise NotServed(
                f"{counted(live)} on engine {home.engine} {where}: unknown in {home.said}, what runs there would be "
                "started a second time. "
                + ("Start with the data directory that has them" if local else "Start with that engines_ray.address")
                + f'; or, where nothing of them runs any more, once with engines_gone = "{place}".'
            )
        if local and self._where.url is not None and await self._lives_another():
            raise NotServed(_twice(home, _said(fact), self._node))

    async def _lives_another(self) -> bool:
        """Whether a server on this machine is up: its beat moves. Only a killed one makes a start wait for it."""
        until = time.monotonic() + self._settings.reconciler_lease_seconds
        first = await self._beats()
        while first and time.monotonic() < until:
            await asyncio.sleep(POLL_S)
            now = await self._beats()
            if any(now.get(one, beat) != beat for one, beat in first.items()) or now.keys() - first.keys():
                return True
            first = {one: beat for one, beat in first.items() if one in now}
        return False

    async def _beats(self) -> dict[str, int]:
        workers: list[Worker] = await self._store.read(lambda ask: ask.workers_up())
        return {one.id: one.beat for one in workers if one.node == self._node}


def _mark(folder: Path, *, make: bool) -> str:
    """Return what tells a directory from every other one; nothing where it has no mark yet. Raises NotServed."""
    path = folder / MARK
    try:
        check_access(folder, DIRECTORY)
        check_access(path, READ)
        if make and not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = folder / f"{MARK}.{secrets.token_hex(4)}"
            create_private(made)
            made.write_text(secrets.token_hex(8))
            # Of several that start at once the first is it, and never half of it.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(made)
            made.unlink()
        # One that something was written over is another mark, and no reason to stop without saying what runs there.
        return path.read_text(errors="replace").strip() if path.exists() else ""
    except NoAccess as error:
        raise NotServed(f"engines: the process engine keeps its replicas in {folder}: {error}") from None
    except OSError as error:
        raise NotServed(
            f"{path} cannot be used: {error.strerror}. What the process engine runs is kept there."
        ) from None


def _said(fact: str) -> str:
    return fact.partition(" ")[2]


def _twice(home: Home, other: str, node: str) -> str:
    return (
        f"Another server on {node} keeps the replicas of engine {home.engine} in {other}, and this one would keep them "
        f"in {home.said}: when one of them ended, the other would start its replicas a second time. Give both the same "
        'data directory, or this one a name of its own with engines_process.node = "…".'
    )


def refusal(left: Counter[Left], routes: Routes, node: str) -> str:
    """Return one line that names the replicas left without a server, and the settings that serve them."""
    parts = []
    for why, words in (
        ("engine", "this server has no engine {engine}"),
        ("node", "they run on {node}, and this server is on " + node),
        ("type", "nothing of their type runs any more, so that they would end"),
    ):
        counts: Counter[tuple[str, str]] = Counter()
        types: dict[tuple[str, str], set[str]] = {}
        for one, count in left.items():
            if one.why == why:
                counts[one.engine, one.node] += count
                types.setdefault((one.engine, one.node), set()).add(one.type)
        parts += [
            f"{counted(count)} of {_some(types[engine, place])} on engine {engine} of {place} "
            f"({words.format(engine=engine, node=place)})"
            for (engine, place), count in sorted(counts.items())
        ]
    hints = []
    elsewhere = sorted({one.node for one in left if one.why == "node"})
    here = [one for one in left if one.why != "node"]
    if here:
        hints.append(f'engines = "{written(serving(routes, here))}" serves them')
    if elsewhere:
        hints.append(
            f"start it on {elsewhere[0]}, or, where this is the same machine under another name, with "
            f'engines_process.node = "{elsewhere[0]}"'
        )
    gone = sorted(
        {f"{one.engine}@{one.node}" if one.engine in LOCAL else one.engine for one in left if one.why != "type"}
    )
    if gone:
        named = ", ".join(gone)
        hints.append(f'where nothing of them runs any more, engines_gone = "{named}" ends what is written of them')
    return f"What runs would be nobody's to look after: {'; '.join(parts)}. Settings: {'; '.join(hints)}."


def moved(jobs: Sequence[Job], before: Routes, after: Routes) -> list[str]:
    """Return lines that say which settings a store needs that was copied, to go on as it did.

    ``before`` and ``after`` are the rules of servers of the old and of the new store under the settings that hold now.
    """
    live = Counter((row.engine, row.node) for job in jobs for row in job.replicas if row.is_live)
    left = unserved(jobs, before, {route.engine for route in before}, here="", alone=False, gone=())
    needed = written(serving(before, left) if left else before)
    lines = [
        f"{counted(count)} on engine {engine} of {node}: a server there finds them with the data directory that it had."
        if engine in LOCAL
        else f"{counted(count)} on engine {engine}."
        for (engine, node), count in sorted(live.items())
    ]
    if left or written(before) != written(after):
        lines.append(f'To go on as before, its servers need the setting engines = "{needed}".')
    return lines


def _some(types: Collection[str]) -> str:
    shown = sorted(types)
    more = len(shown) - TYPES_SHOWN
    return ", ".join(shown[:TYPES_SHOWN]) + (f" and {more} types more" if more > 0 else "")
