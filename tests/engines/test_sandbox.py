"""The arrangement of a sandbox: refusals, visible files, and the reasons given on a machine that lacks a feature."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.domain.replicas.engine_route import Route
from leasebook.engines.contract import CannotRun
from leasebook.engines.registry import NoEngine, build_engines
from leasebook.engines.sandbox import launcher, seccomp
from leasebook.engines.sandbox import layers as sandbox_layers
from leasebook.engines.sandbox.layers import find_layers
from leasebook.engines.sandbox.sandbox import Layers, Occupant, Sandbox, confine
from tests.engines.checks import see
from tests.engines.kinds import ProcessBench, make
from tests.engines.kinds import process as process_bench

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
X86, ARM = "x86_64", "aarch64"
UNIX, INET, INET6, NETLINK, PACKET, VSOCK = 1, 2, 10, 16, 17, 40
STREAM, DATAGRAM, RAW = 1, 2, 3
CLOEXEC = 0x80000


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ProcessBench]:
    with process_bench(tmp_path) as bench:
        assert isinstance(bench, ProcessBench)
        yield bench


# --- system calls ----------------------------------------------------------------------------------------


def run(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Do what the kernel does with a filter, as far as ours goes."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(*arguments, *(0,) * (6 - len(arguments))))
    at, value = 0, 0
    while True:
        code, yes, no, k = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        elif code == 0x54:
            value &= k
        elif code == 0x06:
            return int(k)
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            at += yes if holds else no


def decide(machine: str, call: tuple[int | None, int | None], *arguments: int, datagrams: bool = False) -> int:
    architecture, place = seccomp.ARCHITECTURES[machine]
    number = call[place]
    assert number is not None
    return run(seccomp.assemble(machine, datagrams=datagrams), architecture, number, *arguments)


SOCKET, SENDTO, SENDMSG, SENDMMSG, CLONE, IOCTL = (41, 198), (44, 206), (46, 211), (307, 269), (56, 220), (16, 29)
READ, EXECVE = (0, 63), (59, 221)


@pytest.mark.parametrize("machine", [X86, ARM])
def test_the_filter_refuses_what_is_on_its_list_and_nothing_else(machine: str) -> None:
    for calls, error in ((seccomp.REFUSED, errno.EPERM), (seccomp.UNKNOWN, errno.ENOSYS)):
        for name, numbers in calls.items():
            if numbers[seccomp.ARCHITECTURES[machine][1]] is not None:
                assert decide(machine, numbers) == ERRNO | error, name
    for call in (READ, EXECVE, SENDTO, SENDMSG, SENDMMSG, CLONE, IOCTL):
        assert decide(machine, call) == ALLOW
    assert decide(machine, CLONE, 0x3D0F00) == ALLOW, "a thread"
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(machine, CLONE, flag | 17) == ERRNO | errno.EPERM, "a namespace"
    assert decide(machine, IOCTL, 0, 0x5412) == ERRNO | errno.EPERM
    assert decide(machine, IOCTL, 0, 0x5401) == ALLOW


@pytest.mark.parametrize("machine", [X86, ARM])
def test_the_filter_lets_no_connection_past_the_rules_about_tcp(machine: str) -> None:
    fast_open = 0x20000000
    for call, flags in ((SENDTO, (1, 2, 3, fast_open)), (SENDMSG, (1, 2, fast_open)), (SENDMMSG, (1, 2, 3, fast_open))):
        assert decide(machine, call, *flags) == ERRNO | errno.EOPNOTSUPP
        assert decide(machine, call, *flags[:-1], 0x4000) == ALLOW
    allowed = [(UNIX, STREAM, 0), (UNIX, RAW, 0), (INET, STREAM, 0), (INET6, STREAM | CLOEXEC, 6), (NETLINK, RAW, 0)]
    udp = [(INET, DATAGRAM, 0), (INET6, DATAGRAM | CLOEXEC, 17)]
    refused = [(INET, STREAM, 262), (INET, STREAM, 132), (INET, RAW, 1), (INET6, DATAGRAM, 58), (INET, DATAGRAM, 136)]
    refused += [(NETLINK, RAW, 4), (PACKET, RAW, 0), (VSOCK, STREAM, 0), (INET, 10, 0), (INET, 5, 132)]
    for datagrams in (False, True):
        passes = {one: decide(machine, SOCKET, *one, datagrams=datagrams) == ALLOW for one in allowed + udp + refused}
        assert {one for one, does in passes.items() if does} == {*allowed, *(udp if datagrams else ())}


def test_calls_of_another_kind_of_processor_end_the_process() -> None:
    program = seccomp.assemble(X86, datagrams=True)
    assert run(program, 0x40000003, 0) == KILL, "32 bits"
    assert run(program, seccomp.ARCHITECTURES[X86][0], 0x40000000 | 101) == KILL, "x32"
    with pytest.raises(seccomp.NoFilter, match="riscv64"):
        seccomp.assemble("riscv64", datagrams=True)


# --- visible files ----------------------------------------------------------------------------------------


def arranged(sandbox: Sandbox, **values: object) -> list[tuple[str, ...]]:
    """Return bubblewrap's options with their values."""
    layers = Layers(bwrap="/usr/bin/bwrap", landlock=7, filtered=False, own_uids=True)
    given = {"program": "/bin/true", "work": "/w", "tmp": "/t", "accounts": "/a", **values}
    words = confine(sandbox, layers, Occupant(**given)).mounts  # type: ignore[arg-type]
    found: list[tuple[str, ...]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word,))
        else:
            found[-1] += (word,)
    return found


