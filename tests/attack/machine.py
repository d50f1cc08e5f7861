"""The features of the machine that the attacks need."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(tool: str) -> str:
    """Return where a program is; skips the test, or fails it where every toolchain is required, if it is nowhere."""
    found = shutil.which(tool)
    if found is None:
        message = f"{tool} not found on PATH"
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
            pytest.fail(message)
        pytest.skip(message)
    return found
