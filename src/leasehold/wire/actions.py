"""THE table: every (path, Action), what it takes and gives, who may call it, and what can go wrong.

Dispatch, the reference page, the OpenAPI document and the command line come from it. Append only: a path and
action never change their meaning.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasehold.wire import errors as e
from leasehold.wire import own_shapes as own
from leasehold.wire import policies as p
from leasehold.wire import shapes as s

ALWAYS: Final = (
    e.INVALID_HTTP_REQUEST,
    e.ENTITY_TOO_LARGE,
    e.RESOURCE_NOT_FOUND,
    e.SIGNATURE_EMPTY,
    e.INVALID_HTTP_AUTH_HEADER,
    e.INVALID_ACCESS_KEY_ID,
    e.SIGNATURE_DOES_NOT_MATCH,
    e.REQUEST_EXPIRED,
    e.ACCESS_DENIED,
    e.MALFORMED_JSON,
    e.INAPPROPRIATE_JSON,
    e.OVERLOADED,
    e.INTERNAL_ERROR,
)
"""What every action can answer."""
WRITES: Final = (e.STORE_UNAVAILABLE, e.IDEMPOTENT_PARAMETER_MISMATCH)
"""What every action that changes something can answer besides."""
BUYS: Final = (e.INSUFFICIENT_STOCK, e.INSUFFICIENT_BALANCE, e.OPERATION_NOT_SUPPORTED)
ENDS: Final = (e.INSTANCE_NOT_FOUND, e.OPERATION_NOT_SUPPORTED, e.INVALID_STATE)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    ``operation`` names what is done; rows with the same operation are the same thing under another name.
    ``result`` is the type of ``result`` in the answer. A caller needs any one of ``policies``; none are
    needed where it is empty.
    """

    path: str
    name: str
    operation: str
    request: type[s.Request]
    result: Any
    policies: p.Policies
    writes: bool
    errors: tuple[e.ErrorCode, ...] = ()
    summary: str
    legacy: bool = False

    @property
    def all_errors(self) -> tuple[e.ErrorCode, ...]:
        """Everything that it can answer instead of success."""
        return ALWAYS + (WRITES if self.writes else ()) + self.errors


RESOURCES, UNITS, CHARGE = "/v2/serviceresources", "/v2/computeunit", "/v2/charge"
SERVICE, ACCOUNT, CATALOG, CLOCK, IAM = "/v2/service", "/v2/account", "/v2/catalog", "/v2/clock", "/v2/iam"


def _write(
    path: str, name: str, operation: str, request: type[s.Request], result: Any, summary: str, **more: Any
) -> Action:
    facts = {"policies": p.WRITERS, **more}
    return Action(
        path=path,
        name=name,
        operation=operation,
        request=request,
        result=result,
        summary=summary,
        writes=True,
        **facts,
    )


def _read(
    path: str, name: str, operation: str, request: type[s.Request], result: Any, summary: str, **more: Any
) -> Action:
    facts = {"policies": p.READERS, **more}
    return Action(
        path=path,
        name=name,
        operation=operation,
        request=request,
        result=result,
        summary=summary,
        writes=False,
        **facts,
    )


def _unit_actions() -> list[Action]:
    return [
        _write(
            UNITS,
            "PurchaseComputeUnit",
            "purchase_units",
            s.PurchaseComputeUnitRequest,
            s.Purchased,
            "Buy compute units of a type.",
            errors=BUYS,
        ),
        _read(
            UNITS,
            "DescribeComputeUnits",
            "describe_units",
            s.DescribeComputeUnitsRequest,
            s.ComputeUnitList,
            "List the account's live instances, or those in one status.",
            errors=(e.INVALID_MARKER,),
        ),
        _read(
            UNITS,
            "DescribeComputeUnit",
            "describe_unit",
            s.DescribeComputeUnitRequest,
            s.ComputeUnitDetail,
            "Show one instance, released ones included.",
            errors=(e.INSTANCE_NOT_FOUND,),
        ),
        _write(
            UNITS,
            "ReleaseComputeUnit",
            "release_unit",
            s.ReleaseComputeUnitRequest,
            bool,
            "Release a postpaid instance now.",
            errors=ENDS,
        ),
        _write(
            UNITS,
            "AutoReleaseComputeUnit",
            "schedule_release",
            s.AutoReleaseComputeUnitRequest,
            bool,
            "Set, move or clear the release time of a postpaid instance.",
            errors=ENDS,
        ),
    ]


