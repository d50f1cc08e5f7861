"""The catalogues: every marked text is translated, with the same values in it, and each person reads a language."""

from __future__ import annotations

import re

import pytest

from leasebook.console.frame.words import EVENTS, POLICIES
from leasebook.contract.policies import POLICY_NAMES
from leasebook.docsgen.catalogues import SOURCES, catalogues, marked_texts, merged
from leasebook.docsgen.contract_texts import OPTIONAL
from leasebook.docsgen.messages import MESSAGES
from leasebook.domain.record.event_shape import SHAPES
from leasebook.translations.catalogues import FOLDER, LANGUAGES, catalogue, from_environment, from_header, language_of

OTHERS = [language for language in LANGUAGES if language != "en"]
EACH = [(part, language) for part in SOURCES for language in OTHERS]
VALUE = re.compile(r"%\(\w+\)[sd]|%[sd]|\{[^{}]*\}")


def values(text: str) -> list[str]:
    return sorted(VALUE.findall(text))


@pytest.mark.parametrize(("part", "language"), EACH)
def test_every_text_is_translated_and_has_the_same_values(part: str, language: str) -> None:
    wrong = []
    for message in merged(part, language):
        if not message.id:
            continue
        texts = [message.id] if isinstance(message.id, str) else list(message.id)
        translated = [message.string] if isinstance(message.string, str) else list(message.string or [""])
        if part in OPTIONAL | {MESSAGES} and not any(translated):
            continue
        if not all(translated) or any(values(one) not in [values(text) for text in texts] for one in translated):
            wrong.append(message.id)
    assert wrong == []


def test_the_catalogues_are_those_that_the_sources_make() -> None:
    stale = [name for name, content in catalogues().items() if (FOLDER / name).read_bytes() != content]
    assert stale == [], "leasebook docs collects the texts and compiles the catalogues"


@pytest.mark.parametrize(("part", "language"), EACH)
def test_a_compiled_catalogue_says_what_its_source_says(part: str, language: str) -> None:
    texts = marked_texts(part)
    compiled = catalogue(part, "zh" if language == "zh" else "en")
    for message in merged(part, language):
        if isinstance(message.id, str) and message.id:
            assert message.id in texts
            assert compiled.gettext(message.id) == (message.string or message.id)


def test_english_needs_no_catalogue() -> None:
    assert catalogue("any", "en").gettext("A text.") == "A text."


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh-CN", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("ZH", "zh"),
        ("en_GB", "en"),
        ("C.UTF-8", None),
        ("de", None),
        ("", None),
    ],
)
def test_a_tag_or_a_locale_is_a_language(tag: str, language: str | None) -> None:
    assert language_of(tag) == language


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US"}, "en"),
        ({"LEASEBOOK_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, "zh"),
        ({"LEASEBOOK_LANG": "", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_a_process_reads_the_language_of_its_environment(variables: dict[str, str], language: str) -> None:
    assert from_environment(variables) == language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("de,zh;q=0.5,en;q=0.4", "zh"),
        ("zh;q=0,en", "en"),
        ("zh;q=nonsense", "zh"),
        ("," * 5000, "en"),
    ],
)
def test_a_browser_reads_the_language_that_it_asks_for_first(header: str, language: str) -> None:
    assert from_header(header) == language


def test_each_type_of_event_and_each_policy_has_words_at_the_console() -> None:
    assert sorted({*SHAPES} - {*EVENTS}) == []
    assert sorted({*POLICY_NAMES} ^ {*POLICIES}) == []