def test_what_is_hidden_is_not_shown_though_it_lies_in_what_is(tmp_path: Path) -> None:
    models, data = tmp_path / "models", tmp_path / "models" / "data"
    data.mkdir(parents=True)
    options = arranged(Sandbox(paths=(str(models),), hidden=(str(data),)))
    shown = options.index(("--ro-bind-try", str(models), str(models)))
    assert options.index(("--tmpfs", str(data))) > shown
    assert ("--remount-ro", str(data)) in options


def test_a_replica_with_accelerators_sees_the_files_of_its_own_and_no_other() -> None:
    options = arranged(Sandbox(), devices=("/dev/nvidia3", "/dev/nvidiactl"))
    assert [option[1] for option in options if option[0].startswith("--dev-bind")] == ["/dev/nvidia3", "/dev/nvidiactl"]
    assert not [option for option in arranged(Sandbox()) if option[0].startswith("--dev-bind")]


async def test_a_program_that_cannot_be_seen_is_refused_with_what_mends_it(bench: ProcessBench, tmp_path: Path) -> None:
    hidden = tmp_path / "tool"
    hidden.write_text("#!/bin/sh\nexit 0\n")
    hidden.chmod(0o755)
    engine = bench.engine(sandbox=bench.sandbox(mode="prefer"))
    if not find_layers(bench.sandbox()).any:
        pytest.skip("this machine has nothing of a sandbox")
    with pytest.raises(CannotRun, match=r"add its folder to engines_process\.paths"):
        await engine.start(make("a", 1, RunSpec(command=(str(hidden),))))
    (tmp_path / "link").symlink_to(hidden)
    shown = bench.engine(sandbox=bench.sandbox(mode="prefer", paths=(str(tmp_path / "link"),)))
    with pytest.raises(CannotRun, match=str(hidden)):
        await shown.start(make("a", 1, RunSpec(command=(str(tmp_path / "link"),))))
    assert await engine.observe() == {}


async def test_nobody_learns_from_a_refusal_what_there_is_beyond_what_a_replica_sees(
    bench: ProcessBench, tmp_path: Path
) -> None:
    if not find_layers(bench.sandbox()).any:
        pytest.skip("this machine has nothing of a sandbox")
    there = tmp_path / "a-tool"
    there.write_text("#!/bin/sh\nexit 0\n")
    there.chmod(0o755)
    (tmp_path / "a-link").symlink_to(there)
    engine = bench.engine(sandbox=bench.sandbox(mode="prefer"))
    for before, env in ((f"{tmp_path}/", {}), (f"/usr/bin/../..{tmp_path}/", {}), ("", {"PATH": str(tmp_path)})):
        said = set()
        for name in ("a-tool", "a-link", "a-gap"):
            with pytest.raises(CannotRun) as refused:
                await engine.start(make("a", 1, RunSpec(command=(before + name,), env=env)))
            said.add(str(refused.value).replace(name, "NAME"))
        assert len(said) == 1, said


