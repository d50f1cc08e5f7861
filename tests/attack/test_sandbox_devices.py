"""Whose accelerator is whose: a replica uses the device files of its own cards, and cannot even see a neighbour's.

The cards are real character devices, made for the test: of what the kernel always has, under names of their own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from leasebook.domain.cards import parse_cards
from leasebook.domain.replicas.engine_route import Route
from leasebook.engines.process.devices import DeclaredDevices, NvmlDevices, say_unusable
from leasebook.engines.registry import NoEngine, build_engines
from leasebook.engines.sandbox import layers as sandbox_layers
from tests.attack.sandbox_scene import SandboxBench, in_a_loop, need_complete

NUMBERS = {"card0": 5, "card1": 7, "control": 9}
"""Of /dev/zero, /dev/full and /dev/urandom, whose major number is 1."""

USES = """
import errno, fcntl, os
def tried(what):
    try:
        return what()
    except OSError as error:
        return errno.errorcode[error.errno]
def used(name):
    with open("FOLDER/" + name, "rb", 0) as file:
        return len(file.read(4)), tried(lambda: fcntl.ioctl(file, 0x5401, bytes(64)))
for name in ("card0", "card1", "control"):
    print(name, tried(lambda: used(name)), flush=True)
print(tried(lambda: sorted(os.listdir("FOLDER"))), flush=True)
print(tried(lambda: os.mknod("made", 0o20666, os.makedev(1, 7))), flush=True)
print("visible", os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
print("done", flush=True)
"""
USED = "(4, 'ENOTTY')"
"""Read, and asked: the device itself refuses the request, not Landlock, which would say EACCES."""
SHARED = "control (4, 'EINVAL')"
"""Likewise; it is another device."""


@contextlib.contextmanager
def made_cards() -> Iterator[Path]:
    """Make the files; raises PermissionError where the machine does not let us, or use them."""
    folder = Path("/dev") / f"leasebook-{secrets.token_hex(4)}"
    try:
        folder.mkdir(mode=0o755)
        for name, minor in NUMBERS.items():
            os.mknod(folder / name, stat.S_IFCHR, os.makedev(1, minor))
            (folder / name).chmod(0o666)
            with (folder / name).open("rb", 0) as file:
                file.read(1)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root makes device files")
    with contextlib.ExitStack() as held:
        try:
            made = held.enter_context(made_cards())
        except PermissionError as error:
            pytest.skip(f"this machine allows no new device files, or no use of them: {error}")
        yield made


@pytest.fixture
def scene(tmp_path: Path, folder: Path) -> Iterator[SandboxBench]:
    scene = SandboxBench(tmp_path)
    scene.finder = DeclaredDevices(parse_cards(declared(folder)))
    yield scene
    scene.close()


def declared(folder: Path) -> str:
    return f"first={folder}/card0, second={folder}/card1, *={folder}/control"


async def used_by(scene: SandboxBench, folder: Path, *, trusted: bool) -> dict[str, list[str]]:
    """Run a replica with each card, and one with none; return what each could use."""
    engine = scene.engine()
    found = {}
    for name, cards in (("first", 1), ("second", 1), ("none", 0)):
        code = USES.replace("FOLDER", str(folder))
        await engine.start(scene.attacking(name, code, trusted=trusted, accelerators=cards))
        found[name] = await scene.log_of(engine, name)
    return found


@in_a_loop
async def test_a_replica_uses_its_own_card_and_sees_no_other(scene: SandboxBench, folder: Path) -> None:
    need_complete()
    found = await used_by(scene, folder, trusted=False)
    end = ["EPERM", "visible 0", "done"]
    assert found["first"] == [f"card0 {USED}", "card1 ENOENT", SHARED, "['card0', 'control']", *end]
    assert found["second"] == ["card0 ENOENT", f"card1 {USED}", SHARED, "['card1', 'control']", *end]
    nothing = ["card0 ENOENT", "card1 ENOENT", "control ENOENT", "ENOENT", "EPERM", "visible ", "done"]
    assert found["none"] == nothing


@in_a_loop
async def test_without_bubblewrap_landlock_keeps_what_is_trusted_from_others_cards(
    scene: SandboxBench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_complete()
    monkeypatch.setattr(sandbox_layers, "BWRAP_PATHS", ("/nowhere/bwrap",))
    found = await used_by(scene, folder, trusted=True)
    end = ["EACCES", "EPERM"]
    assert found["first"] == [f"card0 {USED}", "card1 EACCES", SHARED, *end, "visible 0", "done"]
    assert found["second"] == ["card0 EACCES", f"card1 {USED}", SHARED, *end, "visible 1", "done"]
    assert found["none"] == ["card0 EACCES", "card1 EACCES", "control EACCES", *end, "visible ", "done"]


# --- declared devices ------------------------------------------------------------------------------------


def test_a_card_whose_files_are_not_there_is_none_and_what_is_no_device_stops_the_start(
    folder: Path, tmp_path: Path
) -> None:
    with capture_logs() as lines:
        found = DeclaredDevices(parse_cards(f"{declared(folder)}, third={folder}/card2")).find()
    assert tuple(found) == ("first", "second")
    assert [line["missing"] for line in lines] == [[f"{folder}/card2"]]
    (folder / "text").touch()
    routes = (Route(None, "", True, "process"),)
    for text in (f"{declared(folder)} {folder}/text", f"first={folder}/text"):
        with pytest.raises(NoEngine, match=r"^engines_process\.devices: .*/text is no character device"):
            build_engines(routes, tmp_path / "data", None, cards=parse_cards(text))


def test_what_is_declared_is_what_is_sold(folder: Path, tmp_path: Path) -> None:
    routes = (Route(None, "", True, "process"),)
    (engine,) = build_engines(routes, tmp_path / "data", {"gpu-a": 8}, cards=parse_cards(declared(folder))).values()
    assert engine._units == {"gpu-a": 2}  # type: ignore[attr-defined]


@pytest.mark.parametrize("own_uids", [True, False])
def test_a_device_file_that_replicas_are_not_let_into_is_said_at_the_start(folder: Path, *, own_uids: bool) -> None:
    (folder / "card1").chmod(0o660)
    try:
        with capture_logs() as lines:
            say_unusable([f"{folder}/{name}" for name in (*NUMBERS, "nowhere")], own_uids=own_uids)
    finally:
        (folder / "card1").chmod(0o666)
    assert [line["path"] for line in lines] == ([f"{folder}/card1"] if own_uids else [])


INFORMATION = """Model: \t\t NVIDIA A100-SXM4-40GB
IRQ:   \t\t 124
GPU UUID: \t UUID
Bus Location: \t 0000:00:04.0
Device Minor: \t MINOR
GPU Excluded:\t No
"""
UUIDS = ("GPU-0aa0", "GPU-1bb1", "GPU-????????")


def test_nvidia_cards_are_found_by_what_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert NvmlDevices(tmp_path).find() == ()
    for number, uuid in enumerate(UUIDS):
        card = tmp_path / "nvidia" / "gpus" / f"0000:00:0{number}.0"
        card.mkdir(parents=True)
        text = INFORMATION.replace("UUID: \t UUID", f"UUID: \t {uuid}").replace("MINOR", str(9 - number))
        (card / "information").write_text(text)
    (tmp_path / "nvidia-caps").mkdir()
    capabilities = "config 1\nmonitor 2\ngpu8/gi1/access 30\ngpu8/gi1/ci0/access 31\ngpu9/gi1/access 40\n"
    (tmp_path / "nvidia-caps" / "mig-minors").write_text(capabilities)
    finder = NvmlDevices(tmp_path)
    assert finder.find() == UUIDS[:2]
    own = [path for path in finder.nodes([UUIDS[1]]) if path[-1].isdigit()]
    assert own == ["/dev/nvidia8", "/dev/nvidia-caps/nvidia-cap30", "/dev/nvidia-caps/nvidia-cap31"]
    assert finder.visible([UUIDS[1]], alone=True) == [UUIDS[1]]


def test_uuids_are_visible_as_they_are_and_other_names_as_drivers_count(folder: Path) -> None:
    text = declared(folder)
    for cards, alone, visible in ((["second"], True, ["0"]), (["second"], False, ["1"]), ([], True, [])):
        assert list(DeclaredDevices(parse_cards(text)).visible(cards, alone=alone)) == visible
    named = DeclaredDevices(parse_cards(text.replace("second", "GPU-2")))
    assert list(named.visible(["GPU-2"], alone=True)) == ["GPU-2"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no card"),
        ("*=/dev/kfd", "no card"),
        ("a", "no device files"),
        ("a=", "no device files"),
        ("=/dev/a", "names no card"),
        ("a=/dev/a,a=/dev/b", "second time"),
        ("a=/dev/a, b=/dev/a", "stands there twice"),
        ("a=/dev/a, *=/dev/a", "stands there twice"),
        ("a=/dev/a /dev/a", "stands there twice"),
        ("a=/dev", "below /dev/"),
        ("a=/dev/../etc/shadow", "below /dev/"),
        ("a=/dev/a/", "below /dev/"),
        ("a=/sys/a", "below /dev/"),
        ("a b=/dev/a", "names no card"),
    ],
)
def test_what_declares_no_cards_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_cards(text)
