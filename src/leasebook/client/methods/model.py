"""Methods of the clients: model. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.model import CreatedModel, CreatedModelSet, ModelDetail, ModelRow, ModelSetDetail
from leasebook.client.shapes.models.run import Run


class CreateModelSet(TypedDict, total=False):
    """Parameters of ``create_model_set``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_set_name: Required[str]
    """The set's name for people."""

    description: str | None
    """Free text."""

    model_type: str | None
    """The task of its models, such as Text2Text or Text2Image; kept and shown only."""

    labels: list[str] | None
    """Words of your own; kept and shown."""

    for_everybody: bool | None
    """Whether every account is to see and use it; an operator's to say."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart. A set for everybody has none."""


CREATE_MODEL_SET: Final[ActionOf[CreatedModelSet]] = ActionOf(
    "/v2/model", "CreateCustomModelSet", CreateModelSet, CreatedModelSet, writes=True
)


class CreateModel(TypedDict, total=False):
    """Parameters of ``create_model``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_set_id: Required[str]
    """The model."""

    run: Run | None
    """How a replica is run: a command, an image, or both; or an application. Required unless sourceType is given."""

    source_type: str | None
    """Where the model comes from: Import or Train; kept and shown."""

    import_meta: dict[str, Any] | None
    """The origin of an imported model, with sourceType Import; kept unread."""

    train_meta: dict[str, Any] | None
    """The training of the model, with sourceType Train; kept unread."""

    description: str | None
    """Free text."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart. A version of everybody's set has
    none.
    """


CREATE_MODEL: Final[ActionOf[CreatedModel]] = ActionOf(
    "/v2/model", "CreateCustomModel", CreateModel, CreatedModel, writes=True
)


class DeleteModel(TypedDict, total=False):
    """Parameters of ``delete_model``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_id: Required[str]
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""


DELETE_MODEL: Final[ActionOf[bool]] = ActionOf("/v2/model", "DeleteModel", DeleteModel, bool, writes=True)


class DeleteModelSet(TypedDict, total=False):
    """Parameters of ``delete_model_set``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_set_id: Required[str]
    """The model."""


DELETE_MODEL_SET: Final[ActionOf[bool]] = ActionOf("/v2/model", "DeleteModelSet", DeleteModelSet, bool, writes=True)


class DescribeModelSet(TypedDict, total=False):
    """Parameters of ``describe_model_set``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    model_set_id: str | None
    """The model; required unless modelSetName is given."""

    model_set_name: str | None
    """The set's name. Of several the account's own counts before everybody's, and the oldest before others."""

    tags: dict[str, str | None] | None
    """Of its versions those with all of these tags."""


DESCRIBE_MODEL_SET: Final[ActionOf[ModelSetDetail]] = ActionOf(
    "/v2/model", "DescribeModelSet", DescribeModelSet, ModelSetDetail, writes=False
)


class DescribeModel(TypedDict, total=False):
    """Parameters of ``describe_model``."""

    model_id: Required[str]
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""


DESCRIBE_MODEL: Final[ActionOf[ModelDetail]] = ActionOf(
    "/v2/model", "DescribeModel", DescribeModel, ModelDetail, writes=False
)


class ApproveModel(TypedDict, total=False):
    """Parameters of ``approve_model``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_id: Required[str]
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""


APPROVE_MODEL: Final[ActionOf[ModelDetail]] = ActionOf(
    "/v2/model", "ApproveModel", ApproveModel, ModelDetail, writes=True
)


class WithdrawModelApproval(TypedDict, total=False):
    """Parameters of ``withdraw_model_approval``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_id: Required[str]
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""


WITHDRAW_MODEL_APPROVAL: Final[ActionOf[ModelDetail]] = ActionOf(
    "/v2/model", "WithdrawModelApproval", WithdrawModelApproval, ModelDetail, writes=True
)


