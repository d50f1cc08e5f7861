"""The fidelity page: every field of the documented actions, and whether a page, a client or nothing public has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from leasebook.contract.action import Action
from leasebook.contract.actions import TABLE
from leasebook.contract.documented import DOCUMENTED
from leasebook.contract.openapi import schemas
from leasebook.contract.openapi.parts import named
from leasebook.docsgen.published import PublishedCall, clients, corpus, member

DOCUMENTED_FIELD: Final = "documented"
CLIENT_FIELD: Final = "seen in a client"
OUR_FIELD: Final = "decided by us"

_INTRODUCTION: Final = """\
# Fidelity

This page is generated from `src/leasebook/docsgen/published` and `src/leasebook/contract`; change it there. It lists
every field of the documented actions and says how we know it:

- **documented**: a public page has it. Of most pages only the beginning could be read, so a field near the end of a
  page may be documented too and be listed as something else here.
- **seen in a client**: an official client or its own tests send or read it.
- **decided by us**: no public source has it, and [decisions](../decisions.md) gives the reason where there is one.
  Fields with which this service extends a documented action are also listed so.

A field is in *request* or *result*. The column *here* says whether this service has it. Every call behind this page is
sent to this service in tests, without a client and with each of these, and the keys and types of its answer are
compared:
"""


class ContractField(NamedTuple):
    """A field of a shape of the contract: its place, its possible types, and whether it is always there."""

    place: str
    kinds: frozenset[str]
    is_required: bool

    def has(self, kind: str) -> bool:
        """Return whether a value of this type may be there."""
        return kind in self.kinds or (kind == "integer" and "number" in self.kinds)


class PublishedField(NamedTuple):
    """A field of the corpus: its types, and the origins that have it; both in their order."""

    kinds: dict[str, None]
    origins: dict[str, None]


def fields_of(shape: Any, shapes: Mapping[str, Any], above: str = "") -> Iterator[ContractField]:
    """Return every field of a shape, inner ones too, by its place: ``instances[].status``."""
    if not hasattr(shape, "__struct_fields__") and not isinstance(shape, str):
        return
    schema = shapes[shape if isinstance(shape, str) else named(shape)]
    for name, value in schema["properties"].items():
        place = f"{above}{name}"
        yield ContractField(place, frozenset(_kinds(value)), name in schema.get("required", ()))
        for inner, is_list in _inner(value):
            yield from fields_of(inner, shapes, f"{place}[]." if is_list else f"{place}.")


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    match schema:
        case {"anyOf": options}:
            for option in options:
                yield from _kinds(option)
        case {"$ref": _}:
            yield "object"
        case {"enum": values}:
            yield "integer" if isinstance(values[0], int) else "string"
        case {"type": "array"}:
            yield "list"
        case {"type": str() as name} if name != "null":
            yield name


def _inner(schema: Mapping[str, Any], *, is_list: bool = False) -> Iterator[tuple[str, bool]]:
    """Return the shapes inside a field, and whether they are in a list."""
    match schema:
        case {"anyOf": options}:
            for option in options:
                yield from _inner(option, is_list=is_list)
        case {"$ref": reference}:
            yield reference.rpartition("/")[2], is_list
        case {"type": "array", "items": items}:
            yield from _inner(items, is_list=True)


def fidelity_page() -> str:
    """Return the page."""
    shapes = schemas()
    listed = "\n".join(
        line
        for client in clients()
        for line in (
            f"- {client.language}: `{client.package}` {client.version}",
            *(f"  - {note}" for note in client.notes),
        )
    )
    actions = [
        (pages.path, name, calls, _fields(TABLE.get((pages.path, name)), calls, shapes))
        for pages in corpus()
        for name, calls in _by_action(pages.calls).items()
    ]
    missing = [line for path, name, _, rows in actions for line in _missing(path, name, rows)]
    sections = [_section(path, name, calls, rows) for path, name, calls, rows in actions]
    head = "## Published, and not here\n"
    return "\n".join([_INTRODUCTION, f"{listed}\n", head, *(missing or ["Nothing."]), "", *sections, _other_names()])


def _by_action(calls: Iterable[PublishedCall]) -> Mapping[str, list[PublishedCall]]:
    found: dict[str, list[PublishedCall]] = {}
    for call in calls:
        found.setdefault(call.action, []).append(call)
    return found


def _fields(row: Action | None, calls: Iterable[PublishedCall], shapes: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of an action's table."""
    parts = {} if row is None else {"request": row.request, "result": row.result}
    return [
        cells
        for part in ("request", "result")
        for cells in _rows(
            part,
            _published(calls, part),
            {one.place: one for one in fields_of(parts[part], shapes)} if parts else {},
        )
    ]


