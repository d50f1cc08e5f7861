"""The reference pages as Markdown: actions, errors, statuses and metrics, read off the tables that the service uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

import msgspec
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from leasebook.contract.action import ALWAYS, WRITES, Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.errors import BEFORE_ACTIONS, ERRORS, GATEWAY, ErrorCode
from leasebook.contract.openapi import FORGETFUL, schemas
from leasebook.contract.openapi.parts import named, prose
from leasebook.contract.openapi.routes import route_schemas
from leasebook.contract.routes.chat import ROUTES, Route
from leasebook.contract.shapes import Request
from leasebook.domain.model.instance import GONE, LEGAL, MOVES, UP, InstanceStatus
from leasebook.observability.metrics import Metrics
from leasebook.observability.request_metrics import Family

PATHS: Final = (
    "/v2/computeunit",
    "/v2/serviceresources",
    "/v2/charge",
    "/v2/service",
    "/v2/account",
    "/v2/events",
    "/v2/catalog",
    "/v2/clock",
    "/v2/faults",
    "/v2/iam",
    "/v2/events",
    "/v2/notification",
    "/v2/model",
    "/v2/tag",
    "/v2/project",
    "/wenxinworkshop/modelrepo/modelVersionDetail",
)
"""The order of the page."""

NO_BREAK: Final = r"(?!\n)"
"""A part of patterns that only Python needs; the page leaves it out."""

_INTRODUCTION: Final = """\
# API reference

This page is generated from `src/leasebook/contract`; change it there. [openapi.json](openapi.json) is the same in a
form for programs, [errors.md](errors.md) lists every error, and [decisions](../decisions.md) says what this service
does where the published documents of the API leave it open. [States](states.md) shows how an instance gets from one
status to another.

## Calling

Every action is `POST <address><path>?Action=<name>` with a JSON object as its body, signed with bce-auth-v1. Paths and
names are case-sensitive. An empty body counts as `{}`, and an optional key may be null.

    leasebook call /v2/computeunit DescribeComputeUnit '{"instanceId": "unit-xxx"}'

A success is `200` with `{"requestId": …, "result": …}`. Every error has another status. Its body has `requestId`,
`code` and `message`, and the same again as `log_id`, `error_code` (a number) and `error_msg` for clients that read
those. The headers `x-bce-error-code` and `x-bce-error-message` repeat code and message, the message percent-encoded
except for printable ASCII, and with `...` at its end if it is cut after 1,024 bytes. Every answer names the request in
the header `x-bce-request-id`. A result leaves out keys without a value.

- **Unknown keys**: an action that is not in the public documents refuses an unknown key, or an unknown query parameter,
  with `InappropriateJSON`, and names the nearest known one. The documented actions ignore unknown keys, as the cloud
  does, and list them in the header `x-leasebook-ignored`: at most 20 of them, with their places (`billing.autorenew`; a
  query parameter has a question mark before it), percent-encoded outside of ASCII, and `...` at the end if there were
  more.
- **Times** are given as RFC 3339, or as `YYYY-MM-DD HH:MM:SS` in the service's zone (setting `time_zone`), and are
  returned as RFC 3339 in that zone, or in UTC with `Z` at the end (setting `time_output`).
- **Amounts** are decimal strings of at most six places, in the service's currency (setting `currency`).
- **Pages**: if a list has `nextMarker`, more rows follow; give it as `marker` to get them.
- **Client token**: `clientToken`, as a query parameter or a key of the body, of at most 64 printable ASCII characters
  without spaces, makes a write safe to repeat. The same token with the same parameters gets the first decided answer
  again, refusals for stock, balance or state included; with other parameters it gets `IdempotentParameterMismatch`. A
  token belongs to the account, and is kept for at least `tokens.keep_hours` once its request is decided. A request that
  was badly signed, not permitted, had a bad value or was `Overloaded` may be repeated as if it were new. Reads ignore
  the token, and so do the few writes that say so. Parameters are the same if they mean the same: an optional key that
  is empty, null or absent, a time or an amount in another spelling. Ignored keys do not count.
