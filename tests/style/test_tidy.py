"""The house rules that a machine can check. Each finding says what to do; each rule is shown to be able to fail."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from leasebook.config.load import DECLARED, ENVIRONMENT_IGNORED, PREFIX
from leasebook.contract.errors import ERRORS, ErrorCode
from leasebook.contract.openapi import schemas
from tests.style.repository import ROOT, files, nodes, none, of, parsed

FILE_LINES_MAX = 500
LONG_FILES: dict[str, int] = {}
"""Today's exceptions. They may only shrink, and an entry goes when its file fits."""
FUNCTION_LINES_MAX = 70
LONG_FUNCTIONS: dict[str, int] = {}
"""Today's exceptions, as above. A migration is one long function by its nature, and is not counted."""

RULES = ("src/leasebook/domain/", "src/leasebook/domain/commands/")
IMPURE = frozenset(
    {"asyncio", "concurrent", "http", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "subprocess"}
    | {"tempfile", "threading", "time", "urllib", "uuid", "httpx2", "psycopg", "sqlalchemy", "sqlite3", "structlog"}
)
ASKS_A_CLOCK = frozenset({"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"})

# Put together here, so that this file does not hold what it looks for.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted"),
        ("registry", "npmjs"),
        ("proxy", "golang"),
        ("repo", "maven"),
        ("repo1", "maven"),
        ("deb", "debian"),
    )
)
MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root|home)" + "/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]*[A-Z]")
CAMEL_CASE = re.compile(r"[a-z][a-zA-Z0-9]*")


# --- sizes -----------------------------------------------------------------------------------------------


def ratchet(sizes: Mapping[str, int], listed: Mapping[str, int], limit: int) -> Iterator[str]:
    for name, size in sizes.items():
        if size > max(limit, listed.get(name, 0)):
            yield f"{name} has {size} lines, {listed.get(name, limit)} are allowed: part what it does, and it fits"
    for name, allowed in listed.items():
        size = sizes.get(name, 0)
        if size <= limit:
            yield f"{name} fits now: take it off the list, so that it stays so"
        elif size < allowed:
            yield f"{name} has shrunk to {size} lines: write that into the list, so that it stays so"


def functions(name: str, text: str) -> Iterator[tuple[str, int]]:
    for node in nodes(text):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}: {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_too_long() -> None:
    none(ratchet({name: len(text.splitlines()) for name, text in of(".py").items()}, LONG_FILES, FILE_LINES_MAX))


def test_no_function_is_too_long() -> None:
    sources = {name: text for name, text in of(".py").items() if "/migrations/versions/" not in name}
    sizes = [size for name, text in sources.items() for size in functions(name, text)]
    none(ratchet(dict(sorted(sizes, key=lambda size: size[1])), LONG_FUNCTIONS, FUNCTION_LINES_MAX))


def test_the_ratchet_turns_one_way_only() -> None:
    listed = {"old.py": 90}
    assert list(ratchet({"old.py": 90, "new.py": 70}, listed, 70)) == []
    assert "71 lines, 70 are allowed" in next(ratchet({"old.py": 90, "new.py": 71}, listed, 70))
    assert "91 lines, 90 are allowed" in next(ratchet({"old.py": 91}, listed, 70))
    assert "shrunk to 80" in next(ratchet({"old.py": 80}, listed, 70))
    assert "take it off" in next(ratchet({"old.py": 70}, listed, 70))
    assert "take it off" in next(ratchet({}, listed, 70))


def test_the_length_of_a_function_is_counted_from_def_to_its_last_line() -> None:
    assert dict(functions("a.py", "class C:\n    async def f(self):\n        '''Do.'''\n        return 1\n")) == {
        "a.py: f": 3
    }


# --- rules without a clock, dice or I/O ------------------------------------------------------------------


def impurities(name: str, text: str) -> Iterator[str]:
    """The clocks, dice and I/O that a module of the rules uses."""
    for node in nodes(text):
        found: list[str] = []
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names if alias.name.partition(".")[0] in IMPURE]
            case ast.ImportFrom(module=str(module)):
                found = [module] if module.partition(".")[0] in IMPURE else []
            case ast.Call(func=ast.Attribute(attr=attribute)):
                found = [f".{attribute}()"] if attribute in ASKS_A_CLOCK else []
            case ast.Call(func=ast.Name(id="open" | "print" | "input" as called)):
                found = [f"{called}()"]
        for what in found:
            yield f"{name}, line {getattr(node, 'lineno', 0)}: {what}; times, ids and rows come in as arguments here"


