"""The QR code of an authenticator's address, as SVG inside of the page: no other request has the secret."""

from __future__ import annotations

from typing import Final

import segno
from markupsafe import Markup

QUIET: Final = 4
"""Modules of white around the code, which readers need (ISO/IEC 18004, 9.1)."""


def svg_of(address: str) -> Markup:
    """Return the QR code of an address: dark on white in both colours of the page, as readers expect it."""
    code = segno.make(address, micro=False, error="m")
    drawn = code.svg_inline(border=QUIET, omitsize=True, svgclass=None, lineclass=None, dark="#000", light="#fff")
    return Markup(drawn)  # noqa: S704 - the library writes numbers and its own names only