def _replica_actions(path: str, names: dict[str, str], *, legacy: bool) -> list[Action]:
    """Return the actions keyed by service, under one path's names for them."""
    return [
        _write(
            path,
            names["purchase"],
            "purchase_replicas",
            s.PurchaseReplicasRequest,
            s.Purchased,
            "Buy the compute units for replicas of a service.",
            errors=(*BUYS, e.SERVICE_NOT_FOUND),
            legacy=legacy,
        ),
        _read(
            path,
            names["list"],
            "describe_service_instances",
            s.DescribeServiceInstancesRequest,
            s.ServiceInstances,
            "List the live instances of a service.",
            errors=(e.SERVICE_NOT_FOUND,),
            legacy=legacy,
        ),
        _read(
            path,
            names["show"],
            "describe_service_instance",
            s.DescribeServiceInstanceRequest,
            s.ServiceInstanceDetail,
            "Show one instance of a service.",
            errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND),
            legacy=legacy,
        ),
        _write(
            path,
            names["release"],
            "release_replicas",
            s.ReleaseReplicasRequest,
            bool,
            "Release a postpaid instance of a service now.",
            errors=ENDS,
            legacy=legacy,
        ),
    ]


def _schedule(path: str, *, legacy: bool) -> Action:
    return _write(
        path,
        "AutoReleaseComputeUnit",
        "schedule_release",
        s.AutoReleaseComputeUnitRequest,
        bool,
        "Set, move or clear the release time of a postpaid instance.",
        errors=ENDS,
        legacy=legacy,
    )


NAMES = {
    "purchase": "PurchaseComputeUnit",
    "list": "DescribeComputeUnits",
    "show": "DescribeComputeUnit",
    "release": "ReleaseComputeUnit",
}
LEGACY_NAMES = {
    "purchase": "PurchaseServiceResource",
    "list": "DescribeServiceResources",
    "show": "DescribeServiceResource",
    "release": "ReleaseServiceResource",
}


def _charge_actions() -> list[Action]:
    """Return the older path: its documented names, and the newer names that the Python client sends there."""
    older = {"list": "DescribeServiceResourceList"}
    return [
        *_replica_actions(CHARGE, LEGACY_NAMES, legacy=True),
        *(
            action
            for action in _replica_actions(CHARGE, LEGACY_NAMES | older, legacy=True)
            if action.name == older["list"]
        ),
        *_replica_actions(CHARGE, NAMES, legacy=True),
        _schedule(CHARGE, legacy=True),
        _write(
            CHARGE,
            "CreateAutoRenewRules",
            "create_auto_renew_rule",
            s.CreateAutoRenewRulesRequest,
            bool,
            "Renew a prepaid instance whenever its term runs out.",
            errors=ENDS,
        ),
    ]


def _service_actions() -> list[Action]:
    return [
        _write(
            SERVICE,
            "CreateService",
            "create_service",
            s.CreateServiceRequest,
            s.CreatedService,
            "Create a service; with billing, buy the units of its first replicas too.",
            errors=BUYS,
        ),
        _read(
            SERVICE,
            "DescribeService",
            "describe_service",
            s.DescribeServiceRequest,
            s.ServiceDetail,
            "Show one service.",
            errors=(e.SERVICE_NOT_FOUND,),
        ),
        _read(
            SERVICE,
            "DescribeServices",
            "describe_services",
            s.DescribeServicesRequest,
            s.ServicePage,
            "List services, a page at a time.",
            policies=p.SERVICE_LISTERS,
            errors=(e.INVALID_MARKER,),
        ),
    ]


