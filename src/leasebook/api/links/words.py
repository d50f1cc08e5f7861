"""The words of the pages behind links, in the language of their reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leasebook.api.links.sheet import Form, Sheet
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import EVERYWHERE
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant, to_datetime
from leasebook.domain.values.money import amount_text
from leasebook.translations.catalogues import Language, catalogue
from leasebook.translations.marks import marked as marked  # noqa: PLC0414 - the pages take it from here

PART: Final = "console/links"
"""The catalogue of the texts, and of the template that draws them."""
_BETWEEN: Final[dict[Language, str]] = {"en": " ", "zh": ""}
_STATUSES: Final = (
    marked("Creating"),
    marked("CreateFailed"),
    marked("Running"),
    marked("Stopped"),
    marked("Releasing"),
    marked("Released"),
    marked("Reconfiguring"),
    marked("ReconfigureFailed"),
    marked("BillingChanging"),
)
_TIMINGS: Final = (marked("prepaid"), marked("postpaid"))


class LinkWords:
    """The texts in one language: ``gettext`` translates, and the others write what sentences are about."""

    def __init__(self, language: Language | None) -> None:
        """None: the language of the sources."""
        self.language: Final[Language] = language or "en"
        self.gettext: Final = catalogue(PART, self.language).gettext
        self.ngettext: Final = catalogue(PART, self.language).ngettext

    def sheet(
        self,
        status: int,
        title: str,
        *sentences: str,
        facts: Sequence[tuple[str, str]] = (),
        form: Form | None = None,
        note: str = "",
        quoted: str = "",
    ) -> Sheet:
        """Return a page in this language."""
        return Sheet(status, self.language, title, sentences, facts, form, note, quoted)

    def joined(self, sentences: Sequence[str]) -> str:
        """Return sentences one after another."""
        return _BETWEEN[self.language].join(sentences)

    def time(self, at: Instant | None, zone: str) -> str:
        """Write a time as the account's own clocks show it."""
        if at is None:
            return self.gettext("no time")
        seconds = ":%S" if at % MINUTE_US >= SECOND_US else ""
        return f"{to_datetime(at, zone):%Y-%m-%d %H:%M{seconds}} ({zone})"

    def money(self, amount: int, currency: str) -> str:
        """Write an amount of micro-units in full."""
        return f"{amount_text(amount)} {currency}"

    def units(self, unit: Instance) -> str:
        """Say what an instance is: how many units of a type and where, how it is paid, and its status."""
        said = {
            "num": unit.count,
            "type": unit.type,
            "region": unit.region,
            "timing": self.gettext(unit.payment_timing.lower()),
            "status": self.gettext(unit.status),
        }
        if unit.region == EVERYWHERE:
            text = self.ngettext(
                "%(num)d unit of %(type)s, %(timing)s, %(status)s",
                "%(num)d units of %(type)s, %(timing)s, %(status)s",
                unit.count,
            )
        else:
            text = self.ngettext(
                "%(num)d unit of %(type)s in %(region)s, %(timing)s, %(status)s",
                "%(num)d units of %(type)s in %(region)s, %(timing)s, %(status)s",
                unit.count,
            )
        return text % said
