"""The word of each operation for users with policies for projects: ``scoped`` or ``account``.

A ``scoped`` operation shows and changes, for these users, only what belongs to their projects; the handlers, the
rules and the queries see to it (docs/adr/0031-policies-for-projects.md). An ``account`` operation takes a policy for
the whole account. An operation without a word is one too, so a new one is refused until its word is written here.
"""

from __future__ import annotations

from typing import Final, Literal

ProjectWord = Literal["scoped", "account"]

SCOPED: Final = frozenset(
    {
        # Instances, and the units of services.
        *("purchase_units", "describe_units", "describe_unit", "release_unit", "schedule_release", "resize_unit"),
        *("renew_unit", "change_billing", "create_auto_renew_rule", "describe_auto_renew_rules"),
        *("delete_auto_renew_rule", "purchase_replicas", "describe_service_instances", "describe_service_instance"),
        *("release_replicas", "describe_unit_counts"),
        # Quota and packages.
        *("purchase_quota", "describe_quota", "release_quota", "resize_quota", "schedule_quota_release"),
        *("describe_packages", "describe_package", "describe_preset_services"),
        # Services and their replicas.
        *("create_service", "describe_service", "describe_services", "modify_service", "scale_service"),
        *("deactivate_service", "activate_service", "delete_service", "describe_replicas", "describe_replica_logs"),
        *("attach_log_store", "detach_log_store", "describe_service_metric", "describe_service_stats"),
        # The projects themselves, and tags of what belongs to them.
        *(
            "describe_projects",
            "move_resource",
            "tag_resource",
            "untag_resource",
            "rename_resource",
            "describe_tags",
            "describe_tag_policy",
        ),
        # Costs and events of the minutes in which things belonged to the projects, and why an instance is alive.
        *("describe_costs", "export_costs", "explain_unit", "describe_events", "follow_events"),
        # Keys that open one service of the projects.
        *("create_service_key", "describe_service_keys", "delete_service_key"),
        # Subscriptions to what happens in the projects.
        *("create_subscription", "describe_subscriptions", "modify_subscription", "delete_subscription"),
        "test_subscription",
        # Tokens that open the services of the projects.
        "create_bearer_token",
        # The catalogue is the same for everybody.
        *("describe_offerings", "describe_prices", "describe_clock"),
    }
)
ACCOUNT: Final = frozenset(
    {
        # They show or move the money of the account, or tell of its whole balance.
        *("top_up", "describe_account", "describe_orders", "describe_postings", "describe_statement"),
        *("describe_statements", "quote_purchase", "quote_change", "grant_package"),
        # They show or change what holds for the whole account, or for all accounts.
        *("describe_accounts", "rename_account", "suspend_account", "resume_account", "close_account"),
        *("set_guard_rails", "describe_guard_rails", "set_tag_policy"),
        *("create_project", "modify_project", "close_project"),
        *("describe_approvals", "approve_purchase", "reject_purchase"),
        *("set_reminders", "describe_reminders", "advance_clock", "confirm_clock"),
        "describe_due_work",
        *("set_offering", "close_offering", "reopen_offering", "remove_offering", "describe_engines"),
        *("set_faults", "clear_faults", "describe_faults"),
        # They are about people and keys, or show what everybody in the account did.
        *("create_account", "create_user", "create_access_key", "disable_access_key", "enable_access_key"),
        *("delete_user", "rename_user", "set_user_contact", "attach_policy", "detach_policy", "describe_users"),
        *("set_key_rules", "describe_audit_log", "describe_audit_proof", "describe_refused_calls"),
        # Deliveries are listed, and sent again, for all subscriptions of the account.
        *("describe_deliveries", "redeliver_event", "redeliver_given_up"),
        # Models belong to no project, and say how many services of the account use them.
        *("create_model_set", "create_model", "delete_model", "delete_model_set", "describe_model_sets"),
        *("describe_custom_model_sets", "describe_system_model_sets", "describe_model_set", "describe_model"),
        *("approve_model", "withdraw_model_approval", "describe_model_version"),
        # A gateway of one's own counts the calls of all services.
        "count_service_calls",
    }
)


def word_of(operation: str) -> ProjectWord:
    """Return the word of an operation."""
    return "scoped" if operation in SCOPED else "account"
