"""Files that every start of a service reads and that never change: in a test process they are read once.

It is three quarters of the time of a start, and tests start thousands of services.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory


@cache
def _migrations(folder: str | None, more: str | None) -> ScriptDirectory:
    """Read and compile the files of a folder of migrations, or of ``more`` in its place."""
    return ScriptDirectory(folder or "", version_locations=more.split(":") if more else None)


def _from_config(config: Config) -> ScriptDirectory:
    return _migrations(config.get_main_option("script_location"), config.get_main_option("version_locations"))


def _load_no_certificates(_context: ssl.SSLContext, _purpose: Any = None) -> None:
    """Trust no authority: no test speaks with a server that the machine's own authorities vouch for."""


def read_once() -> None:
    """See the module; it holds until the process ends."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ScriptDirectory, "from_config", _from_config)
    patch.setattr(ssl.SSLContext, "load_default_certs", _load_no_certificates)
