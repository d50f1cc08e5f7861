"""A server that is not root gives each replica a user of its own, out of its user's range in /etc/subuid.

One of these servers is run by a user made for it, and its replicas attack; see ``users_inside`` for what it does.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from leasebook.engines.process import own_user, subuids
from leasebook.engines.process.keeper_disk import remove
from tests.attack import sandbox_attacks
from tests.attack.sandbox_scene import need_complete
from tests.attack.test_sandbox_devices import made_cards

HERE = Path(__file__).parents[2]
EXPECTED = errno.EPERM, errno.EACCES
GIVE_UP_S = 60


class Made(NamedTuple):
    """A user, and where it may write."""

    name: str
    uid: int
    gid: int
    folder: Path


def _skip(reason: str) -> None:
    if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
        pytest.fail(f"{reason}, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
    pytest.skip(reason)


def _accounts(*words: str) -> None:
    """Change the machine's accounts. Another test process may hold their lock."""
    give_up = time.monotonic() + GIVE_UP_S
    while (ran := subprocess.run(words, capture_output=True, text=True, check=False)).returncode != 0:
        assert "lock" in ran.stderr, ran.stderr
        assert time.monotonic() < give_up, ran.stderr
        time.sleep(0.2)


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    if os.geteuid() != 0:
        pytest.skip("only root makes users")
    for program in ("newuidmap", "newgidmap", "useradd", "userdel", "setpriv"):
        if shutil.which(program) is None:
            _skip(f"there is no {program} here (Debian: apt install uidmap passwd util-linux)")
    need_complete()
    name = f"leasebook-{secrets.token_hex(4)}"
    _accounts("useradd", "--no-create-home", "--shell", "/bin/false", name)
    folder = Path("/var/tmp") / name  # noqa: S108 - where any user gets at
    try:
        user = pwd.getpwnam(name)
        folder.mkdir(mode=0o700)
        os.chown(folder, user.pw_uid, user.pw_gid)
        yield Made(name, user.pw_uid, user.pw_gid, folder)
    finally:
        _end_all_of(pwd.getpwnam(name).pw_uid)
        _accounts("userdel", name)
        remove(str(folder))  # As deep as replicas have made it.


