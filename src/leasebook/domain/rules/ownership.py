"""Ownership: another account's instance or service gets the same refusal as one that does not exist (decision 20)."""

from __future__ import annotations

from typing import TypeVar

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES, MODEL_SETS, MODELS, PROJECTS, SERVICES
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet, is_seen
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, OfferingKind
from leasebook.domain.model.resource.project import Project, public_project
from leasebook.domain.model.service import Service
from leasebook.domain.values.refusal import DENIED, NO_INSTANCE, NO_RESOURCE, NO_SERVICE, WRONG_STATE, Refusal

T = TypeVar("T", ModelSet, Model)


def no_instance(unit_id: str) -> Refusal:
    """Return the refusal (NO_INSTANCE) for an instance that the caller does not have."""
    return Refusal(
        NO_INSTANCE,
        f"There is no such instance {unit_id[:64]!r} here. DescribeComputeUnits (/v2/computeunit) and "
        "DescribeTPMResource (/v2/charge) list yours.",
        field="instanceId",
    )


def no_service(service_id: str) -> Refusal:
    """Return the refusal (NO_SERVICE) for a service that the caller does not have."""
    return Refusal(
        NO_SERVICE,
        f"There is no service {service_id[:64]!r} here. DescribeServices (/v2/service) lists yours.",
        field="serviceId",
    )


def require_instance(
    draft: Draft,
    account_id: str,
    unit_id: str,
    service_id: str | None = None,
    *,
    kind: OfferingKind | None = UNITS_OF_COMPUTE,
) -> Instance:
    """Return an instance as the command left it; raises Refusal unless ``owned_instance`` finds it the account's."""
    return owned_instance(draft.get(INSTANCES, unit_id), account_id, unit_id, service_id, kind=kind)


def owned_instance(
    unit: Instance | None,
    account_id: str,
    unit_id: str,
    service_id: str | None = None,
    *,
    kind: OfferingKind | None = UNITS_OF_COMPUTE,
) -> Instance:
    """Return the row found under an id, if it is the account's; raises Refusal (NO_INSTANCE).

    It must be of ``kind`` (None: any), and serve ``service_id`` if that is given.
    """
    if (
        unit is None
        or unit.account_id != account_id
        or kind not in (None, unit.kind)
        or not (service_id is None or unit.serves(service_id))
    ):
        raise no_instance(unit_id)
    return unit


def own_service(draft: Draft, account_id: str, service_id: str) -> Service:
    """Return the account's service; raises Refusal (NO_SERVICE)."""
    service = draft.get(SERVICES, service_id)
    if service is None or service.account_id != account_id or service.deleted_at is not None:
        raise no_service(service_id)
    return service


def no_project(project_id: str, field: str = "projectId") -> Refusal:
    """Return the refusal (NO_RESOURCE) for a project that the caller does not have."""
    return Refusal(
        NO_RESOURCE,
        f"There is no project {project_id[:64]!r} here. DescribeProjects (/v2/project) lists yours.",
        field=field,
    )


def own_project(draft: Draft, account_id: str, project_id: str, field: str = "projectId") -> Project:
    """Return the account's project; raises Refusal: there is none (NO_RESOURCE), or it is closed (WRONG_STATE)."""
    project = draft.get(PROJECTS, project_id)
    if project is None or project.account_id != account_id:
        raise no_project(project_id, field)
    if project.status == "Closed":
        raise Refusal(
            WRONG_STATE,
            f"The project {project.id} ({project.name}) is closed, and stays closed. CreateProject (/v2/project) makes "
            "another one.",
            field=field,
        )
    return project


def require_project(draft: Draft, account_id: str, project_id: str | None) -> None:
    """Raise Refusal unless something may come into the project (``own_project``); the default one (None) takes all.

    Not of a caller whose policy is for other projects.
    """
    if draft.within is not None and public_project(project_id) not in draft.within:
        raise no_project(public_project(project_id))
    if project_id is not None:
        own_project(draft, account_id, project_id)


def no_model_set(set_id: str) -> Refusal:
    """Return the refusal (NO_RESOURCE) for a model set that the caller does not see."""
    return Refusal(
        NO_RESOURCE,
        f"There is no model set {set_id[:64]!r} here. DescribeModelSets (/v2/model) lists those that you see.",
        field="modelSetId",
    )


def no_model_set_named(name: str) -> Refusal:
    """Return the refusal (NO_RESOURCE) for a name that no model set has which the caller sees."""
    return Refusal(
        NO_RESOURCE,
        f"No model set here is called {name[:64]!r}. DescribeModelSets (/v2/model) lists those that you see.",
        field="modelSetName",
    )


def no_model(model_id: str, field: str = "modelId") -> Refusal:
    """Return the refusal (NO_RESOURCE) for a model version that the caller does not see."""
    return Refusal(
        NO_RESOURCE,
        f"There is no version {model_id[:64]!r} of a model here. DescribeModelSet (/v2/model) lists those of a set.",
        field=field,
    )


def own_model_set(draft: Draft, account_id: str, set_id: str, *, operator: bool) -> ModelSet:
    """Return a set of the account, or for an operator one of all accounts; raises Refusal."""
    found = draft.get(MODEL_SETS, set_id)
    if found is None or not is_seen(found, account_id):
        raise no_model_set(set_id)
    return _changeable(found, operator=operator, field="modelSetId")


def own_model(draft: Draft, account_id: str, model_id: str, *, operator: bool) -> Model:
    """Return a version of the account, or for an operator one of all accounts; raises Refusal."""
    found = draft.get(MODELS, model_id)
    if found is None or not is_seen(found, account_id):
        raise no_model(model_id)
    return _changeable(found, operator=operator, field="modelId")


def _changeable(row: T, *, operator: bool, field: str) -> T:
    if row.account_id == EVERYBODYS and not operator:
        raise Refusal(DENIED, f"{row.id} is everybody's: only an operator changes it.", field=field)
    return row
