"""GET /v2/models: the services that a key opens, as clients of the OpenAI API list models."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from leasebook.contract import errors as e
from leasebook.contract.routes.chat import ListedModel, ModelList
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import Key
from leasebook.domain.values.calendar import SECOND_US
from leasebook.gateway.chat.names import Names
from leasebook.gateway.chat.paths import MODELS
from leasebook.gateway.fault import Fault
from leasebook.ports.queries.read_repository import Reader, ReadRepository, ServiceFilter

PAGE: Final = 1000


def _services(ask: ReadRepository, account_id: str) -> list[Service]:
    found: list[Service] = []
    after: int | None = None
    wanted = ServiceFilter(account_id=account_id)
    while page := ask.services(wanted, after=after, limit=PAGE, reverse=False):
        found += [one.row for one in page]
        after = page[-1].seq
    return found


def listed(services: list[Service], key: Key) -> list[ListedModel]:
    """Return the services that the key opens, of all that it sees of its account, oldest first.

    A service is listed by its suffix if that names it (``Names.find``), else by its id. A suffix that several services
    have names none of them, and one that is the id of another service names that one, whether or not the key opens it.
    """
    services = [service for service in services if key.sees(service.project_id)]
    ids = {service.id for service in services}
    opened = [service for service in services if key.opens(service.id)]
    counts = Counter(service.url_suffix for service in opened)
    return [
        _shown(service, by_suffix=counts[service.url_suffix] == 1 and service.url_suffix not in ids)
        for service in opened
    ]


def _shown(service: Service, *, by_suffix: bool) -> ListedModel:
    return ListedModel(
        id=service.url_suffix if by_suffix else service.id,
        created=service.created_at // SECOND_US,
        owned_by=service.account_id,
        service_id=service.id,
        name=service.name,
        object="model",
    )


async def _is_named_by_suffix(names: Names, key: Key, service: Service) -> bool:
    try:
        return await names.find(key, service.url_suffix) == service.id
    except Fault:
        return False


async def answer_of(reader: Reader, names: Names, key: Key, method: str, own: bytes) -> bytes:
    """Return the list, or the one model that the path names. Raises Fault."""
    if method not in ("GET", "HEAD"):
        raise Fault(e.INVALID_HTTP_REQUEST, f"{own.decode('latin-1')} is called with GET.")
    if own == MODELS:
        found = listed(await reader.read(lambda ask: _services(ask, key.account_id), party=key.account_id), key)
        body: Any = ModelList(object="list", data=found)
    else:
        service_id = await names.find(key, unquote(own[len(MODELS) + 1 :].decode("latin-1")))
        service = await reader.read(lambda ask: ask.service(service_id))
        if service is None or service.deleted_at is not None:
            raise Fault(e.SERVICE_NOT_FOUND, f"There is no service {service_id!r} here. GET /v2/models lists yours.")
        body = _shown(service, by_suffix=await _is_named_by_suffix(names, key, service))
    return msgspec.json.encode(body)
