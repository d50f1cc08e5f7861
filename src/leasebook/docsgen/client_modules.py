"""The modules of the Python client that are generated from the contract: shapes of values, and a method per operation.

A text is a time if its name ends like one (``_time``, ``_at``, ``since``, ``until``, or is ``time``, ``minute`` or
``now``), or its description says so. A text of a result is an amount if its name has a word of money. The examples of
the contract are compared with these rules by a test. Fields of results with a few allowed values are plain texts: a
later server may have more values.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from textwrap import fill
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from leasebook.contract import errors
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.shapes import TIME, Request

PACKAGE: Final = "leasebook.client"
HEADER: Final = '"""{about} Generated from the contract by `leasebook docs`; not to be edited."""\n\n'
WIDTH: Final = 120
_ENDS: Final = ("_time", "_at", "_since", "_until")
_WHOLE: Final = ("time", "now", "since", "until", "minute")
_MONEY: Final = frozenset(
    {"amortised", "amount", "balance", "billed", "budget", "charged", "cost", "paid", "price", "spend", "spent"}
)


class Field(NamedTuple):
    """A field of a request: its name in Python and on the wire, its type in Python, and what it means."""

    name: str
    wire: str
    type: str
    means: str
    required: bool


def operations() -> list[Action]:
    """Return one row for each operation: the first that is not an older name."""
    first: dict[str, Action] = {}
    for action in sorted(ACTIONS, key=lambda one: one.legacy):
        first.setdefault(action.operation, action)
    return list(first.values())


def modules() -> dict[str, str]:
    """Return the text of each generated module by its path under the package of the client."""
    known = _Known(operations())
    found: dict[str, str] = {}
    found |= _folders("shapes", "Shapes of values", known.shape_modules())
    found |= _folders("methods", "Methods of the clients", known.method_modules())
    for module in known.shape_modules():
        found[f"shapes/{module}.py"] = known.shapes(module)
    for module in known.method_modules():
        found[f"methods/{module}.py"] = known.methods(module)
    found["shapes/__init__.py"] = '"""Shapes of values that requests and results have."""\n'
    found["methods/__init__.py"] = known.whole()
    found["codes.py"] = _codes()
    return found


def formatted(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of modules in the form that the project's code has. Ruff is installed where code is changed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", "--line-length", str(WIDTH)]
        subprocess.run([*ruff, "--target-version", "py311", str(folder)], check=True)  # noqa: S603
        return {path: (folder / path).read_text() for path in texts}


class _Known:
    """The operations, and every shape that their requests and results have."""

    def __init__(self, rows: list[Action]) -> None:
        self._rows = rows
        self._asked = _reached(row.request for row in rows)
        self._answered = _reached(row.result for row in rows)
        self._structs = {one.__name__: one for one in (*self._answered, *self._asked) if not issubclass(one, Request)}

    def shape_modules(self) -> list[str]:
        return sorted({_module(one) for one in self._structs.values()})

    def method_modules(self) -> list[str]:
        return sorted({_module(row.request) if row.request.__name__ != "Empty" else "clock" for row in self._rows})

    def shapes(self, module: str) -> str:
        """Return the shapes of a noun."""
        mine = [one for one in self._structs.values() if _module(one) == module]
        body = "\n\n".join(self._shape(one) for one in _dependents_last(mine))
        others = {name for one in mine for name in _named(one) if _module(self._structs[name]) != module}
        return (
            HEADER.format(about=f"Shapes of values: {_last(module).replace('_', ' ')}.")
            + "from __future__ import annotations\n\n"
            + _imports(body, {name: _module(self._structs[name]) for name in others})
            + body
        )

    def _shape(self, one: type[msgspec.Struct]) -> str:
        hints = get_type_hints(one, include_extras=True)
        lines = [f"class {one.__name__}(Shape, kw_only=True):\n    {_doc(one.__doc__ or '', 4)}\n"]
        fields = msgspec.structs.fields(one)
        for field in fields:
            is_answer = one in self._answered
            text = _type(hints[field.name], field.name, is_answer=is_answer)
            default = _default(field)
            if field.encode_name != _camel(field.name):
                inner = f", default={default}" if default is not None else ""
                default = f'msgspec.field(name="{field.encode_name}"{inner})'
            means = _means(hints[field.name])
            lines.append(f"    {field.name}: {text}{'' if default is None else f' = {default}'}\n")
            if means:
                lines.append(f"    {_doc(means, 4)}\n")
        return "\n".join([lines[0], "".join(lines[1:])]) if len(lines) > 1 else lines[0]

    def methods(self, module: str) -> str:
        """Return the parameters of a noun's operations, and its methods for both kinds of client."""
        rows = [
            row
            for row in self._rows
            if (_module(row.request) if row.request.__name__ != "Empty" else "clock") == module
        ]
        names: dict[str, str] = {}
        parts: list[str] = []
        sync: list[str] = []
        awaited: list[str] = []
        for row in rows:
            rows_of = _rows_of(row)
            named = (*_named(row.request), *_named_in(row.result), *(_named_in(rows_of[1]) if rows_of else ()))
            names |= {name: _module(self._structs[name]) for name in named}
            parts.append(self._parameters(row))
            sync += self._both(row, is_async=False)
            awaited += self._both(row, is_async=True)
        title = "".join(word.capitalize() for word in _last(module).split("_"))
        body = (
            "\n\n".join(parts)
            + _class(f"{title}Methods(Caller)", "Methods of a client that waits for its answers.", "\n".join(sync))
            + _class(
                f"Async{title}Methods(AsyncCaller)",
                "Methods of a client whose answers are awaited.",
                "\n".join(awaited),
            )
        )
        return (
            HEADER.format(about=f"Methods of the clients: {_last(module).replace('_', ' ')}.")
            + "from __future__ import annotations\n\n"
            + _imports(body, names)
            + body
        )

    def _parameters(self, row: Action) -> str:
        # Reads take a client token too, and ignore it.
        fields = [field for field in _fields(row.request) if row.writes or field.name != "client_token"]
        lines = [f"class {_title(row)}(TypedDict, total=False):\n", f'    """Parameters of ``{row.operation}``."""\n']
        for field in fields:
            kind = f"Required[{field.type}]" if field.required else field.type
            lines.append(f"\n    {field.name}: {kind}\n")
            if field.means:
                lines.append(f"    {_doc(field.means, 4)}\n")
        wires = {field.name: field.wire for field in fields if field.wire != _camel(field.name)}
        more = f", names={wires!r}" if wires else ""
        result = _type(row.result, "", is_answer=True)
        follows = ", follows=True" if row.follows else ""
        if row.downloads:
            result = "bytes"
        name = f"{row.operation.upper()}: Final[ActionOf[{result}]]"
        given = f'"{row.path}", "{row.name}", {_title(row)}, {result}, writes={row.writes}{follows}{more}'
        return "".join(lines) + f"\n\n{name} = ActionOf({given})\n"

    def _method(self, row: Action, *, is_async: bool) -> str:
        result = "bytes" if row.downloads else _type(row.result, "", is_answer=True)
        call = "_follow" if row.follows else "_download" if row.downloads else "_call"
        if call != "_call":
            result = f"{'AsyncIterator' if is_async else 'Iterator'}[{result}]"
        word, wait = ("async ", "await ") if is_async and call == "_call" else ("", "")
        doc = _doc(f"{row.summary.rstrip('.')}.\n\n``{row.path}?Action={row.name}``", 8)
        return (
            f"    {word}def {row.operation}(self, **request: Unpack[{_title(row)}]) -> {result}:\n"
            f"        {doc}\n"
            f"        return {wait}self.{call}({row.operation.upper()}, request)\n"
        )

    def _both(self, row: Action, *, is_async: bool) -> list[str]:
        """Return the method of an operation, and if it has pages the one that goes over the rows of all of them."""
        rows = _rows_of(row)
        if rows is None:
            return [self._method(row, is_async=is_async)]
        name, kind = rows
        text = _type(kind, "", is_answer=True).removeprefix("list[").removesuffix("]")
        kinds = f"{'AsyncIterator' if is_async else 'Iterator'}[{text}]"
        each = row.operation.replace("describe_", "each_of_", 1)
        more = (
            f"    def {each}(self, **request: Unpack[{_title(row)}]) -> {kinds}:\n"
            f'        """Go over the rows of every page of ``{row.operation}``."""\n'
            f'        return self._each({row.operation.upper()}, request, "{name}")\n'
        )
        return [self._method(row, is_async=is_async), more]

    def whole(self) -> str:
        """Return the module that puts the methods of all nouns together."""
        modules = self.method_modules()
        titles = ["".join(word.capitalize() for word in _last(module).split("_")) for module in modules]
        lines = [
            f"from {PACKAGE}.methods.{_dotted(module)} import "
            f"{', '.join(sorted((f'{title}Methods', f'Async{title}Methods')))}\n"
            for module, title in zip(modules, titles, strict=True)
        ]
        both = "".join(
            _class(f"{kind}Methods({', '.join(f'{kind}{title}Methods' for title in titles)})", about, "")
            for kind, about in (
                ("", "Every method of a client that waits for its answers."),
                ("Async", "Every method of a client whose answers are awaited."),
            )
        )
        return (
            HEADER.format(about="All methods of the clients.")
            + "from __future__ import annotations\n\n"
            + "".join(lines)
            + both
        )


