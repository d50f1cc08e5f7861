"""Every engine keeps the contract. The checks are in ``checks``, the engines in ``kinds``."""

from __future__ import annotations

import pytest

from tests.engines.checks import CHECKS, Check
from tests.engines.kinds import Bench


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_an_engine_keeps_its_contract(check: Check, bench: Bench) -> None:
    """The names of the checks."""
    await check(bench)
