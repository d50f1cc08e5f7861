"""The catalogues of texts: collects what the sources mark, keeps the translations, and compiles them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from leasebook.docsgen.contract_texts import FIELDS, SUMMARIES, contract_texts
from leasebook.docsgen.findings import finding_texts
from leasebook.docsgen.messages import MESSAGES, message_texts
from leasebook.translations.catalogues import FOLDER, LANGUAGES
from leasebook.translations.messages import FINDINGS

PACKAGE: Final = FOLDER.parent
CONSOLE_PAGES: Final = ("admin", "buy", "money", "overview", "reference", "services", "units")
"""The folders of pages of the console. Each has a catalogue of its own, so that two changes seldom meet in one."""
SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "commands": ("cli/commands",),
    SUMMARIES: (),
    FIELDS: (),
    MESSAGES: (),
    FINDINGS: (),
    "cli": ("cli",),
    "console": (
        *("console/app.py", "console/desk.py", "console/navigation.py", "console/routes.py", "console/landing.py"),
        *("console/frame", "console/session", "console/templates/frame", "console/templates/session"),
    ),
    "console/openid": ("console/openid", "console/templates/openid"),
    "console/calendar": ("console/calendar", "console/templates/calendar"),
    "console/links": ("api/links", "console/links", "console/templates/links"),
    "console/factor": ("console/factor", "console/templates/factor"),
    "console/device": ("console/device", "console/templates/device"),
    **{f"console/{name}": (f"console/pages/{name}", f"console/templates/{name}") for name in CONSOLE_PAGES},
    "click": (),
}
"""The parts, and the folders of the package that mark texts of each; a folder in another one's may have its own part.

The part of a library has no folder here. It has the name of the library, whose sources are read where it is installed.
"""
HELP: Final = frozenset({"help", "short_help", "epilog"})
"""Arguments of options and commands that are shown as help, without a mark."""
METHODS: Final = {".py": "python", ".html": "jinja2"}
KEYWORDS: Final = DEFAULT_KEYWORDS | {"marked": None}
"""``marked`` marks a text that is translated elsewhere."""
WIDTH: Final = 120
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The time in the headers, so that the same texts make the same files on any day."""


def catalogues() -> dict[str, bytes]:
    """Return every catalogue, and its compiled form, by its path under the folder of translations."""
    found: dict[str, bytes] = {}
    for part in SOURCES:
        for language in LANGUAGES:
            if language == "en":
                continue
            name = f"{language}/LC_MESSAGES/{part}"
            whole = merged(part, language)
            found[f"{name}.po"], found[f"{name}.mo"] = _source(whole), _compiled(whole)
    return found


@cache
def merged(part: str, language: str) -> Catalog:
    """Return the catalogue of a part: the marked texts, with the translations that there are. It is read once."""
    path = FOLDER / language / "LC_MESSAGES" / f"{part}.po"
    before = Catalog(locale=language)
    if path.exists():
        with path.open("rb") as file:
            before = read_po(file, locale=language)
    after = Catalog(
        locale=language,
        header_comment="# Translated by hand; the texts are collected by `leasebook docs`.",
        project="leasebook",
        version="0",
        creation_date=EPOCH,
        revision_date=EPOCH,
        fuzzy=False,
    )
    for text in sorted(marked_texts(part), key=str):
        translated = before.get(text if isinstance(text, str) else text[0])
        kept = translated.string if translated is not None and not translated.fuzzy else None
        after.add(text, kept if _fits(text, kept) else None)
    return after


@cache
def marked_texts(part: str) -> frozenset[str | tuple[str, str]]:
    """Return the texts that the sources of a part mark, and the help of its commands; one with a plural is a pair.

    The sources are read once: it takes seconds.
    """
    found: set[str | tuple[str, str]] = set()
    found.update(contract_texts(part))
    if part == MESSAGES:
        found.update(message_texts(PACKAGE))
    if part == FINDINGS:
        # Those that are messages, too, have their translation there.
        found.update(finding_texts(PACKAGE) - message_texts(PACKAGE))
    for path in _files(part):
        for _, text, _, _ in extract_from_file(METHODS[path.suffix], path, keywords=KEYWORDS):
            found.add((text[0], text[1]) if isinstance(text, tuple) else text)
        if SOURCES[part] and path.suffix == ".py":
            found.update(help_texts(path.read_text(encoding="utf-8")))
    return frozenset(found)


def help_texts(source: str) -> Iterator[str]:
    """Yield the help of commands: their docstrings, and the arguments of options that are texts."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(keywords=keywords) if _makes(node) in {"command", "group", "option"}:
                for keyword in keywords:
                    if keyword.arg in HELP and isinstance(keyword.value, ast.Constant) and keyword.value.value:
                        yield str(keyword.value.value)
            case ast.FunctionDef() if any(_makes(one) in {"command", "group"} for one in node.decorator_list):
                text = ast.get_docstring(node)
                if text:
                    yield text


def _makes(node: ast.expr) -> str:
    """Return the last part of the name of a called function, such as ``command`` of ``click.command()``."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name
    return ""


def _files(part: str) -> Iterator[Path]:
    for folder in _folders(part):
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.suffix in METHODS and not any(path.is_relative_to(other) for other in _inside(part, folder)):
                yield path


def _folders(part: str) -> tuple[Path, ...]:
    if SOURCES[part]:
        return tuple(PACKAGE / folder for folder in SOURCES[part])
    library = find_spec(part)
    return tuple(map(Path, (library and library.submodule_search_locations) or ()))


def _inside(part: str, folder: Path) -> list[Path]:
    """Return the folders in this one that have another part's texts."""
    others = [PACKAGE / name for other, names in SOURCES.items() if other != part for name in names]
    return [other for other in others if other.is_relative_to(folder)]


def _fits(text: str | tuple[str, str], kept: object) -> bool:
    return isinstance(kept, str) if isinstance(text, str) else isinstance(kept, tuple | list)


def _source(whole: Catalog) -> bytes:
    out = BytesIO()
    write_po(out, whole, width=WIDTH, no_location=True, sort_output=True)
    return out.getvalue()


def _compiled(whole: Catalog) -> bytes:
    out = BytesIO()
    write_mo(out, whole)
    return out.getvalue()