def _end_all_of(uid: int) -> None:
    """End what a user who was made here has left running, keepers and with them their replicas."""
    give_up = time.monotonic() + GIVE_UP_S
    while left := [int(path.name) for path in Path("/proc").glob("[0-9]*") if _owner(path) == uid]:
        assert time.monotonic() < give_up, left
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _owner(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_uid
    return -1


@pytest.fixture(scope="module")
def cards() -> Iterator[Path | None]:
    """Files of cards; None where the test may not make any."""
    with contextlib.ExitStack() as held:
        try:
            made: Path | None = held.enter_context(made_cards())
        except PermissionError:
            made = None
        yield made


@pytest.fixture(scope="module")
def found(made: Made, cards: Path | None) -> dict[str, Any]:
    """The findings of the server of that user, and everything that root saw meanwhile (``seen``)."""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not os.access(python, os.X_OK):
        _skip(f"there is no {python} that another user could run")
    roots = {str(Path(msgspec.__file__ or "").parents[1]), str(HERE / "src"), str(HERE)}
    as_user = ("setpriv", f"--reuid={made.uid}", f"--regid={made.gid}", "--clear-groups")
    with subprocess.Popen(
        (*as_user, python, "-m", "tests.attack.users_inside", str(made.folder), *([str(cards)] if cards else [])),
        env={"PYTHONPATH": os.pathsep.join(sorted(roots)), "PATH": os.defpath, "TMPDIR": str(made.folder)},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as inside:
        assert inside.stdin is not None
        assert inside.stdout is not None
        found: dict[str, Any] = {}
        said = []
        try:
            for line in inside.stdout:
                said.append(line)
                if line.startswith("["):
                    name, value = json.loads(line)
                    found[name] = value
                if line.startswith('["neighbours"'):
                    found["seen"] = _as_the_attacker(
                        *(found["neighbours"][name] for name in ("attacker", "other-attacker"))
                    )
                    inside.stdin.write("\n")
                    inside.stdin.flush()
        finally:
            inside.kill()
    assert found, "".join(said)
    subids, shared, missing = found["layers"]
    if not subids or missing:
        _skip(f"that user cannot give users to replicas here: {shared} {missing}")
    assert "shared" in found, "".join(said)
    return found


def _as_the_attacker(attacker: list[Any], other: list[Any]) -> dict[str, int]:
    """Attack a replica as the user of another, outside of every sandbox; return the errors that came of it."""
    uid, pid = attacker[1][0], other[0]
    tries: dict[str, Callable[[], Any]] = {
        "signal": lambda: os.kill(pid, 0),
        "trace": lambda: sandbox_attacks.trace(pid),
        "environ": lambda: Path(f"/proc/{pid}/environ").read_bytes(),
        "mem": lambda: Path(f"/proc/{pid}/mem").read_bytes(),
        "root": lambda: list(Path(f"/proc/{pid}/root").iterdir()),
        "files": lambda: list(Path(f"/proc/{pid}/fd").iterdir()),
        "cwd": lambda: list(Path(f"/proc/{pid}/cwd").iterdir()),
    }
    heard, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(say, json.dumps({name: _error(attempt) for name, attempt in tries.items()}).encode())
        finally:
            os._exit(0)
    os.close(say)
    with os.fdopen(heard, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    outcomes: dict[str, int] = json.loads(said)
    return outcomes


def _error(attempt: Callable[[], Any]) -> int:
    try:
        attempt()
    except OSError as error:
        return error.errno or -1
    return 0


def test_each_replica_has_a_uid_of_its_own_out_of_the_range_of_the_servers_user(
    made: Made, found: dict[str, Any]
) -> None:
    (first, last), shared, _ = found["layers"]
    assert shared is None
    uids = {uid for _, all_four in found["neighbours"].values() for uid in all_four}
    assert len(uids) == 2
    assert made.uid not in uids
    assert all(first <= uid <= last for uid in uids)
    owner, runs_as = found["work"]
    assert owner == runs_as


def test_every_attack_from_inside_fails(found: dict[str, Any]) -> None:
    assert len(found["outcomes"]) > 30
    assert [what for what, outcome in found["outcomes"].items() if outcome == "did it"] == []


def test_the_user_alone_keeps_one_replica_from_another(found: dict[str, Any]) -> None:
    assert len(found["seen"]) == 7
    assert {what: error for what, error in found["seen"].items() if error not in EXPECTED} == {}


def test_its_server_ends_it_and_clears_away_what_it_left(found: dict[str, Any]) -> None:
    assert found["left when they were told to end"] == []
    assert found["runs on"] is False
    assert found["left when its keeper was killed"] == []


def test_what_a_keeper_left_is_known_by_its_namespace(found: dict[str, Any]) -> None:
    assert found["killed"] == [False, False, True]


def test_no_two_replicas_have_one_uid_though_two_servers_choose_it(found: dict[str, Any]) -> None:
    assert "was taken by another replica of this machine in the same moment" in found["twin"]


def test_its_disk_is_counted(found: dict[str, Any]) -> None:
    assert "it had more than 4194304 bytes" in found["filled"]


def test_its_port_is_its_own(found: dict[str, Any]) -> None:
    assert "a process listens there that is none of this replica's" in found["squatted"]
    assert found["ready"].startswith("127.0.0.1:")


def test_it_uses_its_own_card_and_sees_no_other(found: dict[str, Any]) -> None:
    if "cards" not in found:
        pytest.skip("this machine allows no new device files")
    seen = {name: [line.rpartition(" ")[2] for line in lines[:3]] for name, lines in found["cards"].items()}
    assert seen == {
        "first": ["'ENOTTY')", "ENOENT", "'EINVAL')"],
        "second": ["ENOENT", "'ENOTTY')", "'EINVAL')"],
        "none": ["ENOENT"] * 3,
    }


def test_without_newuidmap_it_runs_in_a_namespace_of_the_servers_user(made: Made, found: dict[str, Any]) -> None:
    assert found["shared"] == [[str(made.uid)], []]


# --- ranges ----------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write the two files, for a user ``svc`` of uid 1500."""
    user = pwd.struct_passwd(("svc", "x", 1500, 1500, "", "/", "/bin/false"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    monkeypatch.setattr(os, "geteuid", lambda: 1500)
    monkeypatch.setattr(os, "getegid", lambda: 1500)
    for program in ("newuidmap", "newgidmap"):
        (tmp_path / program).touch(0o755)
    monkeypatch.setattr(subuids, "FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(subuids, "FILES", (tmp_path / "subuid", tmp_path / "subgid"))

    def write(uids: str, gids: str) -> None:
        (tmp_path / "subuid").write_text(uids)
        (tmp_path / "subgid").write_text(gids)

    return write


def test_the_longest_range_counts_by_name_or_number(files: Callable[..., None]) -> None:
    files("other:1:9999999\nsvc:100000:10\n1500:200000:50\nsvc:oops\n\n", "svc:300000:20\n")
    given = subuids.find_range()
    assert (given.uids, given.gid) == ((200_000, 200_019), 300_000)
    assert "0 1500 1 200007 200007 1" in given.users(200_007)
    assert "0 1500 1 200007 300007 1" in given.users(200_007), "the gid that goes with it"


@pytest.mark.parametrize(
    ("uids", "gids", "why"),
    [
        ("", "svc:1:1", "subuid has no range for svc (usermod --add-subuids FIRST-LAST svc)"),
        ("svc:100000:10", "", "subgid has no range for svc (usermod --add-subgids FIRST-LAST svc)"),
        ("svc:1000:1000", "svc:9000:9", "subuid has no range"),
        ("svc:0:1000", "svc:9000:9", "subuid has no range"),
    ],
)
def test_a_range_that_is_missing_or_holds_root_or_the_server_is_none(
    files: Callable[..., None], uids: str, gids: str, why: str
) -> None:
    files(uids, gids)
    with pytest.raises(subuids.NoRange) as raised:
        subuids.find_range()
    assert why in str(raised.value)


def test_a_uid_that_is_about_to_run_is_seen_by_other_keepers() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root maps just any uid")
    assert os.geteuid() in subuids.in_use(), "what runs"
    heard, say = os.pipe()
    with subprocess.Popen(
        ("unshare", "--user", "sh", "-c", "echo; read end"), stdin=subprocess.PIPE, stdout=say
    ) as holder:
        os.close(say)
        os.read(heard, 1)
        Path(f"/proc/{holder.pid}/uid_map").write_text("7 1999999777 1\n")
        found = own_user.mapped()
        holder.communicate(b"\n")
    os.close(heard)
    assert 1_999_999_777 in found, "mapped, and no process runs as it yet"
    assert 1_999_999_777 not in own_user.mapped()
