"""THE table: every (path, Action), what it takes and gives, who may call it, and what can go wrong.

Dispatch, the reference page, the OpenAPI document and the command line come from it. Append only: a path and
action never change their meaning.
"""

from __future__ import annotations

from typing import Final

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, CATALOG, CLOCK, EVENTS, IAM, RESOURCES, Action, read, write
from leasebook.contract.nouns import account as own
from leasebook.contract.nouns import event as ev
from leasebook.contract.nouns import instance as s
from leasebook.contract.nouns import limits as g
from leasebook.contract.nouns import reminder as r
from leasebook.contract.nouns.audit_log_actions import audit_actions, explain_actions
from leasebook.contract.nouns.charge_actions import charge_actions
from leasebook.contract.nouns.engine_capacity_actions import supply_actions
from leasebook.contract.nouns.instance_actions import NAMES, replica_actions, schedule, unit_actions
from leasebook.contract.nouns.model_actions import model_actions
from leasebook.contract.nouns.replica_actions import run_actions
from leasebook.contract.nouns.service_actions import service_actions
from leasebook.contract.nouns.service_key_actions import service_key_actions
from leasebook.contract.nouns.signature_actions import signature_actions
from leasebook.contract.nouns.subscription_actions import notification_actions


def _account_actions() -> list[Action]:
    return [
        read(
            ACCOUNT,
            "DescribeAccount",
            "describe_account",
            s.Empty,
            own.AccountDetail,
            "Show the caller's account and its balance.",
        ),
        write(
            ACCOUNT,
            "TopUpAccount",
            "top_up",
            own.TopUpAccountRequest,
            own.AccountDetail,
            "Put money on an account.",
            policies=p.OPERATORS,
        ),
        read(
            ACCOUNT,
            "DescribeOrders",
            "describe_orders",
            own.DescribeOrdersRequest,
            own.OrderPage,
            "List the account's orders, newest first.",
            errors=(e.INVALID_MARKER,),
        ),
        read(
            ACCOUNT,
            "DescribePostings",
            "describe_postings",
            own.DescribePostingsRequest,
            own.PostingPage,
            "List the movements of the account's money, newest first.",
            errors=(e.INVALID_MARKER,),
        ),
        read(
            ACCOUNT,
            "DescribeStatement",
            "describe_statement",
            own.DescribeStatementRequest,
            own.Statement,
            "Show what every instance cost in a month, line by line.",
            policies=p.READERS | p.OPERATORS,
            errors=(e.INVALID_MARKER,),
        ),
    ]


def _catalogue_actions() -> list[Action]:
    return [
        write(
            ACCOUNT,
            "SetGuardRails",
            "set_guard_rails",
            g.SetGuardRailsRequest,
            g.GuardRailsDetail,
            "Limit what an account and its users hold and spend, and how long postpaid units live.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        read(
            ACCOUNT,
            "DescribeGuardRails",
            "describe_guard_rails",
            g.DescribeGuardRailsRequest,
            g.GuardRailsDetail,
            "Show an account's limits, and what is used of them.",
            policies=p.READERS | p.OPERATORS,
        ),
        read(
            CATALOG,
            "DescribeOfferings",
            "describe_offerings",
            own.DescribeOfferingsRequest,
            own.OfferingList,
            "List what is sold where, at which price, and how much of it is free.",
            errors=(e.INVALID_MARKER,),
        ),
        write(
            CATALOG,
            "SetOffering",
            "set_offering",
            own.SetOfferingRequest,
            own.OfferingDetail,
            "Add an offering, or change its prices or its stock.",
            policies=p.OPERATORS,
            errors=(e.INVALID_STATE,),
        ),
    ]


def _clock_actions() -> list[Action]:
    return [
        read(
            CLOCK,
            "DescribeClock",
            "describe_clock",
            s.Empty,
            own.ClockDetail,
            "Tell what time it is for units and bills.",
            policies=p.ANYBODY,
        ),
        write(
            CLOCK,
            "AdvanceClock",
            "advance_clock",
            own.AdvanceClockRequest,
            own.ClockDetail,
            "Move the virtual clock forward and do everything that falls due on the way.",
            policies=p.OPERATORS,
            errors=(e.OPERATION_NOT_SUPPORTED,),
        ),
        write(
            CLOCK,
            "ConfirmClock",
            "confirm_clock",
            s.Empty,
            own.ClockDetail,
            "Confirm that the clock is right after it jumped, so that held releases go on.",
            policies=p.OPERATORS,
        ),
    ]


