"""An account's tag policy: the tags that everything bought or made in the account must have, and their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from leasebook.domain.values.refusal import BAD_VALUE, TAG_POLICY, Refusal
from leasebook.domain.values.resource_tags import TAGS_MAX, read_keys, read_values
from leasebook.domain.values.wording import counted

KEYS_MAX: Final = TAGS_MAX
"""Upper bound of the required keys, and of the keys with allowed values: one thing can have as many tags."""
VALUES_MAX: Final = 100
"""Upper bound of the values that are allowed for one key."""
BYTES_MAX: Final = 16_384
"""Upper bound of a policy as JSON. It is in the row of the account, which every charge writes again."""
PART_MAX: Final = 1_500
"""How many characters a refusal lists of the missing keys, and of the values that are not allowed."""
VALUES_SHOWN_MAX: Final = 300
"""How many characters of the allowed values of one key a refusal lists."""


class TagPolicy(msgspec.Struct, frozen=True):
    """``required``: the keys that must be there. ``allowed``: the values of a key; other keys may have any value.

    A key with allowed values need not be there unless it is required too.
    """

    required: tuple[str, ...] = ()
    allowed: dict[str, tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.required or self.allowed)

    def broken_by(
        self, tags: Mapping[str, str], before: Mapping[str, str] | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """Return the required keys that are missing, and the tags whose values are not allowed.

        ``before`` are the tags that an existing thing has had: a key that was missing, and a value that stays, is left
        out, so that things from before the policy can be changed step by step.
        """
        missing = [key for key in self.required if key not in tags and (before is None or key in before)]
        wrong = {
            key: tags[key]
            for key, values in self.allowed.items()
            if key in tags and tags[key] not in values and (before is None or before.get(key) != tags[key])
        }
        return missing, wrong

    def check(self, tags: Mapping[str, str], before: Mapping[str, str] | None = None, *, field: str = "tags") -> None:
        """Raise Refusal (TAG_POLICY) with all that is missing and all that is allowed, if these tags break it.

        ``field`` is the parameter that would have to be another one.
        """
        missing, wrong = self.broken_by(tags, before)
        if not missing and not wrong:
            return
        says = ["The account's tag policy does not allow this."]
        if missing:
            what = "Missing" if before is None else "Required, and to be kept"
            says.append(f"{what}: {_some([self._wanted(key) for key in missing], PART_MAX)}.")
        if wrong:
            found = [f"{key} is {value!r}, and may be {self._values(key)}" for key, value in wrong.items()]
            says.append(f"Not allowed: {_some(found, PART_MAX)}.")
        remedy = "Give these tags" if before is None else "Set other tags"
        says.append(f"{remedy}, or have a manager of the account change the policy (SetTagPolicy, /v2/account).")
        raise Refusal(TAG_POLICY, " ".join(says), field=field)

    def _wanted(self, key: str) -> str:
        return f"{key} ({self._values(key)})" if key in self.allowed else f"{key} (any value)"

    def _values(self, key: str) -> str:
        return _some([repr(value) for value in self.allowed[key]], VALUES_SHOWN_MAX, " or ")


def _some(parts: Sequence[str], most: int, between: str = "; ") -> str:
    """Return parts in a row, as many as fit into ``most`` characters but at least the first, and how many are left."""
    shown, length = 1, len(parts[0])
    while shown < len(parts) and length + len(parts[shown]) <= most:
        length += len(parts[shown])
        shown += 1
    left = len(parts) - shown
    return between.join(parts[:shown]) + (f" and {left} more, which DescribeTagPolicy shows" if left else "")


NO_POLICY: Final = TagPolicy()


def read_policy(required: Iterable[str], allowed: Mapping[str, Iterable[str]], field: str = "policy") -> TagPolicy:
    """Return a policy in its normal form: NFC, in the order of keys, each key and value once; raises Refusal."""
    keys = tuple(sorted(set(read_keys(tuple(required), f"{field}.required"))))
    values: dict[str, tuple[str, ...]] = {}
    for given, listed in allowed.items():
        (key,) = read_keys((given,), f"{field}.allowed")
        if key in values:
            raise Refusal(
                BAD_VALUE, f"The key {key[:40]!r} is given twice, in two spellings.", field=f"{field}.allowed"
            )
        values[key] = tuple(sorted(set(read_values(listed, f"{field}.allowed"))))
    policy = TagPolicy(keys, dict(sorted(values.items())))
    _check_bounds(policy, field)
    return policy


def _check_bounds(policy: TagPolicy, field: str) -> None:
    """Raise Refusal (BAD_VALUE) for a policy beyond the bounds, or for a key that could have no value."""
    for name, keys in (("required", policy.required), ("allowed", policy.allowed)):
        if len(keys) > KEYS_MAX:
            raise Refusal(
                BAD_VALUE,
                f"It would name {counted(len(keys), 'key')}, and {KEYS_MAX} are allowed; leave some out.",
                field=f"{field}.{name}",
            )
    for key, values in policy.allowed.items():
        if not 1 <= len(values) <= VALUES_MAX:
            raise Refusal(
                BAD_VALUE,
                f"{key[:40]!r} would have {counted(len(values), 'allowed value')}, and a list has 1 to {VALUES_MAX}; "
                "null allows any value.",
                field=f"{field}.allowed",
            )
    size = len(msgspec.json.encode(policy))
    if size > BYTES_MAX:
        raise Refusal(
            BAD_VALUE, f"It would have {size} bytes as JSON, and {BYTES_MAX} are allowed; leave some out.", field=field
        )
