"""Who calls and what with: the signature, what it covers, and the body that belongs to it."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from leasebook.api.asgi import Headers, Receive, Scope
from leasebook.api.audit_record import CallRecord
from leasebook.api.auth.admission import Turn
from leasebook.api.auth.identity import Identities, Identity
from leasebook.api.auth.nonce import CallNonce
from leasebook.api.body.budget import SMALL, Bodies, announced
from leasebook.api.fault import Fault
from leasebook.contract import errors as e
from leasebook.contract.action import Action
from leasebook.contract.proofs import NONCE_NAME, BadProof, WrongDigest, check_body, nonce_of, signs_body
from leasebook.contract.signing import (
    Authorization,
    SignatureRefused,
    check_time,
    lifetime_s,
    parse_authorization,
    verify,
)
from leasebook.domain.record.nonce import Nonce
from leasebook.domain.record.signature import REQUIREMENTS
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.clock import wall_us

STRICT: Final = frozenset({"set_key_rules"})
"""Operations that always take a signed body and a nonce: a signature without them must not do away with the rule."""
HOW: Final = (
    "`leasebook call` signs both; of other clients those can that sign headers of their caller's "
    "(docs/operating/signatures.md)."
)


class SignatureLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for signatures: greatest ages in seconds, host without port, and stricter rules for operators.

    ``body_max`` is the largest body in bytes.
    """

    body_max: int
    age_max_s: int = 1800
    operator_age_max_s: int = 300
    without_port: bool = True
    operators_strict: bool = False


class Admitted(NamedTuple):
    """A caller whose signature holds. ``once`` is the nonce that it covers, None where it covers none."""

    caller: Identity
    once: CallNonce | None


