"""An attacker has the former master key and the store: nothing newer than that key can be forged with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from leasebook.config.load import load_settings
from leasebook.domain.record.audit_log import PruneReceipt, chain_hash, closure_message, head_message
from leasebook.domain.record.identity_log import LOG_END, read_mark
from leasebook.security.audit_keys import AuditKeys
from leasebook.security.vault import Vault, load_master_key
from leasebook.server import rotate_master_key as rotating
from leasebook.store.opening import Target
from leasebook.store.rows.codec import AUDIT_CLOSURES
from leasebook.store.rows.packing import unpacked
from leasebook.store.verify.check import check_store
from tests.attack.books import OPERATOR, StoreProbe
from tests.attack.test_identity_rows import _found
from tests.copies import copy_of, empty
from tests.harness import ENVIRONMENT, a_service

IAM = "/v2/iam"
OPERATE = "QianfanServiceOperateAccessPolicy"


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, bytes]]:
    """A store that got a new master key, and that a server has worked on since; and the key before."""
    with empty("sqlite", tmp_path_factory.mktemp("turned") / "data", migrated=True) as where:

        async def lived() -> None:
            await _found(where)
            await rotating.rotate_master_key(load_settings(None, ENVIRONMENT), where, wait_s=30.0, say=str)
            async with a_service(where) as root:
                await root.call(IAM, "CreateUser", {"name": "later"})

        asyncio.run(lived())
        old = load_master_key(where.directory / "master.key.before", None, create=False)
        (where.directory / "master.key.before").unlink()
        yield where, old


@pytest.fixture
def books(turned: tuple[Target, bytes], tmp_path: Path) -> Iterator[StoreProbe]:
    with copy_of(turned[0], tmp_path / "data") as copy:
        yield StoreProbe(copy)


def test_what_both_keys_sealed_is_right(books: StoreProbe) -> None:
    assert books.findings(keyed=True) == []
    assert books.findings(keyed=False) == []


def forge_an_event(books: StoreProbe, keys: AuditKeys) -> None:
    books.run("UPDATE users SET policies = ? WHERE id = ?", f'["{OPERATE}","{OPERATOR}"]', books.user)
    now, before = {"policies": [OPERATE, OPERATOR]}, {"policies": [OPERATE]}
    told = {"what": "user", "id": books.user, "now": now, "before": before}
    books.add_event(books.tenant, "iam.userChanged", told, seal=keys.seal)
    assert read_mark(books.fact(LOG_END)).number


def forge_the_end_of_a_chain(books: StoreProbe, keys: AuditKeys) -> None:
    chain, number, found = books.run("SELECT chain, number, hash FROM audit_chains ORDER BY last_at DESC LIMIT 1")[0]
    seal = keys.seal(head_message(chain, number, bytes(found)))
    books.run("UPDATE audit_chains SET seal = ? WHERE chain = ?", seal, chain)


def forge_a_closure(books: StoreProbe, keys: AuditKeys) -> None:
    """Put a closure in the place of a chain's first page, so that the page is not read."""
    chain = books.one("SELECT chain FROM audit_pages ORDER BY seq LIMIT 1")
    ((seq, at, size, body),) = books.run(
        "SELECT seq, first_at, size, body FROM audit_pages WHERE chain = ? AND number = 1", chain
    )
    after = chain_hash(bytes(32), chain, 1, unpacked(body))
    closure = PruneReceipt(chain, 1, 1, at, at, size, bytes(32), after, {}, at, keys.public_key, b"")
    signed = msgspec.structs.replace(closure, signature=keys.sign(closure_message(closure)))
    names = ", ".join(f'"{name}"' for name in AUDIT_CLOSURES.columns)
    marks = ", ".join("?" for _ in AUDIT_CLOSURES.columns)
    books.run(f"INSERT INTO audit_closures ({names}) VALUES ({marks})", *AUDIT_CLOSURES.values(signed))
    books.run("DELETE FROM audit_pages WHERE seq = ?", seq)


def keep_a_secret_of_the_key_before(books: StoreProbe, _: AuditKeys) -> None:
    sealed = Vault(b"k" * 32).seal("whatever-secret-it-was", context=books.key)
    books.run("UPDATE access_keys SET sealed = ? WHERE id = ?", sealed, books.key)


def keep_a_second_factor_of_the_key_before(books: StoreProbe, _: AuditKeys) -> None:
    sealed = Vault(b"k" * 32).seal("its secret", context=books.user)
    books.run(
        "INSERT INTO passwords (login, user_id, hash, changed_at, totp, totp_step) VALUES ('a', ?, 'x', 1, ?, 1)",
        *(books.user, sealed),
    )


def take_the_secret_of_a_second_factor(books: StoreProbe, _: AuditKeys) -> None:
    books.run(
        "INSERT INTO passwords (login, user_id, hash, changed_at, totp_step) VALUES ('a', ?, 'x', 1, 1)", books.user
    )


@pytest.mark.parametrize(
    ("attack", "found"),
    [
        (forge_an_event, "does not have the seal of the master key"),
        (forge_the_end_of_a_chain, "its head does not have the seal of the master key"),
        (forge_a_closure, "is signed by another key than that of the master key"),
        (keep_a_second_factor_of_the_key_before, "the second factor of a is sealed under another master key"),
        (take_the_secret_of_a_second_factor, "the second factor of a is not whole"),
        (keep_a_secret_of_the_key_before, "is sealed under another master key than the store's"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_who_has_the_master_key_from_before_forges_nothing_of_now(
    books: StoreProbe, turned: tuple[Target, bytes], attack: Callable[[StoreProbe, AuditKeys], None], found: str
) -> None:
    attack(books, AuditKeys(turned[1]))
    findings = books.findings(keyed=True)
    assert any(found in line for line in findings), findings


def test_what_is_kept_of_the_key_before_cannot_be_taken_away_unseen(books: StoreProbe) -> None:
    books.set_fact("master_keys_past", "")
    keys = AuditKeys(load_master_key(books.where.directory / "master.key", None, create=False))
    findings = check_store(books.where, keys).findings
    assert any("does not have the seal of the master key" in line for line in findings)
