"""Methods of the clients: lists. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.models.lists import CustomModelSetPage, ModelSetPage, ModelSetRow, SystemModelSetPage


class DescribeModelSets(TypedDict, total=False):
    """Parameters of ``describe_model_sets``."""

    marker: str | None
    """The nextMarker of the page before, or the id of a set to begin after."""

    max_keys: int | None
    """Rows a page: 10 where it is left out, 100 at most whatever is asked."""

    page_reverse: bool | None
    """Newest first."""

    name: str | None
    """Only sets with this in their name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""

    source: Literal["UserCreate", "System", "Custom"] | None
    """Only the account's own (UserCreate; Custom is an older name of it) or everybody's (System); left out: both."""


DESCRIBE_MODEL_SETS: Final[ActionOf[ModelSetPage]] = ActionOf(
    "/v2/model", "DescribeModelSets", DescribeModelSets, ModelSetPage, writes=False
)


class DescribeCustomModelSets(TypedDict, total=False):
    """Parameters of ``describe_custom_model_sets``."""

    marker: str | None
    """The nextMarker of the page before, or the id of a set to begin after."""

    max_keys: int | None
    """Rows a page: 10 where it is left out, 100 at most whatever is asked."""

    page_reverse: bool | None
    """Newest first."""

    name: str | None
    """Only sets with this in their name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""


DESCRIBE_CUSTOM_MODEL_SETS: Final[ActionOf[CustomModelSetPage]] = ActionOf(
    "/v2/model", "DescribeCustomModelSets", DescribeCustomModelSets, CustomModelSetPage, writes=False
)


class DescribeSystemModelSets(TypedDict, total=False):
    """Parameters of ``describe_system_model_sets``."""

    marker: str | None
    """The nextMarker of the page before, or the id of a set to begin after."""

    max_keys: int | None
    """Rows a page: 10 where it is left out, 100 at most whatever is asked."""

    page_reverse: bool | None
    """Newest first."""

    name: str | None
    """Only sets with this in their name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""


DESCRIBE_SYSTEM_MODEL_SETS: Final[ActionOf[SystemModelSetPage]] = ActionOf(
    "/v2/model", "DescribeSystemModelSets", DescribeSystemModelSets, SystemModelSetPage, writes=False
)


class ListsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_model_sets(self, **request: Unpack[DescribeModelSets]) -> ModelSetPage:
        """List the sets of models that the account may use, a page at a time.

        ``/v2/model?Action=DescribeModelSets``
        """
        return self._call(DESCRIBE_MODEL_SETS, request)

    def each_of_model_sets(self, **request: Unpack[DescribeModelSets]) -> Iterator[ModelSetRow]:
        """Go over the rows of every page of ``describe_model_sets``."""
        return self._each(DESCRIBE_MODEL_SETS, request, "model_set_list")

    def describe_custom_model_sets(self, **request: Unpack[DescribeCustomModelSets]) -> CustomModelSetPage:
        """List the account's own sets of models, a page at a time.

        ``/v2/model?Action=DescribeCustomModelSets``
        """
        return self._call(DESCRIBE_CUSTOM_MODEL_SETS, request)

    def each_of_custom_model_sets(self, **request: Unpack[DescribeCustomModelSets]) -> Iterator[ModelSetRow]:
        """Go over the rows of every page of ``describe_custom_model_sets``."""
        return self._each(DESCRIBE_CUSTOM_MODEL_SETS, request, "model_set_list")

    def describe_system_model_sets(self, **request: Unpack[DescribeSystemModelSets]) -> SystemModelSetPage:
        """List the sets of models that every account may use, a page at a time.

        ``/v2/model?Action=DescribeSystemModelSets``
        """
        return self._call(DESCRIBE_SYSTEM_MODEL_SETS, request)

    def each_of_system_model_sets(self, **request: Unpack[DescribeSystemModelSets]) -> Iterator[ModelSetRow]:
        """Go over the rows of every page of ``describe_system_model_sets``."""
        return self._each(DESCRIBE_SYSTEM_MODEL_SETS, request, "model_set_list")


class AsyncListsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_model_sets(self, **request: Unpack[DescribeModelSets]) -> ModelSetPage:
        """List the sets of models that the account may use, a page at a time.

        ``/v2/model?Action=DescribeModelSets``
        """
        return await self._call(DESCRIBE_MODEL_SETS, request)

    def each_of_model_sets(self, **request: Unpack[DescribeModelSets]) -> AsyncIterator[ModelSetRow]:
        """Go over the rows of every page of ``describe_model_sets``."""
        return self._each(DESCRIBE_MODEL_SETS, request, "model_set_list")

    async def describe_custom_model_sets(self, **request: Unpack[DescribeCustomModelSets]) -> CustomModelSetPage:
        """List the account's own sets of models, a page at a time.

        ``/v2/model?Action=DescribeCustomModelSets``
        """
        return await self._call(DESCRIBE_CUSTOM_MODEL_SETS, request)

    def each_of_custom_model_sets(self, **request: Unpack[DescribeCustomModelSets]) -> AsyncIterator[ModelSetRow]:
        """Go over the rows of every page of ``describe_custom_model_sets``."""
        return self._each(DESCRIBE_CUSTOM_MODEL_SETS, request, "model_set_list")

    async def describe_system_model_sets(self, **request: Unpack[DescribeSystemModelSets]) -> SystemModelSetPage:
        """List the sets of models that every account may use, a page at a time.

        ``/v2/model?Action=DescribeSystemModelSets``
        """
        return await self._call(DESCRIBE_SYSTEM_MODEL_SETS, request)

    def each_of_system_model_sets(self, **request: Unpack[DescribeSystemModelSets]) -> AsyncIterator[ModelSetRow]:
        """Go over the rows of every page of ``describe_system_model_sets``."""
        return self._each(DESCRIBE_SYSTEM_MODEL_SETS, request, "model_set_list")
