"""The settings of stock that follows engines, and of unknown model versions."""

from typing import Annotated, Literal

from leasebook.config.kinds import Declared, OneOf, Whole
from leasebook.config.sections.http import HttpSettings


class StockSettings(HttpSettings, frozen=True, kw_only=True):
    """Settings of stock that follows engines, and of unknown model versions; each field is its declaration."""

    stock_ask_seconds: Annotated[
        int,
        Declared(
            "stock.ask_seconds",
            Whole(1, 3600, "seconds"),
            "How often an engine is asked for its capacity. Stock that follows an engine is updated at this interval.",
        ),
    ] = 10

    stock_node_gone_minutes: Annotated[
        int,
        Declared(
            "stock.node_gone_minutes",
            Whole(1, 10_080, "minutes"),
            "How long the server of a machine with a process engine may show no sign of life before the machine's "
            "units leave the stock. Sold units stay sold.",
        ),
    ] = 10

    services_unknown_models: Annotated[
        Literal["refuse", "count"] | None,
        Declared(
            "services.unknown_models",
            OneOf(("refuse", "count")),
            "How a service with an unknown version of a model is handled. `refuse`: CreateService and ModifyService "
            "answer ResourceNotFound. `count`: its units are sold and counted, and nothing runs. A request may "
            "choose either (`counted`).",
            unset="`count` with `--demo` and with `--clock virtual`, otherwise `refuse`",
        ),
    ] = None