async def test_a_program_is_found_in_the_first_folder_of_the_path_that_a_replica_sees(
    bench: ProcessBench, tmp_path: Path
) -> None:
    unseen = tmp_path / "unseen"
    unseen.mkdir()
    (unseen / "true").symlink_to("/bin/false")
    spec = RunSpec(command=("true",), env={"PATH": f"{unseen}:/usr/bin:/bin", "TEST_MARK": bench.mark}, port=None)
    engine = bench.engine()
    await engine.start(make("a", 1, spec))
    seen = await see(bench, engine, "a", ("Exited",))
    assert seen is not None
    assert seen.reason == "it ended with code 0"


def test_no_path_in_the_data_directory_can_be_shown(tmp_path: Path) -> None:
    routes = (Route(None, "", True, "process"),)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for path in (tmp_path / "data", tmp_path / "data" / "models", tmp_path / "link"):
        with pytest.raises(NoEngine, match=r"^engines_process.paths: .*which no replica may see"):
            build_engines(routes, tmp_path / "data", None, sandbox=Sandbox(paths=(str(path),)))


# --- ports -----------------------------------------------------------------------------------------------


async def test_a_replica_may_connect_to_no_port_of_replicas_and_none_of_the_server(bench: ProcessBench) -> None:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen()
        port = own.getsockname()[1]
        engine = bench.engine()
        for connects, why in (((443, 20_000), "replicas listen from 20000 to 29999"), ((port,), "this server listens")):
            with pytest.raises(CannotRun, match=why):
                await engine.start(make("a", 1, RunSpec(command=("sh",), connects=connects)))
    assert await engine.observe() == {}


# --- machines that lack something -------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    sandbox_layers._found.cache_clear()
    yield monkeypatch
    sandbox_layers._found.cache_clear()


@pytest.mark.parametrize(
    ("abi", "missing"),
    [
        (0, "the kernel has no Landlock (Linux 5.13"),
        (3, "cannot bound TCP (Linux 6.7"),
        (5, "cannot bound abstract unix sockets (Linux 6.12"),
    ],
)
def test_what_the_kernel_lacks_is_named_with_what_mends_it(machine: pytest.MonkeyPatch, abi: int, missing: str) -> None:
    machine.setattr(launcher, "landlock_abi", lambda: abi)
    assert any(missing in phrase for phrase in find_layers(Sandbox()).missing)