def test_the_rules_ask_no_clock_throw_no_dice_and_touch_nothing() -> None:
    sources = of(".py", *RULES)
    assert sources
    none(finding for name, text in sources.items() for finding in impurities(name, text))


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import os.path",
        "from random import choice",
        "import secrets as dice",
        "from datetime import datetime\nat = datetime.now()",
        "import datetime\nat = datetime.datetime.now(datetime.UTC)",
        "rows = open('rows')",
        "def f():\n    from uuid import uuid4",
    ],
)
def test_a_rule_that_asks_the_world_is_found(text: str) -> None:
    assert list(impurities("rule.py", text))


def test_a_rule_that_reckons_with_given_times_is_fine() -> None:
    text = "from datetime import UTC, datetime\nepoch = datetime(1970, 1, 1, tzinfo=UTC)\ndef f(now):\n    return now"
    assert list(impurities("rule.py", text)) == []


# --- words -----------------------------------------------------------------------------------------------


def undocumented(name: str, text: str) -> Iterator[str]:
    if not ast.get_docstring(parsed(text)):
        yield f"{name} has no docstring: say in a line what it knows"


def test_every_module_says_what_it_is_about() -> None:
    none(finding for name, text in of(".py").items() for finding in undocumented(name, text))


def test_a_module_without_a_docstring_is_found() -> None:
    assert list(undocumented("a.py", "import ast\n'''Too late.'''\n"))
    assert list(undocumented("a.py", ""))
    assert not list(undocumented("a.py", '"""About."""\n'))


