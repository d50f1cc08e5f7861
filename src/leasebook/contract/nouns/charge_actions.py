"""Actions of the older path: quota, auto-renew rules, packages, and the older names of the others."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import BUYS, CHARGE, ENDS, Action, read, write
from leasebook.contract.nouns import charge as c
from leasebook.contract.nouns.instance_actions import LEGACY_NAMES, NAMES, replica_actions, resize, schedule


def charge_actions() -> list[Action]:
    """Return the older path: its documented names, and the newer names that the Python client sends there."""
    older = {"list": "DescribeServiceResourceList"}
    return [
        *replica_actions(CHARGE, LEGACY_NAMES, legacy=True),
        *(
            action
            for action in replica_actions(CHARGE, LEGACY_NAMES | older, legacy=True)
            if action.name == older["list"]
        ),
        *replica_actions(CHARGE, NAMES, legacy=True),
        schedule(CHARGE, legacy=True),
        *_renewal_actions(),
        resize(CHARGE, legacy=True),
        *_quota_actions(),
        *_package_actions(),
    ]


def _renewal_actions() -> list[Action]:
    return [
        write(
            CHARGE,
            "CreateAutoRenewRules",
            "create_auto_renew_rule",
            c.CreateAutoRenewRulesRequest,
            bool,
            "Renew a prepaid instance whenever its term runs out.",
            errors=ENDS,
        ),
        read(
            CHARGE,
            "DescribeAutoRenewRules",
            "describe_auto_renew_rules",
            c.DescribeAutoRenewRulesRequest,
            c.AutoRenewRules,
            "List the instances that are renewed by themselves.",
            errors=(e.INSTANCE_NOT_FOUND, e.INVALID_MARKER),
        ),
        write(
            CHARGE,
            "DeleteAutoRenewRules",
            "delete_auto_renew_rule",
            c.DeleteAutoRenewRulesRequest,
            bool,
            "Do not renew an instance any more.",
            errors=ENDS,
        ),
    ]


def _quota_actions() -> list[Action]:
    return [
        write(
            CHARGE,
            "PurchaseTPMResource",
            "purchase_quota",
            c.PurchaseTpmRequest,
            c.PurchasedTpm,
            "Buy quota of a model.",
            errors=BUYS,
        ),
        read(
            CHARGE,
            "DescribeTPMResource",
            "describe_quota",
            c.DescribeTpmRequest,
            c.TpmInstances,
            "List the account's quota of a model.",
            errors=(e.INSTANCE_NOT_FOUND, e.INVALID_MARKER),
        ),
        write(
            CHARGE,
            "ReleaseTPMResource",
            "release_quota",
            c.ReleaseTpmRequest,
            bool,
            "Release quota now.",
            errors=ENDS,
        ),
        write(
            CHARGE,
            "ResizeTPMResource",
            "resize_quota",
            c.ResizeTpmRequest,
            bool,
            "Change the amount of quota.",
            errors=(*ENDS, e.INSUFFICIENT_STOCK, e.INSUFFICIENT_BALANCE),
        ),
        write(
            CHARGE,
            "AutoReleaseTPMResource",
            "schedule_quota_release",
            c.AutoReleaseTpmRequest,
            bool,
            "Set, move or clear the release time of quota.",
            errors=ENDS,
        ),
    ]


def _package_actions() -> list[Action]:
    return [
        read(
            CHARGE,
            "DescribePackageResources",
            "describe_packages",
            c.DescribePackagesRequest,
            c.PackageList,
            "List the account's packages of tokens.",
            errors=(e.INVALID_MARKER,),
        ),
        read(
            CHARGE,
            "DescribePackageResource",
            "describe_package",
            c.DescribePackageRequest,
            c.PackageResult,
            "Show one package of tokens.",
        ),
        write(
            CHARGE,
            "GrantPackageResource",
            "grant_package",
            c.GrantPackageRequest,
            c.PackageResult,
            "Give an account a package of tokens.",
            policies=p.OPERATORS,
        ),
    ]
