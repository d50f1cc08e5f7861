"""How a module of this package is run on its own."""

from __future__ import annotations

import sys
from pathlib import Path


def python_running(module: str, *arguments: str) -> list[str]:
    """Return the words that run ``main`` of a module below ``leasebook.engines``.

    It runs without anybody's settings and site-packages.
    """
    root = str(Path(__file__).absolute().parents[3])
    # After the standard library, so that nothing beside this package is taken for a part of that.
    code = f"import sys; sys.path.append({root!r}); import leasebook.engines.{module} as it; it.main(*sys.argv[1:])"
    return [sys.executable, "-I", "-S", "-c", code, *arguments]
