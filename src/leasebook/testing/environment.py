"""The variables by which clients find the service and their keys."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Final

ADDRESSES: Final = (
    "QIANFAN_CONSOLE_API_BASE_URL",  # Python, Node.js, Java
    "QIANFAN_CONSOLE_BASE_URL",  # Go
    "QIANFAN_BASE_URL",
    "QIANFAN_IAM_BASE_URL",
    "LEASEBOOK_CLIENT_URL",
)
ACCESS_KEYS: Final = ("QIANFAN_ACCESS_KEY", "LEASEBOOK_CLIENT_ACCESS_KEY")
SECRET_KEYS: Final = ("QIANFAN_SECRET_KEY", "LEASEBOOK_CLIENT_SECRET_KEY")
LOCAL: Final = "127.0.0.1"
TAKEN_AWAY: Final = ("QIANFAN_BEARER_TOKEN", "QIANFAN_AK", "QIANFAN_SK", "LEASEBOOK_CLIENT_PROFILE")
"""Variables that go before the keys, and may hold real ones."""


def variables(url: str, access_key: str, secret_key: str) -> dict[str, str]:
    """Return the variables of every client for one account; proxies are not used."""
    direct = ",".join(filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), LOCAL]))
    return {
        **dict.fromkeys(ADDRESSES, url),
        **dict.fromkeys(ACCESS_KEYS, access_key),
        **dict.fromkeys(SECRET_KEYS, secret_key),
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


_LOCK: Final = threading.Lock()
_ACTIVE: Final[list[Environment]] = []
"""The environments that are set, in the order in which they were."""


class Environment:
    """Variables that are set for a while, and then have their former values. Several may end in any order."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def set(self, wanted: Mapping[str, str]) -> None:
        """Set variables, and take away those that would go before them."""
        with _LOCK:
            self._before = {name: os.environ.get(name) for name in (*wanted, *TAKEN_AWAY)}
            for name in TAKEN_AWAY:
                os.environ.pop(name, None)
            os.environ.update(wanted)
            _ACTIVE.append(self)

    def restore(self) -> None:
        """Give all of them their former values; where a later environment holds, that one will give them."""
        with _LOCK:
            if self not in _ACTIVE:
                return
            place = _ACTIVE.index(self)
            _ACTIVE.remove(self)
            if place < len(_ACTIVE):
                _ACTIVE[place]._before.update(self._before)  # noqa: SLF001 - of the same class
                return
            for name, value in self._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
