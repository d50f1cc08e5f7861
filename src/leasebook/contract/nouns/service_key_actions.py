"""Actions of keys with which services are called."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract.action import SERVICE, Action, read, write
from leasebook.contract.nouns import service_key as k


def service_key_actions() -> list[Action]:
    """Return the actions of service keys."""
    return [
        write(
            SERVICE,
            "CreateServiceKey",
            "create_service_key",
            k.CreateServiceKeyRequest,
            k.CreatedServiceKey,
            "Make a bearer key with which services are called.",
            errors=(e.SERVICE_NOT_FOUND, e.QUOTA_EXCEEDED),
        ),
        read(
            SERVICE,
            "DescribeServiceKeys",
            "describe_service_keys",
            k.DescribeServiceKeysRequest,
            k.ServiceKeyPage,
            "List the keys with which services are called, a page at a time.",
            errors=(e.INVALID_MARKER, e.SERVICE_NOT_FOUND),
        ),
        write(
            SERVICE,
            "DeleteServiceKey",
            "delete_service_key",
            k.DeleteServiceKeyRequest,
            bool,
            "Make a key for calling services useless from now on.",
        ),
    ]
