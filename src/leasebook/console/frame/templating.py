"""The templates, once for each language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from leasebook.console.frame import formats
from leasebook.console.frame.languages import TAGS, texts
from leasebook.console.frame.static import address
from leasebook.translations.catalogues import Language

FOLDER: Final = Path(__file__).parent.parent / "templates"


@cache
def environment(language: Language) -> Environment:
    """Return the environment of the templates in a language."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(texts(language), newstyle=True)  # type: ignore[attr-defined]
    made.filters["amount"] = formats.amount
    made.filters["count"] = formats.count
    made.globals["urgency"] = formats.urgency
    made.globals["static"] = address
    made.globals["tag"] = TAGS[language]
    return made


def rendered(language: Language, name: str, values: dict[str, Any]) -> str:
    """Return a template with its values."""
    return environment(language).get_template(name).render(values)
