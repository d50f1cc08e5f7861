"""The rows of the action table for the audit log, and for the explanation of an instance."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, UNITS, Action, read
from leasebook.contract.nouns import audit_log as au
from leasebook.contract.nouns import explain as x


def audit_actions() -> list[Action]:
    """Return the actions of the audit log. What everybody did, and from where, is for those who run the account."""
    return [
        read(
            ACCOUNT,
            "DescribeAuditLog",
            "describe_audit_log",
            au.DescribeAuditLogRequest,
            au.AuditLogPage,
            "List who called what from where, and what became of it, newest first.",
            policies=p.MANAGERS | p.OPERATORS,
            errors=(e.INVALID_MARKER,),
        ),
        read(
            ACCOUNT,
            "DescribeAuditProof",
            "describe_audit_proof",
            au.DescribeAuditProofRequest,
            au.AuditProof,
            "Show where the chains of the audit log end, and what stands for pages that were closed.",
            policies=p.OPERATORS,
            errors=(e.INVALID_MARKER,),
        ),
    ]


def explain_actions() -> list[Action]:
    """Return the action that explains an instance."""
    return [
        read(
            UNITS,
            "ExplainComputeUnit",
            "explain_unit",
            x.ExplainComputeUnitRequest,
            x.Explanation,
            "Explain why an instance is alive, what ends it and when, what it costs, and what was tried in vain.",
            errors=(e.INSTANCE_NOT_FOUND,),
        ),
    ]
