"""Checks of the books: the rules that every store must keep at all times, and the rows that break them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from leasebook.domain.commands.store.bootstrap import FOUNDED
from leasebook.domain.model.instance import Placement
from leasebook.domain.values.money import amount_text
from leasebook.ports.clock import boot_us
from leasebook.ports.progress import Progress, unseen
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.costs.check import cost_findings
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.still_copy import still
from leasebook.store.opening import Target
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.sums import summed
from leasebook.store.sqlite.there import store_in
from leasebook.store.verify.approvals import Requests
from leasebook.store.verify.digests import RowDigests
from leasebook.store.verify.files import Amcheck, embedded, embedded_schema, integrity, shared_schema
from leasebook.store.verify.indexes import delivery_findings, named_findings
from leasebook.store.verify.looking import Looking
from leasebook.store.verify.mark import MarkCheck
from leasebook.store.verify.nouns.audit_log import Audited, NotedRows, check_audit
from leasebook.store.verify.nouns.due_work import COUNT_TEXT, due_findings
from leasebook.store.verify.nouns.engine_capacity import supply_findings, supply_remarks
from leasebook.store.verify.nouns.events import check_events, check_limits
from leasebook.store.verify.nouns.identities import Identities
from leasebook.store.verify.nouns.instances import unit_findings
from leasebook.store.verify.nouns.orders import order_findings
from leasebook.store.verify.nouns.overdue import Overdue
from leasebook.store.verify.nouns.prices import quote_findings
from leasebook.store.verify.nouns.replicas import replica_findings, replica_remarks
from leasebook.store.verify.nouns.signatures import check_signatures
from leasebook.store.verify.nouns.subscriptions import subscription_findings
from leasebook.store.verify.nouns.ties import fact_findings, price_findings, tie_findings
from leasebook.store.verify.nouns.trust import check_trust
from leasebook.store.verify.projects import project_findings
from leasebook.store.verify.rows import Rows, kinds, unproved
from leasebook.store.verify.sealed import has_turned, sealed_findings
from leasebook.store.verify.service_calls import call_findings
from leasebook.store.verify.tags import tag_findings

KeysOf = Callable[[Fetch], AuditKeys | None]
"""Returns the keys of the audit log by the facts of a snapshot; None: they are not here."""

SHOWN_MAX: Final = 1000
"""Upper bound of the findings of one kind: a longer list would not be read."""

_PAID: Final = "CASE WHEN credit = 'wallet:' || account_id THEN amount ELSE -amount END"
_CHARGED: Final = "CASE WHEN debit = 'wallet:' || account_id THEN amount ELSE -amount END"
_UP: Final = "status IN ('Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging')"


class Report(msgspec.Struct, frozen=True):
    """The result of a check: one line for each broken row, and the number of rows checked.

    ``remarks`` are about settings that are valid and perhaps not intended.
    """

    findings: list[str]
    summary: str
    remarks: list[str] = []


def check_store(where: Target, keys: AuditKeys | KeysOf | None = None, progress: Progress = unseen) -> Report:
    """Check a store, even while servers work on it; raises BadStore if there is none or it cannot be read at all.

    With the ``keys`` of its master key, the seals of the audit log are verified too. Keys that were read before the
    check may be those of before a rotation: a function reads them as of the same instant as everything else.
    """
    if where.url is None:
        return check_directory(where.directory, keys, progress)
    return check_database(where.url, keys, progress)


def check_directory(directory: Path, keys: AuditKeys | KeysOf | None = None, progress: Progress = unseen) -> Report:
    """Check an embedded store: its file and its rows."""
    path = store_in(directory)
    mark = MarkCheck(directory)
    began = boot_us()
    progress("file", 0, None)
    connection = still(path)
    try:
        looking = Looking(embedded(connection))
        # First, because the files of the master keys are those of now, and an older copy needs older keys.
        found = _keys(looking, keys)
        looking.part("the file", integrity(connection))
        looking.part("the schema", embedded_schema(looking.fetch))
        looking.part("the mark beside the store", mark.findings(looking.fetch, found))
        return _checked(looking, found, "SQLite's integrity_check looked at its file", began, progress)
    except sqlite3.Error as error:
        raise BadStore(f"{path} cannot be read: {error}") from None
    finally:
        connection.close()


def check_database(url: str, keys: AuditKeys | KeysOf | None = None, progress: Progress = unseen) -> Report:
    """Check a shared store, in one snapshot."""
    import psycopg

    from leasebook.store.postgres import store as postgres

    connection = postgres.connect(url)

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text.replace("?", "%s").encode(), params).fetchall()

    @contextmanager
    def shelter() -> Iterator[None]:
        connection.execute("SAVEPOINT part")
        try:
            yield
        except Exception as error:
            if connection.closed:
                raise BadStore(f"The database cannot be read: {error}") from None
            connection.execute("ROLLBACK TO SAVEPOINT part")
            raise

    try:
        connection.execute("SET statement_timeout = 0")
        looking, own = Looking(fetch), Amcheck(connection)
        progress("file", 0, None)
        looking.part("the database's own files", own.findings())
        began = boot_us()
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        looking = Looking(fetch, shelter, looking.findings)
        found = _keys(looking, keys)
        looking.part("the schema", shared_schema(looking.fetch))
        return _checked(looking, found, own.summary, began, progress)
    except psycopg.Error as error:
        raise BadStore(f"The database cannot be read: {error}") from None
    finally:
        connection.close()


def check(fetch: Fetch, keys: AuditKeys | None = None) -> Report:
    """Check the rows that one consistent snapshot of a store has."""
    return _checked(Looking(fetch), keys, "")


def _keys(looking: Looking, keys: AuditKeys | KeysOf | None) -> AuditKeys | None:
    if keys is None or isinstance(keys, AuditKeys):
        return keys
    found: AuditKeys | None = looking.ask("the master key", lambda: keys(looking.fetch), otherwise=None)
    return found


def _checked(
    looking: Looking, keys: AuditKeys | None, own: str, began: int | None = None, progress: Progress = unseen
) -> Report:
    """Run every check. ``own`` is the summary of the database's own checks.

    ``began`` is the time since boot just before the snapshot, in microseconds; None: now.
    """
    with closing(RowDigests()) as digests:
        rows = Rows(digests, progress)
        return _proved(looking, keys, own, rows, boot_us() if began is None else began, progress)


def _proved(looking: Looking, keys: AuditKeys | None, own: str, rows: Rows, began: int, progress: Progress) -> Report:
    fetch = looking.fetch
    turned = looking.ask("whether the master key turned", lambda: has_turned(fetch), otherwise=True)
    overdue = looking.ask("the clock", lambda: Overdue.of(fetch, began), otherwise=Overdue())
    founded = looking.ask("when it was founded", lambda: _founded_at(fetch), otherwise=None)
    audited, identities = Audited(NotedRows(rows.digests, founded), turned=turned), Identities()
    requests = Requests()
    if progress is not unseen:
        # Counting takes a hundredth of the time of reading, and is done only for a person who waits.
        looking.part("how many rows there are", rows.count(fetch))
    for name, kind in kinds().items():
        looking.part(f"table {name}", rows.findings(fetch, kind))
    parts: tuple[tuple[str, Iterator[str]], ...] = (
        ("postings", _postings(fetch)),
        ("balances", _balances(fetch)),
        ("charges", _charges(fetch)),
        ("prices of charges", _prices(fetch)),
        ("arrears", _arrears(fetch)),
        ("orders", order_findings(fetch)),
        ("stock", _stock(fetch)),
        ("engines' stock", supply_findings(fetch)),
        ("placements", _placements(fetch)),
        ("services", _services(fetch)),
        ("models", _models(fetch)),
        ("overdue work", overdue.findings(fetch, SHOWN_MAX)),
        ("the agenda", due_findings(fetch, SHOWN_MAX)),
        ("meters and terms", unit_findings(fetch)),
        ("whose rows are", tie_findings(fetch)),
        ("the audit log", check_audit(fetch, keys, audited)),
        ("digests of rows", unproved(fetch, rows, audited)),
        ("the index of the audit log", named_findings(fetch)),
        ("reminders", _reminders(fetch)),
        ("the outbox", subscription_findings(fetch, SHOWN_MAX)),
        ("events of deliveries", delivery_findings(fetch)),
        ("prices of offerings", price_findings(fetch)),
        ("minutes of calls", call_findings(fetch)),
        ("counts of prices, and quotes", quote_findings(fetch, SHOWN_MAX)),
        ("facts", fact_findings(fetch)),
        ("replicas", replica_findings(fetch)),
        ("limits", check_limits(fetch)),
        ("tags", tag_findings(fetch, SHOWN_MAX)),
        ("charges of projects", project_findings(fetch, SHOWN_MAX)),
        ("costs", cost_findings(fetch, SHOWN_MAX)),
        ("events", check_events(fetch, identities, requests)),
        ("requests for approvals", requests.findings(fetch, SHOWN_MAX)),
        ("identities", identities.findings(fetch, keys, audited.marks)),
        ("what is sealed", sealed_findings(fetch)),
        ("signatures", check_signatures(fetch)),
        ("trust", check_trust(fetch)),
    )
    for number, (what, lines) in enumerate(parts, 1):
        looking.part(what, lines)
        progress("checks", number, len(parts))
    counted = looking.ask("how much there is", lambda: _summary(fetch), otherwise="")
    remarks = looking.ask("what engines have", lambda: list(supply_remarks(fetch)), otherwise=[])
    remarks += looking.ask("what runs where", lambda: list(replica_remarks(fetch)), otherwise=[])
    remarks += looking.ask("what waits", lambda: list(overdue.remarks(fetch)), otherwise=[])
    summary = "; ".join(filter(None, (counted, audited.summary(keyed=keys is not None), own)))
    return Report(looking.findings, summary, remarks)


def _founded_at(fetch: Fetch) -> int | None:
    found = fetch("SELECT value FROM facts WHERE name = ?", (FOUNDED,))
    return int(found[0][0]) if found and str(found[0][0]).isdigit() else None


def _postings(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT seq, account_id, debit, credit, amount FROM postings WHERE amount <= 0 OR debit = credit "
        "OR (debit <> 'wallet:' || account_id AND credit <> 'wallet:' || account_id) LIMIT ?",
        (SHOWN_MAX,),
    )
    for seq, account, debit, credit, amount in rows:
        yield f"posting {seq} of account {account} does not balance: {amount} micro from {debit} to {credit}"


def _balances(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT a.id, a.balance, coalesce(p.total, 0) FROM accounts a LEFT JOIN account_numbers n "
        f"ON n.account_id = a.id LEFT JOIN (SELECT account, {summed(_PAID)} AS total FROM postings GROUP BY account) p "
        "ON p.account = n.seq "
        "WHERE a.balance <> coalesce(p.total, 0) LIMIT ?",
        (SHOWN_MAX,),
    )
    for account, balance, total in rows:
        yield f"account {account} has {amount_text(balance)}, and its postings sum up to {amount_text(int(total))}"
    unnumbered = fetch(
        "SELECT id FROM accounts WHERE id NOT IN (SELECT account_id FROM account_numbers) LIMIT ?", (SHOWN_MAX,)
    )
    for (account,) in unnumbered:
        yield f"account {account} has no number for its postings"
    lost = fetch(
        "SELECT n.account_id, p.account FROM (SELECT DISTINCT account FROM posting_rows) p LEFT JOIN account_numbers n "
        "ON n.seq = p.account LEFT JOIN accounts a ON a.id = n.account_id WHERE a.id IS NULL LIMIT ?",
        (SHOWN_MAX,),
    )
    for account, number in lost:
        yield f"account {account or f'number {number}'} has postings and does not exist"


def _charges(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT u.id, u.charged, coalesce(p.total, 0) FROM units u LEFT JOIN "
        f"(SELECT unit, {summed(_CHARGED)} AS total FROM postings WHERE unit IS NOT NULL GROUP BY unit) p "
        "ON p.unit = u.seq WHERE u.charged <> coalesce(p.total, 0) LIMIT ?",
        (SHOWN_MAX,),
    )
    for unit, charged, total in rows:
        yield f"unit {unit} was charged {amount_text(charged)}, and its postings sum up to {amount_text(int(total))}"


def _prices(fetch: Fetch) -> Iterator[str]:
    """Check that the amount of every metered charge is its units times its minutes times its price."""
    rows = fetch(
        "SELECT seq, unit_id, amount, count, minutes, price FROM postings WHERE kind = 'Usage' AND price IS NOT NULL "
        # Except the few charges that were cut because no store could hold them.
        f"AND CASE WHEN 1.0 * count * minutes * price < {2**62 - 2**40} THEN amount <> count * minutes * price "
        "ELSE 1 = 0 END LIMIT ?",
        (SHOWN_MAX,),
    )
    for seq, unit, amount, count, minutes, price in rows:
        yield (
            f"posting {seq} charges unit {unit} {amount_text(amount)} for {count} units and {minutes} minutes "
            f"at {amount_text(price)}"
        )


def _arrears(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT id, balance, arrears_since FROM accounts WHERE (balance < 0) <> (arrears_since IS NOT NULL) LIMIT ?",
        (SHOWN_MAX,),
    )
    for account, balance, since in rows:
        what = "no day on which its debt began" if since is None else "a debt on record"
        yield f"account {account} has {amount_text(balance)} and {what}"


def _placements(fetch: Fetch) -> Iterator[str]:
    """Compare the placements in the instances' rows with the table that finds them by service."""
    written: set[tuple[str, str]] = set()
    for unit, count, status, text in fetch(
        "SELECT id, count, status, placements FROM units WHERE placements <> ''", ()
    ):
        placed = msgspec.json.decode(text, type=tuple[Placement, ...])
        written |= {(one.service_id, unit) for one in placed}
        used = sum(one.replicas * one.units_each for one in placed)
        if used > count:
            yield f"unit {unit} has {count} units, and replicas use {used}"
        if status in ("Releasing", "Released", "CreateFailed"):
            yield f"unit {unit} is {status} and has replicas"
    listed = {(service, unit) for service, unit in fetch("SELECT service_id, unit_id FROM placements", ())}
    for service, unit in sorted(written ^ listed)[:SHOWN_MAX]:
        yield f"service {service} and unit {unit} disagree about replicas"


