"""The compiled programs of pages, kept from one run to the next: each is compiled again only where it changes."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.conformance.toolchains import GO, HERE, JAVA, JAVA_TARGET, ROOT, Toolchain, locked, ready, step

BUILT = ".built"
"""Holds the digest of what a folder was compiled from. It is written last, so that a build cut off does not count."""


def compiled_go(page: str, text: str) -> Path:
    """Compile a program of a page; returns the folder that has it, as `program`. ``page`` names it among all others."""
    ready(GO)

    def build(folder: Path) -> None:
        for name in ("go.mod", "go.sum"):
            shutil.copy(HERE / "go" / name, folder)
        step("go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", "program", ".", cwd=folder)

    module = {name: (HERE / "go" / name).read_text() for name in ("go.mod", "go.sum")}
    return _kept(GO, page, {"main.go": text}, build, **module)


def compiled_java(page: str, sources: Mapping[str, str]) -> Path:
    """Compile the classes of a page, by the names of their files; returns the folder that has them."""
    ready(JAVA)
    client = (JAVA_TARGET / BUILT).read_text()

    def build(folder: Path) -> None:
        path = f"{JAVA_TARGET / 'classes'}:{JAVA_TARGET / 'lib'}/*:{folder}"
        step("javac", "-encoding", "UTF-8", "-cp", path, *sources, cwd=folder)

    return _kept(JAVA, page, sources, build, client=client)


def _kept(
    toolchain: Toolchain, page: str, sources: Mapping[str, str], build: Callable[[Path], None], **more: str
) -> Path:
    folder = ROOT / "build" / "conformance" / f"{toolchain.name}-{page}"
    wanted = hashlib.sha256(repr((sorted(sources.items()), sorted(more.items()))).encode()).hexdigest()
    # Two workers, or two runs in one checkout, may want it at once.
    with locked(toolchain.sources[0]):
        stamp = folder / BUILT
        if not (stamp.is_file() and stamp.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name, text in sources.items():
                (folder / name).write_text(text)
            build(folder)
            stamp.write_text(wanted)
    return folder
