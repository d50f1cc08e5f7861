"""The last column of GLOSSARY.md holds home-made words. They do not come back as names in the code."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from tests.style.repository import files, nodes, of

GIVEN = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.arg, ast.Attribute)
"""The nodes that give names."""


def avoided(glossary: str) -> frozenset[str]:
    """The words of the last column."""
    rows = (line.strip().strip("|").split("|") for line in glossary.splitlines() if line.startswith("| "))
    cells = [row[-1] for row in rows if len(row) == 4 and row[-1].strip() != "Not"]
    return frozenset(word.strip().strip("`") for cell in cells for word in cell.split(",") if word.strip())


def names(node: ast.AST) -> Iterator[str]:
    """The names that one node of the code gives: to a class, function, argument, attribute or constant."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
            yield name
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
    if isinstance(node, ast.Module | ast.ClassDef):
        for member in node.body:
            targets = member.targets if isinstance(member, ast.Assign) else [getattr(member, "target", None)]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def words(name: str) -> Iterable[str]:
    """A name itself, without leading underscores, and the words that underscores part it into."""
    bare = name.strip("_")
    return {bare, *bare.split("_")}


def come_back(text: str, not_these: frozenset[str]) -> Counter[str]:
    """How many different names of a module have each of the words."""
    given = {name for node in nodes(text) if isinstance(node, GIVEN) for name in names(node)}
    return Counter(word for name in given for word in words(name) if word in not_these)


def home_made_words() -> Mapping[str, int]:
    """How often each word comes back, folder by folder."""
    not_these = avoided(files()["GLOSSARY.md"])
    found: Counter[str] = Counter()
    for name, text in of(".py").items():
        for word, count in come_back(text, not_these).items():
            found[f"{PurePosixPath(name).parent}: {word}"] += count
    return found
