"""What the fields of the shapes mean, where they tell of trust and of bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TRUST_MEANINGS: Final[Mapping[str, str]] = {
    "approvedBy": "The operator who made or approved the version.",
    "approveTime": "When an operator made or approved it.",
    "counted": "Whether units are sold and counted and nothing runs, or (false) only a version that is there will do.",
    "ServiceDetail.counted": "Whether it is only counted: nothing runs of it.",
    "orphanReason": (
        "Why nobody answers for the key any more: its maker is deleted (MakerGone) or may not make keys any more "
        "(MakerMayNot), so that it opens nothing; or has no active access key (MakerHasNoKey), and it goes on."
    ),
    "trusted": "Whether an operator made or approved it. Others run only where the engine keeps them apart completely.",
    "withdrawTime": "When an operator took its approval back.",
    "whyNotRun": (
        "Why nothing runs of it: it is only counted, no engine runs units of its type, or its version is not trusted "
        "and the engines that could run it do not keep it apart completely."
    ),
}
