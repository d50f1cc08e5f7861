"""Price changes, purchases and meters have an order of their own, besides their times.

An offering counts the prices per minute that it has had. An instance bought with a quote keeps the quote's price for
the units that it has now: before this version, units added by a resize had that price as well.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offerings", sa.Column("price_number", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("units", sa.Column("sized_at", sa.BigInteger(), nullable=True))
    op.add_column("units", sa.Column("price_number", sa.BigInteger(), nullable=True))
    op.add_column("units", sa.Column("quoted_price", sa.BigInteger(), nullable=True))
    op.add_column("units", sa.Column("quoted_count", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("units", sa.Column("quoted_number", sa.BigInteger(), nullable=False, server_default="0"))
    store = op.get_bind()
    for region, unit_type, changes in store.execute(sa.text("SELECT region, type, changes FROM prices")).all():
        times = [since for since, _ in json.loads(changes)]
        place = {"region": region, "type": unit_type}
        store.execute(
            sa.text("UPDATE offerings SET price_number = :number WHERE region = :region AND type = :type"),
            place | {"number": len(times)},
        )
        quoted = store.execute(
            sa.text(
                "SELECT units.id, units.created_at, quotes.price FROM units JOIN quotes ON quotes.used_by = units.id "
                "WHERE units.quoted_at IS NOT NULL AND units.payment_timing = 'Postpaid' "
                "AND units.status <> 'Released' AND units.region = :region AND units.type = :type"
            ),
            place,
        ).all()
        for unit_id, bought_at, price in quoted:
            number = sum(since <= bought_at for since in times)
            store.execute(
                sa.text(
                    "UPDATE units SET quoted_price = :price, quoted_count = count, quoted_number = :number "
                    "WHERE id = :unit"
                ),
                {"price": price, "number": number, "unit": unit_id},
            )
    op.drop_column("units", "quoted_at")
