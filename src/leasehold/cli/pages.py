"""The pages that are generated from the code."""

from __future__ import annotations

from leasehold.settings import settings_page


def pages() -> dict[str, str]:
    """Return every generated page by its name under docs/."""
    return {"operating/settings.md": settings_page()}
