"""Model sets and versions as rules: when a set is changed, and which versions an engine can run."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import MODEL_SETS
from leasebook.domain.commands.command import Command, Engine, decide
from leasebook.domain.commands.service.model import CreateModel, CreateModelSet, DeleteModel
from leasebook.domain.model.model import EVERYBODYS, runs_something
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


def done(book: Book, command: Command, now: int) -> Any:
    """Decide a command at a moment; returns its answer."""
    return decide(book, command, Rules(), Instant(now), Engine()).answer


def last_modified(book: Book) -> Instant:
    """Return when the set is said to have been changed."""
    found = book.get(MODEL_SETS, "am-1")
    assert found is not None
    return found.last_modified_at


def test_a_clock_that_was_set_back_never_takes_the_time_of_a_change_back() -> None:
    book = Book()
    done(book, CreateModelSet(set_id="am-1", owner_id=EVERYBODYS, user_id="user-1", name="x", description=""), 100)
    facts: dict[str, Any] = {"account_id": EVERYBODYS, "operator": True}
    add = {**facts, "user_id": "user-1", "set_id": "am-1", "description": "", "run": RunSpec(command=("x",))}
    for now, shown in ((90, 100), (120, 120), (110, 120)):
        done(book, CreateModel(model_id=f"amv-{now}", **add), now)
        assert last_modified(book) == shown
    done(book, DeleteModel(model_id="amv-90", set_id="am-1", **facts), 115)
    assert last_modified(book) == 120


@pytest.mark.parametrize(
    ("run", "runs"),
    [
        (RunSpec(), False),
        (RunSpec(env={"A": "b"}, health_path="/health"), False),
        (RunSpec(command=("serve",)), True),
        (RunSpec(image="serve:1"), True),
        (RunSpec(application="shop:app"), True),
    ],
)
def test_a_run_block_runs_something_if_it_names_a_command_an_image_or_an_application(
    *, run: RunSpec, runs: bool
) -> None:
    assert runs_something(run) is runs
