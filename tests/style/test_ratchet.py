"""Counts that may only fall. Each is shown to count what it says, and the list of exceptions to go one way only."""

from __future__ import annotations

from functools import partial

import pytest

from tests.style import ratchet
from tests.style.helpers import same_names_of
from tests.style.prose import in_module, in_text
from tests.style.ratchet import RULES, Rule, exceptions, findings, lowered
from tests.style.repository import files, none
from tests.style.sizes import folders_of, mutable_attributes_of
from tests.style.words import avoided, come_back

RULE = Rule(dict, 10, "things", "have fewer")


@pytest.mark.parametrize("name", RULES)
def test_no_count_is_higher_than_its_exception(name: str) -> None:
    rule = RULES[name]
    none(findings(rule, rule.measure(), exceptions()[name]))


def test_every_list_of_exceptions_belongs_to_a_rule() -> None:
    assert exceptions().keys() == RULES.keys()


# --- the list goes one way -------------------------------------------------------------------------------


def test_a_count_above_its_exception_is_found_and_so_is_an_exception_above_its_count() -> None:
    assert list(findings(RULE, {"a": 12, "b": 10}, {"a": 12})) == []
    assert "11 things, 10 are allowed: have fewer" in next(findings(RULE, {"b": 11}, {}))
    assert "13 things, 12 are allowed" in next(findings(RULE, {"a": 13}, {"a": 12}))
    assert "11 things, 12 are listed" in next(findings(RULE, {"a": 11}, {"a": 12}))
    assert "no exception any more" in next(findings(RULE, {"a": 10}, {"a": 12}))
    assert "no exception any more" in next(findings(RULE, {}, {"a": 12}))


def test_the_list_is_written_with_lower_counts_and_not_with_higher_ones() -> None:
    assert lowered(RULE, {"a": 11, "b": 10}, {"a": 12, "b": 13}) == ({"a": 11}, [])
    assert lowered(RULE, {"a": 13}, {"a": 12})[1]
    assert lowered(RULE, {"b": 11}, {})[1]


def test_what_moves_to_another_folder_takes_its_exception_along_and_no_more() -> None:
    assert lowered(RULE, {"b": 12}, {"a": 12}, moved=True) == ({"b": 12}, [])
    assert lowered(RULE, {"b": 13}, {"a": 12}, moved=True)[1]


def test_the_command_leaves_the_list_as_it_is_where_a_count_has_risen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ratchet.EXCEPTIONS.read_text()
    counts = exceptions() | {"phrases": {"new": 10**6}}
    for name, rule in list(RULES.items()):
        monkeypatch.setitem(RULES, name, rule._replace(measure=partial(counts.__getitem__, name)))
    assert ratchet.main() == 1
    assert ratchet.main("--moved") == 1
    assert ratchet.EXCEPTIONS.read_text() == before


# --- phrases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Whoever asks is answered.",
        "It waits for somebody.",
        "Nobody comes.",
        "There is no such row.",
        "Counted anew.",
        "It tries in\nvain.",
        "So long is a row waited for.",
        "So many callers are taken.",
        "Rows of which none is left.",
        "Where it stands, it waits.",
        "Callers are told.",
        "What cannot be read is left out.",
        "It waits. What comes later is lost.",
        "| Word | What it was |\n|---|---|\n| a | What is left |",
        "# What it does\n\nMuch.",
        "- one\n- What follows is two",
    ],
)
def test_a_phrase_that_must_be_read_twice_is_found(text: str) -> None:
    assert in_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "The export skips rows that it cannot read.",
        "Numbers such as 7.",
        "`nobody` is the user; ``told`` is a column.",
        "# What did it cost?\n\nLittle.",
        "```\nwhoever\n```\n",
        "Say what it does.",
    ],
)
def test_a_plain_sentence_is_not_found(text: str) -> None:
    assert in_text(text) == []


def test_docstrings_and_comments_are_read_and_code_is_not() -> None:
    assert in_module('def f():\n    """Whoever."""\n') == ["whoever"]
    assert in_module('LIMIT = 3\n"""So many callers."""\n') == ["so many"]
    assert in_module("# It tries in\n# vain.\ntold = 1  # anew\n") == ["in vain", "anew"]
    assert in_module("told = 'whoever'\n") == []
    assert in_module("f('# told', f'# {told}', '''\n# told\n''')  # anew") == ["anew"]
    assert in_module("f(\n  'one'\n  # told\n  'two'\n)") == ["told"]


