"""The settings about what replicas of the process engine are kept apart by."""

import msgspec


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings about what replicas of the process engine are kept apart by; each field is its declaration."""
