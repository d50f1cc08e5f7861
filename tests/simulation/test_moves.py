"""The life of an instance, in stories that together make every move there is."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.commands.command import Engine
from leasebook.domain.model.instance import MOVES, EndReason, InstanceStatus
from leasebook.domain.values.calendar import HOUR_US
from leasebook.domain.values.rule_settings import Rules
from tests.simulation.asks import Ask, AutoRenew, Drop, Fund, Renew, Report, Resize, Schedule, Step, SwitchBilling, Wait
from tests.simulation.history import DAY, HOUR, TERM_OVER
from tests.simulation.lives import MINUTELY, MONTH, MONTHLY, found, played
from tests.simulation.memory_books import Books
from tests.simulation.witness import Witness

DONE, FAILED = Report(), Report(failed=True)


class Story(NamedTuple):
    """Steps, and the statuses that the instance goes through. The balance at first pays one month of one unit."""

    steps: tuple[Step, ...]
    path: tuple[InstanceStatus, ...]
    funds: int = MONTH
    reason: EndReason | None = None


STORIES: Final[dict[str, Story]] = {
    "bought, resized at the second attempt and released": Story(
        (MINUTELY, DONE, Ask(Resize(0, 2)), FAILED, Ask(Resize(0, 3)), DONE, Wait(90), Ask(Drop(0)), DONE, Wait(1)),
        (
            *("Creating", "Running", "Reconfiguring", "ReconfigureFailed", "Reconfiguring", "Running"),
            *("Releasing", "Released"),
        ),
        reason="User",
    ),
    "no capacity": Story((MONTHLY, Wait(60), FAILED, Wait(1)), ("Creating", "CreateFailed")),
    "released before it was there": Story(
        (MINUTELY, Wait(60), Ask(Drop(0)), DONE, Wait(1)), ("Creating", "Releasing", "Released"), reason="User"
    ),
    "its release time comes while it is resized": Story(
        (MINUTELY, DONE, Ask(Schedule(0, HOUR)), Ask(Resize(0, 2)), Wait(HOUR), DONE, Wait(1)),
        ("Creating", "Running", "Reconfiguring", "Releasing", "Released"),
        reason="Schedule",
    ),
    "released after a resize that failed": Story(
        (MINUTELY, DONE, Ask(Resize(0, 2)), Wait(90), FAILED, Wait(90), Ask(Drop(0)), DONE, Wait(1)),
        ("Creating", "Running", "Reconfiguring", "ReconfigureFailed", "Releasing", "Released"),
        reason="User",
    ),
    "its term ends and nobody renews it": Story(
        (MONTHLY, DONE, Wait(TERM_OVER), Wait(DAY), DONE, Wait(1)),
        ("Creating", "Running", "Stopped", "Releasing", "Released"),
        reason="Expiry",
    ),
    "renewed by itself once there is money, and stopped when there is none": Story(
        (
            *(MONTHLY, DONE, Ask(AutoRenew(0, 1)), Wait(25 * DAY), Ask(Fund(0, MONTH)), Wait(10 * DAY)),
            *(Wait(TERM_OVER), DONE, Wait(1)),
        ),
        ("Creating", "Running", "Stopped", "Releasing", "Released"),
        reason="Expiry",
    ),
    "renewed by hand after its end": Story(
        (MONTHLY, DONE, Wait(31 * DAY + 60), Ask(Fund(0, 2 * MONTH)), Ask(Renew(0, 1, 31)), Wait(1)),
        ("Creating", "Running", "Stopped", "Running"),
    ),
    "its term ends while it is resized": Story(
        (MONTHLY, DONE, Ask(Resize(0, 2)), Wait(TERM_OVER), DONE, Wait(HOUR), DONE, Wait(1)),
        ("Creating", "Running", "Reconfiguring", "Stopped", "Releasing", "Released"),
        funds=2 * MONTH,
        reason="Expiry",
    ),
    "its term ends after a resize that failed": Story(
        (MONTHLY, DONE, Ask(Resize(0, 2)), Wait(HOUR), FAILED, Wait(TERM_OVER), DONE, Wait(1)),
        ("Creating", "Running", "Reconfiguring", "ReconfigureFailed", "Stopped", "Releasing", "Released"),
        funds=2 * MONTH,
        reason="Expiry",
    ),
    "told to become postpaid, told to stay, told again, and postpaid in the end": Story(
        (
            MONTHLY,
            DONE,
            Ask(SwitchBilling(0, 0)),
            Wait(DAY),
            Ask(SwitchBilling(0, 1)),
            Ask(SwitchBilling(0, 0)),
            Wait(TERM_OVER),
            Wait(1),
        ),
        ("Creating", "Running", "BillingChanging", "Running", "BillingChanging", "Running"),
        funds=10 * MONTH,
    ),
    "told to become postpaid with too little money for it": Story(
        (MONTHLY, DONE, Ask(SwitchBilling(0, 0)), Wait(31 * DAY + 60), Wait(1)),
        ("Creating", "Running", "BillingChanging", "Stopped"),
    ),
    "told to become postpaid, and then renewed": Story(
        (MONTHLY, DONE, Ask(SwitchBilling(0, 0)), Wait(DAY), Ask(Renew(0, 2, None)), Wait(TERM_OVER)),
        ("Creating", "Running", "BillingChanging", "Running"),
        funds=3 * MONTH,
    ),
    "in debt, paid, in debt again, and released for it": Story(
        (MINUTELY, DONE, Wait(11 * HOUR + 10), Ask(Fund(0, MONTH)), Wait(13 * HOUR), DONE, Wait(1)),
        ("Creating", "Running", "Stopped", "Running", "Stopped", "Releasing", "Released"),
        reason="Arrears",
    ),
    "prepaid from now on": Story(
        (MINUTELY, DONE, Wait(90), Ask(SwitchBilling(0, 1, 1)), Wait(90)), ("Creating", "Running"), funds=2 * MONTH
    ),
}


def of(story: Story) -> tuple[Books, Witness]:
    rules = Rules(arrears_grace_us=0, retention_us=HOUR_US)
    return played(found(*story.steps, engine=Engine(), funds=story.funds, rules=rules))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_an_instance_goes_the_way_that_its_story_says(story: Story) -> None:
    books, witness = of(story)
    (unit,) = books.table(INSTANCES)
    assert tuple(witness.paths[unit.id]) == story.path
    assert unit.end_reason == story.reason


def test_the_stories_make_every_move_there_is_and_no_other() -> None:
    hops = {hop for story in STORIES.values() for hop in of(story)[1].hops}
    assert hops == {(move.start, move.end) for move in MOVES}
