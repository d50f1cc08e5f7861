"""The corpus: what the public pages and the official clients say of each action, as data.

One file for each path. tests/conformance/README.md explains the keys of a call. Tests send every call, and the
fidelity page is made of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from importlib import resources
from typing import Any, Final, Literal

import msgspec

Kind = Literal["object", "list", "string", "integer", "number", "boolean"]
Origin = Literal["sample", "table", "client"]

FILES: Final = ("computeunit", "serviceresources", "charge", "service", "modelrepo", "model")
PAGES: Final = {
    "W": "https://cloud.baidu.com/doc/WENXINWORKSHOP/s/",
    "A": "https://cloud.baidu.com/doc/qianfan-api/s/",
    "Q": "https://cloud.baidu.com/doc/qianfan/s/",
    "I": "https://ai.baidu.com/ai-doc/WENXINWORKSHOP/",
}
"""The beginnings of the addresses of pages, by the letter that the files use for them."""


class Member(msgspec.Struct, frozen=True):
    """The type of one key, whether a request needs it, and whether an answer may leave it out."""

    kind: Kind
    is_required: bool = False
    is_optional: bool = False


class PublishedCall(msgspec.Struct, frozen=True, kw_only=True, rename={"origin": "from"}, forbid_unknown_fields=True):
    """One call, with the keys of its request and of its answer by their place (``instances[].status``)."""

    name: str
    action: str
    origin: Origin
    page: str = ""
    also: tuple[str, ...] = ()
    dated: date | None = None
    client: str = ""
    result: Kind = "object"
    policies: tuple[str, ...] = ()
    refuses: Mapping[str, str] = {}
    refused_with: str = ""
    refused_because: str = ""
    changed: Mapping[str, str] = {}
    stricter: Mapping[str, str] = {}
    body: Mapping[str, Any] = {}
    request: Mapping[str, str] = {}
    seen_request: Mapping[str, str] = {}
    answer: Mapping[str, str] = {}
    seen: Mapping[str, str] = {}
    decided: Mapping[str, str] = {}

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the addresses of its pages, first the one that is dated; none if only a client has the call."""
        pages = [page.partition("/") for page in (self.page, *self.also) if page]
        return tuple(f"{PAGES[shelf]}{name}" for shelf, _, name in pages)


class Pages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The calls of one path, in the order in which they can be sent."""

    path: str
    calls: tuple[PublishedCall, ...]


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One official client, in the version that the tests install, and notes on its samples and functions."""

    language: str
    package: str
    version: str
    notes: tuple[str, ...] = ()


def corpus() -> tuple[Pages, ...]:
    """Return all calls, path by path."""
    return tuple(msgspec.convert(_read(name), Pages) for name in FILES)


def clients() -> tuple[Client, ...]:
    """Return the official clients."""
    return msgspec.convert(_read("clients")["clients"], tuple[Client, ...])


def member(text: str) -> Member:
    """Read the words about a key: ``string``, ``string required`` (in requests) or ``string?`` (in answers)."""
    kind, _, need = text.removesuffix("?").partition(" ")
    return msgspec.convert({"kind": kind, "is_required": need == "required", "is_optional": text.endswith("?")}, Member)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__name__) / f"{name}.toml").read_text("utf-8"))