- **Digests and nonces**: `x-bce-content-sha256` (hexadecimal) and `content-md5` (base64) must match the body, signed or
  not. A signature that covers `x-bce-nonce`, 16 to 64 random letters and digits, is accepted once; the same request
  again gets `RequestReplayed`. A client that got no answer signs again, with the same client token.
- **Policies**: a caller needs one of the policies that the action names. The root user of an account has
  `QianfanFullControlAccessPolicy` in it; the first root of a store is also an operator.
"""


_ROUTES: Final = """\
## Calls without an action

These paths are called by themselves, and their answers have no envelope. Where a bearer is named it is a service key
(`CreateServiceKey`) or a token, in the header `Authorization: Bearer ...`. Errors of calls with a bearer have, beside
the keys of every error, `error` with `code`, `message` and `type`, and `id`: the clients of the OpenAI API read these.
[Call a model with an official client](../how-to/chat.md) shows programs.
"""


def reference_page() -> str:
    """Return the page of all actions."""
    shapes = schemas()
    operations = _operations()
    parts = [_INTRODUCTION, _errors_of_all(), _table_of_actions(operations)]
    parts += [_operation(rows, shapes) for rows in operations.values()]
    parts += [_ROUTES, *map(_route, ROUTES)]
    shapes |= route_schemas()
    parts += ["## Shapes\n\nObjects inside requests and results.\n"]
    parts += [_shape(name, shapes) for name in _inner(shapes)]
    return "\n".join(parts)


def errors_page() -> str:
    """Return the page of all errors."""
    rows = [
        (f"`{error.code}`", str(error.status), str(error.number), error.meaning, _answered_by(error))
        for error in ERRORS
    ]
    return f"""\
# Errors

This page is generated from `src/leasebook/contract/errors.py`; change it there. A code and its number never change
their meaning, and are never used again for another error.

People and most clients read `code`. The Go client returns only the number, which is in `error_code`. No official client
repeats a request because of one of these numbers. The Java client repeats it once because of the status 503, with which
nothing has been done.

{_grid(("Code", "HTTP status", "error_code", "Meaning", "Answered by"), rows)}"""


_STATES: Final = """\
# States of an instance

This page is generated from `src/leasebook/domain/model/instance.py`; change it there. An instance of compute units and
one of quota go through the same statuses, by the moves on this page only. Every other move is refused, and changes
nothing.
"""


def states_page() -> str:
    """Return the page of the statuses of an instance and the moves between them."""
    statuses: tuple[InstanceStatus, ...] = get_args(InstanceStatus)
    rows = [
        (
            _status(status),
            _yes(status not in GONE),
            _yes(status in UP),
            _yes((status, "Releasing") in LEGAL),
        )
        for status in statuses
    ]
    head = ("Status", "Holds units of the stock", "Replicas run and are paid for", "Can be released")
    return "\n".join([_STATES, _grid(head, rows), *(_state(status) for status in (None, *statuses))])


def _state(status: InstanceStatus | None) -> str:
    """Show where an instance can go from a status; None: where a new one begins."""
    title = "New" if status is None else status
    moves = [(_status(move.end), move.cause) for move in MOVES if move.start == status]
    if not moves:
        return f"## {title}\n\nNothing comes after it.\n"
    return f"## {title}\n\n{_grid(('To', 'Cause'), moves)}"


def _status(status: InstanceStatus) -> str:
    return f"[{status}](#{_anchor(status)})"


def _yes(answer: bool) -> str:  # noqa: FBT001 - the value itself is shown
    return "yes" if answer else "no"


def metrics_page() -> str:
    """Return the page of all metrics."""
    return f"""\
# Metrics

