"""Signing a machine in: the command line shows a code, and a person confirms it in the console (RFC 8628).

The machine gets an access key of that person's user. No secret is typed, and none is shown.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx2

from leasebook.client.caller import Keys
from leasebook.client.errors import LeasebookError, UnexpectedAnswer
from leasebook.client.transport import TIMEOUT_S, no_answer

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
CODES: Final = "/console/device/code"
KEYS: Final = "/console/device/token"
SLOWER_S: Final = 5.0
"""How much longer the machine waits between two questions once it asked too often, in seconds."""
MACHINE_MAX: Final = 64
OK: Final = 200


class DeviceRefused(LeasebookError):
    """The person refused, the code lapsed, or the service makes no key; the text says which and what to do."""


class DeviceCode(NamedTuple):
    """A code to confirm. ``user_code`` is compared by the person at ``address``; ``whole`` has the code in it."""

    user_code: str
    address: str
    whole: str
    lapses_in_s: int


def log_in(
    url: str,
    show: Callable[[DeviceCode], None],
    *,
    machine: str | None = None,
    sleep: Callable[[float], None] | None = None,
    timeout: float = TIMEOUT_S,
) -> Keys:
    """Sign this machine in at a service; returns the key of the user who confirmed.

    ``show`` shows the code to the person. ``machine`` is the name of the key, by default the machine's own; at most 64
    characters. Waits until the person has decided. Raises DeviceRefused, NoAnswer and UnexpectedAnswer.
    """
    base, name = url.rstrip("/"), (machine or platform.node() or "a machine")[:MACHINE_MAX]
    with httpx2.Client(timeout=timeout) as http:
        status, begun = _asked(http, base + CODES, {"machine": name})
        if status != OK:
            raise _refused(begun)
        try:
            code = DeviceCode(
                str(begun["user_code"]),
                str(begun["verification_uri"]),
                str(begun["verification_uri_complete"]),
                int(begun["expires_in"]),
            )
            pause, asked = float(begun["interval"]), {"grant_type": GRANT, "device_code": str(begun["device_code"])}
        except (KeyError, TypeError, ValueError):
            raise UnexpectedAnswer(f"{base}{CODES} gives no code.", status=status, body=str(begun)) from None
        show(code)
        while True:
            (sleep or time.sleep)(pause)
            status, answer = _asked(http, base + KEYS, asked)
            if status == OK:
                return _keys(base, answer)
            if answer.get("error") == "slow_down":
                pause += SLOWER_S
            elif answer.get("error") != "authorization_pending":
                raise _refused(answer)


def _asked(http: httpx2.Client, url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    try:
        answer = http.post(url, data=form)
    except httpx2.HTTPError as error:
        raise no_answer(url, error) from None
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict) or (answer.status_code != OK and "error" not in found):
        raise UnexpectedAnswer(
            f"{url} has no codes for machines; the service may have no console. Sign in with a key.",
            status=answer.status_code,
            body=answer.text[:1000],
        )
    return answer.status_code, found


def _keys(base: str, answer: Mapping[str, Any]) -> Keys:
    key, secret = answer.get("access_key_id"), answer.get("secret_access_key")
    if not isinstance(key, str) or not isinstance(secret, str):
        raise UnexpectedAnswer(f"{base}{KEYS} gives no key.", status=OK, body="")
    return Keys(base, key, secret)


def _refused(answer: Mapping[str, Any]) -> DeviceRefused:
    return DeviceRefused(str(answer.get("error_description") or answer.get("error") or "The service refused."))
