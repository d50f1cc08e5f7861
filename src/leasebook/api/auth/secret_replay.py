"""Puts the secret back into the answer to a repeated client token (decision 38).

Stored answers have no secrets. The store has the secret of an access key or a subscription in sealed form, since it
must sign with it. Of a service key it has only a digest. If the request has a client token, the service key is
therefore derived from that token, and only a caller who repeats the token can have it derived again.
"""

from __future__ import annotations

import base64
import hmac
from typing import Any, Final

from leasebook.api.context import Call, Context
from leasebook.api.ids import service_key
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.model.service_key import KeyText, ServiceKey, key_text
from leasebook.domain.model.subscription import Subscription

PURPOSE: Final = "service keys of client tokens"


async def secret_of_key(context: Context, call: Call[Any], key_id: str) -> str | None:
    """Return the secret of an access key that was made before; None: it can be used no more."""
    found = await context.read(call, lambda ask: ask.identity(key_id))
    if found is None or found[0].status != "Active":
        return None
    return context.keys.open(key_id, found[0].sealed)


async def secret_of_hook(context: Context, call: Call[Any], then: Subscription) -> str | None:
    """Return the secret that a subscription got ``then``; None: it has none, or another one by now."""
    row = await context.read(call, lambda ask: ask.hook(then.id))
    if row is None or not row.sealed or row.sealed_at != then.sealed_at:
        return None
    return context.keys.open(row.id, row.sealed)


def new_service_key(context: Context, token: IdempotencyKey) -> KeyText:
    """Make a key of a client token, with an id from the dice."""
    key_id = service_key().id
    return _made(context.keys.derived(PURPOSE)[0], token, key_id)


async def service_key_again(context: Context, call: Call[Any], token: IdempotencyKey, key_id: str) -> str | None:
    """Make the key of a client token again; None: it is deleted, or its master key is no more."""
    row: ServiceKey | None = await context.read(call, lambda ask: ask.service_key(key_id))
    made = (_made(key, token, key_id) for key in context.keys.derived(PURPOSE))
    return next((one.text for one in made if row is not None and row.is_that(one.text)), None)


def _made(key: bytes, token: IdempotencyKey, key_id: str) -> KeyText:
    # The digest covers whose request it is and what it asks for.
    said = f"{token.account_id}\n{token.digest}\n{token.value}\n{key_id}"
    secret = base64.urlsafe_b64encode(hmac.digest(key, said.encode(), "sha256")).rstrip(b"=").decode()
    return KeyText(key_id, key_text(key_id, secret))
