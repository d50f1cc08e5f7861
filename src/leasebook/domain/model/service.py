"""A service: what its replicas run, and how many units each replica takes."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, Refusal

_RESOURCE_TYPE = re.compile(r"([A-Za-z0-9-]{1,32})-([1-9][0-9]?)", re.ASCII)
_ROMAN_CARD = re.compile(r"(?i:gpu)-(I{1,3}|IV|V|VI{0,3}|IX)", re.ASCII)
_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}
_CPU = re.compile(r"(?i:cpu)-([1-9]|I{1,3}|IV|V|VI{0,3}|IX)", re.ASCII)

RunStatus = Literal["New", "Deploying", "Serving", "Failed", "Stopped"]
ServiceType = Literal["chat", "completions", "text2image", "image2text"]


class Shape(msgspec.Struct, frozen=True):
    """The units that one replica takes, all of one type."""

    unit_type: str
    units_per_replica: int


def shape_of(resource_type: str) -> Shape:
    """Parse a resource type: ``GPU-1-2`` is two units of the type gpu-1 a replica (decision 9).

    The older spelling with Roman card classes (``GPU-I-2``) means the same, ``CPU-1-2`` means the type ``cpu``, and any
    other type of the catalogue is written like a card class: ``H100-4``. Raises Refusal (BAD_VALUE) for anything else.
    """
    match = _RESOURCE_TYPE.fullmatch(resource_type)
    if match is None:
        raise Refusal(
            BAD_VALUE,
            f"{resource_type[:64]!r} names no card class and units per replica; write for example GPU-1-2.",
            field="resourceConfig.type",
        )
    card, units = match.groups()
    if _CPU.fullmatch(card):
        return Shape("cpu", int(units))
    roman = _ROMAN_CARD.fullmatch(card)
    return Shape(f"gpu-{_ROMAN[roman[1]]}" if roman else card.lower(), int(units))


def resource_type_of(unit_type: str, units_per_replica: int) -> str:
    """Write a resource type that ``shape_of`` reads as these units."""
    card = "CPU-1" if unit_type == "cpu" else unit_type.upper()
    return f"{card}-{units_per_replica}"


class LogStore(msgspec.Struct, frozen=True):
    """Where the lines of a service's replicas go in the operator's log store.

    ``region``, ``project`` and ``name`` are words of the caller, which go with every line. ``attached_by`` is the user
    who attached it.
    """

    region: str | None
    project: str
    name: str
    attached_by: str
    attached_at: Instant


class Service(msgspec.Struct, frozen=True):
    """A service of an account.

    Its counts are derived from the instances with its replicas: ``replicas`` on instances that are up, ``deploying`` on
    instances that are being created, and the number of instances of either payment. With ``runs`` an engine runs the
    replicas, and ``ready`` of them answer requests. With a ``log_store`` the lines of its replicas are sent there.
    It belongs to the project ``project_id`` (None: the default project), and its replicas run on instances of it.
    """

    id: str
    account_id: str
    created_by: str
    name: str
    description: str
    url_suffix: str
    model_set_id: str
    model_id: str
    resource_type: str
    region: str | None
    qps: float | None
    replicas: int
    created_at: Instant
    service_type: ServiceType = "chat"
    protocol_version: int = 1
    deploying: int = 0
    prepaid_units: int = 0
    postpaid_units: int = 0
    active: bool = True
    runs: bool = False
    ready: int = 0
    deleted_at: Instant | None = None
    log_store: LogStore | None = None
    project_id: str | None = None

    @property
    def shape(self) -> Shape:
        """The units that one of its replicas takes."""
        return shape_of(self.resource_type)

    @property
    def instances(self) -> int:
        """How many instances have replicas of it, stopped ones included."""
        return self.prepaid_units + self.postpaid_units

    @property
    def run_status(self) -> RunStatus:
        """The status in the documented words. Stopped: by hand, or because all its instances are stopped.

        A service that an engine runs is Serving once one replica answers. One that is only counted is Serving once a
        replica is placed.
        """
        if not self.active:
            return "Stopped"
        if self.replicas > 0:
            return "Serving" if self.ready > 0 or not self.runs else "Deploying"
        if self.deploying > 0:
            return "Deploying"
        return "Stopped" if self.instances else "New"
