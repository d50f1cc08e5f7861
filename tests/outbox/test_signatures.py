"""Webhooks are signed, and a receiver that follows the page verifies them: its example verifies here."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leasebook.notifications.webhook_signature import signed
from tests.harness import a_service
from tests.outbox.receivers import LOCAL, PATH, ReceivedDelivery, a_receiver, buy, settled, subscribe
from tests.outbox.scenes import later

PAGE = Path(__file__).parents[2] / "docs" / "operating" / "notifications.md"


def example() -> dict[str, Any]:
    """The functions that the page's example defines."""
    ((code,),) = [re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)]
    defined: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(code, str(PAGE), "exec"), defined)  # noqa: S102 - it is our own page
    return defined


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> Any:
    return example()["verify"](secret, headers, body)


def test_a_signature_is_the_one_of_the_published_example() -> None:
    # From the specification of Standard Webhooks.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [secret]) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


async def test_what_arrives_is_verified_by_the_example_of_the_page_and_nothing_else_is(tmp_path: Path) -> None:
    async with a_receiver() as receiver, a_service(tmp_path, demo=True, environment=LOCAL) as desk:
        secret = (await subscribe(desk, receiver.url, types=["unit.bought"]))["secret"]
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        unit = await buy(desk)
        await settled(desk, 1)
        (got,) = receiver.got
        assert verified(secret, got.headers, got.body)["subject"] == unit
        other = (await subscribe(desk, receiver.url))["secret"]
        old = {**got.headers, "webhook-timestamp": str(int(got.headers["webhook-timestamp"]) - 301)}
        for wrong in (
            (other, got.headers, got.body),
            (secret, got.headers, got.body + b" "),
            (secret, {**got.headers, "webhook-id": "sub-x-1-0"}, got.body),
            (secret, old, got.body),
        ):
            with pytest.raises(ValueError, match=r"signature does not match|too old"):
                verified(*wrong)


async def test_the_secret_is_shown_once_and_kept_sealed(tmp_path: Path) -> None:
    shown: list[tuple[str, str]] = []
    async with a_receiver() as receiver, a_service(tmp_path, environment=LOCAL) as desk:
        secret = (await subscribe(desk, receiver.url))["secret"]
        (listed,) = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
        assert "secret" not in listed
        changed = {"subscriptionId": listed["subscriptionId"], "types": ["unit.bought"]}
        assert "secret" not in (await desk.call(PATH, "ModifySubscription", changed)).result
    shown.append((listed["subscriptionId"], secret.removeprefix("whsec_")))
    ((hook_id, key),) = shown
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())  # noqa: ASYNC240 - nothing else runs
    assert hook_id.encode() in files
    assert key.encode() not in files
    assert base64.b64decode(key) not in files


async def test_after_a_rotation_both_secrets_sign_for_a_day_and_then_only_the_new_one(tmp_path: Path) -> None:
    async with a_receiver() as receiver, a_service(tmp_path, demo=True, environment=LOCAL) as desk:

        async def next_one() -> ReceivedDelivery:
            count = len(receiver.got) + 1
            await buy(desk)
            await settled(desk, count)
            return receiver.got[-1]

        hook = await subscribe(desk, receiver.url, types=["unit.bought"])
        rotate = {"subscriptionId": hook["subscriptionId"], "rotateSecret": True}
        new = (await desk.call(PATH, "ModifySubscription", rotate)).result["secret"]
        assert new != hook["secret"]
        await later(desk, hours=23, minutes=59)
        both = await next_one()
        for secret in (new, hook["secret"]):
            verified(secret, both.headers, both.body)
        await later(desk, minutes=2)
        one = await next_one()
        verified(new, one.headers, one.body)
        with pytest.raises(ValueError, match="signature does not match"):
            verified(hook["secret"], one.headers, one.body)


async def test_an_old_secret_can_be_revoked_at_once_alone_or_with_the_rotation(tmp_path: Path) -> None:
    async with a_receiver() as receiver, a_service(tmp_path, demo=True, environment=LOCAL) as desk:

        async def signatures() -> int:
            count = len(receiver.got) + 1
            await buy(desk)
            await settled(desk, count)
            return len(receiver.got[-1].headers["webhook-signature"].split())

        made = await subscribe(desk, receiver.url, types=["unit.bought"])
        hook = {"subscriptionId": made["subscriptionId"]}

        async def modify(**asked: Any) -> Any:
            return await desk.call(PATH, "ModifySubscription", hook | asked)

        refused = await modify(revokeSecret=True)
        assert (refused.code, "No old secret" in refused.body["message"]) == ("InvalidState", True)
        rotated = (await modify(rotateSecret=True)).result
        assert rotated["secretTime"] < rotated["oldSecretEndTime"]
        assert await signatures() == 2
        revoked = (await modify(revokeSecret=True)).result
        assert "oldSecretEndTime" not in revoked
        assert "secret" not in revoked
        assert await signatures() == 1
        verified(rotated["secret"], receiver.got[-1].headers, receiver.got[-1].body)
        await later(desk, hours=1)
        both = (await modify(rotateSecret=True, revokeSecret=True)).result
        assert both["secretTime"] > rotated["secretTime"]
        assert await signatures() == 1
        verified(both["secret"], receiver.got[-1].headers, receiver.got[-1].body)
