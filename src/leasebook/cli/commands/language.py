"""The language of the commands: texts for people, and the sentences of the contract."""

from __future__ import annotations

import os

from leasebook.translations.catalogues import catalogue, from_environment


def _(text: str) -> str:
    """Return a text of the commands in the language of the environment."""
    return catalogue("commands", from_environment(os.environ)).gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """Return the text for a count."""
    return catalogue("commands", from_environment(os.environ)).ngettext(one, many, count)


def marked(text: str) -> str:
    """Mark a text that is translated where it is printed."""
    return text


def of_contract(text: str) -> str:
    """Return a sentence of the contract; in English where no translation is there."""
    language = from_environment(os.environ)
    found = catalogue("contract", language).gettext(text)
    return catalogue("fields", language).gettext(text) if found == text and text else found