def _services(fetch: Fetch) -> Iterator[str]:
    counted: dict[str, list[int]] = {}
    rows = fetch(f"SELECT placements, payment_timing, {_UP}, status = 'Creating' FROM units WHERE placements <> ''", ())
    for text, timing, is_up, is_new in rows:
        for placed in msgspec.json.decode(text, type=tuple[Placement, ...]):
            sums = counted.setdefault(placed.service_id, [0, 0, 0, 0])
            sums[0] += placed.replicas if is_up else 0
            sums[1] += placed.replicas if is_new else 0
            sums[2 if timing == "Prepaid" else 3] += 1
    for service, *shown in fetch("SELECT id, replicas, deploying, prepaid_units, postpaid_units FROM services", ()):
        sums = counted.get(service, [0, 0, 0, 0])
        if shown != sums:
            yield f"service {service} says {shown} of its replicas and instances, and its instances say {sums}"


def _models(fetch: Fetch) -> Iterator[str]:
    """Compare the counts of services and versions with the rows, and the instances' marks of running services."""
    for model, said, counted, gone in fetch(
        "SELECT m.id, m.services, count(s.id), m.deleted_at FROM models m LEFT JOIN services s "
        "ON s.model_id = m.id AND s.runs AND s.deleted_at IS NULL GROUP BY m.id, m.services, m.deleted_at "
        "HAVING m.services <> count(s.id) OR (m.deleted_at IS NOT NULL AND count(s.id) > 0) LIMIT ?",
        (SHOWN_MAX,),
    ):
        yield f"model {model}{'' if gone is None else ' is deleted and'} says {said} services run it, and {counted} do"
    for found, said, counted, gone in fetch(
        "SELECT t.id, t.models, count(m.id), t.deleted_at FROM model_sets t LEFT JOIN models m "
        "ON m.set_id = t.id AND m.deleted_at IS NULL GROUP BY t.id, t.models, t.deleted_at "
        "HAVING t.models <> count(m.id) OR (t.deleted_at IS NOT NULL AND count(m.id) > 0) LIMIT ?",
        (SHOWN_MAX,),
    ):
        yield f"model set {found}{'' if gone is None else ' is deleted and'} says {said} versions, and has {counted}"
    lost = fetch(
        "SELECT id, model_id FROM services WHERE runs AND deleted_at IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM models m WHERE m.id = model_id AND m.set_id = model_set_id) LIMIT ?",
        (SHOWN_MAX,),
    )
    for service, model in lost:
        yield f"service {service} runs model {model}, which the repository has not got"
    runs = {service for (service,) in fetch("SELECT id FROM services WHERE runs", ())}
    for unit, text in fetch("SELECT id, placements FROM units WHERE placements <> ''", ()):
        for placed in msgspec.json.decode(text, type=tuple[Placement, ...]):
            if placed.runs is not (placed.service_id in runs):
                yield f"unit {unit} and service {placed.service_id} disagree about whether its replicas are run"


