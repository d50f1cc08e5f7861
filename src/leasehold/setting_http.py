"""The settings about connections, and what a stranger may send."""

from leasehold.setting_tenants import TenantSettings


class HttpSettings(TenantSettings, frozen=True, kw_only=True):
    """Settings about connections, and what a stranger may send; each field is its declaration."""
