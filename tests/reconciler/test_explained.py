"""An instance that waits for replicas says for which, since when and why."""

from __future__ import annotations

import pytest

from leasebook.domain.model.account import Account
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.replica import Replica
from leasebook.domain.rules.explain import explain
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from tests.reconciler.scene import NOW, replica, unit


@pytest.mark.parametrize(
    ("status", "row", "sentence"),
    [
        (
            "Releasing",
            replica("Stopping", trouble="fake: no route"),
            "It waits for replica 0 of svco-1, Stopping since 2030-03-17T17:46:39+00:00: fake: no route.",
        ),
        ("Running", replica("Failed", reason="code 1"), "On it is replica 0 of svco-1, Failed since"),
        ("Running", replica("Ready"), None),
        ("Running", replica("Ready", outage="Down", down_since=NOW), None),
        ("Releasing", replica("Gone", reason="code 1"), None),
    ],
)
def test_an_explanation_names_the_replicas_that_are_not_well(status: str, row: Replica, sentence: str | None) -> None:
    offering = Offering("bj", "gpu-1", 1, Micro(1), None, 4, 0)
    account = Account("acc-1", "a", "UTC", Micro(1), Instant(1))
    now = Instant(NOW)
    prices = PriceList("bj", "gpu-1", ())
    told = explain(unit(1, status=status), offering, prices, account, Rules(time_zone="UTC"), now, now, (row,))
    assert not any("crash loop" in text for text in told.sentences)
    found = [text for text in told.sentences if "replica 0" in text]
    assert bool(found) is (sentence is not None)
    assert sentence is None or found[0].startswith(sentence)


@pytest.mark.parametrize(("status", "said"), [("Running", 1), ("Stopped", 0)])
def test_an_explanation_says_that_a_paid_instance_is_in_a_crash_loop_and_since_when(status: str, said: int) -> None:
    offering = Offering("bj", "gpu-1", 1, Micro(1), None, 4, 0)
    account = Account("acc-1", "a", "UTC", Micro(1), Instant(1))
    row = replica("Failed", reason="code 1", outage="Reported", down_since=NOW - 300_000_000)
    now, rules, prices = Instant(NOW), Rules(time_zone="UTC"), PriceList("bj", "gpu-1", ())
    told = explain(unit(1, status=status), offering, prices, account, rules, now, now, (row,))
    sentence = (
        "It is paid, and no replica of svco-1 on it has stayed healthy since 2030-03-17T17:41:40+00:00: a crash loop."
    )
    assert told.sentences.count(sentence) == said
