"""Methods of the clients: offering. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Final, Literal, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.offering import EngineReport, OfferingDetail, OfferingList, PriceDetail, PricePage


class DescribeOfferings(TypedDict, total=False):
    """Parameters of ``describe_offerings``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""


DESCRIBE_OFFERINGS: Final[ActionOf[OfferingList]] = ActionOf(
    "/v2/catalog", "DescribeOfferings", DescribeOfferings, OfferingList, writes=False
)


class SetOffering(TypedDict, total=False):
    """Parameters of ``set_offering``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    region: str | None
    """The region."""

    type: str | None
    """The type of unit."""

    model: str | None
    """The model whose quota is sold; in place of region and type."""

    price_per_minute: Decimal | None
    """The price of one unit for a minute."""

    price_per_month: Decimal | None
    """The price of one unit for a month."""

    stock_total: int | None
    """How many units there are, free or held."""

    stock_source: Literal["Set", "Engine"] | None
    """Set: the stock is stockTotal. Engine: the stock is the capacity of the engine that serves the offering, less the
    stock set by hand in its other regions; at most one offering of each type and engine. Left out: unchanged, or Set
    for a new offering.
    """


SET_OFFERING: Final[ActionOf[OfferingDetail]] = ActionOf(
    "/v2/catalog", "SetOffering", SetOffering, OfferingDetail, writes=True
)


class CloseOffering(TypedDict, total=False):
    """Parameters of ``close_offering``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    region: str | None
    """The region."""

    type: str | None
    """The type of unit."""

    model: str | None
    """The model whose quota is sold; in place of region and type."""

    no_renewals: bool
    """Whether terms are not renewed any more, by hand or automatically. Left out: they are."""


CLOSE_OFFERING: Final[ActionOf[OfferingDetail]] = ActionOf(
    "/v2/catalog", "CloseOffering", CloseOffering, OfferingDetail, writes=True
)


class ReopenOffering(TypedDict, total=False):
    """Parameters of ``reopen_offering``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    region: str | None
    """The region."""

    type: str | None
    """The type of unit."""

    model: str | None
    """The model whose quota is sold; in place of region and type."""


REOPEN_OFFERING: Final[ActionOf[OfferingDetail]] = ActionOf(
    "/v2/catalog", "ReopenOffering", ReopenOffering, OfferingDetail, writes=True
)


class RemoveOffering(TypedDict, total=False):
    """Parameters of ``remove_offering``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    region: str | None
    """The region."""

    type: str | None
    """The type of unit."""

    model: str | None
    """The model whose quota is sold; in place of region and type."""


REMOVE_OFFERING: Final[ActionOf[bool]] = ActionOf("/v2/catalog", "RemoveOffering", RemoveOffering, bool, writes=True)


class DescribePrices(TypedDict, total=False):
    """Parameters of ``describe_prices``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    region: str | None
    """The region."""

    type: str | None
    """The type of unit."""

    model: str | None
    """The model whose quota is sold; in place of region and type."""


DESCRIBE_PRICES: Final[ActionOf[PricePage]] = ActionOf(
    "/v2/catalog", "DescribePrices", DescribePrices, PricePage, writes=False
)


class DescribeEngines(TypedDict, total=False):
    """Parameters of ``describe_engines``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""


DESCRIBE_ENGINES: Final[ActionOf[EngineReport]] = ActionOf(
    "/v2/catalog", "DescribeEngines", DescribeEngines, EngineReport, writes=False
)


class OfferingMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_offerings(self, **request: Unpack[DescribeOfferings]) -> OfferingList:
        """List the offerings with their regions, prices and free units.

        ``/v2/catalog?Action=DescribeOfferings``
        """
        return self._call(DESCRIBE_OFFERINGS, request)

    def each_of_offerings(self, **request: Unpack[DescribeOfferings]) -> Iterator[OfferingDetail]:
        """Go over the rows of every page of ``describe_offerings``."""
        return self._each(DESCRIBE_OFFERINGS, request, "offerings")

    def set_offering(self, **request: Unpack[SetOffering]) -> OfferingDetail:
        """Add an offering, or change its prices or its stock.

        ``/v2/catalog?Action=SetOffering``
        """
        return self._call(SET_OFFERING, request)

    def close_offering(self, **request: Unpack[CloseOffering]) -> OfferingDetail:
        """Sell no more of an offering; held units stay with their buyers.

        ``/v2/catalog?Action=CloseOffering``
        """
        return self._call(CLOSE_OFFERING, request)

    def reopen_offering(self, **request: Unpack[ReopenOffering]) -> OfferingDetail:
        """Sell a closed offering again.

        ``/v2/catalog?Action=ReopenOffering``
        """
        return self._call(REOPEN_OFFERING, request)

    def remove_offering(self, **request: Unpack[RemoveOffering]) -> bool:
        """Take a closed offering that no instance holds out of the catalogue.

        ``/v2/catalog?Action=RemoveOffering``
        """
        return self._call(REMOVE_OFFERING, request)

    def describe_prices(self, **request: Unpack[DescribePrices]) -> PricePage:
        """List the prices per minute that an offering has had.

        ``/v2/catalog?Action=DescribePrices``
        """
        return self._call(DESCRIBE_PRICES, request)

    def each_of_prices(self, **request: Unpack[DescribePrices]) -> Iterator[PriceDetail]:
        """Go over the rows of every page of ``describe_prices``."""
        return self._each(DESCRIBE_PRICES, request, "prices")

    def describe_engines(self, **request: Unpack[DescribeEngines]) -> EngineReport:
        """Show the capacity that engines report, and where it differs from the stock.

        ``/v2/catalog?Action=DescribeEngines``
        """
        return self._call(DESCRIBE_ENGINES, request)


class AsyncOfferingMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_offerings(self, **request: Unpack[DescribeOfferings]) -> OfferingList:
        """List the offerings with their regions, prices and free units.

        ``/v2/catalog?Action=DescribeOfferings``
        """
        return await self._call(DESCRIBE_OFFERINGS, request)

    def each_of_offerings(self, **request: Unpack[DescribeOfferings]) -> AsyncIterator[OfferingDetail]:
        """Go over the rows of every page of ``describe_offerings``."""
        return self._each(DESCRIBE_OFFERINGS, request, "offerings")

    async def set_offering(self, **request: Unpack[SetOffering]) -> OfferingDetail:
        """Add an offering, or change its prices or its stock.

        ``/v2/catalog?Action=SetOffering``
        """
        return await self._call(SET_OFFERING, request)

    async def close_offering(self, **request: Unpack[CloseOffering]) -> OfferingDetail:
        """Sell no more of an offering; held units stay with their buyers.

        ``/v2/catalog?Action=CloseOffering``
        """
        return await self._call(CLOSE_OFFERING, request)

    async def reopen_offering(self, **request: Unpack[ReopenOffering]) -> OfferingDetail:
        """Sell a closed offering again.

        ``/v2/catalog?Action=ReopenOffering``
        """
        return await self._call(REOPEN_OFFERING, request)

    async def remove_offering(self, **request: Unpack[RemoveOffering]) -> bool:
        """Take a closed offering that no instance holds out of the catalogue.

        ``/v2/catalog?Action=RemoveOffering``
        """
        return await self._call(REMOVE_OFFERING, request)

    async def describe_prices(self, **request: Unpack[DescribePrices]) -> PricePage:
        """List the prices per minute that an offering has had.

        ``/v2/catalog?Action=DescribePrices``
        """
        return await self._call(DESCRIBE_PRICES, request)

    def each_of_prices(self, **request: Unpack[DescribePrices]) -> AsyncIterator[PriceDetail]:
        """Go over the rows of every page of ``describe_prices``."""
        return self._each(DESCRIBE_PRICES, request, "prices")

    async def describe_engines(self, **request: Unpack[DescribeEngines]) -> EngineReport:
        """Show the capacity that engines report, and where it differs from the stock.

        ``/v2/catalog?Action=DescribeEngines``
        """
        return await self._call(DESCRIBE_ENGINES, request)