def _stock(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT o.region, o.type, o.stock_total, o.stock_free, o.oversold, coalesce(h.held, 0) FROM offerings o "
        "LEFT JOIN (SELECT region, type, sum(CASE WHEN target_count > count THEN target_count ELSE count END) AS held "
        "FROM units WHERE status NOT IN ('Released', 'CreateFailed') "
        "GROUP BY region, type) h ON h.region = o.region AND h.type = o.type "
        "WHERE o.stock_free < 0 OR o.oversold < 0 OR (o.oversold > 0 AND (o.stock_free > 0 OR o.stock_source = 'Set')) "
        "OR o.stock_free + coalesce(h.held, 0) - o.oversold <> o.stock_total LIMIT ?",
        (SHOWN_MAX,),
    )
    for region, unit_type, total, free, oversold, held in rows:
        more = f", {oversold} more than there are" if oversold else ""
        yield f"offering {region} {unit_type} has {total} units, and {free} are free and {held} held{more}"


def _reminders(fetch: Fetch) -> Iterator[str]:
    """Check that reminders are set, and were given, before a deadline that is still ahead."""
    rows = fetch(
        "SELECT id, remind_at, reminded_at, ends FROM (SELECT id, remind_at, remind_before_us, reminded_at, CASE "
        f"WHEN payment_timing = 'Postpaid' AND (status IN ('Creating', 'Stopped') OR {_UP}) THEN release_at "
        f"WHEN payment_timing = 'Prepaid' AND {_UP} AND status <> 'BillingChanging' THEN expires_at END AS ends "
        "FROM units WHERE remind_at IS NOT NULL OR remind_before_us <> '') u "
        "WHERE remind_at IS NULL OR remind_before_us = '' OR ends IS NULL OR remind_at >= ends "
        "OR remind_at <= reminded_at LIMIT ?",
        (SHOWN_MAX,),
    )
    for unit, due, last, ends in rows:
        yield f"unit {unit} is reminded at {due}, was so at {last}, and ends at {ends}"


def _summary(fetch: Fetch) -> str:
    ((accounts,),) = fetch("SELECT count(*) FROM accounts", ())
    ((postings,),) = fetch("SELECT count(*) FROM posting_rows", ())
    ((units, live),) = fetch(
        "SELECT count(*), coalesce(sum(CASE WHEN status <> 'Released' THEN 1 ELSE 0 END), 0) FROM units", ()
    )
    ((due,),) = fetch(COUNT_TEXT, ())
    return f"{accounts} accounts, {postings} postings, {units} units ({live} live), {due} pieces of due work"
