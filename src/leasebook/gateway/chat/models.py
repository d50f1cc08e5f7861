"""GET /v2/models: the services that a key opens, as clients of the OpenAI API list models."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

import msgspec

from leasebook.contract import errors as e
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import Key
from leasebook.domain.values.calendar import SECOND_US
from leasebook.gateway.chat.names import Names
from leasebook.gateway.chat.paths import MODELS
from leasebook.gateway.fault import Fault
from leasebook.ports.queries.read_repository import Reader, ReadRepository, ServiceFilter

PAGE: Final = 1000


class ListedModel(msgspec.Struct, rename={"service_id": "serviceId"}):
    """A service, as the OpenAI API shows a model. ``id`` is good as ``model``: the urlSuffix if it is the service's."""

    id: str
    created: int
    owned_by: str
    service_id: str
    name: str
    object: str = "model"


def _services(ask: ReadRepository, account_id: str) -> list[Service]:
    found: list[Service] = []
    after: int | None = None
    wanted = ServiceFilter(account_id=account_id)
    while page := ask.services(wanted, after=after, limit=PAGE, reverse=False):
        found += [one.row for one in page]
        after = page[-1].seq
    return found


def listed(services: list[Service], key: Key) -> list[ListedModel]:
    """Return the services that the key opens, oldest first. A suffix that several have names none of them."""
    opened = [service for service in services if key.opens(service.id)]
    counts: dict[str, int] = {}
    for service in opened:
        counts[service.url_suffix] = counts.get(service.url_suffix, 0) + 1
    return [
        ListedModel(
            id=service.url_suffix if counts[service.url_suffix] == 1 else service.id,
            created=service.created_at // SECOND_US,
            owned_by=service.account_id,
            service_id=service.id,
            name=service.name,
        )
        for service in opened
    ]


async def answer_of(reader: Reader, names: Names, key: Key, method: str, own: bytes) -> bytes:
    """Return the list, or the one model that the path names. Raises Fault."""
    if method not in ("GET", "HEAD"):
        raise Fault(e.INVALID_HTTP_REQUEST, f"{own.decode('latin-1')} is called with GET.")
    if own == MODELS:
        found = listed(await reader.read(lambda ask: _services(ask, key.account_id), party=key.account_id), key)
        body: Any = {"object": "list", "data": found}
    else:
        service_id = await names.find(key, unquote(own[len(MODELS) + 1 :].decode("latin-1")))
        service = await reader.read(lambda ask: ask.service(service_id))
        if service is None or service.deleted_at is not None:
            raise Fault(e.SERVICE_NOT_FOUND, f"There is no service {service_id!r} here. GET /v2/models lists yours.")
        (body,) = listed([service], key)
    return msgspec.json.encode(body)
