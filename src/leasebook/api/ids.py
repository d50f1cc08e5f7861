"""New ids: the dice are thrown here, so that no rule has to."""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import Iterator
from typing import Final

from leasebook.domain.model.service_key import KeyText, key_text

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE36 = string.digits + string.ascii_lowercase


class _Digits:
    """Throws 32 hexadecimal digits at a time, and asks the kernel for those of many requests at once."""

    def __init__(self) -> None:
        self._ready: Iterator[str] = iter(())

    def forget(self) -> None:
        """Forget the digits, which the process that was forked from uses as well."""
        self._ready = iter(())

    def draw(self) -> str:
        """Return the next 32 digits; none of them is used twice, also where several threads draw."""
        # One step of an iterator is atomic. Two threads that find it at its end each get digits of their own.
        found = next(self._ready, None)
        if found is None:
            text = secrets.token_hex(4096)
            ready = iter([text[begin : begin + 32] for begin in range(0, len(text), 32)])
            found = next(ready)
            self._ready = ready
        return found


_DIGITS: Final = _Digits()


def _throw(alphabet: str, length: int) -> str:
    """Return random characters, 16 at most, out of one throw of the dice."""
    # With 32 bits to spare no character is likelier than another by more than one part in four billion.
    size = len(alphabet)
    # The rest of a division by all there are is small, and small numbers are divided much faster.
    number = int(_DIGITS.draw()[: (6 * length + 32) // 4], 16) % size**length
    characters = []
    for _ in range(length):
        number, index = divmod(number, size)
        characters.append(alphabet[index])
    return "".join(characters)


class IdRun:
    """Random ids in runs: consecutive ids share their first characters; each run has new ones.

    Rows that are written together are then neighbours in every index by id: a batch of 60 purchases changes a few
    pages of it instead of 60. Two ids are no likelier to be equal than fully random ones: within a run no id repeats.
    A run begins with its first id and not before, and never goes on in a process that was forked meanwhile.
    """

    def __init__(self, alphabet: str, common: int, length: int, size: int) -> None:
        self._alphabet = alphabet
        self._common = common
        self._rest = length - common
        self._size = size
        self._run: tuple[str, set[str]] | None = None

    def forget(self) -> None:
        """Forget the run, whose ids the process that was forked from draws as well."""
        self._run = None

    def _begun(self) -> tuple[str, set[str]]:
        return _throw(self._alphabet, self._common), set()

    def draw(self) -> str:
        """Return the next one. Several threads may draw: at worst a run ends early."""
        run = self._run
        if run is None or len(run[1]) >= self._size:
            run = self._run = self._begun()
        begin, taken = run
        while (rest := _throw(self._alphabet, self._rest)) in taken:
            pass
        taken.add(rest)
        return begin + rest


UNIT_COMMON: Final = 3
UNIT_RUN: Final = 256
_UNITS = IdRun(_BASE62, UNIT_COMMON, 8, UNIT_RUN)


def _forget() -> None:
    _UNITS.forget()
    _DIGITS.forget()


os.register_at_fork(after_in_child=_forget)


def unit_id() -> str:
    """Return ``unit-`` and eight base62 characters (decision 7), in runs."""
    return "unit-" + _UNITS.draw()


def quota_id() -> str:
    """Return ``tpm-`` and eight base62 characters, as the documents show them."""
    return "tpm-" + _throw(_BASE62, 8)


def package_id() -> str:
    """Return ``pkg-`` and twelve lower-case letters and digits."""
    return "pkg-" + _throw(_BASE36, 12)


def service_id() -> str:
    """Return ``svco-`` and twelve lower-case letters and digits, as the documents show them."""
    return "svco-" + _throw(_BASE36, 12)


def project_id() -> str:
    """Return ``prj-`` and twelve lower-case letters and digits."""
    return "prj-" + _throw(_BASE36, 12)


def uuid4_text() -> str:
    """Return a random UUID (version 4) as text, for a request: every request has one, and the library takes 3 us."""
    text = _DIGITS.draw()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def hex_id() -> str:
    """Return 32 lower-case hex characters: orders, accounts, users."""
    return _DIGITS.draw()


def hook_id() -> str:
    """Return ``sub-`` and twelve lower-case letters and digits: subscriptions."""
    return "sub-" + _throw(_BASE36, 12)


def model_set_id() -> str:
    """Return ``am-`` and twelve lower-case letters and digits, as the documents show them."""
    return "am-" + _throw(_BASE36, 12)


def model_id() -> str:
    """Return ``amv-`` and twelve lower-case letters and digits, as the documents show them."""
    return "amv-" + _throw(_BASE36, 12)


def service_key() -> KeyText:
    """Return a key for calling services, with ``key-`` and twelve lower-case letters and digits as its id."""
    key_id = "key-" + _throw(_BASE36, 12)
    return KeyText(key_id, key_text(key_id, secrets.token_urlsafe(32)))
