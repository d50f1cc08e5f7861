"""Which language a page is in, and the texts of all parts of the console in it."""

from __future__ import annotations

import gettext
from functools import cache
from typing import Final

from leasebook.translations.catalogues import FOLDER, Language, from_header, language_of

COOKIE: Final = "leasebook_language"
PARTS: Final = ("console.mo", "console/*.mo")
"""The compiled catalogues of the console: one for each folder of pages (``docsgen/catalogues.py``)."""
TAGS: Final[dict[Language, str]] = {"en": "en", "zh": "zh-CN"}
"""How a page says its language."""


def chosen(cookie: str | None, accept_language: str) -> Language:
    """Return the language that the reader has chosen, else the one that the browser asks for."""
    return language_of(cookie or "") or from_header(accept_language)


@cache
def texts(language: Language) -> gettext.NullTranslations:
    """Return the texts of every part of the console; in English those of the sources."""
    whole = gettext.NullTranslations()
    if language == "en":
        return whole
    folder = FOLDER / language / "LC_MESSAGES"
    for path in sorted(path for pattern in PARTS for path in folder.glob(pattern)):
        with path.open("rb") as file:
            part = gettext.GNUTranslations(file)
        part.add_fallback(whole)
        whole = part
    return whole
