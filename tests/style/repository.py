"""The files that are committed or about to be, and the assertion that a rule found nothing in them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
    """All nodes of that tree."""
    return list(ast.walk(parsed(text)))


def of(suffix: str, *folders: str) -> Mapping[str, str]:
    """The files whose names end so, in these folders or in all."""
    return {name: text for name, text in files().items() if name.endswith(suffix) and name.startswith(folders or "")}


def none(findings: Iterable[str]) -> None:
    """Fail with all findings at once."""
    found = list(findings)
    assert not found, "\n" + "\n".join(found)
