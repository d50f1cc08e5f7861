"""The console's own files: read once, named by their contents, and kept by browsers for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent.parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_A_YEAR: Final = "public, max-age=31536000, immutable"


class StaticFile(NamedTuple):
    """A file, with the part of its address that changes with its contents."""

    content: bytes
    media_type: str
    version: str


@cache
def files() -> dict[str, StaticFile]:
    """Return every file by its name, which says nothing of its folder."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in TYPES:
            content = path.read_bytes()
            found[path.name] = StaticFile(content, TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:12])
    return found


def address(name: str) -> str:
    """Return the address of a file under the console's; raises KeyError."""
    return f"/static/{files()[name].version}/{name}"


def cached(file: StaticFile, version: str) -> str:
    """Return how long browsers keep a file that was asked for under a version: under an old one they ask again."""
    return FOR_A_YEAR if version == file.version else "no-cache"