This page is generated from `src/leasebook/observability`; change it there. `GET /metrics` gives all of
them in Prometheus' text format, without a signature. Names and labels never change; new ones are added. Times are in
seconds; a histogram has the series `_bucket`, `_sum` and `_count`.

{_OF_STORES}
{_grid(("Metric", "Kind", "Labels", "Meaning", "Of"), Listing().rows)}"""


_OF_STORES: Final = """\
## Several servers

The last column says what a value is of. A metric of the `server` counts the work of the process that is asked:
add the servers up. A metric of the `store` is read from the books, so each server and each `leasebook work` on a store
shows the value of the whole store, and a sum over them would be a multiple of it. Take the maximum instead, which is
right with any number of servers and while some are down:

    sum without (instance) (rate(leasebook_requests_total[5m]))    # of the server
    max without (instance) (leasebook_units)                       # of the store

If Prometheus asks servers of several stores, give each store a label of its own (`labels` under `static_configs`); it
remains after `without (instance)`.

## Units, charges and budgets

`leasebook_offering_units_reserved` and `leasebook_offering_units_free` have a series for each offering of the
catalogue. The setting [`metrics.accounts`](settings.md) names up to 100 accounts for `leasebook_account_spend` and
`leasebook_account_budget`; without it no account is shown. Only accounts with limits have a counter of their charges
([limits](guard-rails.md)); the `SetGuardRails` that sets the first limit starts it with the charges of the month. The
label `account` is the account's id. `leasebook_account_info` has its name, cut after 64 characters and without line
breaks:

    # the share of the budget that is spent, by name
    max without (instance) (leasebook_account_spend / leasebook_account_budget)
      * on (account) group_left (name) max without (instance) (leasebook_account_info)

These figures are as new as the scrape. They are read from sums that the books keep, so a scrape takes as long with a
million instances as with ten. `leasebook_units` and `leasebook_replicas` are counted, once a minute and beside the
scrape: after the first one, a scrape shows the last count.

## A board for Grafana

[`grafana/leasebook.json`](grafana/leasebook.json) is a board of these metrics: the state of the servers, units and
money, calls, batches, services and replicas, events and exports, processes. In Grafana 10.4 or newer choose
*Dashboards*, *New*, *Import*, upload the file, and choose the Prometheus that asks the servers. Or have Grafana load it
at its start: put the file into a directory that a provider of dashboards names (`options: path:` in
`provisioning/dashboards/*.yaml`). The variable `Job` selects by the label that `job_name` of `scrape_configs` gives.
Every value is aggregated as described above, so the board is right with any number of servers.

## All metrics
"""


class Listing(Metrics):
    """Metrics that record the name, kind, labels and meaning of each."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str, str]] = []
        super().__init__()

    def _collected(self, collector: Collector, families: Iterable[Family]) -> None:
        for family in families:
            self._note(family.name, family.kind, family.meaning, family.labels)
        super()._collected(collector, families)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self._note(name, "counter", meaning, labels)
        return super()._counter(name, meaning, *labels)

    def _gauge(self, name: str, meaning: str, *labels: str, of_store: bool = False) -> Gauge:
        self._note(name, "gauge", meaning, labels, of_store=of_store)
        return super()._gauge(name, meaning, *labels, of_store=of_store)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self._note(name, "histogram", meaning, labels)
        return super()._histogram(name, meaning, buckets, *labels)

    def _note(self, name: str, kind: str, meaning: str, labels: Iterable[str], *, of_store: bool = False) -> None:
        self.rows.append((f"`{name}`", kind, _codes(labels) or "none", meaning, "store" if of_store else "server"))


def _operations() -> dict[str, list[Action]]:
    """Gather the names of each operation, in the order of the page, the one to use first."""
    found: dict[str, list[Action]] = {}
    for action in sorted(ACTIONS, key=lambda action: (action.legacy, PATHS.index(action.path))):
        found.setdefault(action.operation, []).append(action)
    return found


def _title(action: Action) -> str:
    return f"{action.name} at {action.path}"


