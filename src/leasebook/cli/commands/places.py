"""The command of each operation. Append only: a command never changes its meaning.

A row is a command, the operation that it calls, and the module of the contract that has it, so that a command loads
that one module and not the whole table. An operation without a row is called as ``leasebook more OPERATION``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from leasebook.cli.commands.language import marked

MORE: Final = "more"
"""The group of the operations without a place."""
GROUPS: Final[dict[str, str]] = {
    "units": marked("Compute units: buy them, look at them, and end them."),
    "quote": marked("Ask what a purchase would cost, without buying."),
    "services": marked("Services, their replicas and their calls."),
    "service-keys": marked("Keys with which services are called."),
    "models": marked("Sets of models, and their versions."),
    "quota": marked("Quota of models: tokens and requests a minute."),
    "packages": marked("Packages of tokens that were paid in advance."),
    "renewals": marked("Instances that are renewed by themselves."),
    "costs": marked("Spending by project, user, type or tag, and forecasts of it."),
    "bill": marked("The statement of a month, and the movements of money."),
    "orders": marked("Purchases, renewals and changes, with their prices."),
    "accounts": marked("Accounts and their balances."),
    "projects": marked("Projects: the parts of an account."),
    "users": marked("Users, and what they may do."),
    "keys": marked("Access keys of users."),
    "policies": marked("Policies: what permits a user which actions."),
    "limits": marked("Limits on what an account and its users hold and spend."),
    "approvals": marked("Purchases that need the consent of a second person."),
    "reminders": marked("How long before an end the account is reminded of it."),
    "catalog": marked("Offerings, their prices and free units; and the engines behind them."),
    "tags": marked("Names, tags and projects of things that were bought or made."),
    "tag-policy": marked("Which tags an account requires."),
    "events": marked("Events: past ones, and new ones as they happen."),
    "subscriptions": marked("Events as webhooks and mail."),
    "clock": marked("The clock that units and bills go by."),
    "faults": marked("Faults that a server makes so that tests meet them."),
    "audit-log": marked("Who called what, and what became of it, over the service's address."),
    MORE: marked("Operations that have no command of their own yet, by their names."),
}
"""The groups, in the order of the help."""
ALONE: Final[dict[str, str]] = {
    "quote": "ask",
    "costs": "show",
    "bill": "show",
    "orders": "list",
    "limits": "show",
    "reminders": "show",
    "catalog": "list",
    "events": "list",
    "tag-policy": "show",
    "clock": "show",
    "approvals": "list",
    "renewals": "list",
    "audit-log": "list",
}
"""The command of a group that is meant where none is named."""

_ROWS: Final = """
units buy               purchase_units              instance
units list              describe_units              instance
units show              describe_unit               instance
units explain           explain_unit                instance
units release           release_unit                instance
units schedule          schedule_release            instance
units extend            schedule_release            instance
units keep              schedule_release            instance
units resize            resize_unit                 instance
units renew             renew_unit                  term
units count             describe_unit_counts        resource.unit_count
units billing           change_billing              term
quote ask               quote_purchase              term
quote change            quote_change            term
renewals list           describe_auto_renew_rules   term
renewals set            create_auto_renew_rule      term
renewals remove         delete_auto_renew_rule      term
services list           describe_services           service
services show           describe_service            service
services create         create_service              service
services modify         modify_service              service
services scale          scale_service               service
services deactivate     deactivate_service          service
services activate       activate_service            service
services delete         delete_service              service
services buy            purchase_replicas           replica
services instances      describe_service_instances  replica
services instance       describe_service_instance   replica
services release        release_replicas            replica
services replicas       describe_replicas           replica
services logs           describe_replica_logs       replica
services attach-logs    attach_log_store            replica
services detach-logs    detach_log_store            replica
services presets        describe_preset_services    quota
services calls          describe_service_metric     service_call
services stats          describe_service_stats      service_call
services count          count_service_calls         service_call
service-keys list       describe_service_keys       service_call
service-keys create     create_service_key          service_call
service-keys delete     delete_service_key          service_call
models list             describe_model_sets         model
models own              describe_custom_model_sets  model
models system           describe_system_model_sets  model
models versions         describe_model_set          model
models show             describe_model              model
models version          describe_model_version      model
models create-set       create_model_set            model
models create           create_model                model
models delete           delete_model                model
models delete-set       delete_model_set            model
models approve          approve_model               model
models withdraw         withdraw_model_approval     model
quota buy               purchase_quota              quota
quota list              describe_quota              quota
quota release           release_quota               quota
quota resize            resize_quota                quota
quota schedule          schedule_quota_release      quota
packages list           describe_packages           quota
packages show           describe_package            quota
packages grant          grant_package               quota
costs show              describe_costs              finance.costs
costs export            export_costs                finance.cost_export
bill show               describe_statement          account
bill postings           describe_postings           account
bill list               describe_statements         finance.statements
orders list             describe_orders             account
accounts list           describe_accounts           account
accounts show           describe_account            account
accounts create         create_account              user
accounts rename         rename_account              account
accounts top-up         top_up                      account
accounts suspend        suspend_account             limits
accounts resume         resume_account              limits
accounts close          close_account               limits
projects list           describe_projects           resource.projects
projects create         create_project              resource.projects
projects modify         modify_project              resource.projects
projects close          close_project               resource.projects
users list              describe_users              user
users create            create_user                 user
users rename            rename_user                 user
users contact           set_user_contact            user
users delete            delete_user                 user
keys list               describe_users              user
keys create             create_access_key           user
keys disable            disable_access_key          user
keys enable             enable_access_key           user
keys rules              set_key_rules               user
policies attach         attach_policy               user
policies detach         detach_policy               user
limits show             describe_guard_rails        limits
limits set              set_guard_rails             limits
approvals list          describe_approvals          approval.approvals
approvals approve       approve_purchase            approval.approvals
approvals reject        reject_purchase             approval.approvals
reminders show          describe_reminders          event
reminders set           set_reminders               event
catalog list            describe_offerings          offering
catalog prices          describe_prices             offering
catalog engines         describe_engines            offering
catalog set             set_offering                offering
catalog close           close_offering              offering
catalog reopen          reopen_offering             offering
catalog remove          remove_offering             offering
tags show               describe_tags               resource.tags
tags set                tag_resource                resource.tags
tags remove             untag_resource              resource.tags
tags rename             rename_resource             resource.tags
tags move               move_resource               resource.projects
tag-policy show         describe_tag_policy         resource.tag_policy
tag-policy set          set_tag_policy              resource.tag_policy
events list             describe_events             event
events follow           follow_events               event
subscriptions list      describe_subscriptions      subscription
subscriptions create    create_subscription         subscription
subscriptions modify    modify_subscription         subscription
subscriptions delete    delete_subscription         subscription
subscriptions test      test_subscription           subscription
subscriptions deliveries describe_deliveries        subscription
subscriptions redeliver redeliver_event             subscription
subscriptions redeliver-given-up redeliver_given_up subscription
clock show              describe_clock              clock
clock advance           advance_clock               clock
clock confirm           confirm_clock               clock
clock due-work          describe_due_work           clock
faults list             describe_faults             fault.faults
faults set              set_faults                  fault.faults
faults clear            clear_faults                fault.faults
audit-log list          describe_audit_log          audit_log
audit-log proof         describe_audit_proof        audit_log
audit-log refused       describe_refused_calls      audit_log
"""


class Place(NamedTuple):
    """A command of a group, its operation, and the module of the contract below ``leasebook.contract.nouns``."""

    group: str
    name: str
    operation: str
    module: str

    @property
    def command(self) -> str:
        """The command as it is typed, without ``leasebook``."""
        return f"{self.group} {self.name}"


def _places() -> Iterator[Place]:
    for row in _ROWS.strip().splitlines():
        yield Place(*row.split())


PLACES: Final[tuple[Place, ...]] = tuple(_places())


def in_group(group: str) -> dict[str, Place]:
    """Return the commands of a group by their names, in the order of the help."""
    return {place.name: place for place in PLACES if place.group == group}
