"""The process engine alone: which processes are whose, the files that each may see, and the remains of an end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from leasebook.domain.model.replica import RunSpec, Wanted
from leasebook.engines.contract import CannotRun, LogPlace, NoRoom
from leasebook.engines.process import engine as process
from leasebook.engines.process import keeper, keeper_kin, keeper_state
from leasebook.engines.process.devices import NvmlDevices
from leasebook.engines.process.engine import ProcessEngine
from leasebook.engines.process.files import kill_marked
from leasebook.engines.process.limits import Limits
from leasebook.engines.sandbox.sandbox import Sandbox
from tests.engines.checks import gone, ready, see
from tests.engines.kinds import DEVICES, LOG_BYTES_MAX, Behaviour, PretendedDevices, ProcessBench, make, plain, until
from tests.engines.kinds import process as process_bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ProcessBench]:
    with process_bench(tmp_path) as bench:
        assert isinstance(bench, ProcessBench)
        yield bench


LIMITS = [Limits(), None]
NO_GROUPS, AS_PERMITTED = LIMITS
OFF = Sandbox(mode="off")


def environ(pid: int) -> Mapping[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def daemon_of(bench: ProcessBench, name: str) -> int:
    """Return the process that a replica has left behind: the later of its two."""
    main, daemon = sorted(bench.pids(name), key=lambda pid: int(keeper_kin.began(pid) or 0) * 10**7 + pid)
    del main
    return daemon


def alive(pid: int) -> bool:
    """Whether a process is there, zombies included."""
    return Path(f"/proc/{pid}").exists()


def files_of(pid: int) -> list[str]:
    return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]


# --- who is who ------------------------------------------------------------------------------------------


def write_state(bench: ProcessBench, name: str, **values: str) -> None:
    path = bench.root / "replicas" / name / "state"
    keeper_state.write(str(path), keeper_state.lines({**keeper_state.pairs(path.read_text()), **values}))


async def keeper_killed(bench: ProcessBench) -> None:
    os.kill(bench.keepers()[0], signal.SIGKILL)
    await until(bench, "the keeper is gone", lambda: not bench.keepers())


async def test_a_pid_that_is_used_again_is_neither_believed_nor_killed(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a", Behaviour(stubborn=True)))
    await engine.start(bench.wanted("innocent"))
    await ready(bench, engine, "a", "innocent")
    await engine.stop("a", 0)
    await gone(bench, engine, "a")
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    for pid in bench.keepers("a"):
        os.kill(pid, signal.SIGKILL)
    await until(bench, "a is dead", lambda: bench.running("a") == 0)
    innocent = bench.pids("innocent")[0]
    write_state(
        bench,
        "a",
        main=f"{innocent} {keeper_kin.began(innocent)}",
        keeper=f"{os.getpid()} {keeper_kin.began(os.getpid())}",
    )
    seen = (await bench.engine().observe())["a"]
    assert (seen.state, seen.reason) == ("Exited", "its keeper was killed")
    await engine.stop("a", 0)
    await gone(bench, engine, "a")
    assert bench.pids("innocent") == [innocent]
    await ready(bench, engine, "innocent")


async def test_after_a_restart_of_the_machine_nothing_is_taken_for_what_ran_before(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    await keeper_killed(bench)
    write_state(bench, "a", boot="another-boot")
    seen = (await engine.observe())["a"]
    assert (seen.state, seen.reason) == ("Exited", "the machine was restarted")


async def test_a_state_directory_that_cannot_be_read_is_seen_and_can_be_cleared_away(bench: ProcessBench) -> None:
    engine = bench.engine()
    directory = bench.root / "replicas" / "torn"
    directory.mkdir()
    (directory / "run").write_text("{")
    assert (await engine.observe())["torn"].state == "Exited"
    await engine.start(bench.wanted("b"))
    await engine.stop("torn", 0)
    assert list(await engine.observe()) == ["b"]


@pytest.mark.parametrize("limits", LIMITS, ids=["no control groups", "as permitted"])
async def test_when_its_keeper_is_killed_a_replica_does_not_linger(bench: ProcessBench, limits: Limits | None) -> None:
    engine = bench.engine(limits, OFF)
    await engine.start(plain(bench, "a", "forks", "stubborn"))
    await ready(bench, engine, "a")
    daemon = daemon_of(bench, "a")
    main = next(pid for pid in bench.pids("a") if pid != daemon)
    await keeper_killed(bench)
    await until(bench, "the kernel kills the command with its keeper", lambda: keeper_kin.began(main) is None)
    assert keeper_kin.began(daemon) is not None, "no engine could know of it yet"
    seen = (await engine.observe())["a"]
    assert seen.state == "Exited"
    await until(bench, "what it had left is killed", lambda: bench.running("a") == 0)


async def test_a_keeper_that_is_asked_to_end_ends_its_replica_in_order(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    os.kill(bench.keepers()[0], signal.SIGTERM)
    seen = await see(bench, engine, "a", ("Exited",))
    assert seen is not None
    assert seen.reason == "its keeper got a signal to end; it ended with code 0"


async def test_a_second_keeper_runs_nothing_whatever_the_first_has_come_to(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(plain(bench, "a", "marks"))
    await ready(bench, engine, "a")
    assert await asyncio.to_thread(engine._spawn, "a") == keeper.OTHER
    bench.tell("a", "die")
    await see(bench, engine, "a", ("Exited",))
    assert await asyncio.to_thread(engine._spawn, "a") == keeper.OTHER
    assert bench.running("a") == 0
    keeper_state.write(str(bench.root / "replicas" / "a" / "stop"), "0")
    assert await asyncio.to_thread(engine._spawn, "a") == keeper.OTHER
    assert await engine.observe() == {}, "a replica that was asked to stop is cleared away by the next engine"
    assert bench.runs("a") == 1


async def test_what_is_older_than_its_keeper_is_never_killed_for_it(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    pid = bench.pids("a")[0]
    mark = f"TEST_MARK={bench.mark}".encode()
    started = int(keeper_kin.began(pid) or 0)
    assert not kill_marked(pid, mark, started + 1)
    assert not kill_marked(pid, b"TEST_MARK=another", started)
    assert bench.pids("a") == [pid]
    assert kill_marked(pid, mark, started)
    await see(bench, engine, "a", ("Exited",))


async def test_keepers_that_have_ended_do_not_stay_as_zombies(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    mine = set(bench.keepers())
    assert mine <= process._keepers
    await engine.stop("a", 0)
    await gone(bench, engine, "a")
    give_up = bench.now() + bench.patience_s
    while mine & process._keepers:
        assert bench.now() < give_up
        await engine.observe()
    assert not any(alive(pid) for pid in mine)


# --- what belongs to a replica ---------------------------------------------------------------------------


@pytest.mark.parametrize("limits", LIMITS, ids=["no control groups", "as permitted"])
@pytest.mark.parametrize("how", ["stopped", "ended by itself"])
async def test_what_a_replica_left_behind_goes_with_it(bench: ProcessBench, limits: Limits | None, how: str) -> None:
    engine = bench.engine(limits)
    await engine.start(plain(bench, "a", "forks"))
    await ready(bench, engine, "a")
    daemon = daemon_of(bench, "a")
    assert os.getsid(daemon) != os.getsid(next(pid for pid in bench.pids("a") if pid != daemon))
    if how == "stopped":
        await engine.stop("a", 0.2)
        await gone(bench, engine, "a")
    else:
        bench.tell("a", "die")
        await see(bench, engine, "a", ("Exited",))
    assert keeper_kin.began(daemon) is None
    assert bench.running("a") == 0


async def test_a_replica_gets_no_variable_that_it_was_not_given(
    bench: ProcessBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for secret in ("LEASEBOOK_MASTER_KEY", "LEASEBOOK_ROOT_SECRET_KEY", "DATABASE_PASSWORD", "PYTHONPATH"):
        monkeypatch.setenv(secret, "not-for-replicas")
    engine = bench.engine()
    await engine.start(plain(bench, "a", env={"TEST_MARK": bench.mark, "AT": "here:{port}", "PORT": "1"}))
    address = (await ready(bench, engine, "a"))["a"].address
    port = (address or "").rpartition(":")[2]
    found = dict(environ(bench.pids("a")[0]))
    assert len(found.pop("LEASEBOOK_RUN")) == 32
    assert found == {
        "PATH": os.environ["PATH"],
        "HOME": "/replica",
        "TMPDIR": "/tmp",  # noqa: S108 - its own
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PORT": port,
        "AT": f"here:{port}",
        "LEASEBOOK_UNIT": "unit-1",
        "LEASEBOOK_SERVICE": "service-1",
        "LEASEBOOK_REPLICA": "a",
        "CUDA_VISIBLE_DEVICES": "",
        "TEST_MARK": bench.mark,
    }
    assert "not-for-replicas" not in environ(bench.keepers()[0]).values()


async def test_a_replica_inherits_no_open_file(bench: ProcessBench, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        engine = bench.engine()
        await engine.start(make("mute", 1, RunSpec(command=("sleep", "600"), env={"TEST_MARK": bench.mark}, port=None)))
        os.set_inheritable(secret.fileno(), False)
    opened = files_of(bench.pids("mute")[0])
    assert len(opened) == 3, opened
    assert len(set(opened)) == 2, "standard input, and one pipe for both outputs"
    assert "/dev/null" in opened


async def test_each_replica_sees_the_accelerators_that_it_owns_and_no_other(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("one", units=1, accelerators=1))
    await engine.start(bench.wanted("three", units=3, accelerators=3))
    await engine.start(bench.wanted("none"))
    await ready(bench, engine, "one", "three", "none")
    visible = {name: environ(bench.pids(name)[0])["CUDA_VISIBLE_DEVICES"] for name in ("one", "three", "none")}
    assert visible == {"one": DEVICES[0], "three": ",".join(DEVICES[1:]), "none": ""}


async def test_without_a_driver_there_are_no_accelerators(tmp_path: Path) -> None:
    engine = ProcessEngine(tmp_path / "engine", {"gpu-1": 8, "cpu-1": 2}, accelerated=frozenset({"gpu-1"}))
    found = len(NvmlDevices().find())
    assert await engine.capacity() == {"gpu-1": min(8, found), "cpu-1": 2}
    with pytest.raises(CannotRun):
        await engine.start(make("a", found + 1, RunSpec(command=(sys.executable,), accelerators=1)))
    await engine.close()


async def test_a_type_that_nobody_named_is_counted_under_the_longest_beginning(bench: ProcessBench) -> None:
    units = {"cpu-1": 1, "gpu-*": 99, "*": 3}
    engine = ProcessEngine(bench.root, units, accelerated=frozenset({"gpu-*"}), devices=PretendedDevices())
    assert await engine.capacity() == {"cpu-1": 1, "gpu-*": len(DEVICES), "*": 3}
    spec = bench.wanted("new").spec

    def wanted(name: str, count: int, kind: str, accelerators: int = 0) -> Wanted:
        asked = make(name, count, msgspec.structs.replace(spec, accelerators=accelerators))
        return msgspec.structs.replace(asked, unit_type=kind)

    await engine.start(wanted("new", 3, "npu-7"))
    with pytest.raises(NoRoom, match="3 of 3"):
        await engine.start(wanted("more", 1, "npu-7"))
    with pytest.raises(CannotRun, match="this engine has 1"):
        await engine.start(wanted("two", 2, "cpu-1"))
    await engine.start(wanted("card", 1, "gpu-new", accelerators=1))
    with pytest.raises(CannotRun, match="accelerators"):
        await engine.start(wanted("none", 1, "npu-8", accelerators=1))
    await engine.close()


# --- ports -----------------------------------------------------------------------------------------------


async def test_a_fixed_port_that_is_taken_leaves_no_room(bench: ProcessBench) -> None:
    engine = bench.engine()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(NoRoom, match=str(port)):
            await engine.start(bench.wanted("a", port=port))
        other.listen()
        with pytest.raises(CannotRun, match="the server's own"):
            await engine.start(bench.wanted("a", port=port))
    for system in (1, 80, 1023):
        with pytest.raises(CannotRun, match="belongs to the system"):
            await engine.start(bench.wanted("a", port=system))
    assert await engine.observe() == {}
    await engine.start(bench.wanted("a", Behaviour(waits=True), port=port))
    with pytest.raises(NoRoom, match=str(port)):
        await engine.start(bench.wanted("b", port=port))
    assert list(await engine.observe()) == ["a"]


async def test_a_port_is_chosen_that_nobody_has(bench: ProcessBench) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        engine = ProcessEngine(bench.root, {"cpu-1": 9}, ports=range(port, port + 1), sandbox=bench.sandbox())
        with pytest.raises(NoRoom, match="No port"):
            await engine.start(bench.wanted("a"))
    await engine.start(bench.wanted("a"))
    assert (await ready(bench, engine, "a"))["a"].address == f"127.0.0.1:{port}"
    with pytest.raises(NoRoom, match="No port"):
        await engine.start(bench.wanted("b"))


# --- what can never run ----------------------------------------------------------------------------------


def hopeless(folder: Path) -> Iterator[tuple[RunSpec, str]]:
    script = folder / "no-interpreter"
    script.write_bytes(b"\x00\x01")
    script.chmod(0o755)
    data = folder / "data"
    data.touch()
    yield RunSpec(image="vllm/vllm-openai:latest"), "containers"
    yield RunSpec(application="shop:app"), "needs an engine on Ray"
    yield RunSpec(), "no command"
    yield RunSpec(command=("no-such-command-anywhere",)), "no-such-command-anywhere"
    yield RunSpec(command=(str(data),)), "may be executed"
    yield RunSpec(command=("./serve",)), "relative"
    yield RunSpec(command=(str(script),)), "cannot be executed"
    yield RunSpec(command=("sh",), env={"PATH": str(folder)}), "no command sh"
    yield RunSpec(command=("sh", "a\0b")), "zero bytes"
    yield RunSpec(command=("sh",), env={"A=B": "c"}), "'='"
    yield RunSpec(command=("sh",), port=70_000), "70000"
    yield RunSpec(command=("sh",), accelerators=1), "accelerators"


async def test_what_can_never_run_is_refused_with_its_reason(bench: ProcessBench, tmp_path: Path) -> None:
    engine = bench.engine(sandbox=bench.sandbox(paths=(str(tmp_path),), hidden=()))
    for spec, reason in hopeless(tmp_path):
        wanted = Wanted(name="a", unit_id="u", service_id="s", unit_type="cpu-1", units=1, spec=spec, trusted=True)
        with pytest.raises(CannotRun, match=reason):
            await engine.start(wanted)
        assert await engine.observe() == {}, spec


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "a\0b", "a\n", "-a", "x" * 152])
async def test_a_name_that_is_no_name_of_a_file_is_refused_and_otherwise_unknown(
    bench: ProcessBench, name: str
) -> None:
    engine = bench.engine()
    with pytest.raises(CannotRun, match="named"):
        await engine.start(make(name, 1, RunSpec(command=(sys.executable,))))
    await engine.stop(name, 0)
    await engine.end_in(name, 0)
    assert await engine.logs(name, 1) == []
    assert (await engine.log_part(name, None, 1)).is_over
    await engine.log_sent(name, LogPlace(1, 1))
    assert await engine.observe() == {}


# --- logs ------------------------------------------------------------------------------------------------


async def test_a_log_is_bounded_and_keeps_its_end(bench: ProcessBench) -> None:
    engine = bench.engine()
    lines = 4 * LOG_BYTES_MAX // len("line 10000\n")
    await engine.start(plain(bench, "a", f"prints={lines}"))
    await ready(bench, engine, "a")
    directory = bench.root / "replicas" / "a"
    await until(bench, "all is written", lambda: f"line {lines - 1}\n" in (directory / "log").read_text())
    assert sum(path.stat().st_size for path in directory.glob("log*")) <= LOG_BYTES_MAX
    kept = await engine.logs("a", lines)
    assert kept == [f"line {number}" for number in range(lines - len(kept), lines)]
    assert len(kept) > lines // 16
    await engine.stop("a", 5)
    await gone(bench, engine, "a")
    assert (await engine.logs("a", 2)) == kept[-2:]
    assert (bench.root / "ended" / "a.log").stat().st_size <= LOG_BYTES_MAX


async def test_only_so_many_logs_are_kept_of_what_is_gone(bench: ProcessBench) -> None:
    engine = bench.engine()
    ended = bench.root / "ended"
    for number in range(150):
        path = ended / f"old-{number}.log"
        path.write_text("old\n")
        os.utime(path, (number, number))
    await engine.start(bench.wanted("a", Behaviour(prints=1)))
    await ready(bench, engine, "a")
    await engine.stop("a", 5)
    await gone(bench, engine, "a")
    assert len(list(ended.iterdir())) == 100
    assert await engine.logs("a", 1) == ["line 0"]
    assert await engine.logs("old-149", 1) == ["old"]
    assert await engine.logs("old-0", 1) == []


async def test_the_reason_of_an_end_has_the_last_words(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    bench.tell("a", "die")
    seen = await see(bench, engine, "a", ("Exited",))
    assert seen is not None
    assert seen.reason == "it ended with code 3; its last words: last words 0"
    await engine.start(bench.wanted("b"))
    await ready(bench, engine, "b")
    os.kill(bench.pids("b")[0], signal.SIGSEGV)
    seen = await see(bench, engine, "b", ("Exited",))
    assert seen is not None
    assert seen.reason == "it ended with signal 11 (SIGSEGV)"


# --- health ----------------------------------------------------------------------------------------------


async def test_a_replica_that_hangs_is_unhealthy_and_delays_nobody(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("hangs"))
    await engine.start(bench.wanted("fine"))
    await ready(bench, engine, "hangs", "fine")
    (bench.flags / "hangs.hang").touch()
    seen = await see(bench, engine, "hangs", ("Unhealthy",), but=("Starting",))
    assert seen is not None
    assert seen.reason == "it did not answer within 0.5 s"
    assert (await engine.observe())["fine"].state == "Ready"
    (bench.flags / "hangs.hang").unlink()
    await see(bench, engine, "hangs", ("Ready",))


async def test_a_new_control_plane_knows_that_a_replica_was_ready_before(bench: ProcessBench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    bench.tell("a", "sick")
    await engine.close()
    await see(bench, bench.engine(), "a", ("Unhealthy", "Ready"), but=("Starting",))
