"""The routes of the pages about services and models."""

from __future__ import annotations

from typing import Final

from leasebook.console.pages.services.creating import check, create, new
from leasebook.console.pages.services.key_deeds import delete_key, make_key
from leasebook.console.pages.services.lines import live, logs
from leasebook.console.pages.services.listing import services
from leasebook.console.pages.services.models import approve, model_set, models, version, withdraw
from leasebook.console.pages.services.service import delete, move, scale, service, start, stop
from leasebook.console.pages.services.try_it import try_it
from leasebook.console.routes import get, post

ROUTES: Final = (
    get("/services", services),
    get("/services/new", new),
    post("/services/new", create),
    post("/services/new/check", check),
    get("/services/{service}", service),
    get("/services/{service}/logs", logs),
    get("/services/{service}/logs/live", live),
    post("/services/{service}/try", try_it),
    post("/services/{service}/scale", scale),
    post("/services/{service}/move", move),
    post("/services/{service}/stop", stop),
    post("/services/{service}/start", start),
    post("/services/{service}/delete", delete),
    post("/services/{service}/keys", make_key),
    post("/services/{service}/keys/delete", delete_key),
    get("/models", models),
    get("/models/versions/{version}", version),
    post("/models/versions/{version}/approve", approve),
    post("/models/versions/{version}/withdraw", withdraw),
    get("/models/{set}", model_set),
)
