"""The files come to the charges, payments in advance and refunds, to the micro-unit, month by month."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.model.account import Account
from leasebook.domain.record.ledger import PREPAID_REVENUE, USAGE_REVENUE, Posting, wallet
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.export.focus.columns import Row
from leasebook.export.focus.commitments import CommitmentRow, commitment_rows
from leasebook.export.focus.invoices import invoice_rows
from leasebook.export.focus.rows import Month, Seller, rows_of
from tests.contract.rows import unit

MICRO = 1_000_000
SELLER = Seller("The Lessor", "CNY")
ZONES = ("Asia/Shanghai", "America/New_York", "Europe/London", "Pacific/Auckland", "Asia/Kathmandu")
MONTHS = [(year, number) for year in (2028, 2029) for number in range(1, 13)]
BEGIN = int(datetime(2028, 1, 3, tzinfo=ZoneInfo("UTC")).timestamp()) * MICRO
LATER = st.integers(0, 200 * DAY_US)


def month_of(year: int, number: int, zone: str) -> Month:
    """Say when a month begins and ends, by the standard library's calendar."""
    ends = [
        datetime(*first, 1, tzinfo=ZoneInfo(zone)) for first in ((year, number), (year + number // 12, number % 12 + 1))
    ]
    return Month(*(Instant(int(end.timestamp()) * MICRO) for end in ends))


@st.composite
def postings(draw: st.DrawFn) -> list[Posting]:
    """Charges, payments in advance and refunds of one instance, in the order of their times."""
    made: list[Posting] = []
    at = BEGIN
    for number in range(draw(st.integers(1, 8))):
        at += draw(LATER) // 4
        kind = draw(st.sampled_from(["Usage", "Purchase", "Renewal", "Resize", "Refund"]))
        facts: dict[str, Any] = {"account_id": "acc-1", "at": Instant(at), "unit_id": "unit-1", "kind": kind}
        facts |= {
            "order_id": f"order-{number}",
            "count": draw(st.integers(1, 9)),
            "price": draw(st.none() | st.just(Micro(7))),
        }
        own, amount = wallet("acc-1"), Micro(draw(st.integers(1, 10**13)))
        if kind == "Refund":
            paid = [one for one in made if one.kind in ("Purchase", "Resize")]
            paid = [one for one in paid if not any(two.kind == "Refund" and two.amount == one.amount for two in made)]
            if not paid:
                continue
            amount = paid[-1].amount
            facts |= {"order_id": None, "count": None, "price": None}
            made.append(Posting(**facts, debit=PREPAID_REVENUE, credit=own, amount=amount))
        elif kind == "Usage":
            made.append(
                Posting(
                    **facts, debit=own, credit=USAGE_REVENUE, amount=amount, since=Instant(at - 5), until=Instant(at)
                )
            )
        else:
            since = at + draw(LATER) - 100 * DAY_US
            facts |= {"since": Instant(since), "until": Instant(since + 1 + draw(LATER))}
            made.append(Posting(**facts, debit=own, credit=PREPAID_REVENUE, amount=amount))
    return made


def effect(one: Posting) -> int:
    return one.amount if one.debit == wallet("acc-1") else -one.amount


@settings(deadline=None)
@given(made=postings(), zone=st.sampled_from(ZONES))
def test_rows_invoices_and_commitments_are_the_postings(made: list[Posting], zone: str) -> None:
    account = Account("acc-1", "Ours", zone, Micro(0), Instant(0))
    instance = unit("unit-1", account_id="acc-1")
    everything: list[Row] = []
    for year, number in MONTHS:
        month = month_of(year, number, zone)
        bill = [one for one in made if month.since <= one.at < month.until]
        terms = [one for one in made if one.kind != "Usage" and one.at < month.until]
        rows = list(rows_of(account, instance, month, bill, terms, SELLER))
        lines = list(invoice_rows(account, month, rows, SELLER, Instant(2**60)))
        assert sum(row.billed_cost for row in rows) == sum(line.billed_cost for line in lines) == sum(map(effect, bill))
        assert {row.invoice_detail_id for row in rows} == {line.invoice_detail_id for line in lines}
        everything += rows
    assert sum(row.effective_cost for row in everything) == sum(map(effect, made))
    span = Month(month_of(*MONTHS[0], zone).since, month_of(*MONTHS[-1], zone).until)
    prepaid = [one for one in made if one.kind != "Usage"]
    _compare(everything, list(commitment_rows(instance, span, prepaid, SELLER, Instant(2**60))))


def _compare(rows: list[Row], commitments: list[CommitmentRow]) -> None:
    """Compare what rows draw from commitments with what these cost."""
    drawn: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.contract_applied is not None:
            (element,) = json.loads(row.contract_applied, parse_float=Decimal)["Elements"]
            drawn[element["ContractCommitmentId"]] += Decimal(element["ContractCommitmentAppliedCost"])
    assert len({one.contract_commitment_id for one in commitments}) == len(commitments)
    assert set(drawn) <= {one.contract_commitment_id for one in commitments}
    for one in commitments:
        is_kept = one.contract_commitment_lifecycle_status != "Canceled"
        cost = one.contract_commitment_cost if is_kept else 0
        assert drawn[one.contract_commitment_id] * MICRO == cost
