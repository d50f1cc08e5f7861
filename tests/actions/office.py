"""An account whose rows the bodies of the records name."""

from __future__ import annotations

from typing import Any, Final

from tests.api.scene import IAM, Caller, ServiceHarness

QUOTA_MODEL: Final = "ernie-4.0-8k"
EVER: Final = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
NOWHERE: Final = {"kind": "Webhook", "url": "https://receiver.invalid/"}
"""A webhook that reaches no receiver: no resolver knows the name."""


class Office:
    """An account with a service, a user and a package, and who calls for it: the operator's, or a customer's.

    The scene sells gpu-1 in bj, and quota.
    """

    def __init__(self, scene: ServiceHarness, caller: Caller | None = None) -> None:
        self.scene = scene
        self.caller = caller or scene.operator
        self.service = self.caller.create_service(region="bj", qps=1.5)
        self.user = self.caller.do(IAM, "CreateUser", {"name": "somebody"})
        self.package = scene.grant(self.caller)


def billed(body: Any, *, timing: str = "Prepaid", time: str = "2030-01-15 09:30:00") -> Any:
    """Add to a purchase how it is paid, with every field of it."""
    renewal = {"autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": 2}
    reservation = {"reservationTimeUnit": "Month", "reservationLength": 5, **renewal}
    billing = {"paymentTiming": timing, "reservation": reservation, "chargeType": "ComputingUnit"}
    return {**body, "billing": {**billing, "releaseTime": time}}
