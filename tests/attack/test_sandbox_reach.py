"""A tenant's command gets at nothing of the server, of other tenants and of the machine.

Every attack is shown to be one: without a sandbox it succeeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from leasebook.engines.contract import CannotRun
from leasebook.engines.sandbox import layers as sandbox_layers
from tests.attack.sandbox_scene import OFF, SandboxBench, SandboxServer, Targets, in_a_loop, need_complete, serving

GUARDED = {"read the server's environment"}
"""Attacks that a server resists without any sandbox: see test_host_process."""
NEEDS_ROOT = {
    *("read the accounts of the machine", "write to the system", "mount", "make a namespace of mounts"),
    *("listen to all packets", "make raw packets"),
}
"""Attacks that only root could do anyway."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with serving(tmp_path_factory.mktemp("server")) as one:
        yield one


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[SandboxBench]:
    scene = SandboxBench(tmp_path)
    yield scene
    scene.close()


@pytest.fixture
def targets(scene: SandboxBench, server: SandboxServer) -> Iterator[Targets]:
    found = Targets(scene, server)
    yield found
    found.close()


@in_a_loop
async def test_in_the_sandbox_every_attack_fails(scene: SandboxBench, targets: Targets, server: SandboxServer) -> None:
    need_complete()
    engine = scene.engine(sandbox=scene.sandbox(hidden=(str(scene.root), str(server.data))))
    outcomes = await targets.attacked(engine, "attacker")
    assert len(outcomes) > 25
    assert [what for what, outcome in outcomes.items() if outcome == "did it"] == []


@in_a_loop
async def test_without_the_sandbox_every_attack_succeeds(scene: SandboxBench, targets: Targets) -> None:
    outcomes = await targets.attacked(scene.engine(sandbox=OFF), "attacker")
    kept = {what for what, outcome in outcomes.items() if outcome != "did it"}
    assert kept <= GUARDED | (NEEDS_ROOT if os.geteuid() != 0 else set()), outcomes


@in_a_loop
async def test_without_bubblewrap_strangers_are_refused_and_what_is_trusted_runs_in_the_rest(
    scene: SandboxBench, targets: Targets, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_complete()
    monkeypatch.setattr(sandbox_layers, "BWRAP_PATHS", ("/nowhere/bwrap",))
    engine = scene.engine()
    assert engine.isolation().missing == ("bubblewrap is not installed (Debian: apt install bubblewrap)",)
    with pytest.raises(CannotRun, match="apt install bubblewrap"):
        await engine.start(msgspec.structs.replace(scene.wanted("stranger"), trusted=False))
    assert await engine.observe() == {}
    outcomes = await targets.attacked(engine, "attacker", trusted=True)
    assert [what for what, outcome in outcomes.items() if outcome == "did it"] == []


@in_a_loop
async def test_the_operator_may_prefer_a_sandbox_without_asking_for_all_of_it(
    scene: SandboxBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_layers, "BWRAP_PATHS", ("/nowhere/bwrap",))
    engine = scene.engine(sandbox=scene.sandbox(mode="prefer"))
    assert engine.isolation().is_complete
    await engine.start(scene.attacking("a", "print('done', flush=True)"))
    assert (await scene.log_of(engine, "a"))[-1] == "done"
