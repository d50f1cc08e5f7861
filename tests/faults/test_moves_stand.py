"""Each kind of trouble of the long run, once: nothing acknowledged is lost or doubled, nothing early, nothing late."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.crash.fleet import ROUNDS, dice
from tests.faults.nasty import NASTY
from tests.faults.stand import PHASES, Kind, a_stand, nasty_replicas, phases_of
from tests.postgres import shared_server

pytestmark = pytest.mark.crash

SHORT: dict[Kind, tuple[str, ...]] = {"sqlite": ("disk", "replicas"), "postgres": ("database", "kill")}
"""The phases of an ordinary run; a longer one does all of them on both stores."""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_whatever_fails_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgres":
        shared_server()  # skips where there is none
    every = functools.partial(nasty_replicas, kinds=tuple(NASTY))
    assert len(NASTY) == 12
    monkeypatch.setitem(PHASES, "replicas", every)
    thrown = dice()
    with a_stand(kind, tmp_path) as stand:
        for number in range(ROUNDS):
            for phase in SHORT[kind] if number == 0 else phases_of(kind):
                stand.round(phase, thrown)
        stand.check()
        assert len(stand.acknowledged) >= ROUNDS
