"""The pages that links lead to: small, whole in themselves, and without a script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

HTML: Final = b"text/html; charset=utf-8"
_STYLE: Final = """\
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fff; --page: #eef1f5; --line: #d9dfe7;
  --deed: #1457b8; --on-deed: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #9aa6b5; --paper: #1a212b; --page: #10151c;
  --line: #313b48; --deed: #6aa5ff; --on-deed: #0c1422 } }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { max-width: 34rem; margin: 6vh auto 0; padding: 1.5rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: .75rem; overflow-wrap: anywhere }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.3 }
p { margin: .5rem 0 }
dl { margin: 1rem 0; border-top: 1px solid var(--line) }
dl div { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .5rem 0; border-bottom: 1px solid var(--line) }
dt { flex: 0 0 8rem; color: var(--soft) }
dd { flex: 1 1 12rem; margin: 0 }
button { width: 100%; min-height: 3rem; margin-top: .75rem; border: 0; border-radius: .5rem; font: inherit;
  font-weight: 600; background: var(--deed); color: var(--on-deed); cursor: pointer }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px }
small { display: block; margin-top: 1rem; color: var(--soft) }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'".encode(),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Browsers may not cache, frame or index a page or send its address to other sites. It has no scripts, one form."""


class Form(NamedTuple):
    """The button that does it; ``attempt`` makes pressing it twice the same as once."""

    button: str
    attempt: str
    amount: int | None = None
    """The price on the page, in micro-units. The form sends it back, so that no other price is charged."""


class Sheet(NamedTuple):
    """The content of a page: a title, sentences, named values, and perhaps a button."""

    status: int
    title: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    form: Form | None = None
    note: str = ""


def written(sheet: Sheet) -> bytes:
    """Write a page."""
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in sheet.facts)
    parts = [f"<p>{escape(sentence)}</p>" for sentence in sheet.sentences]
    if facts:
        parts.append(f"<dl>{facts}</dl>")
    if sheet.form is not None:
        # Without an action it goes to the page's own address, whatever a proxy has put before it.
        amount = sheet.form.amount
        shown = "" if amount is None else f'<input type="hidden" name="amount" value="{amount}">'
        parts.append(
            f'<form method="post"><input type="hidden" name="attempt" value="{escape(sheet.form.attempt)}">{shown}'
            f"<button>{escape(sheet.form.button)}</button></form>"
        )
    if sheet.note:
        parts.append(f"<small>{escape(sheet.note)}</small>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex, nofollow">\n'
        f"<title>{escape(sheet.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(sheet.title)}</h1>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    ).encode()