def _anchor(title: str) -> str:
    """Return the fragment that a heading gets on GitHub."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def _errors_of_all() -> str:
    return f"""\
Every action can answer {_codes(error.code for error in ALWAYS)}; every write also
{_codes(error.code for error in WRITES)}. Each action lists its further errors.
"""


def _table_of_actions(operations: Mapping[str, list[Action]]) -> str:
    rows = []
    for action in sorted(ACTIONS, key=lambda action: PATHS.index(action.path)):
        main = operations[action.operation][0]
        name = f"[{action.name}](#{_anchor(_title(main))})"
        rows.append((f"`{action.path}`", name, f"{'Older name. ' if action.legacy else ''}{action.summary}"))
    return f"## Actions\n\n{_grid(('Path', 'Action', 'Summary'), rows)}"


def _operation(rows: list[Action], shapes: Mapping[str, Any]) -> str:
    main, *others = rows
    facts = [
        ("Also at", ", ".join(f"`{other.path}` as `{other.name}`{_older(other)}" for other in others)),
        ("Who may call it", _codes(sorted(main.policies)) or "anybody with a valid key"),
        ("Who may name other accounts", _codes(sorted(main.across))),
        ("Within projects", "a policy for projects permits it there" if main.for_projects else ""),
        ("Errors of its own", _codes(error.code for error in main.errors) or "none"),
        ("Client token", "ignored" if main.writes and main.operation in FORGETFUL else ""),
    ]
    listed = "\n".join(f"- {name}: {fact}." for name, fact in facts if fact)
    return f"""\
## {_title(main)}

{main.summary}{_remark(main.request, main.summary)}

{listed}

{_request(main, shapes)}
{_result(main, shapes)}
Example:

```json
{_indented(main.example)}
```

{"An event" if main.follows else "Its result"}:

```json
{_indented(main.answer)}
```
"""


def _route(route: Route) -> str:
    """Describe a path that is called without an action."""
    facts = [
        ("Authorization", "a signature of bce-auth-v1, as an action has it" if route.is_signed else "a bearer"),
        ("Errors", _codes(error.code for error in sorted(set(route.errors), key=lambda one: one.number))),
    ]
    parts = [f"### {route.method.upper()} {route.path}", route.summary]
    parts += ["\n".join(f"- {name}: {fact}." for name, fact in facts)]
    shapes = route_schemas()
    if route.query:
        parts += [
            _grid(("Parameter of the query", "Meaning"), ((f"`{one}`", said) for one, said in route.query.items()))
        ]
    if route.request is not None:
        rows = _fields(shapes[named(route.request)], "yes", "no")
        parts += [
            "Body, whose other fields the replica gets as they are:",
            _grid(("Field", "Type", "Required", "Bounds", "Meaning"), rows),
            f"Example:\n\n```json\n{_indented(route.example)}\n```",
        ]
    if route.result is not None:
        rows = _fields(shapes[named(route.result)], "always", "if any")
        parts += ["Answer:", _grid(("Field", "Type", "Present", "Bounds", "Meaning"), rows)]
    said = "An answer" if route.result is not None else "An answer of a replica"
    parts += [f"{said}:\n\n```json\n{_indented(route.answer)}\n```"]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _indented(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _older(action: Action) -> str:
    return " (older)" if action.legacy else ""


def _remark(request: type[Request], summary: str) -> str:
    """Return what the shape's docstring says beyond the summary of the action, which its first sentence repeats."""
    first, *more = (" ".join(part.split()) for part in prose(request.__doc__ or "").split("\n\n"))
    sentence, _, rest = first.partition(". ")
    if rest and f"{sentence.partition(' (')[0]}." == summary:
        first = rest
    if first != summary and (rest or ";" in first):
        more.insert(0, first)
    return "".join(f"\n\n{paragraph}" for paragraph in more)


