"""Methods of the clients: version detail. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.models.version_detail import ModelVersionDetail


class DescribeModelVersion(TypedDict, total=False):
    """Parameters of ``describe_model_version``."""

    model_version_id: Required[str]
    """The version of the model."""


DESCRIBE_MODEL_VERSION: Final[ActionOf[ModelVersionDetail]] = ActionOf(
    "/wenxinworkshop/modelrepo/modelVersionDetail",
    "DescribeModelVersion",
    DescribeModelVersion,
    ModelVersionDetail,
    writes=False,
)


class VersionDetailMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_model_version(self, **request: Unpack[DescribeModelVersion]) -> ModelVersionDetail:
        """Show a version of a model as the first API does. The parameter Action may be left out.

        ``/wenxinworkshop/modelrepo/modelVersionDetail?Action=DescribeModelVersion``
        """
        return self._call(DESCRIBE_MODEL_VERSION, request)


class AsyncVersionDetailMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_model_version(self, **request: Unpack[DescribeModelVersion]) -> ModelVersionDetail:
        """Show a version of a model as the first API does. The parameter Action may be left out.

        ``/wenxinworkshop/modelrepo/modelVersionDetail?Action=DescribeModelVersion``
        """
        return await self._call(DESCRIBE_MODEL_VERSION, request)
