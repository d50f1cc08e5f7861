"""The content of a page behind a link, which the console's templates draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leasebook.translations.catalogues import Language


class Form(NamedTuple):
    """The button that does it; ``attempt`` makes pressing it twice the same as once."""

    button: str
    attempt: str
    amount: int | None = None
    """The price on the page, in micro-units. The form sends it back, so that no other price is charged."""
    ends: bool = False
    """Whether the button ends something for good."""


class Sheet(NamedTuple):
    """The content of a page: a title, sentences, named values, and perhaps a button."""

    status: int
    language: Language
    title: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    form: Form | None = None
    note: str = ""
    quoted: str = ""
    """Why the rules refuse it, in the English of the API."""


class Wanted(NamedTuple):
    """The language and the colours that a reader wants; None and "": those of the thing's owner, and of the system."""

    language: Language | None
    theme: str
