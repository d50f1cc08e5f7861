"""Removes possible secrets from requests before they go to the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from leasebook.domain.record.audit_log import BODY_MAX

REDACTED: Final = "[redacted]"
READ_MAX: Final = 64 * 1024
"""A longer body that may hold a secret is not read for it, but left out."""
# The first letter apart: half the time, and every body is looked through.
_HINTS: Final = re.compile(
    rb"[spacmbeu](?:ecret|assw|assphrase|uthorization|redential|rivate|aster|ce-auth|earer|pi_?key|nv[\"']|rl[\"']"
    rb"|ommand|rguments)|(?<!client)(?<!client_)token[\"']|@|://|\\u"
)
_SECRET: Final = re.compile(
    r"secret|passw|passphrase|authorization|credential|private|master|bearer|api_?key|(?<!client)(?<!client_)token\Z",
    re.IGNORECASE,
)
_VALUES: Final = frozenset({"env", "environment", "arguments"})
"""Keys of what a replica is run with: names stay, and every value goes, since each may be a password."""
_WORDS: Final = frozenset({"command", "url"})
"""Keys whose values are shown in part."""
_PLAIN: Final = (
    *(inspect.NoneType, inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.StrType),
    *(inspect.LiteralType, inspect.DecimalType),
)
"""Types whose values have no keys."""
_KEYS: Final = re.compile(rb'"([^"\\]*)"\s*:')
_SIGNATURE: Final = re.compile(r"bce-auth-v\d+(?:/|%2F)[^\s\"'&]+", re.IGNORECASE)
_URL_ENDS: Final = re.compile(r"[\s\"'<>]")
_NAME_BEGINS: Final = (" ", "\t", "\n", "\r", '"', "'", "<", ">", ":", "/", ",", ";", "[", "]")
"""A mail address begins right after the last of these."""


def shown_body(
    body: bytes, *, well_formed: bool = False, shape: type[msgspec.Struct] | None = None, whole: bool = True
) -> str:
    """Return a body without secrets, cut at BODY_MAX characters. ``well_formed`` JSON is searched faster.

    ``shape`` is the type as which the body was decoded, ``whole`` unless keys were passed over. Then only the fields of
    the contract are judged by their names, and not the keys of maps that the caller fills, such as tags and budgets by
    tag: the tag ``env`` is no replica's environment.

    These are removed: the values of fields whose names suggest a secret; the values of a replica's environment and
    arguments, and the words of its command after the first; signatures; everything after the host in a webhook's
    address; user and query of other URLs; and all but the first letter of the name in a mail address. A body that may
    hold a secret and is no JSON is left out as a whole, since a fragment may contain a whole secret.
    """
    if not body:
        return ""
    if _may_tell(body, shape if whole else None) if well_formed else _HINTS.search(body.lower()):
        return _redacted(body, None if shape is None else inspect.type_info(shape))[:BODY_MAX]
    return body[: 4 * BODY_MAX].decode("utf-8", "replace")[:BODY_MAX]


def _may_tell(body: bytes, shape: type[msgspec.Struct] | None) -> bool:
    """Whether a JSON text may hold a secret: by its keys, and by what a value must have in it to be shortened."""
    if b"\\" in body or b"@" in body or b"://" in body or b"bce-auth" in body:
        return True
    return (shape is None or _shape_may_tell(shape)) and any(map(_key_tells, _KEYS.findall(body)))


@cache
def _shape_may_tell(shape: type[msgspec.Struct]) -> bool:
    """Whether a field of a shape suggests a secret, or may hold objects that the contract does not describe."""
    return any(key is None or _key_tells(key.encode()) for key in _keys_of(inspect.type_info(shape)))


def _keys_of(kind: inspect.Type) -> Iterator[str | None]:
    """Yield the fields that a value of a type may have, at any depth; None: also others, which no type describes."""
    match kind:
        case inspect.StructType():
            if not kind.forbid_unknown_fields:
                yield None
            for field in kind.fields:
                yield field.encode_name
                yield from _keys_of(field.type)
        case inspect.UnionType():
            for one in kind.types:
                yield from _keys_of(one)
        case inspect.Metadata():
            yield from _keys_of(kind.type)
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from _keys_of(inner)
        case _ if not isinstance(kind, _PLAIN):
            yield None


@lru_cache(maxsize=4096)
def _key_tells(key: bytes) -> bool:
    name = key.decode("utf-8", "replace").lower()
    return _SECRET.search(name) is not None or name in _VALUES or name in _WORDS


def shown_text(text: str) -> str:
    """Return a text without signatures, without the users and queries of URLs, and without names in mail addresses.

    In time that grows as the text does: strangers choose it.
    """
    if "bce-auth" in text:
        text = _SIGNATURE.sub(REDACTED, text)
    if "://" in text:
        first, *rest = text.split("://")
        text = "://".join([first, *map(_shown_rest, rest)])
    if "@" in text:
        *before, last = text.split("@")
        text = "@".join([*map(_shown_name, before), last])
    return text


def _shown_rest(text: str) -> str:
    """Take user and query out of what follows ``://``, up to the end of the URL."""
    end = _URL_ENDS.search(text)
    rest, after = (text, "") if end is None else (text[: end.start()], text[end.start() :])
    plain, question, _ = rest.partition("?")
    # An @ after a slash may be the end of a password that holds one.
    _, user, plain = plain.rpartition("@")
    return f"{REDACTED + user if user else ''}{plain}{question + REDACTED if question else ''}{after}"