def _rows_of(row: Action) -> tuple[str, Any] | None:
    """Return the name and type of the list that the pages of an operation have; None where it has no pages.

    Of several lists it is the last, unless only the first is always there.
    """
    if not (isinstance(row.result, type) and issubclass(row.result, msgspec.Struct)):
        return None
    asked = {field.name for field in msgspec.structs.fields(row.request)}
    hints = get_type_hints(row.result, include_extras=True)
    if "marker" not in asked or "next_marker" not in hints:
        return None
    lists = [
        (name, hint)
        for name, hint in hints.items()
        if _type(hint, name, is_answer=True).startswith("list[") and _named_in(hint)
    ]
    return lists[0] if len({tuple(_named_in(hint)) for _, hint in lists}) == 1 else None


def _class(head: str, about: str, body: str) -> str:
    return f'\n\nclass {head}:\n    """{about}"""\n' + (f"\n{body}" if body else "")


def _title(row: Action) -> str:
    return "".join(word.capitalize() for word in row.operation.split("_"))


def _fields(request: type[Request]) -> list[Field]:
    hints = get_type_hints(request, include_extras=True)
    return [
        Field(
            field.name,
            field.encode_name,
            _without_unset(_type(hints[field.name], field.name, is_answer=False)),
            _means(hints[field.name]),
            field.required,
        )
        for field in msgspec.structs.fields(request)
    ]


