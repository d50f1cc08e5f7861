"""A tenant's command uses up a bounded part of the machine and leaves nothing. Each attack is shown to be real."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebook.engines.process.keeper import Child, Keeper
from leasebook.engines.process.keeper_disk import Log
from leasebook.engines.process.limits import Limits
from leasebook.engines.sandbox.entering import OOM_SCORE
from leasebook.engines.sandbox.sandbox import Sandbox
from tests.attack.sandbox_scene import OFF, SandboxBench, in_a_loop, need_complete
from tests.engines.checks import gone, ready, see
from tests.engines.kinds import Behaviour, until

MIB = 1 << 20

BOMB = """
import os, time
made = 0
for number in range(400):
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        break
    made += 1
print(made, flush=True)
print("done", flush=True)
time.sleep(600)
"""
FILLS = """
import os, time
for number in range(12):
    with open(f"part-{number}", "wb") as file:
        file.write(bytes(1 << 20))
    KEPT
print("done", flush=True)
time.sleep(600)
"""
LISTENS = """
import os, socket, threading
def listen(family, address):
    one = socket.socket(family)
    try:
        if address:
            one.bind(address)
        one.listen()
        print("listens", one.getsockname()[1] == own, flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
    held.append(one)
held = []
own = int(os.environ["PORT"])
listen(socket.AF_INET, ("127.0.0.1", own))
listen(socket.AF_INET6, ("::1", own))
listen(socket.AF_UNIX, "\\0at")
listen(socket.AF_INET, None)
one = threading.Thread(target=listen, args=(socket.AF_INET6, None))
one.start()
one.join()
# Taken apart, it would get another port with the next call.
for _ in range(300):
    listen(socket.AF_INET, None)
print("done", flush=True)
"""
KEPT_BY_NAME = "pass"
KEPT_DEEP = "[(os.mkdir('a' * 100), os.chdir('a' * 100)) for _ in range(0 if number else 45)]"
KEPT_MAPPED = """
    import mmap
    held = locals().setdefault('held', [])
    descriptor = os.open(file.name, os.O_RDONLY)
    held.append(mmap.mmap(descriptor, 4096, prot=mmap.PROT_READ))
    os.close(descriptor)
    for name in os.listdir('/proc/self/fd'):
        try:
            if 'part-' in os.readlink(f'/proc/self/fd/{name}'):
                os.close(int(name))
        except OSError:
            pass
    os.unlink(file.name)
"""
KEPT_OPEN = "held = locals().setdefault('held', []); held.append(open(file.name, 'rb')); os.unlink(file.name)"
HUGE = """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open("huge", "wb") as file:
    try:
        os.pwrite(file.fileno(), b"!", 1 << 30)
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
print("done", flush=True)
"""
ORPHANS = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Nothing is left of the mark that replicas are known by.
        os.execve("/bin/sleep", ["sleep", "SECONDS"], {})
    os._exit(0)
os.wait()
time.sleep(0.2)
print("done", flush=True)
time.sleep(600)
"""
DEEP = """
import os
for number in range(1500):
    os.mkdir("a" * 100)
    os.chdir("a" * 100)
os.chmod(".", 0)
os.chdir("/replica")
os.symlink("OUTSIDE", "link")
os.mkdir("locked")
open("locked/file", "w").close()
os.chmod("locked", 0)
print("done", flush=True)
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[SandboxBench]:
    scene = SandboxBench(tmp_path)
    yield scene
    scene.close()


def sleepers(seconds: str) -> list[int]:
    """Return the processes of ORPHANS, which nothing but their argument tells."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and (folder / "cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(int(folder.name))
    return found


def both(scene: SandboxBench, **values: object) -> list[tuple[bool, Sandbox]]:
    """Return a sandbox, and none."""
    return [(True, scene.sandbox(**values)), (False, OFF)]


@in_a_loop
async def test_a_replica_has_no_more_processes_than_it_may(scene: SandboxBench) -> None:
    need_complete()
    for kept, sandbox in both(scene, processes_max=50):
        engine = scene.engine(sandbox=sandbox)
        name = f"bomb-{kept}"
        await engine.start(scene.attacking(name, BOMB))
        made = int((await scene.log_of(engine, name))[0])
        assert made == (49 if kept else 400)
        await engine.stop(name, 0)
        await gone(scene, engine, name)


@in_a_loop
async def test_a_replica_that_fills_the_disk_is_ended(scene: SandboxBench) -> None:
    need_complete()
    # Of a file that is only mapped, only root learns more than how much of it is mapped.
    for how in (KEPT_BY_NAME, KEPT_OPEN, KEPT_DEEP, *((KEPT_MAPPED,) if os.geteuid() == 0 else ())):
        for kept, sandbox in both(scene, disk_max_bytes=4 * MIB):
            engine = scene.engine(sandbox=sandbox)
            name = f"fills-{kept}-{len(how)}"
            await engine.start(scene.attacking(name, FILLS.replace("KEPT", how)))
            lines = await scene.log_of(engine, name)
            if not kept:
                assert lines == ["done"]
                continue
            seen = await see(scene, engine, name, ("Exited",))
            assert seen is not None
            assert f"it had more than {4 * MIB} bytes" in (seen.reason or "")


@in_a_loop
async def test_a_replica_listens_on_its_own_port_and_else_nowhere(scene: SandboxBench) -> None:
    need_complete()
    engine = scene.engine()
    await engine.start(scene.attacking("listens", LISTENS, port=0))
    lines = await scene.log_of(engine, "listens")
    assert lines == ["listens True", "listens True", "listens False", *["Permission denied"] * 302, "done"]


def test_what_a_replica_writes_without_end_keeps_its_keeper_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Input is always there at once: more than any writer can do.
    monkeypatch.chdir(tmp_path)
    keeper = object.__new__(Keeper)
    keeper._log = Log(MIB)
    keeper._child = object.__new__(Child)
    keeper._child.output = os.open("/dev/zero", os.O_RDONLY)
    try:
        assert keeper._copy()
    finally:
        os.close(keeper._child.output)


@in_a_loop
async def test_where_memory_runs_out_a_replica_goes_before_the_server(scene: SandboxBench) -> None:
    for name, sandbox in (("in", scene.sandbox()), ("out", OFF)):
        engine = scene.engine(sandbox=sandbox)
        await engine.start(scene.wanted(name))
        await ready(scene, engine, name)
        assert {score_of(pid) for pid in scene.pids(name)} == {OOM_SCORE}
        assert {score_of(pid) for pid in scene.keepers(name)} == {score_of("self")}


@in_a_loop
async def test_no_file_of_a_replica_is_longer_than_what_it_may_have(scene: SandboxBench) -> None:
    need_complete()
    for kept, sandbox in both(scene, disk_max_bytes=4 * MIB):
        engine = scene.engine(sandbox=sandbox)
        await engine.start(scene.attacking(f"huge-{kept}", HUGE))
        assert (await scene.log_of(engine, f"huge-{kept}"))[0] == ("File too large" if kept else "written")


@pytest.mark.parametrize("how", ["stopped", "its keeper is killed"])
@in_a_loop
async def test_nothing_of_a_replica_outlives_it(scene: SandboxBench, how: str) -> None:
    need_complete()
    for kept, sandbox in both(scene):
        # Without a control group, which would do it as well where there is one.
        engine = scene.engine(Limits(), sandbox)
        seconds, name = str(700_000 + os.getpid() + (how == "stopped")), f"leaves-{kept}"
        await engine.start(scene.attacking(name, ORPHANS.replace("SECONDS", seconds)))
        await scene.log_of(engine, name)
        assert len(sleepers(seconds)) == 1
        if how == "stopped":
            await engine.stop(name, 0.1)
            await gone(scene, engine, name)
            assert sleepers(seconds) == []
            continue
        os.kill(scene.keepers(name)[0], signal.SIGKILL)
        if kept:
            await until(scene, "it is gone, though nobody looks", lambda there=seconds: not sleepers(there))  # type: ignore[misc]
        else:
            await see(scene, engine, name, ("Exited",))
            for pid in sleepers(seconds):
                os.kill(pid, signal.SIGKILL)
                break
            else:
                pytest.fail("it was no attack")


@in_a_loop
async def test_whatever_a_replica_makes_in_its_directory_is_cleared_away(scene: SandboxBench) -> None:
    need_complete()
    outside = scene.flags / "outside"
    outside.mkdir()
    (outside / "file").touch()
    engine = scene.engine()
    await engine.start(scene.attacking("deep", DEEP.replace("OUTSIDE", str(outside))))
    assert await scene.log_of(engine, "deep") == ["done"]
    await engine.stop("deep", 0)
    await gone(scene, engine, "deep")
    for part in ("replicas", "gone", "new"):
        await until(scene, f"{part} is empty", lambda part=part: not list((scene.root / part).iterdir()))  # type: ignore[misc]
    assert (outside / "file").exists()


def score_of(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def port_of(pid: int) -> int:
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    return int(environ.partition(b"\0PORT=")[2].partition(b"\0")[0])


def listening(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen()
    return made


@in_a_loop
async def test_a_replica_is_not_ready_while_somebody_else_listens_on_its_port(scene: SandboxBench) -> None:
    engine = scene.engine()
    await engine.start(scene.wanted("a", Behaviour(waits=True)))
    port = port_of(scene.pids("a")[0])
    squatter = listening(port)
    try:
        for _ in range(10):
            seen = (await engine.observe())["a"]
            assert seen.state == "Starting"
            assert seen.address is None
            await scene.wait(scene.step_s)
        assert seen.reason == f"port {port}: a process listens there that is none of this replica's"
    finally:
        squatter.close()
    scene.tell("a", "go")
    await ready(scene, engine, "a")
    # The replica listens on every address; who listens on one of them gets the calls to that.
    squatter = listening_beside(port)
    try:
        seen_ill = await see(scene, engine, "a", ("Unhealthy",), but=("Starting",))
        assert seen_ill is not None
        assert seen_ill.address is None
    finally:
        squatter.close()
    await ready(scene, engine, "a")


def listening_beside(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("::1", port))
    made.listen()
    return made