def _event_actions() -> list[Action]:
    return [
        read(
            EVENTS,
            "DescribeEvents",
            "describe_events",
            ev.DescribeEventsRequest,
            ev.EventPage,
            "List what happened to the account and its instances, newest first.",
            errors=(e.INVALID_MARKER,),
        ),
        read(
            EVENTS,
            "FollowEvents",
            "follow_events",
            ev.FollowEventsRequest,
            ev.CloudEvent,
            "Follow what happens, as a stream of server-sent events.",
            errors=(e.TOO_MANY_STREAMS,),
            follows=True,
        ),
    ]


def _reminder_actions() -> list[Action]:
    return [
        write(
            ACCOUNT,
            "SetReminders",
            "set_reminders",
            r.SetRemindersRequest,
            r.RemindersDetail,
            "Set how long before a release or an expiry the account is reminded of it.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        read(
            ACCOUNT,
            "DescribeReminders",
            "describe_reminders",
            r.DescribeRemindersRequest,
            r.RemindersDetail,
            "Show how long before a release or an expiry the account is reminded of it.",
            policies=p.READERS | p.OPERATORS,
        ),
    ]


def _identity_actions() -> list[Action]:
    return [
        write(
            IAM,
            "CreateAccount",
            "create_account",
            own.CreateAccountRequest,
            own.CreatedAccount,
            "Open an account with a root user and its first key.",
            policies=p.OPERATORS,
        ),
        write(
            IAM,
            "CreateUser",
            "create_user",
            own.CreateUserRequest,
            own.CreatedUser,
            "Add a user, who may do nothing yet.",
            policies=p.MANAGERS | p.OPERATORS,
            errors=(e.QUOTA_EXCEEDED,),
        ),
        write(
            IAM,
            "CreateAccessKey",
            "create_access_key",
            own.CreateAccessKeyRequest,
            own.CreatedAccessKey,
            "Give a user another key pair.",
            policies=p.MANAGERS | p.OPERATORS,
            errors=(e.INVALID_STATE, e.QUOTA_EXCEEDED),
        ),
        write(
            IAM,
            "DisableAccessKey",
            "disable_access_key",
            own.DisableAccessKeyRequest,
            bool,
            "Make a key useless from now on.",
            policies=p.MANAGERS | p.OPERATORS,
            errors=(e.INVALID_STATE,),
        ),
        write(
            IAM,
            "AttachPolicy",
            "attach_policy",
            own.PolicyRequest,
            bool,
            "Permit a user more.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        write(
            IAM,
            "DetachPolicy",
            "detach_policy",
            own.PolicyRequest,
            bool,
            "Permit a user less.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        read(
            IAM,
            "DescribeUsers",
            "describe_users",
            own.DescribeUsersRequest,
            own.UserList,
            "List the account's users and their keys.",
            policies=p.MANAGERS | p.OPERATORS | frozenset({p.READ}),
            errors=(e.INVALID_MARKER,),
        ),
    ]


ACTIONS: Final[tuple[Action, ...]] = (
    *replica_actions(RESOURCES, NAMES, legacy=False),
    schedule(RESOURCES, legacy=False),
    *unit_actions(),
    *charge_actions(),
    *service_actions(),
    *_account_actions(),
    *_catalogue_actions(),
    *_clock_actions(),
    *_event_actions(),
    *_reminder_actions(),
    *_identity_actions(),
    *audit_actions(),
    *explain_actions(),
    *notification_actions(),
    *model_actions(),
    *service_key_actions(),
    *run_actions(),
    *supply_actions(),
    *signature_actions(),
)

TABLE: Final[dict[tuple[str, str], Action]] = {(action.path, action.name): action for action in ACTIONS}
