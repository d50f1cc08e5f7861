"""The settings about stock that comes from engines, and about what no engine runs."""

from typing import Annotated, Literal

from leasebook.config.kinds import Declared, OneOf, Whole
from leasebook.config.sections.http import HttpSettings


class StockSettings(HttpSettings, frozen=True, kw_only=True):
    """How what engines have is compared with what is offered; each field is its declaration."""

    stock_ask_seconds: Annotated[
        int,
        Declared(
            "stock.ask_seconds",
            Whole(1, 3600, "seconds"),
            "How often an engine is asked what it has. Stock that follows an engine follows it that fast.",
        ),
    ] = 10

    stock_node_gone_minutes: Annotated[
        int,
        Declared(
            "stock.node_gone_minutes",
            Whole(1, 10_080, "minutes"),
            "A machine with a process engine whose server gave no sign of life for so long is no stock any more. "
            "What is sold stays sold.",
        ),
    ] = 10

    services_unknown_models: Annotated[
        Literal["refuse", "count"] | None,
        Declared(
            "services.unknown_models",
            OneOf(("refuse", "count")),
            "What becomes of a service whose version of a model the repository does not have. `refuse`: CreateService "
            "and ModifyService answer ResourceNotFound. `count`: its units are sold and counted, and nothing runs. "
            "A request may ask for either (`counted`).",
            unset="`count` with `--demo` and with `--clock virtual`, else `refuse`",
        ),
    ] = None
