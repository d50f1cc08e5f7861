"""What the fields of the shapes mean, where they tell of trust and of bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TRUST_MEANINGS: Final[Mapping[str, str]] = {
    "approvedBy": "The operator who made or approved the version.",
    "approveTime": "When an operator made or approved it.",
    "orphanReason": (
        "Why nobody answers for the key any more: its maker is deleted (MakerGone) or may not make keys any more "
        "(MakerMayNot), so that it opens nothing; or has no active access key (MakerHasNoKey), and it goes on."
    ),
    "trusted": "Whether an operator made or approved it. Others run only where the engine keeps them apart completely.",
    "withdrawTime": "When an operator took its approval back.",
    "whyNotRun": (
        "Why engines that could do not run its version: it is not trusted, and they do not keep it apart completely."
    ),
}
