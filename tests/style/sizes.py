"""How much one class and one folder hold.

An attribute is counted as mutable if a method assigns or deletes it after the object was built, if ``__init__`` gives
it an empty container to be filled later, or if it is a field of a struct or dataclass that is not frozen. Private
methods that only ``__init__`` calls belong to building; coroutines and those that it hands to a thread or a callback
do not. Wiring, which ``__init__`` sets and nothing sets again, is not counted.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from tests.style.repository import nodes, of

METHODS = (ast.FunctionDef, ast.AsyncFunctionDef)
CONTAINERS = frozenset({"dict", "list", "set", "deque", "defaultdict", "OrderedDict", "Counter", "bytearray", "array"})


def called(node: ast.expr) -> str:
    """The last part of a name, or of the name that a call calls."""
    match node:
        case ast.Call(func=func):
            return called(func)
        case ast.Subscript(value=value):
            return called(value)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def is_container(value: ast.expr | None) -> bool:
    """Whether a value is a container that is made to be filled."""
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Call(args=[] | [ast.Name()]):
            return called(value) in CONTAINERS
    return False


def is_record(node: ast.ClassDef) -> bool:
    """Whether the fields of a class stand in its body, and can be assigned from outside."""
    options = [*node.keywords]
    record = any(called(base) == "Struct" for base in node.bases)
    for decorator in node.decorator_list:
        if called(decorator) == "dataclass":
            record = True
            options += decorator.keywords if isinstance(decorator, ast.Call) else []
    frozen = any(option.arg == "frozen" and getattr(option.value, "value", False) is True for option in options)
    return record and not frozen


def own(node: ast.AST) -> Iterator[ast.Attribute]:
    """Every ``self.x`` in a piece of code."""
    for found in ast.walk(node):
        if isinstance(found, ast.Attribute) and isinstance(found.value, ast.Name) and found.value.id == "self":
            yield found


def handed_over(node: ast.AST) -> set[str]:
    """Every ``x`` of a ``self.x`` in a piece of code that is not called there."""
    called_here = {id(found.func) for found in ast.walk(node) if isinstance(found, ast.Call)}
    return {found.attr for found in own(node) if id(found) not in called_here}


def stored(node: ast.AST) -> set[str]:
    """The attributes of ``self`` that a piece of code assigns or deletes."""
    return {found.attr for found in own(node) if isinstance(found.ctx, ast.Store | ast.Del)}


def containers(building: ast.AST) -> set[str]:
    """The attributes that are containers to be filled."""
    found: set[str] = set()
    for node in ast.walk(building):
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_container(node.value):
            found |= {
                name
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                for name in stored(target)
            }
    return found


def mutable(node: ast.ClassDef) -> set[str]:
    """The mutable attributes of a class."""
    methods = {member.name: member for member in node.body if isinstance(member, METHODS)}
    calls = {name: {found.attr for found in own(method)} for name, method in methods.items()}
    later = {name for method in methods.values() for name in handed_over(method)}
    building = {"__init__", "__post_init__", "__new__"} & methods.keys()
    for name, method in methods.items():
        if not name.startswith("_") or name in later or isinstance(method, ast.AsyncFunctionDef):
            continue
        users = {other for other, used in calls.items() if name in used and other != name}
        if users and users <= building:
            building.add(name)
    found: set[str] = set()
    for name, method in methods.items():
        found |= containers(method) if name in building else stored(method)
    if is_record(node):
        found |= {
            member.target.id
            for member in node.body
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)
        }
    return found


def mutable_attributes_of(name: str, text: str) -> Iterator[tuple[str, int]]:
    """The classes of a module, and how many mutable attributes each has."""
    for node in nodes(text):
        if isinstance(node, ast.ClassDef):
            yield f"{name}: {node.name}", len(mutable(node))


def mutable_attributes() -> Mapping[str, int]:
    """The same of all code."""
    return dict(found for name, text in of(".py").items() for found in mutable_attributes_of(name, text))


def folders_of(names: Iterator[str]) -> Mapping[str, int]:
    """How many files each folder holds. A package's own ``__init__.py`` is not counted."""
    paths = (PurePosixPath(name) for name in names)
    return Counter(str(path.parent) for path in paths if path.name != "__init__.py")


def crowded_folders() -> Mapping[str, int]:
    """The same of ``src``. The folder of migrations has one file for each step for ever, and is not counted."""
    return folders_of(name for name in of("", "src/") if "/migrations/versions/" not in name)
