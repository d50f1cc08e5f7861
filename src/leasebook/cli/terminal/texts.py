"""The language of the command line: a text is marked with ``_`` and shown in the language of the environment.

In English no catalogue is read, and a text costs two microseconds. Help texts need no mark: ``help.py`` translates
them, and ``leasebook docs`` collects them from the options and the docstrings of commands.
"""

from __future__ import annotations

import gettext
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from leasebook.translations.catalogues import Language, catalogue, from_environment

PART: Final = "cli"
OF_CLICK: Final = "click"
"""The part with the texts of the library that reads the arguments."""


_FOR_PROGRAMS: Final[list[bool]] = []
"""The parts of the command that run now, and whether programs read their texts; a context variable loads more."""


def language() -> Language:
    """Return the language of this process's texts: LEASEBOOK_LANG, else the locale; within ``for_programs`` English."""
    return "en" if any(_FOR_PROGRAMS) else from_environment(os.environ)


@contextmanager
def for_programs(*, are: bool) -> Iterator[None]:
    """Keep texts in English where programs are to read them, so that they are the same on every machine."""
    _FOR_PROGRAMS.append(are)
    try:
        yield
    finally:
        _FOR_PROGRAMS.pop()


def _(text: str) -> str:
    """Return a text in the language of this process."""
    spoken = language()
    return text if spoken == "en" else catalogue(PART, spoken).gettext(text)


def marked(text: str) -> str:
    """Return a text as it is: it is marked here, and translated where it is shown."""
    return text


def ngettext(one: str, several: str, number: int) -> str:
    """Return the text for a number, in the language of this process."""
    return catalogue(PART, language()).ngettext(one, several, number)


def of_error(error: object) -> str:
    """Return a message of the service, the client, the store or a setting in the language of this process.

    Its sentences for which there is no translation stay in English.
    """
    spoken = language()
    if spoken == "en":
        return str(error)
    from leasebook.translations.messages import in_language

    return in_language(str(error), spoken)


def of_finding(finding: str) -> str:
    """Return a finding of ``check``, or the summary of one, in the language of this process."""
    spoken = language()
    if spoken == "en":
        return finding
    from leasebook.translations.messages import finding_in_language

    return finding_in_language(finding, spoken)


def help_text(text: str) -> str:
    """Return a help text of ours or of the library's in the language of this process."""
    found = _(text)
    return _of_click(text) if found == text else found


def _of_click(text: str) -> str:
    spoken = language()
    return text if spoken == "en" else catalogue(OF_CLICK, spoken).gettext(text)


def _plural_of_click(one: str, several: str, number: int) -> str:
    return catalogue(OF_CLICK, language()).ngettext(one, several, number)


def let_click_speak() -> None:
    """Have the library show its texts in the language of this process.

    It asks Python's own gettext, which looks for one catalogue of the whole process and does not know LEASEBOOK_LANG.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "click":
            names = vars(module)
            if names.get("_") is gettext.gettext:
                names["_"] = _of_click
            if names.get("ngettext") is gettext.ngettext:
                names["ngettext"] = _plural_of_click
