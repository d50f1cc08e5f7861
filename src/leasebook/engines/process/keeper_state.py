"""The small files of a state directory, as keepers and their engine write and read them; quick to import."""

from __future__ import annotations

import os
import time

_CHUNK_BYTES = 65_536


def write(path: str, text: str) -> None:
    """Put a text into a file so that readers see all of it or what was there before."""
    new = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
    os.replace(new, path)


def read(path: str) -> str | None:
    """Return what a file holds; None: there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    parts = []
    try:
        while part := os.read(descriptor, _CHUNK_BYTES):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode(errors="surrogateescape")


def pairs(text: str | None) -> dict[str, str]:
    """Return the keys and values of a file that has one a line."""
    split = (line.partition(" ") for line in (text or "").splitlines() if line)
    return {key: value for key, _, value in split}


def lines(values: dict[str, str]) -> str:
    """Return keys and values as ``pairs`` reads them."""
    return "".join(f"{key} {value}\n" for key, value in values.items())