def _request(action: Action, shapes: Mapping[str, Any]) -> str:
    rows = _fields(shapes[named(action.request)], "yes", "no", leave_out=("clientToken",))
    if not rows:
        return "Request: no parameters.\n"
    return f"Request:\n\n{_grid(('Field', 'Type', 'Required', 'Bounds', 'Meaning'), rows)}"


def _result(action: Action, shapes: Mapping[str, Any]) -> str:
    if action.result is bool:
        return "Result: `true`.\n"
    if action.downloads:
        kinds = ", ".join(f"`{media.partition(';')[0]}`" for media in action.downloads)
        return f"The answer is a file without an envelope: {kinds}.\n"
    rows = _fields(shapes[named(action.result)], "always", "if any")
    kind = "Each event of the stream" if action.follows else "Result"
    return f"{kind}:\n\n{_grid(('Field', 'Type', 'Present', 'Bounds', 'Meaning'), rows)}"


def _inner(shapes: Mapping[str, Any]) -> list[str]:
    """Return the shapes that stand inside others."""
    return sorted({name for shape in shapes.values() for name in _referred(shape)})


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from _referred(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _referred(value)


def _shape(name: str, shapes: Mapping[str, Any]) -> str:
    about = " ".join(shapes[name]["description"].split())
    rows = _fields(shapes[name], "yes", "no")
    return f"### {name}\n\n{about}\n\n{_grid(('Field', 'Type', 'Always there', 'Bounds', 'Meaning'), rows)}"


def _fields(shape: Mapping[str, Any], yes: str, no: str, *, leave_out: Iterable[str] = ()) -> list[tuple[str, ...]]:
    return [
        (
            f"`{name}`",
            _type(value),
            yes if name in shape.get("required", ()) else no,
            _bounds(value),
            value["description"],
        )
        for name, value in shape["properties"].items()
        if name not in leave_out
    ]


def _type(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"anyOf": [inner, {"type": "null"}]}:
            return _type(inner) if "default" in schema else f"{_type(inner)} or null"
        case {"anyOf": [*several, {"type": "null"}]}:
            return " or ".join(map(_type, several))
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f"[{name}](#{_anchor(name)})"
        case {"type": "array", "items": inner}:
            return f"list of {_type(inner)}"
        case {"format": "decimal"}:
            return "decimal string"
        case {"enum": [int(), *_]}:
            return "integer"
        case {"enum": _}:
            return "string"
        case {"type": name}:
            return str(name)
        case _:
            raise AssertionError(f"no words for {schema}")


def _bounds(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"anyOf": [inner, {"type": "null"}]}:
            return _bounds(inner)
        case {"anyOf": [*several, {"type": "null"}]}:
            return "; ".join(dict.fromkeys(map(_bounds, several)))
        case {"type": "array", "items": inner}:
            number = f"at most {schema['maxItems']} of them" if "maxItems" in schema else ""
            return "; ".join(part for part in (number, _bounds(inner)) if part)
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
    low, high = schema.get("minLength"), schema.get("maxLength")
    length = f"{low} to {high} characters" if low else f"at most {high} characters" if high else ""
    pattern = schema.get("pattern", "").replace(NO_BREAK, "")
    form = "" if not pattern else "no NUL" if pattern == r"^[^\x00]*$" else f"`{pattern}`"
    return ", ".join(part for part in (_range(schema), length, form) if part)


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        return f"above {schema['exclusiveMinimum']}, at most {high}"
    return "" if low is None else f"{low} to {high}"


def _answered_by(error: ErrorCode) -> str:
    if error in ALWAYS:
        return "every action"
    if error in WRITES:
        return "every write"
    if error in GATEWAY:
        return "calls of services"
    if error in BEFORE_ACTIONS:
        return "every connection, before the action is known"
    rows = [_title(main[0]) for main in _operations().values() if error in main[0].errors]
    return ", ".join(f"[{title}](reference.md#{_anchor(title)})" for title in rows) or "no action yet"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Write a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n" for cells in lines)
