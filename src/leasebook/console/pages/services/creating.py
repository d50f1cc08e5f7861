"""The form that creates a service: on an instance that there is, on units bought now, or without any."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.auth.identity import not_permitted
from leasebook.api.fault import Fault, bad_field
from leasebook.console.desk import Desk
from leasebook.console.frame import choices
from leasebook.console.frame.words import marked
from leasebook.console.pages.buy.purchase import Filled, billing_of, quote_values, quoted, sold_to, whole
from leasebook.console.pages.units.bulk import tags_of
from leasebook.console.pages.units.listing import AT_ONCE, projects
from leasebook.contract import errors as e
from leasebook.contract.action import MODEL, SERVICE, UNITS
from leasebook.contract.actions import TABLE

PURPOSES: Final = {
    "chat": marked("Chat"),
    "completions": marked("Completions"),
    "text2image": marked("Text to image"),
    "image2text": marked("Image to text"),
}
PLACES: Final = ("instance", "buy", "none")
SETS_MAX: Final = 100
"""Sets of models whose versions the form lists, the newest first; a link may fill in any other."""
SUFFIX_MAX: Final = 64
CONFLICT: Final = 409
FIELDS: Final = (
    *("name", "suffix", "model", "purpose", "where", "instance", "size", "replicas", "offering", "timing", "months"),
    *("auto", "choice", "at", "tags", "project", "once"),
)


class NewService(msgspec.Struct, frozen=True, kw_only=True):
    """The form as it was filled in: a text for each field. ``model`` is the set and its version."""

    name: str = ""
    suffix: str = ""
    model: str = ""
    purpose: str = "chat"
    where: str = ""
    instance: str = ""
    size: str = "1"
    replicas: str = "1"
    offering: str = ""
    timing: str = "Postpaid"
    months: str = "1"
    auto: str = ""
    choice: str = "none"
    at: str = ""
    tags: str = ""
    project: str = ""
    once: str = ""

    @property
    def address(self) -> str:
        """The end of its address: the one that was typed, or what the name makes."""
        made = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:SUFFIX_MAX].strip("-")
        return self.suffix or made


class Place(msgspec.Struct, frozen=True):
    """An instance that replicas could run on, and how many of its units are free."""

    instance_id: str
    name: str
    type: str
    region: str
    free: int


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """The lists of the form: the versions by set, the instances with free units, and the offerings."""

    versions: Mapping[str, Mapping[str, str]]
    places: list[Place]
    sold: list[Any]
    may_buy: bool


async def new(desk: Desk) -> Response:
    """Show the form, to those who may send it; a link may fill in fields."""
    if not desk.can(SERVICE, "CreateService"):
        raise Fault(e.ACCESS_DENIED, not_permitted(desk.identity, TABLE[SERVICE, "CreateService"]))
    given = {name: desk.asked(name) for name in FIELDS if desk.asked(name)}
    return await _form(desk, NewService(**given))


async def check(desk: Desk) -> Response:
    """Show what it would cost and take, and the verdicts: beside the form, or with it without a script."""
    filled = _filled(desk)
    if not desk.is_fragment:
        return await _form(desk, filled)
    return desk.page("services/new/part.html", **await _verdict(desk, filled, await _offered(desk)))


async def create(desk: Desk) -> Response:
    """Create it; where units are bought with it, once the reader has confirmed the price."""
    filled = _filled(desk)
    try:
        body = _body(desk, filled)
        if filled.where == "buy" and (asked := await _sure(desk, filled)) is not None:
            return asked
        made = await desk.do(SERVICE, "CreateService", body, client_token=filled.once or None)
    except Fault as fault:
        return await _form(desk, filled, fault)
    return desk.go(f"/services/{made.service_id}", done="made")


async def _sure(desk: Desk, filled: NewService) -> Response | None:
    """Ask whether to buy at the price of now; None: the reader has confirmed that price.

    A form that was sent before is asked about again where the price has changed since. It keeps what makes it that
    form, and so is done once.
    """
    purchase, is_sure = _purchase(desk, filled), desk.field("sure") == "1"
    found, fault = await quoted(desk, purchase)
    has_changed = is_sure and found is not None and desk.field("shown") != found.price_per_unit
    if is_sure and not has_changed:
        return None
    if found is None or not found.passed:
        return await _form(desk, filled, fault, status=CONFLICT)
    values = quote_values(desk, purchase, found, None)
    fields = {name: getattr(filled, name) for name in FIELDS if name != "once"}
    # The time is kept that was shown, not the choice of a time.
    fields |= {"choice": "at" if values["release"] else "none", "at": values["release"] or ""}
    values |= {"new": filled, "fields": fields, "names": await projects(desk), "has_changed": has_changed}
    return desk.page("services/new/sure.html", CONFLICT if has_changed else 200, **values)


def _filled(desk: Desk) -> NewService:
    return NewService(**{name: desk.field(name) for name in FIELDS if name in desk.fields})


async def _form(desk: Desk, filled: NewService, fault: Fault | None = None, *, status: int = 200) -> Response:
    offered = await _offered(desk)
    if filled.where not in PLACES:
        where = "instance" if offered.places else "buy" if offered.may_buy and offered.sold else "none"
        filled = msgspec.structs.replace(filled, where=where)
    if not filled.offering and offered.sold:
        filled = msgspec.structs.replace(filled, offering=f"{offered.sold[0].region}/{offered.sold[0].type}")
    return desk.page(
        "services/new/form.html",
        status if fault is None else fault.error.status,
        **await _verdict(desk, filled, offered),
        offered=offered,
        projects=await projects(desk),
        choices=choices.CHOICES,
        purposes=PURPOSES,
        refused_by=fault,
    )


async def _verdict(desk: Desk, filled: NewService, offered: Offered) -> dict[str, Any]:
    """Return what the part beside the form shows."""
    values: dict[str, Any] = {"new": filled, "place": None, "takes": None}
    try:
        count = _count(desk, filled)
    except Fault as fault:
        return values | quote_values(desk, Filled(), None, fault)
    if filled.where == "buy":
        purchase = _purchase(desk, filled)
        return values | quote_values(desk, purchase, *await quoted(desk, purchase)) | {"takes": count}
    place = next((one for one in offered.places if one.instance_id == filled.instance), None)
    if filled.where == "instance" and place is None and offered.places:
        place = offered.places[0]
    shown = place if filled.where == "instance" else None
    return values | quote_values(desk, Filled(), None, None) | {"place": shown, "takes": count}


def _count(desk: Desk, filled: NewService) -> int:
    size = whole(desk, filled.size, desk.gettext("Units a replica"))
    return size * whole(desk, filled.replicas, desk.gettext("Replicas"))


def _purchase(desk: Desk, filled: NewService) -> Filled:
    """Return the purchase of the units that a service's replicas take."""
    return Filled(
        offering=filled.offering,
        count=str(_count(desk, filled)),
        timing=filled.timing,
        months=filled.months,
        auto=filled.auto,
        choice=filled.choice,
        at=filled.at,
        tags=filled.tags,
        project=filled.project,
    )


