"""Options of the command line that people may expect to be settings."""

from __future__ import annotations

from typing import Final

OPTIONS: Final = {
    "host": "it is the option --host",
    "port": "it is the option --port",
    "data": "it is the option --data",
    "demo": "it is the option --demo",
    "new": "it is the option --new",
    "clock": "it is the option --clock",
    "clock_start": "it is the option --clock-start",
    "ready_file": "it is the option --ready-file",
    "profile": "it is the option --profile of leasebook call, or LEASEBOOK_CLIENT_PROFILE",
    "print_json": "it is the option --print-json",
    "config": "it is the option --config",
    "tls_cert": "it is the option --tls-cert, or the setting tls.cert_file",
    "tls_key": "it is the option --tls-key, or the setting tls.key_file",
    "url": "it is the option --url of leasebook call, or QIANFAN_CONSOLE_API_BASE_URL",
    "access_key": "it is the option --access-key of leasebook call, or QIANFAN_ACCESS_KEY; the server's own key is "
    "LEASEBOOK_ROOT_ACCESS_KEY",
    "secret_key": "it is the option --secret-key of leasebook call, or QIANFAN_SECRET_KEY; the server's own key is "
    "LEASEBOOK_ROOT_SECRET_KEY",
}
"""By the name that the setting would have: the option to use instead."""


def option_for(name: str) -> str | None:
    """Return the option for an expected setting's name (dots or underscores), or None if there is none."""
    return OPTIONS.get(name.lower().replace(".", "_").replace("-", "_").removeprefix("server_"))