def _account_actions() -> list[Action]:
    return [
        _read(
            ACCOUNT,
            "DescribeAccount",
            "describe_account",
            s.Empty,
            own.AccountDetail,
            "Show the caller's account and its balance.",
        ),
        _write(
            ACCOUNT,
            "TopUpAccount",
            "top_up",
            own.TopUpAccountRequest,
            own.AccountDetail,
            "Put money on an account.",
            policies=p.OPERATORS,
        ),
        _read(
            ACCOUNT,
            "DescribeOrders",
            "describe_orders",
            own.PageRequest,
            own.OrderPage,
            "List the account's orders, newest first.",
            errors=(e.INVALID_MARKER,),
        ),
        _read(
            ACCOUNT,
            "DescribePostings",
            "describe_postings",
            own.PageRequest,
            own.PostingPage,
            "List the movements of the account's money, newest first.",
            errors=(e.INVALID_MARKER,),
        ),
        _read(
            CATALOG,
            "DescribeOfferings",
            "describe_offerings",
            s.Empty,
            own.OfferingList,
            "List what is sold where, at which price, and how much of it is free.",
        ),
        _write(
            CATALOG,
            "SetOffering",
            "set_offering",
            own.SetOfferingRequest,
            own.OfferingDetail,
            "Add an offering, or change its prices or its stock.",
            policies=p.OPERATORS,
            errors=(e.INVALID_STATE,),
        ),
        _read(
            CLOCK,
            "DescribeClock",
            "describe_clock",
            s.Empty,
            own.ClockDetail,
            "Tell what time it is for units and bills.",
            policies=p.ANYBODY,
        ),
        _write(
            CLOCK,
            "AdvanceClock",
            "advance_clock",
            own.AdvanceClockRequest,
            own.ClockDetail,
            "Move the virtual clock forward and do everything that falls due on the way.",
            policies=p.OPERATORS,
            errors=(e.OPERATION_NOT_SUPPORTED,),
        ),
        _write(
            CLOCK,
            "ConfirmClock",
            "confirm_clock",
            s.Empty,
            own.ClockDetail,
            "Confirm that the clock is right after it jumped, so that held releases go on.",
            policies=p.OPERATORS,
        ),
    ]


def _identity_actions() -> list[Action]:
    return [
        _write(
            IAM,
            "CreateAccount",
            "create_account",
            own.CreateAccountRequest,
            own.CreatedAccount,
            "Open an account with a root user and its first key.",
            policies=p.OPERATORS,
        ),
        _write(
            IAM,
            "CreateUser",
            "create_user",
            own.CreateUserRequest,
            own.CreatedUser,
            "Add a user, who may do nothing yet.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        _write(
            IAM,
            "CreateAccessKey",
            "create_access_key",
            own.CreateAccessKeyRequest,
            own.CreatedAccessKey,
            "Give a user another key pair.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        _write(
            IAM,
            "DisableAccessKey",
            "disable_access_key",
            own.DisableAccessKeyRequest,
            bool,
            "Make a key useless from now on.",
            policies=p.MANAGERS | p.OPERATORS,
            errors=(e.INVALID_STATE,),
        ),
        _write(
            IAM,
            "AttachPolicy",
            "attach_policy",
            own.PolicyRequest,
            bool,
            "Permit a user more.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        _write(
            IAM,
            "DetachPolicy",
            "detach_policy",
            own.PolicyRequest,
            bool,
            "Permit a user less.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        _read(
            IAM,
            "DescribeUsers",
            "describe_users",
            own.DescribeUsersRequest,
            own.UserList,
            "List the account's users and their keys.",
            policies=p.MANAGERS | p.OPERATORS | frozenset({p.READ}),
        ),
    ]


ACTIONS: Final[tuple[Action, ...]] = (
    *_replica_actions(RESOURCES, NAMES, legacy=False),
    _schedule(RESOURCES, legacy=False),
    *_unit_actions(),
    *_charge_actions(),
    *_service_actions(),
    *_account_actions(),
    *_identity_actions(),
)

TABLE: Final[dict[tuple[str, str], Action]] = {(action.path, action.name): action for action in ACTIONS}
