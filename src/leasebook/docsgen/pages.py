"""The pages that are generated from the code."""

from __future__ import annotations

from typing import Final

from leasebook import __version__
from leasebook.contract import openapi
from leasebook.docsgen.catalogues import catalogues
from leasebook.docsgen.client_modules import formatted, modules
from leasebook.docsgen.events_page import events_page
from leasebook.docsgen.fidelity import fidelity_page
from leasebook.docsgen.grafana import board
from leasebook.docsgen.policies_page import policies_page
from leasebook.docsgen.reference import errors_page, metrics_page, reference_page, states_page
from leasebook.docsgen.settings_page import settings_page

CLIENT: Final = "src/leasebook/client"
TRANSLATIONS: Final = "src/leasebook/translations"


def generated() -> dict[str, bytes]:
    """Return every generated page, module and catalogue by its path in the project."""
    shaped = formatted(modules())
    return {
        **{f"docs/{name}": text.encode() for name, text in pages().items()},
        **{f"{CLIENT}/{name}": text.encode() for name, text in shaped.items()},
        **{f"{TRANSLATIONS}/{name}": content for name, content in catalogues().items()},
    }


def pages() -> dict[str, str]:
    """Return every generated page by its name under docs/."""
    return {
        "api/errors.md": errors_page(),
        "api/events.md": events_page(),
        "api/fidelity.md": fidelity_page(),
        "api/openapi.json": openapi.text(__version__),
        "api/policies.md": policies_page(),
        "api/reference.md": reference_page(),
        "api/states.md": states_page(),
        "operating/grafana/leasebook.json": board(),
        "operating/metrics.md": metrics_page(),
        "operating/settings.md": settings_page(),
    }