# --- words -----------------------------------------------------------------------------------------------


def test_the_words_of_the_last_column_are_read_from_the_glossary() -> None:
    assert {"Unit", "Trail", "trail", "told", "TOLD", "held", "outbox"} <= avoided(files()["GLOSSARY.md"])
    assert "" not in avoided(files()["GLOSSARY.md"])


@pytest.mark.parametrize(
    "text",
    [
        "class Unit: pass",
        "class _Unit: pass",
        "def held(): pass",
        "async def units_held(): pass",
        "def f(held): pass",
        "def f(self): self.held = 1",
        "def f(self): self._held: int = 1",
        "class C:\n    held: int",
        "held = frozenset()",
    ],
)
def test_a_home_made_word_is_found_as_a_name(text: str) -> None:
    assert come_back(text, frozenset({"Unit", "held"})).total() == 1


@pytest.mark.parametrize(
    "text", ["class UnitPrice: pass", "unit = 1", "def upheld(): pass", "'held'", "# held", "x.held"]
)
def test_other_names_and_strings_and_the_use_of_a_name_are_not_found(text: str) -> None:
    assert come_back(text, frozenset({"Unit", "held"})).total() == 0


# --- sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("def __init__(self):\n  self.wiring = 1", 0),
        ("def __init__(self):\n  self.a = 1\n def f(self):\n  self.a = 2", 1),
        ("def __init__(self):\n  self.a = 1\n async def f(self):\n  self.a += 2", 1),
        ("def f(self):\n  self.a, self.b = 1, 2\n def g(self):\n  del self.a", 2),
        ("def __init__(self):\n  self.a: dict[str, int] = {}\n  self.b = deque()\n  self.c = defaultdict(list)", 3),
        ("def __init__(self):\n  self.a = {'one': 1}", 0),
        ("def __init__(self):\n  self._build()\n def _build(self):\n  self.a = 1", 0),
        ("def __init__(self):\n  self._reset()\n def _reset(self):\n  self.a = 1\n def f(self):\n  self._reset()", 1),
        ("def __init__(self):\n  self.build()\n def build(self):\n  self.a = 1", 1),
        ("def __init__(self):\n  Thread(target=self._run)\n def _run(self):\n  self.a = 1", 1),
        ("def __init__(self):\n  self.task = begin(self._run())\n async def _run(self):\n  self.a = 1", 1),
        ("a: int\n b: int", 0),
    ],
)
def test_mutable_attributes_are_counted(body: str, count: int) -> None:
    assert dict(mutable_attributes_of("a.py", f"class C:\n {body}\n")) == {"a.py: C": count}


@pytest.mark.parametrize(
    ("head", "count"),
    [
        ("class C(msgspec.Struct)", 1),
        ("class C(msgspec.Struct, frozen=True)", 0),
        ("@dataclass\nclass C", 1),
        ("@dataclass(frozen=True)\nclass C", 0),
        ("@dataclasses.dataclass(slots=True)\nclass C", 1),
        ("class C(NamedTuple)", 0),
    ],
)
def test_the_fields_of_a_record_are_mutable_unless_it_is_frozen(head: str, count: int) -> None:
    assert dict(mutable_attributes_of("a.py", f"{head}:\n a: int\n")) == {"a.py: C": count}


def test_the_files_of_each_folder_are_counted() -> None:
    names = ["src/a/__init__.py", "src/a/b.py", "src/a/c.py", "src/a/d/e.py"]
    assert folders_of(iter(names)) == {"src/a": 2, "src/a/d": 1}


# --- helpers of tests ------------------------------------------------------------------------------------


def test_two_helper_classes_of_one_name_are_found() -> None:
    text = "class Scene: pass\nclass Outer:\n  class Inner: pass\n"
    assert same_names_of({"a.py": text, "b.py": "def f():\n  class Scene: pass"}) == {
        "Scene": 2,
        "Outer": 1,
        "Inner": 1,
    }
