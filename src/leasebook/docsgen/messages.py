"""The messages of refusals and errors, as texts of a catalogue: what a person reads who asked for something.

They are made by code, with values in them, and most in layers that know no language. So their texts are read from the
sources, with the values as numbers: ``f"{name} has {count} units."`` is ``{1} has {2} units.``. Where a message is
shown, ``leasebook.translations.messages`` finds the text that it was made of.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from leasebook.config.fields import DECLARED
from leasebook.config.kinds import Kind, Span, Whole
from leasebook.translations.messages import PART, WORDS_MIN

MESSAGES: Final = PART
"""The name of the part."""
EVERY_TEXT: Final = (
    *("api/auth/bearer_tokens.py", "api/auth/callers.py", "api/auth/identity.py", "api/auth/rate_limit.py"),
    *(
        "api/body/decoding.py",
        "api/handlers/account/events.py",
        "api/handlers/instance/explain.py",
        "api/presenters/billing.py",
        "api/streams/events.py",
    ),
    *(
        "addressing",
        "domain/cards.py",
        "domain/commands",
        "domain/model",
        "domain/rules",
        "domain/replicas/trust.py",
        "domain/replicas/unrun.py",
    ),
    *("domain/record/event_pattern.py", "domain/record/notice.py", "domain/record/signature.py", "domain/values"),
    *("contract/allowed_values.py", "contract/nearest.py", "contract/proofs.py", "contract/signing.py"),
    *("contract/unknown.py", "client", "config/command_line.py", "config/kinds.py", "config/load.py", "security"),
    *("server/bootstrap.py", "server/engine_homes.py", "server/listening.py", "server/transport/tls.py"),
    *("store/newer.py", "store/revisions.py", "store/sqlite/damage.py", "store/sqlite/missing.py"),
)
"""Files and folders below the package: every text in them, apart from docstrings, may be in a message."""
RAISED: Final = (
    *("api", "batch", "config/sections/openid.py", "domain/replicas/planner.py", "gateway/fault.py", "notifications"),
    *("server", "store"),
)
"""Files and folders with other texts, too: those are in a message that are raised, or given to ``MAKERS``."""
LEFT_OUT: Final = (
    *("api/links", "api/health.py", "client/methods", "client/shapes", "domain/commands/service/examples.py"),
    *("domain/commands/store/demo.py", "server/transport/exchange.py", "server/transport/websocket_scope.py"),
    *("store/postgres/arrays.py", "store/rows", "store/verify"),
)
"""Files and folders in them whose texts appear neither on the command line nor at the console, or have a page."""
MAKERS: Final = frozenset(
    {
        *("BadStore", "Fault", "GiveUp", "Outcome", "Refusal", "SignatureRefused", "Unavailable", "Verdict"),
        *("bad_field", "verdicts_of"),
    }
)
"""Functions whose arguments are messages, wherever they are called."""
NO_MESSAGES: Final = frozenset({"Move", "compile", "critical", "debug", "error", "exception", "info", "warning"})
"""Functions whose arguments are no messages: patterns, lines of the log, rows of a page."""
NUMBERED: Final = frozenset({"are", "counted", "were"})
"""Functions of ``domain/values/wording.py``, which put a verb after a number and its noun."""
VERBS: Final = {"are": (" is", " are"), "counted": ("", ""), "were": (" was", " were")}
OF_DECODER: Final = (
    *("Expected {1}", "Expected {1}, got {2}", "Expected {1} >= {2}", "Expected {1} <= {2}", "Expected {1} > {2}"),
    *("Expected {1} of length >= {2}", "Expected {1} of length <= {2}", "Expected {1} of length {2}"),
    *("Expected {1} of at least length {2}", "Invalid UUID", "Invalid RFC3339 encoded datetime"),
    *("Integer value out of range", "Number out of range", "Invalid UTF-8 characters"),
)
"""Messages of the library that reads bodies, without its quotes."""
ALONE: Final = (
    *("array", "bool", "bytes", "days", "float", "hours", "int", "minute", "minutes", "month", "null", "number"),
    *("object", "projects", "seconds", "services", "str", "subscriptions", "users"),
)
"""Words that stand as values in messages."""
VALUE: Final = re.compile(r"\{\d+\}")
_SQL: Final = re.compile(r"\s*(ALTER|CREATE|DELETE|INSERT|ORDER BY|SELECT|UNION|UPDATE|VALUES|WITH) ")
_WORD: Final = re.compile(r"[A-Za-z]{2,}")
_LETTER: Final = re.compile(r"[A-Za-z]")


@cache
def message_texts(package: Path) -> frozenset[str]:
    """Return the texts of messages; ``package`` is the folder of the sources, which are read once: it takes seconds."""
    return frozenset(_all_texts(package))


def _all_texts(package: Path) -> Iterator[str]:
    for place in EVERY_TEXT:
        for path in _files(package, place):
            yield from _texts(path, every=True)
    for place in RAISED:
        for path in _files(package, place):
            if not any(path.is_relative_to(package / one) for one in EVERY_TEXT):
                yield from _texts(path, every=False)
    yield from OF_DECODER
    yield from ALONE
    bounded = tuple(_begin(one) for one in (Whole(0, 1, "X"), Span(0, 1, "X")))
    allowed = (declared.kind.allowed for declared in DECLARED.values())
    yield from (one for one in allowed if is_known_again(one) and not one.startswith(bounded))


def _begin(kind: Kind) -> str:
    """Return the beginning of the allowed values of a setting with bounds, which are values of one text."""
    return kind.allowed.partition("X")[0]


def _files(package: Path, place: str) -> Iterator[Path]:
    at = package / place
    for path in [at] if at.is_file() else sorted(at.rglob("*.py")):
        if not any(path.is_relative_to(package / one) for one in LEFT_OUT):
            yield path


def _texts(path: Path, *, every: bool) -> Iterator[str]:
    found = Found(every=every)
    found.visit(ast.parse(path.read_text(encoding="utf-8")))
    for text in found.texts:
        if is_known_again(text):
            yield text


def is_known_again(text: str) -> bool:
    """Return whether a text is found again in a message: it is a sentence or a phrase, not only values and a mark."""
    fixed = VALUE.sub("\0", text)
    if " " not in fixed.strip() or _LETTER.search(fixed) is None or _SQL.match(fixed):
        return False
    return len(_WORD.findall(fixed)) >= (1 if fixed.count("\0") <= WORDS_MIN else WORDS_MIN)


class Found(ast.NodeVisitor):
    """Collects the texts of a module, values as numbers."""

    def __init__(self, *, every: bool) -> None:
        self.texts: list[str] = []
        self._takes = every
        self._every = every

    def visit_Raise(self, node: ast.Raise) -> None:
        """Take the texts of an error."""
        self.within(node, takes=True)

    def visit_Call(self, node: ast.Call) -> None:
        """Take the texts of messages, and none of patterns and of the log."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in NO_MESSAGES:
            return
        if name in NUMBERED and self._takes:
            self.texts += _numbered(name, node)
        self.within(node, takes=self._takes or name in MAKERS)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Take what a name holds whose text is a sentence: it is raised elsewhere."""
        self.within(node, takes=self._every or _is_sentence(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Take what a name holds whose text is a sentence; the annotation is none."""
        if node.value is not None:
            self.within(node.value, takes=self._every or _is_sentence(node.value), itself=True)

    def visit_Return(self, node: ast.Return) -> None:
        """Take a sentence that a function returns."""
        self.within(node, takes=self._every or (node.value is not None and _is_sentence(node.value)))

    def visit_Yield(self, node: ast.Yield) -> None:
        """Take a sentence that a function yields."""
        self.within(node, takes=self._every or (node.value is not None and _is_sentence(node.value)))

    def visit_Expr(self, node: ast.Expr) -> None:
        """Pass over docstrings."""
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Take a text with values, and the texts in its values."""
        if self._takes:
            self.texts.append(template(node))
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Take a text."""
        if self._takes and isinstance(node.value, str):
            self.texts.append(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Pass over the names of types, and keys."""
        self.visit(node.value)

    def within(self, node: ast.AST, *, takes: bool, itself: bool = False) -> None:
        """Visit the parts of a node, and take their texts or not."""
        before, self._takes = self._takes, takes
        if itself:
            self.visit(node)
        else:
            self.generic_visit(node)
        self._takes = before


def template(node: ast.JoinedStr) -> str:
    """Return a text with values, which are numbers in the order of the text."""
    pieces, number = [], 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            pieces.append(str(value.value))
        else:
            number += 1
            pieces.append(f"{{{number}}}")
    return "".join(pieces)


def _is_sentence(node: ast.expr) -> bool:
    """Whether an expression is a text that begins and ends as a sentence does."""
    match node:
        case ast.JoinedStr():
            text = VALUE.sub("X", template(node))
        case ast.Constant(value=str(text)):
            pass
        case _:
            return False
    return bool(re.fullmatch(r"[A-Z`'].*[.?]", text, re.DOTALL)) and " " in text


def _numbered(name: str, node: ast.Call) -> Iterator[str]:
    """Yield what a number with its noun is, for one and for several."""
    match node.args:
        case [_, ast.Constant(value=str(noun)), ast.Constant(value=str(several_of_it))] if name == "counted":
            plural, more = several_of_it, list[ast.expr]()
        case [_, ast.Constant(value=str(noun)), *more]:
            plural = f"{noun}s"
        case _:
            return
    what = ""
    if name != "counted" and more:
        match more[0]:
            case ast.JoinedStr():
                what = " " + VALUE.sub("{2}", template(more[0]))
            case ast.Constant(value=str(text)):
                what = f" {text}"
    one, several = VERBS[name]
    yield f"1 {noun}{what.replace('{2}', '{1}')}{one}"
    yield f"{{1}} {plural}{what}{several}"
