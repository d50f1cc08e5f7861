"""The packages of the extra ``leasebook[server]``, and the subcommands that need them.

``pip install leasebook`` installs what clients need. The server's subcommands come with it, and say what to install.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

import click

from leasebook.cli.exits import stop
from leasebook.cli.terminal.texts import _

MODULES: Final = (
    "aiohttp",
    "aiosmtplib",
    "alembic",
    "argon2",
    "cryptography",
    "httpcore2",
    "httptools",
    "jinja2",
    "joserfc",
    "markupsafe",
    "multidict",
    "prometheus_client",
    "psycopg",
    "pyotp",
    "segno",
    "sqlalchemy",
    "starlette",
    "structlog",
    "tzdata",
    "uvicorn",
    "uvloop",
    "yarl",
)
"""The modules of the packages that the extra ``server`` of pyproject.toml installs."""


def need_server_packages(command: str) -> None:
    """End with one line where a package of the server is not installed. To look for all of them takes 1 ms."""
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        stop(
            _(
                "{command} needs the server's packages, and some are not installed here: {names}. Run: pip install "
                "'leasebook[server]'"
            ).format(command=command, names=", ".join(missing))
        )


class ServerCommand(click.Command):
    """A subcommand that needs the server's packages. Its help does not."""

    def invoke(self, context: click.Context) -> Any:
        """Run it where the packages are there, else end before it does anything."""
        need_server_packages(context.info_name or "This")
        return super().invoke(context)
