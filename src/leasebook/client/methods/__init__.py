"""All methods of the clients. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from leasebook.client.methods.account import AccountMethods, AsyncAccountMethods
from leasebook.client.methods.approvals import ApprovalsMethods, AsyncApprovalsMethods
from leasebook.client.methods.audit_log import AsyncAuditLogMethods, AuditLogMethods
from leasebook.client.methods.clock import AsyncClockMethods, ClockMethods
from leasebook.client.methods.cost_export import AsyncCostExportMethods, CostExportMethods
from leasebook.client.methods.costs import AsyncCostsMethods, CostsMethods
from leasebook.client.methods.event import AsyncEventMethods, EventMethods
from leasebook.client.methods.instance import AsyncInstanceMethods, InstanceMethods
from leasebook.client.methods.limits import AsyncLimitsMethods, LimitsMethods
from leasebook.client.methods.lists import AsyncListsMethods, ListsMethods
from leasebook.client.methods.model import AsyncModelMethods, ModelMethods
from leasebook.client.methods.offering import AsyncOfferingMethods, OfferingMethods
from leasebook.client.methods.projects import AsyncProjectsMethods, ProjectsMethods
from leasebook.client.methods.quota import AsyncQuotaMethods, QuotaMethods
from leasebook.client.methods.replica import AsyncReplicaMethods, ReplicaMethods
from leasebook.client.methods.service import AsyncServiceMethods, ServiceMethods
from leasebook.client.methods.service_call import AsyncServiceCallMethods, ServiceCallMethods
from leasebook.client.methods.service_switch import AsyncServiceSwitchMethods, ServiceSwitchMethods
from leasebook.client.methods.subscription import AsyncSubscriptionMethods, SubscriptionMethods
from leasebook.client.methods.tag_policy import AsyncTagPolicyMethods, TagPolicyMethods
from leasebook.client.methods.tags import AsyncTagsMethods, TagsMethods
from leasebook.client.methods.term import AsyncTermMethods, TermMethods
from leasebook.client.methods.user import AsyncUserMethods, UserMethods
from leasebook.client.methods.version_detail import AsyncVersionDetailMethods, VersionDetailMethods


class Methods(
    AccountMethods,
    ApprovalsMethods,
    AuditLogMethods,
    ClockMethods,
    CostExportMethods,
    CostsMethods,
    EventMethods,
    InstanceMethods,
    LimitsMethods,
    ListsMethods,
    ModelMethods,
    OfferingMethods,
    ProjectsMethods,
    QuotaMethods,
    ReplicaMethods,
    ServiceMethods,
    ServiceCallMethods,
    ServiceSwitchMethods,
    SubscriptionMethods,
    TagPolicyMethods,
    TagsMethods,
    TermMethods,
    UserMethods,
    VersionDetailMethods,
):
    """Every method of a client that waits for its answers."""


class AsyncMethods(
    AsyncAccountMethods,
    AsyncApprovalsMethods,
    AsyncAuditLogMethods,
    AsyncClockMethods,
    AsyncCostExportMethods,
    AsyncCostsMethods,
    AsyncEventMethods,
    AsyncInstanceMethods,
    AsyncLimitsMethods,
    AsyncListsMethods,
    AsyncModelMethods,
    AsyncOfferingMethods,
    AsyncProjectsMethods,
    AsyncQuotaMethods,
    AsyncReplicaMethods,
    AsyncServiceMethods,
    AsyncServiceCallMethods,
    AsyncServiceSwitchMethods,
    AsyncSubscriptionMethods,
    AsyncTagPolicyMethods,
    AsyncTagsMethods,
    AsyncTermMethods,
    AsyncUserMethods,
    AsyncVersionDetailMethods,
):
    """Every method of a client whose answers are awaited."""
