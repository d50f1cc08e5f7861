"""Keeping secrets out of log lines."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

from leasebook.config.load import Secret

REDACTED: Final = "[redacted]"

Event = MutableMapping[str, Any]
_SECRET_KEY: Final = re.compile("secret|authorization|password|master", re.IGNORECASE)
# An Authorization header as it is, or as a query parameter; its list of signed headers may hold semicolons.
_SIGNATURE: Final = re.compile(r"""bce-auth-v1(?:/|%2F)[^\s"'&]+""", re.IGNORECASE)
# A shorter one would blank out innocent words, and is no secret worth the name.
_SECRET_LENGTH_MIN: Final = 8
_PLAIN: Final = (int, float)  # booleans are integers
_SEQUENCES: Final = (list, tuple, set, frozenset)


class Redaction:
    """Takes out secrets and leaves only plain values, so that rendering cannot bring out others."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        texts = {secret.reveal() for secret in secrets}
        # The longest first: one secret may begin another.
        self._texts = sorted((text for text in texts if len(text) >= _SECRET_LENGTH_MIN), key=len, reverse=True)

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        """Return the line without its secrets; structlog calls this for each."""
        return self._mapping(event)

    def _mapping(self, mapping: Mapping[Any, Any]) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, value in mapping.items():
            name = self._text(str(key))
            clean[name] = REDACTED if _SECRET_KEY.search(name) else self._value(value)
        return clean

    def _value(self, value: object) -> object:
        if value is None or isinstance(value, _PLAIN):
            return value
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, _SEQUENCES):
            return [self._value(item) for item in value]
        # The repr of an exception names its class, and that of bytes is one line.
        return self._text(repr(value) if isinstance(value, BaseException | bytes) else str(value))

    def _text(self, text: str) -> str:
        for secret in self._texts:
            text = text.replace(secret, REDACTED)
        return _SIGNATURE.sub(f"bce-auth-v1/{REDACTED}", text)
