"""Reads the YAML of a house file as a tree of texts, lists and tables, each with the line that it is on.

Every scalar is a text until the schema says what it is: ``no`` and ``1_0`` mean nothing by themselves. The file has a
bound, and aliases, anchors and tags are refused, so that a small file never becomes a large tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from leasebook.cli.house import words
from leasebook.cli.house.words import BadHouse

BYTES_MAX: Final = 1 << 20
DEPTH_MAX: Final = 20
_VARIABLE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NULLS: Final = frozenset({"", "~", "null"})


@dataclass(frozen=True)
class Text:
    """A scalar. ``shown`` has the names of variables in place of their values, which may be secret.

    ``is_null``: the file has nothing there, ``~`` or ``null``, without quotes.
    """

    value: str
    line: int
    shown: str
    is_null: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True)
class Table:
    """A mapping, with the line of each key."""

    entries: Mapping[str, Node]
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, key: str) -> int:
        """Return the line of a key, or of the table for a key that it lacks."""
        return self.lines.get(key, self.line)


Node: TypeAlias = Text | Items | Table


def read(text: bytes, variables: Mapping[str, str]) -> Node:
    """Return the tree of a file; raises BadHouse with the line.

    ``variables`` are those of the environment: ``${NAME}`` is replaced, and ``$${`` means ``${`` itself.
    """
    import yaml

    if len(text) > BYTES_MAX:
        raise BadHouse(words.too_large(len(text), BYTES_MAX))
    try:
        decoded = text.decode("utf-8-sig")
        _check(yaml.parse(decoded, Loader=yaml.BaseLoader))
        # The loader makes every scalar a text; a tree of nodes is all that is asked of it.
        root = yaml.compose(decoded, Loader=yaml.BaseLoader)
    except UnicodeDecodeError as error:
        raise BadHouse(words.not_utf8(error.start), 1 + text.count(b"\n", 0, error.start)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise BadHouse(words.not_yaml(said), 1 if mark is None else mark.line + 1) from None
    except yaml.YAMLError as error:
        raise BadHouse(words.not_yaml(" ".join(str(error).split()))) from None
    if root is None:
        raise BadHouse(words.EMPTY)
    return _tree(root, variables)


def _check(events: Iterator[object]) -> None:
    """Refuse what would make the tree larger than the text, or mean more than it says."""
    import yaml

    depth = documents = 0
    for event in events:
        line = event.start_mark.line + 1 if isinstance(event, yaml.Event) and event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise BadHouse(words.ONE_DOCUMENT, line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadHouse(words.NO_ALIASES, line)
        if getattr(event, "tag", None):
            raise BadHouse(words.NO_TAGS, line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                raise BadHouse(words.too_deep(DEPTH_MAX), line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _tree(node: object, variables: Mapping[str, str]) -> Node:
    import yaml

    assert isinstance(node, yaml.Node)  # noqa: S101 - the composer makes nothing else
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return _text(node.value, line, variables, is_plain=node.style is None)
    if isinstance(node, yaml.SequenceNode):
        return Items(tuple(_tree(one, variables) for one in node.value), line)
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        at = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise BadHouse(words.TEXT_KEYS, at)
        name = _text(key.value, at, variables, is_plain=False).value
        if name in entries:
            raise BadHouse(words.twice(name, lines[name]), at)
        entries[name], lines[name] = _tree(value, variables), at
    return Table(entries, line, lines)


def _text(value: str, line: int, variables: Mapping[str, str], *, is_plain: bool) -> Text:
    missing: list[str] = []

    def valued(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "${"
        if not _NAME.fullmatch(name):
            raise BadHouse(words.bad_variable(name), line)
        if name not in variables:
            missing.append(name)
        return variables.get(name, "")

    filled = _VARIABLE.sub(valued, value)
    if missing:
        raise BadHouse(words.no_variable(missing[0]), line)
    shown = value.replace("$${", "${")
    return Text(filled, line, shown, is_null=is_plain and value in _NULLS)


def escaped(text: str) -> str:
    """Write a text so that it is read back as it is."""
    return text.replace("${", "$${")
