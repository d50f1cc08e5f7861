"""The questions before acts of administration that end something."""

from __future__ import annotations

from typing import Final, NamedTuple

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.navigation import marked


class Question(NamedTuple):
    """A question, what follows from yes, and the text of the button; ``%(name)s`` is the thing that it is about."""

    text: str
    consequence: str
    yes: str


QUESTIONS: Final[dict[tuple[str, str], Question]] = {
    ("/admin/users", "delete"): Question(
        marked("Delete the user %(name)s?"),
        marked(
            "The user's keys are disabled and the user's sessions end, at once and for good. What the user bought "
            "stays with the account."
        ),
        marked("Delete the user"),
    ),
    ("/admin/users", "disable"): Question(
        marked("Disable the key %(name)s?"),
        marked("Programs that sign with it are refused from now on. It can be enabled again."),
        marked("Disable the key"),
    ),
    ("/admin/projects", "close"): Question(
        marked("Close the project %(name)s?"),
        marked("It stays closed, and what it cost stays on record. It is refused while anything in it lives."),
        marked("Close the project"),
    ),
    ("/admin/subscriptions", "delete"): Question(
        marked("Delete the subscription %(name)s?"),
        marked("It gets no more events, and what waits for it is not sent."),
        marked("Delete the subscription"),
    ),
    ("/admin/catalogue", "close"): Question(
        marked("Sell no more of %(name)s?"),
        marked("It cannot be bought from now on. Instances that are held run on, and it can be sold again."),
        marked("Sell no more"),
    ),
    ("/admin/catalogue", "remove"): Question(
        marked("Take %(name)s out of the catalogue?"),
        marked("It is refused while an instance holds units of it."),
        marked("Take it out"),
    ),
    ("/admin/accounts", "close"): Question(
        marked("Close the account %(name)s for good?"),
        marked("It cannot be opened again. The books stay."),
        marked("Close for good"),
    ),
}
"""By the address of the form, and the act."""


def asks(desk: Desk, address: str, named: dict[str, str], *, to: str | None = None) -> Response | None:
    """Return the page that asks whether the reader is sure; None: nothing has to be asked, or the answer was yes.

    ``named`` are the fields that the act needs. The form is sent ``to`` another address than that of the question.
    """
    question = QUESTIONS.get((address, desk.field("act")))
    if question is None or desk.field("sure") == "1":
        return None
    name = {"name": desk.field("name") or next((one for one in named.values() if one), "")}
    return desk.page(
        "admin/sure.html",
        question=desk.gettext(question.text) % name,
        consequence=desk.gettext(question.consequence),
        yes=desk.gettext(question.yes),
        fields={"act": desk.field("act"), "name": desk.field("name"), **named},
        address=to or address,
    )
