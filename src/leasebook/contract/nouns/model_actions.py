"""Actions of the model repository."""

from __future__ import annotations

from typing import Any

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import MODEL, Action, read, write
from leasebook.contract.nouns import model as m


def model_actions() -> list[Action]:
    """Return the actions of the model repository, by the names of the official clients where there are some."""
    return [*_writes(), *_reads(), *_trusts()]


def _write(name: str, operation: str, request: type[Any], result: Any, summary: str, *errors: e.ErrorCode) -> Action:
    return write(MODEL, name, operation, request, result, summary, errors=errors, policies=p.WRITERS | p.OPERATORS)


def _writes() -> list[Action]:
    return [
        _write(
            "CreateCustomModelSet",
            "create_model_set",
            m.CreateCustomModelSetRequest,
            m.CreatedModelSet,
            "Add a set of models, which gets versions then.",
            e.QUOTA_EXCEEDED,
        ),
        _write(
            "CreateCustomModel",
            "create_model",
            m.CreateCustomModelRequest,
            m.CreatedModel,
            "Add a version to a set of models, and say how a replica of it is run.",
            e.QUOTA_EXCEEDED,
        ),
        _write(
            "DeleteModel",
            "delete_model",
            m.DeleteModelRequest,
            bool,
            "Take a version out that no service uses.",
            e.INVALID_STATE,
        ),
        _write(
            "DeleteModelSet",
            "delete_model_set",
            m.DeleteModelSetRequest,
            bool,
            "Take out a set of models that has no versions left.",
            e.INVALID_STATE,
        ),
    ]


def _trust(name: str, operation: str, summary: str) -> Action:
    return write(MODEL, name, operation, m.ModelRequest, m.ModelDetail, summary, policies=p.OPERATORS)


def _trusts() -> list[Action]:
    return [
        _trust(
            "ApproveModel",
            "approve_model",
            "Let a version of any account run on engines that do not keep it apart, too.",
        ),
        _trust(
            "WithdrawModelApproval",
            "withdraw_model_approval",
            "Take an approval back, and end what runs of the version where it is not kept apart.",
        ),
    ]


def _lists(name: str, operation: str, request: type[Any], summary: str) -> Action:
    return read(MODEL, name, operation, request, m.ModelSetPage, summary, errors=(e.INVALID_MARKER,))


def _reads() -> list[Action]:
    return [
        _lists(
            "DescribeModelSets",
            "describe_model_sets",
            m.DescribeModelSetsRequest,
            "List the sets of models that the account may use, a page at a time.",
        ),
        _lists(
            "DescribeCustomModelSets",
            "describe_custom_model_sets",
            m.DescribeSomeModelSetsRequest,
            "List the account's own sets of models, a page at a time.",
        ),
        _lists(
            "DescribeSystemModelSets",
            "describe_system_model_sets",
            m.DescribeSomeModelSetsRequest,
            "List the sets of models that every account may use, a page at a time.",
        ),
        read(
            MODEL,
            "DescribeModelSet",
            "describe_model_set",
            m.DescribeModelSetRequest,
            m.ModelSetDetail,
            "Show a set of models and its versions.",
            policies=p.READERS | p.OPERATORS,
            errors=(e.INVALID_MARKER,),
        ),
        read(
            MODEL,
            "DescribeModel",
            "describe_model",
            m.DescribeModelRequest,
            m.ModelDetail,
            "Show a version of a model, and how it is run.",
            policies=p.READERS | p.OPERATORS,
        ),
    ]