def _module(one: type) -> str:
    """Return the place of a type's module, with the folder that it has in the contract."""
    place = one.__module__.removeprefix("leasebook.contract.").removeprefix("nouns.").replace(".", "/")
    return "parts/common" if place == "shapes" else place


def _dotted(module: str) -> str:
    return module.replace("/", ".")


def _last(module: str) -> str:
    return module.rpartition("/")[2]


def _folders(prefix: str, about: str, modules: Iterable[str]) -> dict[str, str]:
    """Return the modules of the folders that some modules are in."""
    folders = {module.rpartition("/")[0] for module in modules} - {""}
    return {f"{prefix}/{folder}/__init__.py": f'"""{about}: {folder}."""\n' for folder in sorted(folders)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _parts(of: Any) -> Iterator[Any]:
    """Yield the types in a type, without the names of their containers."""
    origin = get_origin(of)
    if origin is None:
        yield of
    elif origin is not Literal:
        for part in get_args(of):
            yield from _parts(part)


def _reached(types_: Iterable[Any]) -> dict[type[msgspec.Struct], None]:
    """Return the structs that types contain, at any depth, in the order in which they are met."""
    found: dict[type[msgspec.Struct], None] = {}

    def walk(of: Any) -> None:
        for part in _parts(of):
            if isinstance(part, type) and issubclass(part, msgspec.Struct) and part not in found:
                found[part] = None
                for hint in get_type_hints(part, include_extras=True).values():
                    walk(hint)

    for one in types_:
        walk(one)
    return found


def _named_in(of: Any) -> list[str]:
    return [part.__name__ for part in _parts(of) if isinstance(part, type) and issubclass(part, msgspec.Struct)]


def _named(one: type[msgspec.Struct]) -> list[str]:
    return [name for hint in get_type_hints(one, include_extras=True).values() for name in _named_in(hint)]


def _dependents_last(some: list[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """Return shapes so that each comes after those that it has: they are read from the top."""
    found: dict[str, type[msgspec.Struct]] = {}
    by_name = {one.__name__: one for one in some}

    def add(one: type[msgspec.Struct], above: tuple[str, ...] = ()) -> None:
        for name in _named(one):
            if name in by_name and name not in above:
                add(by_name[name], (*above, one.__name__))
        found.setdefault(one.__name__, one)

    for one in some:
        add(one)
    return list(found.values())


def _means(of: Any) -> str:
    """Return the description of a type, the outermost one first."""
    for meta in reversed(getattr(of, "__metadata__", ())):
        if isinstance(meta, msgspec.Meta) and meta.description:
            return str(meta.description)
    return ""


def _is_time(of: Any) -> bool:
    metas = [meta for meta in getattr(of, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    return any((meta.extra or {}).get("means") == TIME or "RFC 3339" in (meta.description or "") for meta in metas)


def _names_time(name: str) -> bool:
    return name in _WHOLE or name.endswith(_ENDS)


def _type(of: Any, name: str, *, is_answer: bool) -> str:  # noqa: C901
    """Write a type as Python."""
    if hasattr(of, "__metadata__"):
        if _is_time(of):
            return "datetime" if is_answer else "datetime | str"
        return _type(get_args(of)[0], name, is_answer=is_answer)
    origin = get_origin(of)
    if of is str and is_answer and not _MONEY.isdisjoint(name.split("_")):
        return "Decimal"
    if origin is Literal:
        return "str" if is_answer else f"Literal[{', '.join(repr(value) for value in get_args(of))}]".replace("'", '"')
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_type(part, name, is_answer=is_answer) for part in get_args(of)))
    if origin in (list, dict):
        *keys, last = get_args(of)
        inner = [*(_type(key, "", is_answer=is_answer) for key in keys), _type(last, name, is_answer=is_answer)]
        return f"{origin.__name__}[{', '.join(inner)}]"
    if of is str and _names_time(name):
        return "datetime" if is_answer else "datetime | str"
    if of is types.NoneType:
        return "None"
    if of is Any:
        return "Any"
    if of in (list, dict):
        return f"{of.__name__}[{'Any' if of is list else 'str, Any'}]"
    if isinstance(of, type) and (
        of in (str, int, bool, float, Decimal, msgspec.UnsetType) or issubclass(of, msgspec.Struct)
    ):
        return of.__name__
    raise TypeError(f"{name}: the client has no form for {of!r}")


def _without_unset(text: str) -> str:
    return " | ".join(part for part in text.split(" | ") if part != "UnsetType")


def _default(field: msgspec.structs.FieldInfo) -> str | None:
    if field.required:
        return None
    if field.default is msgspec.UNSET:
        return "UNSET"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"msgspec.field(default_factory={field.default_factory.__name__})"
    return repr(field.default).replace("'", '"')


def _doc(text: str, indent: int) -> str:
    """Write a docstring, with its lines as long as they may be."""
    space = " " * indent
    passages = [" ".join(passage.split()) for passage in text.strip().split("\n\n")]
    passages = [passage.replace("\\", "\\\\").replace('"""', "'''") for passage in passages if passage]
    if passages:
        passages[0] = passages[0].rstrip()
    one = passages[0] if len(passages) == 1 else None
    if one is not None and indent + len(one) + 6 <= WIDTH and not one.endswith('"'):
        return f'"""{one}"""'
    wrapped = [
        fill(passage, WIDTH - indent - 3 * (place == 0), break_long_words=False, break_on_hyphens=False).replace(
            "\n", f"\n{space}"
        )
        for place, passage in enumerate(passages)
    ]
    return '"""' + f"\n\n{space}".join(wrapped) + f'\n{space}"""'


_TYPING: Final = ("Any", "Final", "Literal", "Required", "TypedDict", "Unpack")
_IMPORTS: Final = (
    (
        (r"\bAsyncIterator\[", "from collections.abc import AsyncIterator, Iterator\n"),
        (r"\bdatetime\b", "from datetime import datetime\n"),
        (r"\bDecimal\b", "from decimal import Decimal\n"),
    ),
    (
        (r"\bmsgspec\.field\b", "import msgspec\n"),
        (r"\bUNSET\b", "from msgspec import UNSET, UnsetType\n"),
    ),
    (
        (r"\bActionOf\(", f"from {PACKAGE}.caller import ActionOf, AsyncCaller, Caller\n"),
        (r"\(Shape,", f"from {PACKAGE}.shape import Shape\n"),
    ),
)
"""The imports of generated modules, by what needs them: of the standard library, of packages, and of the client."""


def _imports(body: str, shapes: Mapping[str, str]) -> str:
    """Write the imports that a module needs."""
    code = re.sub(r'""".*?"""', "", body, flags=re.DOTALL)
    groups = [[line for pattern, line in group if re.search(pattern, code)] for group in _IMPORTS]
    typed = [name for name in _TYPING if re.search(rf"\b{name}\b", code)]
    if typed:
        groups[0].append(f"from typing import {', '.join(typed)}\n")
    by_module: dict[str, list[str]] = {}
    for name, module in sorted(shapes.items()):
        by_module.setdefault(module, []).append(name)
    groups[2] += [
        f"from {PACKAGE}.shapes.{_dotted(module)} import {', '.join(names)}\n" for module, names in by_module.items()
    ]
    groups[2].sort()
    return "\n".join("".join(group) for group in groups if group) + "\n\n"


def _about(one: errors.ErrorCode) -> str:
    """Write the docstring of an exception: the first sentence on a line of its own."""
    first, _, rest = one.meaning.rstrip(".").partition(
        ": " if len(one.meaning.partition(". ")[0]) > WIDTH - 12 else ". "
    )
    rest = f"{rest[:1].upper()}{rest[1:]}. " if rest else ""
    return _doc(f"{first}.\n\n{rest}Its status is {one.status}.", 4)


def _codes() -> str:
    """Return the module of the exceptions, one for each error code."""
    found = sorted(
        (one for one in vars(errors).values() if isinstance(one, errors.ErrorCode)), key=lambda one: one.number
    )
    classes = "".join(f"\n\nclass {one.code}(ErrorAnswer):\n    {_about(one)}\n" for one in found)
    table = "".join(f'    "{one.code}": {one.code},\n' for one in found)
    return (
        HEADER.format(about="An exception for each error code.")
        + "from __future__ import annotations\n\nfrom typing import Final\n\n"
        + f"from {PACKAGE}.errors import ErrorAnswer\n"
        + classes
        + f"\n\nBY_CODE: Final[dict[str, type[ErrorAnswer]]] = {{\n{table}}}\n"
    )
