"""Phrases that a reader must read twice, in docstrings, comments and pages: docs/contributing/writing.md says why."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from tests.style.repository import nodes, of

PHRASES = re.compile(
    r"\b(?:who(?:m|so)?ever|somebody|nobody|such(?! as\b)|anew|in vain|so (?:long|many)|of which|stands|told)\b"
    r"|\bwhat (?:is|are)\b",
    re.IGNORECASE,
)
HEADLESS = re.compile(r"(?:^|(?<=[.:;!?] ))(What)\b(?=[^.?!]*(?:[.!]|$))")
"""A sentence that begins with a relative clause and is no question."""
QUESTION = re.compile(r"(?:^|(?<=[.:;!?] ))[^.!?]*\?")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"``?[^`]+``?")
PASSAGES = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.|#+)\s)|\||\n(?=\s*\|)")
"""Where a sentence ends without a full stop: between paragraphs, items of lists, and cells of tables."""
EXEMPT = frozenset({"GLOSSARY.md", "docs/contributing/writing.md"})
"""These pages list the phrases themselves."""


def in_passage(passage: str) -> list[str]:
    """The phrases of one passage. Code in backticks is not looked at, and a question may ask what it likes."""
    plain = QUESTION.sub("", " ".join(CODE.sub("x", passage).split()).lstrip("-*># 0123456789."))
    found = {match.start(): match[0].lower() for match in PHRASES.finditer(plain)}
    found |= {match.start(): match[0] for match in HEADLESS.finditer(plain)}
    return [found[start] for start in sorted(found)]


def in_text(text: str) -> list[str]:
    """The phrases of a page, or of a docstring."""
    return [phrase for passage in PASSAGES.split(FENCED.sub("", text)) for phrase in in_passage(passage)]


def strings(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where each string of a module begins and ends: line, and column in bytes.

    Strings that are joined over several lines are left out: comments may be between them.
    """
    lines = text.split("\n")
    for node in nodes(text):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            start, end = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
            first = lines[start[0] - 1].encode()[start[1] :].lstrip(b"rbfRBF")
            if start[0] == end[0] or first.startswith((b'"""', b"'''")):
                yield start, end


def comments(text: str) -> Iterator[str]:
    """The comments of a module; those on consecutive lines are one.

    A comment begins at a ``#`` outside of strings. To ask the tokenizer takes five times as long.
    """
    spans: dict[int, list[tuple[tuple[int, int], tuple[int, int]]]] = {}
    for start, end in strings(text):
        for covered in range(start[0], end[0] + 1):
            spans.setdefault(covered, []).append((start, end))
    block: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        here = spans.get(number, ())
        sharps = (match.start() for match in re.finditer("#", line))
        places = ((sharp, (number, len(line[:sharp].encode()))) for sharp in sharps)
        outside = (sharp for sharp, at in places if not any(start <= at < end for start, end in here))
        begin = next(outside, None)
        if begin is not None:
            block.append(line[begin:].lstrip("#! "))
        elif block:
            yield " ".join(block)
            block = []
    yield " ".join(block)


def docstrings(text: str) -> Iterator[str]:
    """The docstrings of a module, and the strings below its constants."""
    for node in nodes(text):
        match node:
            case ast.Expr(value=ast.Constant(value=str(found))):
                yield found


def in_module(text: str) -> list[str]:
    """The phrases of a module."""
    return [phrase for prose in (*comments(text), *docstrings(text)) for phrase in in_text(prose)]


def phrases() -> Mapping[str, int]:
    """How many phrases each folder has."""
    found: Counter[str] = Counter()
    for name, text in {**of(".py"), **of(".md")}.items():
        if name not in EXEMPT:
            found[str(PurePosixPath(name).parent)] += len(in_module(text) if name.endswith(".py") else in_text(text))
    return found