@cache
def anchors(text: str) -> frozenset[str]:
    """The fragments that the headings of a page get. A hundred links lead to the same page."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", FENCED.sub("", text), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", LINK.sub("", heading).lower()) for heading in headings)
    return frozenset(heading.replace(" ", "-") for heading in kept)


def broken_links(name: str, text: str, read: Callable[[str], str | None]) -> Iterator[str]:
    """Links of a page to files, or to headings of pages, that are not there. ``read`` gives None for no file."""
    for target in LINK.findall(FENCED.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        where = str((ROOT / name).parent.joinpath(path).resolve().relative_to(ROOT)) if path else name
        found = text if where == name else read(where)
        if found is None:
            yield f"{name} links to {target}, and there is no such file"
        elif fragment and fragment not in anchors(found):
            yield f"{name} links to {target}, and {where} has no such heading"


def content(where: str) -> str | None:
    # Pictures are no texts, and a folder has none.
    return files().get(where, "" if (ROOT / where).exists() else None)


def test_every_link_leads_somewhere() -> None:
    none(finding for name, text in of(".md").items() for finding in broken_links(name, text, content))


def test_a_link_that_leads_nowhere_is_found() -> None:
    pages = {"docs/b.md": "# One\n\n## Two `words`, three\n"}
    page = "[a](b.md) [b](b.md#two-words-three) [c](#here) [d](https://example.org/x)\n# Here\n```\n[e](gone.md)\n```\n"
    assert list(broken_links("docs/a.md", page, pages.get)) == []
    assert "no such file" in next(broken_links("docs/a.md", "[a](../b.md)", pages.get))
    assert "no such heading" in next(broken_links("docs/a.md", "[a\nb](b.md#three)", pages.get))
    assert "no such heading" in next(broken_links("docs/a.md", "[a](#here)", pages.get))


PATHS = re.compile(r"`((?:src|tests|docs|benchmarks)/[\w./-]*)`")


def missing_files(name: str, text: str, known: Iterable[str]) -> Iterator[str]:
    """The files and folders that a page names and that are not there."""
    places = {str(place) for path in known for place in (Path(path), *Path(path).parents)}
    for path in PATHS.findall(text):
        if path.rstrip("/") not in places:
            yield f"{name} speaks of {path}, and there is no such file"


def test_every_file_that_a_guide_names_is_there() -> None:
    pages = of(".md", "docs/contributing/")
    assert pages
    none(finding for name, text in pages.items() for finding in missing_files(name, text, files()))


def test_a_file_that_is_not_there_is_found() -> None:
    assert not list(missing_files("a.md", "`src/a/b.py`, `src/a`, `src/`, `make`", ["src/a/b.py"]))
    assert list(missing_files("a.md", "`src/b.py`", ["src/a/b.py"]))


def missing_from_index(names: Iterable[str], index: str) -> Iterator[str]:
    numbers: set[str] = set()
    for name in names:
        number = name[:4]
        if f"({name})" not in index:
            yield f"docs/adr/{name} is not in docs/adr/README.md: enter it"
        if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) or number in numbers:
            yield f"docs/adr/{name} needs a number of its own, and words after it"
        numbers.add(number)


def test_every_record_is_in_the_index() -> None:
    records = [Path(name).name for name in of(".md", "docs/adr/") if not name.endswith("README.md")]
    assert records
    none(missing_from_index(records, files()["docs/adr/README.md"]))


def test_a_record_that_is_not_in_the_index_is_found() -> None:
    index = "| [0001](0001-a.md) | A |"
    assert list(missing_from_index(["0001-a.md"], index)) == []
    assert "enter it" in next(missing_from_index(["0002-b.md"], index))
    assert "number of its own" in next(missing_from_index(["0001-a.md", "0001-b.md"], f"{index}(0001-b.md)"))


# --- what belongs to one machine only --------------------------------------------------------------------


def foreign(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        for host in HOSTS:
            if host in line.lower():
                yield f"{name}, line {number}: {host}: where packages come from is each machine's own setting"
        if place := MACHINE.search(line):
            yield f"{name}, line {number}: {place[0]}…: a path of one machine; make it relative"


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    none(finding for name, text in files().items() if name != "LICENSE" for finding in foreign(name, text))


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_of_a_registry_is_found(host: str) -> None:
    assert list(foreign("a.txt", f"first\n--index-url https://{host.upper()}/simple"))


def test_a_path_of_one_machine_is_found() -> None:
    for folder in ("work", "root", "home"):
        assert list(foreign("a.py", f"open('/{folder}/leasebook')"))
        assert list(foreign("a.py", f"file:///{folder}/leasebook"))
        assert not list(foreign("a.py", f"src/{folder}/leasebook ~/{folder}/x ./{folder}/x"))


# --- public names ----------------------------------------------------------------------------------------


def undocumented_settings(page: str) -> Iterator[str]:
    for declared in DECLARED.values():
        if f"`{declared.variable}`" not in page:
            yield f"{declared.name} is not in docs/operating/settings.md: run make format"


def unknown_variables(name: str, text: str) -> Iterator[str]:
    known = {declared.variable for declared in DECLARED.values()}
    known |= {f"{variable}_FILE" for variable in known}
    for variable in sorted(set(VARIABLE.findall(text)) - known):
        if not any(variable.startswith(pattern.rstrip("_*")) for pattern in ENVIRONMENT_IGNORED):
            yield f"{name} speaks of {variable}, and there is no such setting"


def test_every_setting_is_documented_and_no_page_speaks_of_another() -> None:
    none(undocumented_settings(files()["docs/operating/settings.md"]))
    none(finding for name, text in of(".md").items() for finding in unknown_variables(name, text))


def test_a_setting_that_is_documented_and_does_not_exist_or_the_other_way_round_is_found() -> None:
    assert len(list(undocumented_settings(""))) == len(DECLARED)
    assert list(unknown_variables("a.md", "set `LEASEBOOK_TIME_ZON`"))
    assert not list(unknown_variables("a.md", "`LEASEBOOK_TIME_ZONE` LEASEBOOK_ROOT_SECRET_KEY_FILE LEASEBOOK_TEST_X"))


def odd_fields(shapes: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for shape, fields in shapes.items():
        for field in fields:
            if not CAMEL_CASE.fullmatch(field):
                yield f"{shape}.{field}: fields of the wire are in lower camel case"


def test_every_field_of_the_wire_is_in_lower_camel_case() -> None:
    none(odd_fields({name: schema["properties"] for name, schema in schemas().items()}))


def test_a_field_in_another_case_is_found() -> None:
    for field in ("instance_id", "InstanceId", "instance-id", "1st", ""):
        assert list(odd_fields({"Unit": [field]}))


def repeated(errors: Iterable[ErrorCode]) -> Iterator[str]:
    codes: set[str] = set()
    numbers: set[int] = set()
    for error in errors:
        if error.code in codes or error.number in numbers:
            yield f"{error.code} {error.number}: a code and its number stand for one error only, for ever"
        codes.add(error.code)
        numbers.add(error.number)


def test_no_error_code_and_no_number_stands_for_two_errors() -> None:
    none(repeated(ERRORS))


def test_a_number_that_is_used_again_is_found() -> None:
    first = ErrorCode("First", 400, 1, "One.")
    assert not list(repeated([first, ErrorCode("Second", 400, 2, "Two.")]))
    assert list(repeated([first, ErrorCode("Second", 404, 1, "Two.")]))
    assert list(repeated([first, ErrorCode("First", 400, 2, "Two.")]))