def _body(desk: Desk, filled: NewService) -> dict[str, Any]:
    """Return the body of CreateService; raises Fault where a field has no value that could be sent."""
    set_id, _, version = filled.model.partition("/")
    if not version:
        raise bad_field("model", desk.gettext("Choose a version of a model."))
    if not filled.address:
        raise bad_field("suffix", desk.gettext("Give the end of its address: small letters, digits, - and _."))
    tags = tags_of(filled.tags)
    body: dict[str, Any] = {
        "name": filled.name,
        "urlSuffix": filled.address,
        "modelSetId": set_id,
        "modelId": version,
        "serviceType": filled.purpose,
        **({"tags": tags} if tags else {}),
        **({"projectId": filled.project} if filled.project not in ("", "default") else {}),
    }
    size = whole(desk, filled.size, desk.gettext("Units a replica"))
    if filled.where == "instance":
        if not filled.instance:
            raise bad_field("instance", desk.gettext("Choose an instance with free units, or buy some."))
        replicas = whole(desk, filled.replicas, desk.gettext("Replicas"))
        place = {"instanceId": filled.instance, "deploymentReplicasCount": replicas}
        config = {"deploymentComputeUnitList": [place], "replicaComputeUnitCount": size}
        return body | {"deploymentConfig": config}
    region, _, kind = filled.offering.partition("/")
    if not kind:
        raise bad_field("offering", desk.gettext("Choose a type."))
    resource: dict[str, Any] = {"type": f"{kind.upper()}-{size}"}
    if filled.where != "buy":
        return body | {"resourceConfig": resource}
    resource |= {"region": region, "replicasCount": whole(desk, filled.replicas, desk.gettext("Replicas"))}
    return body | {"resourceConfig": resource, "billing": billing_of(desk, _purchase(desk, filled))}


async def _offered(desk: Desk) -> Offered:
    asked = {"maxKeys": SETS_MAX, "pageReverse": True}
    sets, _ = await desk.try_to(MODEL, "DescribeModelSets", asked)
    units, _ = await desk.try_to(UNITS, "DescribeComputeUnits", {"status": "Running", "maxKeys": AT_ONCE})
    return Offered(
        versions={}
        if sets is None
        else {
            one.model_set_name: {
                f"{one.model_set_id}/{model_id}": number
                for model_id, number in zip(one.model_ids, one.model_names, strict=True)
            }
            for one in sets.model_set_list
            if one.model_ids
        },
        places=[
            Place(one.instance_id, one.name or "", one.type, one.region, free)
            for one in (() if units is None else units.compute_unit_instance_list)
            if (free := one.total_compute_units - one.used_compute_units) > 0
        ][:SETS_MAX],
        sold=(await sold_to(desk))[0],
        may_buy=desk.can(UNITS, "PurchaseComputeUnit"),
    )