class Callers:
    """Lets callers in by their signatures, and reads the bodies of those who are."""

    def __init__(
        self,
        identities: Identities,
        limits: SignatureLimits,
        bodies: Bodies,
        *,
        path_prefix: str = "",
        former_nonces_until: int = 0,
    ) -> None:
        """``former_nonces_until``: up to this end of a signature, an earlier version may have taken its nonce."""
        self._former_until = former_nonces_until
        self._bodies = bodies
        self._identities = identities
        self._limits = limits
        self._prefix = path_prefix.rstrip("/").encode()

    async def admit(
        self,
        action: Action,
        in_query: str | None,
        scope: Scope,
        record: CallRecord,
        before: Admitted | None,
        skew_us: int = 0,
    ) -> Admitted:
        """Verify a signature (bce-auth-v1, decision 22), and that it covers all required headers.

        ``in_query`` is the authorization in the query string. ``before`` is the result of this call's last admission if
        the caller must be looked up again. ``skew_us`` is how far ahead a wrong clock is, in microseconds. Raises
        Fault, SignatureRefused, or StaleIdentity.
        """
        headers: Headers = scope["headers"]
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) + (in_query is not None) > 1:
            raise Fault(e.INVALID_HTTP_AUTH_HEADER, "The request carries more than one authorization; send one.")
        auth = parse_authorization(given[0].decode("latin-1") if given else in_query or "")
        record.claimed(auth.access_key)
        now = wall_us() + skew_us
        check_time(auth, now, self._limits.age_max_s)
        caller = await self._identities.find(auth.access_key)
        if caller is None:
            raise Fault(
                e.INVALID_ACCESS_KEY_ID,
                f"There is no active access key {auth.access_key[:64]!r} here. Check the access key, and that the "
                "request goes to the right server.",
            )
        record.found(caller)
        try:
            covered = self._verify(auth, caller, scope)
            if caller.is_operator:
                # Not before the signature is proved: a stranger need not learn whose key is an operator's.
                check_time(auth, now, self._limits.operator_age_max_s)
            self._require(action, caller, covered)
        except (SignatureRefused, Fault):
            await self._identities.confirm(caller)
            raise
        return Admitted(caller, self._once(auth, covered) if before is None else before.once)

    def _verify(self, auth: Authorization, caller: Identity, scope: Scope) -> dict[bytes, bytes]:
        path: bytes = scope["raw_path"]
        if self._prefix and not path.startswith(self._prefix + b"/"):
            # A proxy took the prefix off; most clients signed the path with it.
            path = self._prefix + path
        return verify(
            auth,
            caller.signing_key(auth),
            method=scope["method"],
            raw_path=path,
            query=scope["query_string"],
            headers=scope["headers"],
            path_prefix=self._prefix,
            without_port=self._limits.without_port,
        )

    def _require(self, action: Action, caller: Identity, covered: dict[bytes, bytes]) -> None:
        """Raise Fault where the signature leaves out what it must cover."""
        strict = action.operation in STRICT or (self._limits.operators_strict and caller.is_operator)
        wanted = REQUIREMENTS if strict else caller.requires
        if not wanted:
            return
        lacking = []
        if "SignedBody" in wanted and not signs_body(covered):
            lacking.append("the SHA-256 of the body, in the header x-bce-content-sha256")
        if "Nonce" in wanted and not covered.get(b"x-bce-nonce"):
            lacking.append("a nonce, in the header x-bce-nonce")
        if lacking:
            who = f"{action.name} takes" if action.operation in STRICT else "This key or its user must make"
            raise Fault(
                e.SIGNATURE_TOO_WEAK,
                f"{who} signatures that cover more than this one does: {' and '.join(lacking)}. {HOW}",
            )

    def _once(self, auth: Authorization, covered: dict[bytes, bytes]) -> CallNonce | None:
        if NONCE_NAME not in covered:
            return None
        try:
            value = nonce_of(covered)
        except BadProof as error:
            raise Fault(e.INVALID_HTTP_REQUEST, str(error)) from None
        # The lifetime that the signer chose, not the server's present limit: after a restart the limit may be higher.
        until = Instant(auth.signed_at_us + lifetime_s(auth) * SECOND_US)
        return CallNonce(Nonce(auth.access_key, value, until, until <= self._former_until))

    async def body_of(self, headers: Headers, receive: Receive, turn: Turn, account_id: str) -> bytes:
        """Read a body and check it against the digests in the headers. Raises Fault, or Overloaded if there is no room.

        The room is given back with the turn. A client with ``Expect: 100-continue`` waits until there is room.
        """
        size = self._announced(headers, self._limits.body_max)
        if size > SMALL:
            turn.room = await self._bodies.room(account_id, size)
        body = await self._read(receive, self._limits.body_max)
        try:
            check_body(headers, body)
        except BadProof as error:
            raise Fault(e.INVALID_HTTP_REQUEST, str(error)) from None
        except WrongDigest as error:
            raise Fault(e.BODY_DIGEST_MISMATCH, str(error)) from None
        return body

    async def small_body(self, headers: Headers, receive: Receive) -> bytes:
        """Read the body of an unsigned call, at most SMALL bytes, which every connection may use; raises Fault."""
        most = min(SMALL, self._limits.body_max)
        self._announced(headers, most)
        return await self._read(receive, most)

    def _announced(self, headers: Headers, most: int) -> int:
        """Return how many bytes a body will have at most; raises Fault where that is too much."""
        size = announced(headers, most)
        if size > most:
            raise self._too_large(f"{size} bytes", most)
        return size

    async def _read(self, receive: Receive, most: int) -> bytes:
        """Read a body up to a limit; raises Fault beyond it, and where it does not end."""
        message = await receive()
        whole: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body") and len(whole) <= most:
            # Nearly every body comes in one piece.
            return whole
        pieces: list[bytes] = []
        size = 0
        while True:
            if message["type"] != "http.request":
                # Half a body must not be done: none at all, for example, would count as an empty one.
                raise Fault(e.INVALID_HTTP_REQUEST, "The connection ended before the body did. Nothing was done.")
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > most:
                raise self._too_large(f"more than {most} bytes", most)
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)
            message = await receive()

    def _too_large(self, size: str, most: int) -> Fault:
        return Fault(
            e.ENTITY_TOO_LARGE,
            f"The body has {size}; at most {most} are taken. No action needs more than a few hundred.",
        )
