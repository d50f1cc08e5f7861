"""Which device files belong to which accelerator of a machine, from the operator's setting."""

from __future__ import annotations

import posixpath
import re
from typing import Final, NamedTuple

SHARED: Final = "*"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_BELOW: Final = "/dev/"


class Cards(NamedTuple):
    """The device files of each card by its name, in order, and those that every replica with a card needs."""

    files: dict[str, tuple[str, ...]]
    shared: tuple[str, ...] = ()


def parse_cards(text: str) -> Cards:
    """Parse the cards of a machine: ``a=/dev/nvidia0, b=/dev/nvidia1, *=/dev/nvidiactl /dev/nvidia-uvm``.

    Raises ValueError, with a hint, for any other form, and where a file belongs to two cards.
    """
    found: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, listed = (word.strip() for word in part.partition("="))
        if name in found or not (name == SHARED or _NAME.fullmatch(name)):
            raise ValueError(f"{part[:60]!r} names no card, or one for the second time")
        files = tuple(listed.split())
        if not files:
            raise ValueError(f"{part[:60]!r} has no device files")
        for file in files:
            if not file.startswith(_BELOW) or posixpath.normpath(file) != file:
                raise ValueError(f"{file[:60]!r} is no path below {_BELOW}")
            if owners.setdefault(file, name) != name or files.count(file) > 1:
                raise ValueError(f"{file} stands there twice; what all cards need belongs to {SHARED}")
        found[name] = files
    shared = found.pop(SHARED, ())
    if not found:
        raise ValueError("there is no card")
    return Cards(found, shared)
