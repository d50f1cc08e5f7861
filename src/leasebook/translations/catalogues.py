"""Catalogues of gettext: which language a person reads, and the texts of a part of the project in that language.

A text is marked where it is used: ``_("…")``, ``ngettext("one …", "many …", n)``, or ``{% trans %}`` in a template.
``leasebook docs`` collects the marked texts of each part in ``<language>/LC_MESSAGES/<part>.po``, where they are
translated, and compiles that file.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

Language = Literal["en", "zh"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
FOLDER: Final = Path(__file__).parent
VARIABLES: Final = ("LEASEBOOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""The environment's variables that name a language; the first that is set counts."""
_QUALITY: Final = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def language_of(tag: str) -> Language | None:
    """Return the language of a tag or of a locale, such as ``zh-CN``, ``zh_CN.UTF-8`` or ``en``; None: no text is."""
    first = re.split(r"[-_.@]", tag.strip().lower(), maxsplit=1)[0]
    return next((one for one in LANGUAGES if one == first), None)


def from_environment(variables: Mapping[str, str]) -> Language:
    """Return the language of a process: that of the first variable of ``VARIABLES`` that is set, else English."""
    said = next((variables[name] for name in VARIABLES if variables.get(name)), "")
    return language_of(said) or "en"


def from_header(accept_language: str) -> Language:
    """Return the language that a browser asks for first by ``Accept-Language``, of those that there are."""
    return named_in_header(accept_language) or "en"


def named_in_header(accept_language: str) -> Language | None:
    """Return the same; None: the browser names none of the languages that there are."""
    best: Language | None = None
    best_quality = 0.0
    for part in accept_language[:1000].split(","):
        tag, _, parameters = part.partition(";")
        language = language_of(tag)
        found = _QUALITY.search(parameters)
        quality = 1.0 if found is None else float(found[1])
        if language is not None and quality > best_quality:
            best, best_quality = language, quality
    return best


@lru_cache
def catalogue(part: str, language: Language) -> gettext.NullTranslations:
    """Return the texts of a part (``cli``, ``console``) in a language; in English the texts are those of the sources.

    Raises FileNotFoundError if the part has no compiled catalogue.
    """
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(part, FOLDER, [language])
