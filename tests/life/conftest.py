"""Every life is played in memory and on the embedded store; those that ask for it on PostgreSQL, too."""

from __future__ import annotations

from functools import partial

import pytest

from tests.life.lives import Play
from tests.life.lives import play as play_on


@pytest.fixture(params=["memory", "sqlite"])
def play(request: pytest.FixtureRequest) -> Play:
    return partial(play_on, request.param)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def play_everywhere(request: pytest.FixtureRequest) -> Play:
    return partial(play_on, request.param)
