"""Tag policies as values: what they refuse, in which words, how they change, and which commands obey them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, RESOURCE_TAGS, SERVICE_KEYS, SUBSCRIPTIONS, TABLES
from leasebook.domain.commands.account.tag_policy import CLEARED, TagPolicyChange
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.store.demo import LoadDemo
from leasebook.domain.model.account import Account
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.rules.resource import tag_policy as rules
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import REMEMBERED, TAG_POLICY, Refusal
from leasebook.domain.values.resource_tags import KINDS, NewTags
from leasebook.domain.values.tag_policy import NO_POLICY, TagPolicy, read_policy
from tests.depth import few

NOW: Final = Instant(1_900_000_000_000_000)
POLICY: Final = TagPolicy(("team",), {"stage": ("live", "test"), "team": ("speech", "vision")})
KEY: Final = ServiceKey("key-1", "acc-1", "user-1", "app", None, "digest", NOW)
WORDS: Final = st.sampled_from(["team", "stage", "e\u0301", "\xe9"])
LISTS: Final = st.lists(st.sampled_from(["a", "b", "e\u0301", "\xe9"]), min_size=1, max_size=3).map(tuple)


def message(policy: TagPolicy, tags: dict[str, str], before: dict[str, str] | None = None) -> str:
    """Return the words of the refusal."""
    with pytest.raises(Refusal) as refused:
        policy.check(tags, before)
    assert (refused.value.reason, refused.value.field) == (TAG_POLICY, "tags")
    return refused.value.message


def test_a_refusal_lists_what_is_missing_and_what_is_allowed() -> None:
    assert message(POLICY, {"stage": "x", "other": ""}) == (
        "The account's tag policy does not allow this. Missing: team ('speech' or 'vision'). Not allowed: stage is "
        "'x', and may be 'live' or 'test'. Give these tags, or have a manager of the account change the policy "
        "(SetTagPolicy, /v2/account)."
    )
    POLICY.check({"team": "vision"})
    POLICY.check({"team": "vision", "stage": "live", "any": "thing"})
    NO_POLICY.check({})


def test_a_refusal_of_the_largest_policy_fits_into_an_answer() -> None:
    keys = [f"{number:02}{'k' * 126}" for number in range(50)]
    wide = read_policy(keys, dict.fromkeys(keys[:40], ("v" * 100,)))
    assert len(message(wide, {})) < 5000
    assert "more, which DescribeTagPolicy shows" in message(wide, {})
    deep = read_policy((), {"k" * 128: [f"{number:03}{'v' * 100}" for number in range(100)]})
    assert "and 98 more, which DescribeTagPolicy shows" in message(deep, {"k" * 128: "w" * 256})
    assert len(message(TagPolicy((), dict.fromkeys(keys, ("v" * 256,))), dict.fromkeys(keys, "w" * 256))) < 5000


def test_tags_from_before_the_policy_may_stay_and_need_not_be_put_right_at_once() -> None:
    POLICY.check({"other": "x"}, {})
    POLICY.check({"stage": "old", "other": "x"}, {"stage": "old"})
    POLICY.check({}, {"stage": "old"})
    assert "Required, and to be kept: team" in message(POLICY, {}, {"team": "vision"})
    assert "team is 'x'" in message(POLICY, {"team": "x"}, {"team": "vision"})
    assert "stage is 'x'" in message(POLICY, {"stage": "x"}, {"stage": "old"})


@settings(max_examples=few(12, 60))
@given(
    st.lists(
        st.tuples(
            st.none() | LISTS,
            st.none() | st.dictionaries(WORDS, st.none() | LISTS, max_size=2),
            st.booleans(),
            st.booleans(),
        ),
        max_size=5,
    )
)
def test_any_changes_leave_what_a_plain_dictionary_leaves(changes: list[Any]) -> None:
    policy, required, allowed = NO_POLICY, set[str](), dict[str, Any]()
    composed = {"e\u0301": "\xe9"}
    for keys, values, names_keys, names_values in changes:
        spelled = [composed.get(key, key) for key in values or ()]
        if names_values and len(set(spelled)) < len(spelled):
            continue
        change = TagPolicyChange(
            required=keys if names_keys else msgspec.UNSET, allowed=values if names_values else msgspec.UNSET
        )
        policy = change.applied(policy)
        if names_keys:
            required = {composed.get(key, key) for key in keys or ()}
        if names_values and values is None:
            allowed = {}
        elif names_values:
            for key, one in values.items():
                allowed[composed.get(key, key)] = one and tuple(sorted({composed.get(value, value) for value in one}))
            allowed = {key: one for key, one in allowed.items() if one is not None}
        assert (policy.required, policy.allowed) == (tuple(sorted(required)), allowed)
        assert list(policy.allowed) == sorted(policy.allowed)
    assert CLEARED.applied(policy) == NO_POLICY
    assert not NO_POLICY


def test_a_key_in_two_spellings_of_one_change_is_refused() -> None:
    change = TagPolicyChange(allowed={"e\u0301": ("a",), "\xe9": ("b",)})
    with pytest.raises(Refusal, match="twice"):
        change.applied(NO_POLICY)


def _draft(policy: TagPolicy | None) -> Draft:
    book = Book()
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "team", "UTC", Micro(0), NOW, tag_policy=policy))
    book.load(SERVICE_KEYS, ("key-1",), None)
    book.load(RESOURCE_TAGS, ("key-1",), None)
    return Draft(book, NOW)


def test_new_rows_need_the_tags_of_their_account_and_changed_ones_do_not() -> None:
    draft = _draft(POLICY)
    draft.add(SERVICE_KEYS, KEY)
    with pytest.raises(Refusal, match="Missing: team"):
        rules.check_new_things(draft)
    rules.check_new_things(draft, obeys=False)
    rules.tag_new(draft, NewTags(None, {"team": "vision"}), KEY.id, KEY.account_id)
    rules.check_new_things(draft)
    changed = _draft(POLICY)
    changed.book.load(SERVICE_KEYS, ("key-1",), KEY)
    changed.put(SERVICE_KEYS, msgspec.structs.replace(KEY, status="Deleted"))
    rules.check_new_things(changed)
    free = _draft(None)
    free.add(SERVICE_KEYS, KEY)
    rules.check_new_things(free)


def test_every_kind_that_can_have_tags_has_its_table_and_every_command_but_the_demo_obeys() -> None:
    assert set(rules.TABLES) == set(KINDS)
    assert {SUBSCRIPTIONS, SERVICE_KEYS} < set(rules.TABLES.values()) < set(TABLES)
    commands: list[Any] = [Command]
    for one in commands:
        commands += one.__subclasses__()
    assert [one for one in commands if not one.obeys_tag_policy] == [LoadDemo]
    assert TAG_POLICY in REMEMBERED