def _missing(path: str, name: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Say in one line which published fields of an action are not here, or not with every published type."""
    if (path, name) not in TABLE:
        yield f"- {name} at `{path}`"
        return
    places = [f"{place} ({part})" for place, part, _, _, here in rows if here != "yes"]
    if places:
        yield f"- {name} at `{path}`: {', '.join(places)}"


def _section(path: str, name: str, calls: list[PublishedCall], rows: Iterable[tuple[str, ...]]) -> str:
    parts = [f"## {name} at {path}\n", f"{_sources(calls)}\n"]
    if (path, name) not in TABLE:
        parts.append("This service does not have the action.\n")
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    if lines:
        head = "| Field | In | Type | Known as | Here |\n|---|---|---|---|---|"
        parts.append("\n".join([head, *lines]) + "\n")
    if calls[0].result == "boolean":
        parts.append("The result is `true`.\n")
    notes = [f"- {note}" for call in calls for note in _notes(call)]
    return "\n".join([*parts, *(["\n".join(dict.fromkeys(notes)) + "\n"] if notes else [])])


def _sources(calls: Iterable[PublishedCall]) -> str:
    dates: dict[str, date | None] = {address: None for call in calls for address in call.addresses}
    dates |= {call.addresses[0]: call.dated for call in calls if call.dated}
    if not dates:
        return "No page was found. The Python client has a function for it."
    pages = (f"[page]({address}){f' of {dated}' if dated else ''}" for address, dated in dates.items())
    return f"Source: {', '.join(pages)}."


def _published(calls: Iterable[PublishedCall], part: str) -> Mapping[str, PublishedField]:
    """Return the types and the origins of each field of all these calls. Ours is no origin beside another."""
    found: dict[str, PublishedField] = {}
    origins = (DOCUMENTED_FIELD, CLIENT_FIELD, OUR_FIELD)
    for call in calls:
        of_call = (call.request, call.seen_request, {}) if part == "request" else (call.answer, call.seen, call.decided)
        for origin, places in zip(origins, of_call, strict=True):
            for place, words in places.items():
                if not place.endswith("[]"):
                    field = found.setdefault(place, PublishedField({}, {}))
                    field.kinds[member(words).kind] = None
                    field.origins[origin] = None
    for field in found.values():
        if len(field.origins) > 1:
            field.origins.pop(OUR_FIELD, None)
    return found


def _rows(
    part: str, published: Mapping[str, PublishedField], ours: Mapping[str, ContractField]
) -> Iterator[tuple[str, ...]]:
    for place, field in published.items():
        known = ", ".join(sorted(field.origins))
        yield f"`{place}`", part, " or ".join(field.kinds), known, _here(field, ours.get(place))
    for place, of_contract in ours.items():
        if place not in published and place != "clientToken":
            yield f"`{place}`", part, " or ".join(sorted(of_contract.kinds)), OUR_FIELD, "yes"


def _here(field: PublishedField, ours: ContractField | None) -> str:
    if ours is None:
        return "no"
    return "yes" if all(ours.has(kind) for kind in field.kinds) else f"as {' or '.join(sorted(ours.kinds))}"


def _notes(call: PublishedCall) -> Iterator[str]:
    if call.refused_with:
        yield f"This service refuses the call with `{call.refused_with}`: {call.refused_because}"
    for place, reason in call.changed.items():
        yield f"The sample does not work as it is published, because of `{place}`: {reason}"
    for place, reason in call.stricter.items():
        yield f"This service requires `{place}`: {reason}"
    for policy, reason in call.refuses.items():
        yield f"The page also names `{policy}`, with which this service refuses the call: {reason}"


def _other_names() -> str:
    known = [(pages.path, call.action) for pages in corpus() for call in pages.calls]
    first = {TABLE[pair].operation: pair for pair in reversed(known) if pair in TABLE}
    rest = [
        f"- `{name}` at `{path}` does the same as `{first[action.operation][1]}` at `{first[action.operation][0]}`."
        for path, name in sorted(DOCUMENTED.difference(known))
        if (action := TABLE.get((path, name))) is not None and action.operation in first
    ]
    return "\n".join(
        ["## Other names of the same actions\n", *(rest or ["There are none."]), "", "All other actions are ours.\n"]
    )
