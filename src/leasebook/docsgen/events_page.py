"""The page of event types, written from the table of types and the shapes of their data."""

from __future__ import annotations

import json
from typing import Any, Final

from leasebook.domain.record.event import TYPES
from leasebook.domain.record.event_shape import FIELDS, SHAPES
from leasebook.domain.record.identity_event import IAM_TYPES

_PAGE: Final = """\
# Event types

This page is generated from `src/leasebook/domain/record/event.py` and `src/leasebook/domain/record/event_shape.py`;
change it there. [Events](../operating/events.md) says how they are listed and followed, and
[notifications](../operating/notifications.md) how they are sent.

A list of types may name a type, a group such as `unit.*`, or `*` for all; types that later versions add are then in it.
Types never change their meaning; new ones are added, and data gets further fields.

Every event has the fields of [CloudEvents](https://cloudevents.io) 1.0. `data` also has `userId`, the user who asked
for the change, unless it happened by itself, and `userName`, that user's name, unless the user is of another account.
The data of an event of an instance has `instanceName` if the instance has a name. Names are those of the moment in
which the event is shown or sent. If an operator changed an instance for its owner, `operatorReason` is the
reason. The examples show `data` with the fields that are always there.

| Type | When | Whose |
|---|---|---|
"""

SUBJECTS: Final = {
    True: "The subject is the instance.",
    False: "It has no subject.",
    None: "The subject is the instance; it has none if it is about something else.",
}


def events_page() -> str:
    """Return the page of all event types, as Markdown."""
    rows = "\n".join(
        f"| [`{kind}`](#{_anchor(kind)}) | {meaning} | {SHAPES[kind].whose} |" for kind, meaning in TYPES.items()
    )
    return f"{_PAGE}{rows}\n\n" + "\n".join(_section(kind, meaning) for kind, meaning in TYPES.items())


def _anchor(kind: str) -> str:
    return kind.replace(".", "").lower()


def _section(kind: str, meaning: str) -> str:
    shape = SHAPES[kind]
    about = SUBJECTS[shape.on_unit]
    seen = " Only managers of the account and operators see it." if kind in IAM_TYPES else ""
    example = json.dumps(_example(kind), ensure_ascii=False, indent=2)
    fields = "\n".join(
        [f"| `{name}` | always | {_meaning(name)} |" for name in shape.always]
        + [f"| `{name}` | sometimes | {_meaning(name)} |" for name in shape.sometimes]
    )
    return f"""\
## {kind}

{meaning} Whose: {shape.whose}. {about}{seen}

| Field of `data` | There | Meaning |
|---|---|---|
{fields}

```json
{example}
```
"""


def _meaning(name: str) -> str:
    return "The links to keep and to release it, for those who may." if name == "links" else FIELDS[name][0]


def _example(kind: str) -> dict[str, Any]:
    shape = SHAPES[kind]
    return {
        "specversion": "1.0",
        "id": "179599042506200001-0",
        "source": "/v2/account/00112233445566778899aabbccddeeff",
        "type": kind,
        **({"subject": "unit-xxx"} if shape.on_unit else {}),
        "time": "2026-11-30T08:00:00+08:00",
        "datacontenttype": "application/json",
        "data": shape.data(),
    }
