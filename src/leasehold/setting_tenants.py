"""The settings about what one account may take of what all share."""

from leasehold.setting_notifications import NotificationSettings


class TenantSettings(NotificationSettings, frozen=True, kw_only=True):
    """Settings about what one account may take of what all share; each field is its declaration."""
