"""The replicas' users, as the user who runs them sees them: ``python -m tests.attack.users_inside FOLDER [CARDS]``.

``test_sandbox_users`` runs it as a user with a range of subordinate uids. Each finding is a line of JSON: its name, and
what was found. ``neighbours`` waits for a line on the standard input, so that root may look meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from unittest.mock import patch

from leasebook.domain.cards import parse_cards
from leasebook.engines.contract import NoRoom
from leasebook.engines.process import keeper_kin, subuids
from leasebook.engines.process.devices import DeclaredDevices
from leasebook.engines.process.files import kill_marked
from leasebook.engines.process.limits import Limits
from leasebook.engines.sandbox import layers as sandbox_layers
from tests.attack.sandbox_scene import SandboxBench, Targets, serving
from tests.attack.test_sandbox_bounds import DEEP, FILLS, KEPT_OPEN, MIB, listening
from tests.attack.test_sandbox_devices import declared, used_by
from tests.engines.checks import gone, ready, see
from tests.engines.kinds import Behaviour


def uids_of(pid: int) -> list[int]:
    """Return the real, effective, saved and file system uid of a process."""
    fields = dict(line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return [int(word) for word in fields["Uid"].split()]


class OwnUsers(SandboxBench):
    """Replicas into whose environments we cannot look."""

    def pids(self, name: str | None = None) -> list[int]:
        found = [pid for kept in self.keepers(name or "") for pid in keeper_kin.descendants(kept)]
        return [pid for pid in found if uids_of(pid)[0] != os.geteuid()]


def say(name: str, found: object) -> None:
    print(json.dumps([name, found]), flush=True)


async def attack(scene: OwnUsers, folder: Path) -> None:
    with serving(folder) as server:
        targets = Targets(scene, server)
        engine = scene.engine(sandbox=scene.sandbox(hidden=(str(scene.root), str(server.data))))
        say("outcomes", await targets.attacked(engine, "attacker"))
        targets.close()
        pids = {name: scene.pids(name)[0] for name in ("attacker", "other-attacker")}
        say("neighbours", {name: [pid, uids_of(pid)] for name, pid in pids.items()})
        await asyncio.to_thread(sys.stdin.readline)
        for name in pids:
            await engine.stop(name, 10)
            await gone(scene, engine, name)
        say("left when they were told to end", await left(scene))


async def left(scene: OwnUsers) -> list[str]:
    """Return everything that stays of replicas on disk. A keeper moves files out of sight before it deletes them."""
    give_up = scene.now() + scene.patience_s
    while there := [str(path) for part in ("replicas", "gone", "new") for path in (scene.root / part).iterdir()]:
        if scene.now() > give_up:
            break
        await scene.wait(scene.step_s)
    return there


async def be_killed(scene: OwnUsers) -> None:
    engine = scene.engine(Limits())
    await engine.start(scene.attacking("deep", DEEP.replace("OUTSIDE", "/etc") + "import time; time.sleep(600)"))
    await scene.log_of(engine, "deep")
    pid = scene.pids("deep")[0]
    work = scene.root / "replicas" / "deep" / "work"
    say("work", [work.stat().st_uid, uids_of(pid)[0]])
    os.kill(scene.keepers("deep")[0], signal.SIGKILL)
    await see(scene, engine, "deep", ("Exited",))
    say("runs on", keeper_kin.began(pid) is not None)
    await engine.stop("deep", 0)
    await gone(scene, engine, "deep")
    say("left when its keeper was killed", await left(scene))


async def fill(scene: OwnUsers) -> None:
    engine = scene.engine(sandbox=scene.sandbox(disk_max_bytes=4 * MIB))
    await engine.start(scene.attacking("fills", FILLS.replace("KEPT", KEPT_OPEN)))
    seen = await see(scene, engine, "fills", ("Exited",))
    say("filled", seen.reason if seen else None)
    await engine.stop("fills", 0)


async def be_squatted(scene: OwnUsers) -> None:
    engine = scene.engine()
    await engine.start(scene.wanted("a", Behaviour(waits=True)))
    run = engine._files.runs()[0]  # Its port, before anybody listens there.
    with listening(run.port or 0):
        say("squatted", (await engine.observe())["a"].reason)
    scene.tell("a", "go")
    await ready(scene, engine, "a")
    say("ready", (await engine.observe())["a"].address)
    found = engine._files.find("a")
    assert found is not None
    pid, number = scene.pids("a")[0], (found.state or {})["users"]
    twin = scene.engine()
    with patch.object(twin, "_uid", lambda _: uids_of(pid)[0]):
        try:
            await twin.start(scene.wanted("twin"))
            say("twin", "")
        except NoRoom as error:
            say("twin", str(error))
    say("killed", [kill_marked(pid, b"of another", 0, one) for one in (None, "1", number)])
    await see(scene, engine, "a", ("Exited",))
    await engine.stop("a", 10)
    await gone(scene, engine, "a")


async def use_cards(scene: OwnUsers, folder: Path) -> None:
    scene.finder = DeclaredDevices(parse_cards(declared(folder)))
    say("cards", await used_by(scene, folder, trusted=False))


async def fall_back(scene: OwnUsers) -> None:
    sandbox_layers._found.cache_clear()
    vars(subuids)["FOLDERS"] = ("/nowhere",)
    engine = scene.engine()
    await engine.start(scene.attacking("shared", "import os; print(os.getuid(), flush=True)"))
    lines = await scene.log_of(engine, "shared", str(os.geteuid()))
    say("shared", [lines, list(engine.isolation().missing)])
    await engine.stop("shared", 0)
    await gone(scene, engine, "shared")


async def main(folder: Path, cards: Path | None) -> None:
    scene = OwnUsers(folder)
    layers = sandbox_layers.find_layers(scene.sandbox())
    say("layers", [layers.subuids.uids if layers.subuids else None, layers.shared, list(layers.missing)])
    if layers.subuids is None or layers.missing:
        return
    try:
        await attack(scene, folder)
        await be_killed(scene)
        await fill(scene)
        await be_squatted(scene)
        if cards is not None:
            await use_cards(scene, cards)
        await fall_back(scene)
    finally:
        scene.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None))
