"""All methods of the clients. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from leasebook.client.methods.account import AccountMethods, AsyncAccountMethods
from leasebook.client.methods.approval.approvals import ApprovalsMethods, AsyncApprovalsMethods
from leasebook.client.methods.audit_log import AsyncAuditLogMethods, AuditLogMethods
from leasebook.client.methods.clock import AsyncClockMethods, ClockMethods
from leasebook.client.methods.event import AsyncEventMethods, EventMethods
from leasebook.client.methods.fault.faults import AsyncFaultsMethods, FaultsMethods
from leasebook.client.methods.finance.cost_export import AsyncCostExportMethods, CostExportMethods
from leasebook.client.methods.finance.costs import AsyncCostsMethods, CostsMethods
from leasebook.client.methods.finance.statements import AsyncStatementsMethods, StatementsMethods
from leasebook.client.methods.instance import AsyncInstanceMethods, InstanceMethods
from leasebook.client.methods.limits import AsyncLimitsMethods, LimitsMethods
from leasebook.client.methods.model import AsyncModelMethods, ModelMethods
from leasebook.client.methods.models.lists import AsyncListsMethods, ListsMethods
from leasebook.client.methods.models.version_detail import AsyncVersionDetailMethods, VersionDetailMethods
from leasebook.client.methods.offering import AsyncOfferingMethods, OfferingMethods
from leasebook.client.methods.quota import AsyncQuotaMethods, QuotaMethods
from leasebook.client.methods.replica import AsyncReplicaMethods, ReplicaMethods
from leasebook.client.methods.resource.projects import AsyncProjectsMethods, ProjectsMethods
from leasebook.client.methods.resource.service_switch import AsyncServiceSwitchMethods, ServiceSwitchMethods
from leasebook.client.methods.resource.tag_policy import AsyncTagPolicyMethods, TagPolicyMethods
from leasebook.client.methods.resource.tags import AsyncTagsMethods, TagsMethods
from leasebook.client.methods.resource.unit_count import AsyncUnitCountMethods, UnitCountMethods
from leasebook.client.methods.service import AsyncServiceMethods, ServiceMethods
from leasebook.client.methods.service_call import AsyncServiceCallMethods, ServiceCallMethods
from leasebook.client.methods.subscription import AsyncSubscriptionMethods, SubscriptionMethods
from leasebook.client.methods.term import AsyncTermMethods, TermMethods
from leasebook.client.methods.user import AsyncUserMethods, UserMethods


class Methods(
    AccountMethods,
    ApprovalsMethods,
    AuditLogMethods,
    ClockMethods,
    EventMethods,
    FaultsMethods,
    CostExportMethods,
    CostsMethods,
    StatementsMethods,
    InstanceMethods,
    LimitsMethods,
    ModelMethods,
    ListsMethods,
    VersionDetailMethods,
    OfferingMethods,
    QuotaMethods,
    ReplicaMethods,
    ProjectsMethods,
    ServiceSwitchMethods,
    TagPolicyMethods,
    TagsMethods,
    UnitCountMethods,
    ServiceMethods,
    ServiceCallMethods,
    SubscriptionMethods,
    TermMethods,
    UserMethods,
):
    """Every method of a client that waits for its answers."""


class AsyncMethods(
    AsyncAccountMethods,
    AsyncApprovalsMethods,
    AsyncAuditLogMethods,
    AsyncClockMethods,
    AsyncEventMethods,
    AsyncFaultsMethods,
    AsyncCostExportMethods,
    AsyncCostsMethods,
    AsyncStatementsMethods,
    AsyncInstanceMethods,
    AsyncLimitsMethods,
    AsyncModelMethods,
    AsyncListsMethods,
    AsyncVersionDetailMethods,
    AsyncOfferingMethods,
    AsyncQuotaMethods,
    AsyncReplicaMethods,
    AsyncProjectsMethods,
    AsyncServiceSwitchMethods,
    AsyncTagPolicyMethods,
    AsyncTagsMethods,
    AsyncUnitCountMethods,
    AsyncServiceMethods,
    AsyncServiceCallMethods,
    AsyncSubscriptionMethods,
    AsyncTermMethods,
    AsyncUserMethods,
):
    """Every method of a client whose answers are awaited."""
