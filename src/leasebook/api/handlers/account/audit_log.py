"""The audit log."""

from __future__ import annotations

from typing import Final

from leasebook.api.across import Owners, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation
from leasebook.api.paging import OWN, event_of, marker_of, place_of
from leasebook.contract.nouns import audit_log as au
from leasebook.domain.record.audit_log import PruneReceipt
from leasebook.ports.queries.read_repository import AuditFilter, AuditFound, AuditLine, ReadRepository
from leasebook.ports.queries.tags import Names, names_of

CHAINS_SHOWN: Final = 1000


async def describe_audit_log(context: Context, call: Call[au.DescribeAuditLogRequest]) -> au.AuditLogPage:
    """List an account's calls. Those that were answered before are written by then."""
    asked, meant = call.request, accounts_meant(call)
    if asked.account_id == "":
        # Calls that no account is known for: no row has this id.
        meant = meant._replace(named=False)
    wanted = AuditFilter(
        **meant.of(),
        user_id=asked.user_id,
        access_key=asked.access_key_id,
        address=asked.address,
        action=asked.action,
        code=asked.code,
        unit_id=asked.instance_id,
        since=context.time(asked.start_time, "startTime") if asked.start_time else None,
        until=context.time(asked.end_time, "endTime") if asked.end_time else None,
    )
    scope, size = f"audit {wanted}", OWN.of(asked.max_keys)
    after = event_of(asked.marker, scope)
    await context.sequencer.flush()

    def look(ask: ReadRepository) -> tuple[AuditFound, Names, Owners]:
        meant.require(ask)
        found = ask.audit(wanted, after=after, limit=size)
        names = names_of(ask, [line.entry.user_id for line in found.lines], ())
        return found, names, owners_of(ask, meant, [line.account_id for line in found.lines])

    found, names, owners = await context.read(call, look, long=True)

    def shown(line: AuditLine) -> au.AuditEntry:
        entry = _entry(context, line, names.person(line.account_id, line.entry.user_id))
        return owners.mark(entry, line.account_id)

    return au.AuditLogPage(
        entries=[shown(line) for line in found.lines],
        is_truncated=found.stopped is not None,
        max_keys=size,
        next_marker=None if found.stopped is None else marker_of(found.stopped, scope),
    )


def _entry(context: Context, line: AuditLine, user_name: str | None) -> au.AuditEntry:
    entry = line.entry
    return au.AuditEntry(
        time=context.shown(entry.at),
        request_id=entry.request_id,
        user_id=entry.user_id,
        user_name=user_name,
        access_key_id=entry.access_key,
        address=entry.address,
        path=entry.path,
        action=entry.action,
        status=entry.status,
        code=entry.code,
        message=entry.message or None,
        body=entry.body,
        names=list(entry.names),
        has_client_token=entry.token,
        chain=line.chain,
        page=line.number,
    )


async def describe_audit_proof(context: Context, call: Call[au.DescribeAuditProofRequest]) -> au.AuditProof:
    """Show the ends of the chains, and closures."""
    size = OWN.of(call.request.max_keys)
    after = place_of(call.request.marker, "audit closures")
    await context.sequencer.flush()
    chains, found = await context.read(
        call, lambda ask: (ask.audit_chains(CHAINS_SHOWN), ask.audit_closures(after=after, limit=size + 1))
    )
    more = len(found) > size
    return au.AuditProof(
        public_key=context.audit_key(),
        chains=[
            au.AuditChain(chain=head.chain, page=head.number, hash=head.hash.hex(), time=context.shown(head.last_at))
            for head in chains
        ],
        closures=[_closure(context, one.row) for one in found[:size]],
        is_truncated=more,
        max_keys=size,
        next_marker=marker_of(found[size - 1].seq, "audit closures") if more else None,
    )


def _closure(context: Context, closure: PruneReceipt) -> au.AuditClosure:
    return au.AuditClosure(
        chain=closure.chain,
        first_page=closure.first_number,
        last_page=closure.last_number,
        start_time=context.shown(closure.first_at),
        end_time=context.shown(closure.last_at),
        entries_total=closure.size,
        hash_before=closure.hash_before.hex(),
        hash_after=closure.hash_after.hex(),
        counts=closure.counts,
        closed_time=context.shown(closure.closed_at),
        public_key=closure.public_key,
        signature=closure.signature.hex(),
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_audit_log": describe_audit_log,
    "describe_audit_proof": describe_audit_proof,
}
