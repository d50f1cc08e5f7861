"""The house rules of single files, for a hook before a commit: ``python -m tests.style.changed FILE…``.

It looks at these files only, which takes a second. ``make test`` looks at all files, and at the counts of folders.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.style.repository import ROOT
from tests.style.test_tidy import (
    FILE_LINES_MAX,
    FUNCTION_LINES_MAX,
    LONG_FILES,
    LONG_FUNCTIONS,
    RULES,
    broken_links,
    foreign,
    functions,
    impurities,
    ratchet,
    undocumented,
)


def content(where: str) -> str | None:
    """Return the text of a file, "" for a folder, and None where there is neither."""
    path = ROOT / where
    return path.read_text() if path.is_file() else "" if path.is_dir() else None


def findings(name: str, text: str) -> Iterator[str]:
    """Everything that the rules of single files find in one."""
    if name != "LICENSE":
        yield from foreign(name, text)
    if name.endswith(".md"):
        yield from broken_links(name, text, content)
    if name.endswith(".py"):
        yield from undocumented(name, text)
        listed = {name: LONG_FILES[name]} if name in LONG_FILES else {}
        yield from ratchet({name: len(text.splitlines())}, listed, FILE_LINES_MAX)
        if "/migrations/versions/" not in name:
            sizes = dict(sorted(functions(name, text), key=lambda size: size[1]))
            long = {function: size for function, size in LONG_FUNCTIONS.items() if function in sizes}
            yield from ratchet(sizes, long, FUNCTION_LINES_MAX)
        if name.startswith(RULES):
            yield from impurities(name, text)


def main(*names: str) -> int:
    """Print the findings; return 1 where there are any."""
    found: list[str] = []
    for name in names:
        try:
            found += findings(name, Path(ROOT / name).read_text())
        except UnicodeDecodeError:
            continue
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
