"""The files that are committed or about to be, and the assertion that a rule found nothing in them."""

from __future__ import annotations

import ast
import gc
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNSEEN = frozenset({"ctx", "op", "ops"})
"""Fields that no rule looks at."""


@cache
def files() -> Mapping[str, str]:
    """Every text file that is committed or about to be, by its path from the root."""
    asked = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = {}
    for name in sorted(set(filter(None, listed.split("\0")))):
        path = ROOT / name
        if path.is_file():
            try:
                found[name] = path.read_text()
            except UnicodeDecodeError:
                continue
    return found


@cache
def parsed(text: str) -> ast.Module:
    """The syntax tree of a module. Many rules look at the same tree, which takes a millisecond to make."""
    return ast.parse(text)


@cache
def nodes(text: str) -> Sequence[ast.AST]:
    """All nodes of that tree, but operators, and the marks whether a name is read or written.

    ``ast.walk`` takes twice as long.
    """
    was_enabled = gc.isenabled()
    # All of it stays. To look for garbage in it, again and again, takes a third of the time.
    gc.disable()
    try:
        return _walked(parsed(text))
    finally:
        if was_enabled:
            gc.enable()


def _walked(tree: ast.Module) -> list[ast.AST]:
    found: list[ast.AST] = [tree]
    for node in found:
        # A node has its fields in the order of its type; places in the source are none of them.
        for name in node._fields:
            if name in UNSEEN:
                continue
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def of(suffix: str, *folders: str) -> Mapping[str, str]:
    """The files whose names end so, in these folders or in all."""
    return {name: text for name, text in files().items() if name.endswith(suffix) and name.startswith(folders or "")}


def none(findings: Iterable[str]) -> None:
    """Fail with all findings at once."""
    found = list(findings)
    assert not found, "\n" + "\n".join(found)
