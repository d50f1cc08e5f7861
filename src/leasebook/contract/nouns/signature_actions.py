"""The rows of the action table for what signatures must cover, and for calls that were refused for theirs."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, IAM, Action, read, write
from leasebook.contract.nouns import signature as sig


def signature_actions() -> list[Action]:
    """Return the actions about signatures."""
    return [
        write(
            IAM,
            "SetKeyRules",
            "set_key_rules",
            sig.SetKeyRulesRequest,
            bool,
            "Set what every signature of a key or a user must cover.",
            policies=p.MANAGERS | p.OPERATORS,
        ),
        read(
            ACCOUNT,
            "DescribeRefusedCalls",
            "describe_refused_calls",
            sig.DescribeRefusedCallsRequest,
            sig.RefusedCallsPage,
            "List how many calls were refused for their signature, by minute, address and access key.",
            policies=p.OPERATORS,
            errors=(e.INVALID_MARKER,),
        ),
    ]
