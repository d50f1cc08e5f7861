"""The tag policy of an account: the tags that everything needs, and the values that tags may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unicodedata import normalize

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.plan import CHANGE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node, escaped
from leasebook.cli.house.server import ACCOUNT, Server
from leasebook.contract.nouns.resource.tag_policy import SetTagPolicyRequest

Policy = Mapping[str, Any]


class TagPolicyKind(AccountKind):
    """The tag policy of an account. A file with ``tagPolicy`` names all of it."""

    key = "tagPolicy"

    def read(self, node: Node) -> Policy:
        """Read ``tagPolicy``."""
        parsers: dict[str, schema.Parser[Any]] = {
            "required": schema.many(schema.text),
            "allowed": schema.by_key(schema.many(schema.text)),
        }
        policy = _plain(schema.fields(node, parsers))
        schema.fitting(SetTagPolicyRequest, {"policy": policy}, node.line, {"policy.": ""})
        return policy

    def look(self, server: Server, account_id: str) -> Policy:
        """Return the policy of an account."""
        return _plain(server.call(ACCOUNT, "DescribeTagPolicy", accountId=account_id)["policy"])

    def absent(self) -> Policy:
        """Return a policy that requires nothing."""
        return _plain({})

    def plan(self, place: Place, plan: Plan) -> None:
        """Add a step if the policies differ."""
        wanted, there = place.wanted[self.key], place.there[self.key]
        details = [change(name, there[name], wanted[name]) for name in wanted if there[name] != wanted[name]]

        def do(run: Run) -> None:
            account_id = place.account_id(run)
            run.server.call(ACCOUNT, "SetTagPolicy", accountId=account_id, policy=wanted, replace=True)

        plan.add([Step(CHANGE, words.tag_policy(place.label), do, tuple(details))] if details else [])

    def write(self, place: Place) -> Policy | None:
        """Write the policy."""
        policy = place.there[self.key]
        if policy == self.absent():
            return None
        allowed = {escaped(key): list(map(escaped, values)) for key, values in policy["allowed"].items()}
        return {"required": list(map(escaped, policy["required"])), "allowed": allowed}


def _plain(policy: Policy) -> dict[str, Any]:
    """Write a policy in one way. The service keeps tags in the composed form of Unicode."""

    def texts(given: list[str]) -> list[str]:
        return sorted({normalize("NFC", one) for one in given})

    allowed = policy.get("allowed") or {}
    return {
        "required": texts(policy.get("required") or []),
        "allowed": {normalize("NFC", key): texts(values) for key, values in sorted(allowed.items())},
    }