class ModelMethods(Caller):
    """Methods of a client that waits for its answers."""

    def create_model_set(self, **request: Unpack[CreateModelSet]) -> CreatedModelSet:
        """Add a set of models, which gets versions then.

        ``/v2/model?Action=CreateCustomModelSet``
        """
        return self._call(CREATE_MODEL_SET, request)

    def create_model(self, **request: Unpack[CreateModel]) -> CreatedModel:
        """Add a version to a set of models, and say how a replica of it is run.

        ``/v2/model?Action=CreateCustomModel``
        """
        return self._call(CREATE_MODEL, request)

    def delete_model(self, **request: Unpack[DeleteModel]) -> bool:
        """Take a version out that no service uses.

        ``/v2/model?Action=DeleteModel``
        """
        return self._call(DELETE_MODEL, request)

    def delete_model_set(self, **request: Unpack[DeleteModelSet]) -> bool:
        """Take out a set of models that has no versions left.

        ``/v2/model?Action=DeleteModelSet``
        """
        return self._call(DELETE_MODEL_SET, request)

    def describe_model_set(self, **request: Unpack[DescribeModelSet]) -> ModelSetDetail:
        """Show a set of models and its versions.

        ``/v2/model?Action=DescribeModelSet``
        """
        return self._call(DESCRIBE_MODEL_SET, request)

    def each_of_model_set(self, **request: Unpack[DescribeModelSet]) -> Iterator[ModelRow]:
        """Go over the rows of every page of ``describe_model_set``."""
        return self._each(DESCRIBE_MODEL_SET, request, "model_list")

    def describe_model(self, **request: Unpack[DescribeModel]) -> ModelDetail:
        """Show a version of a model, and how it is run.

        ``/v2/model?Action=DescribeModel``
        """
        return self._call(DESCRIBE_MODEL, request)

    def approve_model(self, **request: Unpack[ApproveModel]) -> ModelDetail:
        """Let a version of any account run on engines that do not keep it apart, too.

        ``/v2/model?Action=ApproveModel``
        """
        return self._call(APPROVE_MODEL, request)

    def withdraw_model_approval(self, **request: Unpack[WithdrawModelApproval]) -> ModelDetail:
        """Take an approval back, and end what runs of the version where it is not kept apart.

        ``/v2/model?Action=WithdrawModelApproval``
        """
        return self._call(WITHDRAW_MODEL_APPROVAL, request)


class AsyncModelMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def create_model_set(self, **request: Unpack[CreateModelSet]) -> CreatedModelSet:
        """Add a set of models, which gets versions then.

        ``/v2/model?Action=CreateCustomModelSet``
        """
        return await self._call(CREATE_MODEL_SET, request)

    async def create_model(self, **request: Unpack[CreateModel]) -> CreatedModel:
        """Add a version to a set of models, and say how a replica of it is run.

        ``/v2/model?Action=CreateCustomModel``
        """
        return await self._call(CREATE_MODEL, request)

    async def delete_model(self, **request: Unpack[DeleteModel]) -> bool:
        """Take a version out that no service uses.

        ``/v2/model?Action=DeleteModel``
        """
        return await self._call(DELETE_MODEL, request)

    async def delete_model_set(self, **request: Unpack[DeleteModelSet]) -> bool:
        """Take out a set of models that has no versions left.

        ``/v2/model?Action=DeleteModelSet``
        """
        return await self._call(DELETE_MODEL_SET, request)

    async def describe_model_set(self, **request: Unpack[DescribeModelSet]) -> ModelSetDetail:
        """Show a set of models and its versions.

        ``/v2/model?Action=DescribeModelSet``
        """
        return await self._call(DESCRIBE_MODEL_SET, request)

    def each_of_model_set(self, **request: Unpack[DescribeModelSet]) -> AsyncIterator[ModelRow]:
        """Go over the rows of every page of ``describe_model_set``."""
        return self._each(DESCRIBE_MODEL_SET, request, "model_list")

    async def describe_model(self, **request: Unpack[DescribeModel]) -> ModelDetail:
        """Show a version of a model, and how it is run.

        ``/v2/model?Action=DescribeModel``
        """
        return await self._call(DESCRIBE_MODEL, request)

    async def approve_model(self, **request: Unpack[ApproveModel]) -> ModelDetail:
        """Let a version of any account run on engines that do not keep it apart, too.

        ``/v2/model?Action=ApproveModel``
        """
        return await self._call(APPROVE_MODEL, request)

    async def withdraw_model_approval(self, **request: Unpack[WithdrawModelApproval]) -> ModelDetail:
        """Take an approval back, and end what runs of the version where it is not kept apart.

        ``/v2/model?Action=WithdrawModelApproval``
        """
        return await self._call(WITHDRAW_MODEL_APPROVAL, request)
