"""Trust as a rule: which version may run where, and the refusal where it may not."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.domain.book.tables import MODELS
from leasebook.domain.model.model import Model
from leasebook.domain.model.offering import Offering
from leasebook.domain.replicas.engine_route import parse_routes
from leasebook.domain.replicas.trust import check_trust, check_trusted_somewhere, hindrances, is_exposed
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import UNTRUSTED, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.store.rows.codec import CODECS
from tests.reconciler.scene import model

RULES = Rules(
    routes=parse_routes("bj/gpu-1=ray, gpu-*=process, *=instant"),
    missing={"ray": ("a sandbox", "a network of its own"), "process": ()},
)
TRUSTED = model()
UNKNOWN = msgspec.structs.replace(TRUSTED, approved_by=None, approved_at=None)
WITHDRAWN = msgspec.structs.replace(UNKNOWN, withdrawn_at=Instant(2))


def offering(region: str) -> Offering:
    return Offering(region, "gpu-1", 0, None, None, 1, 1)


@pytest.mark.parametrize(
    ("version", "region", "unit_type", "exposed"),
    [
        (UNKNOWN, "bj", "gpu-1", True),
        (WITHDRAWN, "bj", "gpu-1", True),
        (TRUSTED, "bj", "gpu-1", False),
        (None, "bj", "gpu-1", False),
        # The engine keeps it apart; the next one runs nothing.
        (UNKNOWN, "gz", "gpu-1", False),
        (UNKNOWN, "bj", "cpu", False),
    ],
)
def test_only_what_nobody_trusts_is_exposed_and_only_where_something_is_missing(
    *, version: Model | None, region: str, unit_type: str, exposed: bool
) -> None:
    assert is_exposed(RULES, version, region, unit_type) is exposed


def test_an_engine_that_this_server_does_not_have_is_judged_by_the_server_that_has_it() -> None:
    rules = msgspec.structs.replace(RULES, missing={})
    check_trust(rules, UNKNOWN, [("bj", "gpu-1")])


def test_a_refusal_says_what_is_missing_and_who_can_do_something() -> None:
    for version, why in ((UNKNOWN, "no operator made or approved it"), (WITHDRAWN, "took back its approval")):
        with pytest.raises(Refusal) as caught:
            check_trust(RULES, version, [("gz", "gpu-1"), ("bj", "gpu-1")])
        assert (caught.value.reason, caught.value.field) == (UNTRUSTED, "modelId")
        for said in (version.id, "ray", "a sandbox, a network of its own", "ApproveModel", why):
            assert said in caught.value.message
        assert list(hindrances(RULES, version, ["ray", "process", "instant", "ray"])) == [caught.value.message]
    assert list(hindrances(RULES, TRUSTED, ["ray"])) == []


def test_one_offering_that_keeps_it_apart_will_do() -> None:
    check_trusted_somewhere(RULES, UNKNOWN, [offering("bj"), offering("gz")])
    check_trusted_somewhere(RULES, UNKNOWN, [])
    with pytest.raises(Refusal):
        check_trusted_somewhere(RULES, UNKNOWN, [offering("bj")])


def test_no_store_can_change_what_a_version_runs_so_that_an_approval_is_of_that_run_block() -> None:
    assert {"id", "set_id", "account_id", "run", "version"}.isdisjoint(CODECS[MODELS].mutable)