def test_a_bubblewrap_that_does_not_work_is_not_used(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    machine.setattr(sandbox_layers, "BWRAP_PATHS", (str(broken),))
    layers = find_layers(Sandbox())
    assert layers.bwrap is None
    assert "No permissions to create new namespace (let this user make namespaces" in layers.missing[0]


def test_a_root_without_users_to_give_gets_a_reason(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(sandbox_layers, "_are_mapped", lambda *_: False)
    machine.setattr(os, "geteuid", lambda: 0)
    assert any("set engines_process.uids" in phrase for phrase in find_layers(Sandbox()).missing)


def stranger(name: str) -> Wanted:
    wanted = make(name, 1, RunSpec(command=("/bin/sh", "-c", "sleep 600"), port=None))
    return msgspec.structs.replace(wanted, trusted=False)


async def test_where_something_is_missing_only_what_is_trusted_runs(
    machine: pytest.MonkeyPatch, bench: ProcessBench
) -> None:
    machine.setattr(launcher, "landlock_abi", lambda: 3)
    engine = bench.engine(sandbox=bench.sandbox())
    assert not engine.isolation().is_complete
    with pytest.raises(CannotRun, match=r"No operator trusts this version of the model, .*cannot bound TCP"):
        await engine.start(stranger("a"))
    await engine.start(msgspec.structs.replace(stranger("a"), trusted=True))
    assert list(await engine.observe()) == ["a"]


def user_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


async def test_off_says_that_every_tenant_is_trusted(bench: ProcessBench) -> None:
    engine = bench.engine(sandbox=Sandbox(mode="off"))
    assert engine.isolation().is_complete
    spec = RunSpec(command=("/bin/sh", "-c", "sleep 600"), env={"TEST_MARK": bench.mark}, port=None)
    await engine.start(make("a", 1, spec))
    assert user_of(bench.pids("a")[0]) == os.geteuid()


# --- users -----------------------------------------------------------------------------------------------


async def test_each_replica_has_a_user_of_its_own_where_we_may_give_one(bench: ProcessBench) -> None:
    engine = bench.engine()
    if not find_layers(bench.sandbox()).own_uids:
        pytest.skip("only root gives users to replicas")
    for name in ("a", "b"):
        await engine.start(bench.wanted(name))
    uids = {user_of(bench.pids(name)[0]) for name in ("a", "b")}
    assert len(uids) == 2
    assert all(2_000_000_000 <= uid <= 2_000_009_999 for uid in uids)
    owners = {path.name: path.stat().st_uid for path in (bench.root / "replicas" / "a").iterdir()}
    assert {name for name, owner in owners.items() if owner in uids} == {"work", "tmp"}


AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.domain.replicas.engine_route import Route
from leasebook.engines.process.engine import ProcessEngine
from leasebook.engines.process.devices import NoDevices
from leasebook.engines.sandbox.sandbox import Sandbox

async def main(folder):
    (Path(folder) / "secret").write_text("of nobody")
    engine = ProcessEngine(Path(folder) / "engine", {"cpu": 2}, sandbox=Sandbox(hidden=(folder,)))
    print("missing", engine.isolation().missing, flush=True)
    tries = f"cat {folder}/secret; echo > /usr/x; kill {os.getpid()}; id -u; ls /proc | grep -c '^[0-9]'; echo over"
    spec = RunSpec(command=("/bin/sh", "-c", tries), port=None)
    wanted = Wanted(name="a", unit_id="u", service_id="s", unit_type="cpu", units=1, spec=spec)
    await engine.start(wanted)
    while "over" not in await engine.logs("a", 99):
        await asyncio.sleep(0.05)
    print("\\n".join(await engine.logs("a", 99)), flush=True)
    while (await engine.observe())["a"].state != "Exited":
        await asyncio.sleep(0.05)
    await engine.stop("a", 0)
    while await engine.observe():
        await asyncio.sleep(0.05)
    print("gone", flush=True)

asyncio.run(main(sys.argv[1]))
"""
NOBODY = 65534


def test_a_server_that_is_not_root_isolates_as_well() -> None:
    if os.geteuid() != 0:
        pytest.skip("every other test shows it, where tests are not run by root")
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not os.access(python, os.X_OK) or shutil.which("setpriv") is None:
        pytest.skip(f"there is no {python} that another user could run, or no setpriv")
    folder = Path("/var/tmp") / f"leasebook-nobody-{os.getpid()}"  # noqa: S108 - where any user gets at
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    roots = {str(Path(module.__file__ or "").parents[1]) for module in (msgspec, sys.modules["leasebook"])}
    try:
        ran = subprocess.run(
            (*as_nobody, python, "-c", AS_NOBODY, str(folder)),
            env={"PYTHONPATH": os.pathsep.join(sorted(roots)), "PATH": os.defpath, "TMPDIR": str(folder)},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        shutil.rmtree(folder)
    if "missing ()" not in ran.stdout and not os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
        pytest.skip(f"other users cannot isolate here: {ran.stdout} {ran.stderr[-500:]}")
    said = ran.stdout.splitlines()
    assert said[-1] == "gone", ran.stdout + ran.stderr
    assert "of nobody" not in ran.stdout
    assert "No such file or directory" in ran.stdout
    assert "Read-only file system" in ran.stdout or "Permission denied" in ran.stdout
    assert "No such process" in ran.stdout
    assert said[-4] == str(NOBODY)
    assert int(said[-3]) <= 5, "it sees its own processes"


def ancestors(pid: int) -> Iterator[tuple[int, bytes]]:
    """Yield the processes that one stems from, up to us, and their environments."""
    while (pid := int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])) not in (os.getpid(), 1):
        yield pid, Path(f"/proc/{pid}/environ").read_bytes()


async def test_nothing_that_a_replica_orders_reaches_what_stands_before_it(bench: ProcessBench) -> None:
    """Else a variable such as LD_PRELOAD would be obeyed by bubblewrap, outside the sandbox and as the server."""
    engine = bench.engine()
    await engine.start(make("a", 1, RunSpec(command=bench.command("a"), env={"TEST_MARK": bench.mark, "LD_X": "y"})))
    found = dict(ancestors(bench.pids("a")[0]))
    assert found
    assert not any(b"LD_X" in environ for environ in found.values())
