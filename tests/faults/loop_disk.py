"""A file system of its own for a test: an ext4 in a file, really mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

IMAGE_BYTES = 48 << 20


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(words, check=False, capture_output=True, text=True)


@contextmanager
def loop_disk(image: Path, folder: Path) -> Iterator[None]:
    """Mount a new ext4 of that image on that folder, which may be remounted meanwhile; skips where that is forbidden.

    At the end it is thawed and unmounted, whatever state it is in.
    """
    folder.mkdir(mode=0o700)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    made = os.geteuid() == 0 and not command("mkfs.ext4", "-q", image).returncode
    if not made or command("mount", "-o", "loop", image, folder).returncode:
        pytest.skip("a file system cannot be mounted here")
    folder.chmod(0o700)
    try:
        yield
    finally:
        command("fsfreeze", "-u", folder)
        command("umount", folder)


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Let every write to a file system wait, as before a snapshot of its disk; they go on at the end."""
    done = command("fsfreeze", "-f", folder)
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        done = command("fsfreeze", "-u", folder)
        assert done.returncode == 0, done.stderr
