"""The settings of cost exports."""

from typing import Annotated

from leasebook.config.kinds import Declared, Text, Whole
from leasebook.config.sections.tenants import TenantSettings


class CostSettings(TenantSettings, frozen=True, kw_only=True):
    """Settings of cost exports; each field is its declaration."""

    costs_provider: Annotated[
        str,
        Declared(
            "costs.provider",
            Text(r"[^\x00-\x1f\x7f]{1,100}", "from 1 to 100 characters, no control characters"),
            "The name of the seller in cost exports: who provides the service, and who issues invoices.",
        ),
    ] = "Leasebook"

    costs_exports_max: Annotated[
        int,
        Declared(
            "costs.exports_max",
            Whole(1, 1000, "exports"),
            "Maximum number of cost exports that a server makes or sends at a time. Each is a file in the directory "
            "for temporary files until it is sent; with PostgreSQL it has a session while it is made.",
        ),
    ] = 8

    costs_exports_per_account_max: Annotated[
        int,
        Declared(
            "costs.exports_per_account_max",
            Whole(1, 1000, "exports"),
            "Maximum number of cost exports of one account that a server makes or sends at a time.",
        ),
    ] = 2

    costs_export_seconds: Annotated[
        int,
        Declared(
            "costs.export_seconds",
            Whole(10, 86400, "seconds"),
            "Time limit of a cost export, from the call until the last byte is sent.",
        ),
    ] = 3600