def _shown_name(text: str) -> str:
    """Shorten the name of a mail address to its first letter; ``text`` is everything before the ``@``."""
    begin = max(text.rfind(mark) for mark in _NAME_BEGINS) + 1
    return text if len(text) - begin <= 1 else f"{text[: begin + 1]}…"


def _redacted(body: bytes, kind: inspect.Type | None) -> str:
    if len(body) > READ_MAX:
        return f"[{len(body)} bytes, left out: they may hold a secret]"
    try:
        return msgspec.json.encode(_clean(msgspec.json.decode(body), kind)).decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return f"[{len(body)} bytes that are no JSON, left out: they may hold a secret]"


def _clean(value: Any, kind: inspect.Type | None) -> Any:
    """Return a JSON value without secrets. ``kind`` is its type by the contract; None: no type describes it."""
    if isinstance(value, dict):
        of = _kind_among(kind, inspect.StructType, inspect.DictType)
        if isinstance(of, inspect.DictType) and not isinstance(of.value_type, inspect.AnyType):
            return {shown_text(key): _clean(one, of.value_type) for key, one in value.items()}
        fields = {field.encode_name: field.type for field in of.fields} if isinstance(of, inspect.StructType) else {}
        return {shown_text(key): _of_key(key, one, fields.get(key)) for key, one in value.items()}
    if isinstance(value, list):
        listed = _kind_among(kind, inspect.ListType)
        return [_clean(one, listed.item_type if isinstance(listed, inspect.ListType) else None) for one in value]
    return shown_text(value) if isinstance(value, str) else value


def _kind_among(kind: inspect.Type | None, *forms: type[inspect.Type]) -> inspect.Type | None:
    """Return the one type of these forms that a value of a type may have; None: there is none, or several."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        found = [one for one in (_kind_among(one, *forms) for one in kind.types) if one is not None]
        return found[0] if len(found) == 1 else None
    return kind if isinstance(kind, forms) else None


def _of_key(key: str, value: Any, kind: inspect.Type | None) -> Any:
    name = key.lower()
    if _SECRET.search(name):
        return REDACTED
    if name in _VALUES:
        return dict.fromkeys(value, REDACTED) if isinstance(value, dict) else REDACTED
    if name == "command":
        is_words = isinstance(value, list) and value and isinstance(value[0], str)
        return [shown_text(value[0]), *([REDACTED] * (len(value) - 1))] if is_words else REDACTED
    if name == "url" and isinstance(value, str):
        # Many receivers authenticate the sender by the path alone.
        scheme, mark, rest = value.partition("://")
        return f"{shown_text(scheme)}{mark}{_host(rest)}/{REDACTED}" if mark else REDACTED
    return _clean(value, kind)


def _host(rest: str) -> str:
    return re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
