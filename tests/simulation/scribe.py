"""Writes a history down as commands, with the ids that the rim would give them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.billing_switch import ChangeBilling
from leasebook.domain.commands.instance.engine_report import (
    ConfirmFailed,
    ConfirmReleased,
    ConfirmResized,
    ConfirmResizeFailed,
    ConfirmRunning,
)
from leasebook.domain.commands.instance.purchase import Billing, BuyReplicas, BuyUnits, Purchase
from leasebook.domain.commands.instance.quote import QuoteUnits
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import Renew as RenewUnit
from leasebook.domain.commands.instance.renewal import SetAutoRenew
from leasebook.domain.commands.instance.resize import Resize as ResizeUnit
from leasebook.domain.commands.service.service import (
    CreateService,
    DeleteService,
    DeployService,
    ModifyService,
    NewService,
    ScaleService,
    SwitchService,
)
from leasebook.domain.commands.service.service import Place as Placed
from leasebook.domain.commands.service.usage import CountCalls, GrantPackage
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.model.offering import EVERYWHERE, QUOTA, UNITS_OF_COMPUTE, OfferingKind
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.money import Micro
from tests.simulation.asks import (
    Again,
    Ask,
    AutoRenew,
    Buy,
    BuyQuoted,
    Delete,
    Deploy,
    Drop,
    Fund,
    Grant,
    Modify,
    Offer,
    OnService,
    OnUnit,
    PlaceReplicas,
    Quoted,
    Renew,
    Report,
    ReportCalls,
    Resize,
    Scale,
    Schedule,
    Serve,
    Step,
    Switch,
    SwitchBilling,
    Wait,
    What,
)

T = TypeVar("T")

ACCOUNTS: Final = ("acc-1", "acc-2")
MODEL: Final = "ernie"
"""Its quota is sold, too."""
REPORTED_MAX: Final = 3


class Round(NamedTuple):
    """Commands that come at one moment."""

    at: Instant
    commands: tuple[Command, ...]


class Known(NamedTuple):
    """An id that came up, and whose it is."""

    account: str
    id: str
    kind: OfferingKind = UNITS_OF_COMPUTE


class Scribe:
    """Writes steps down. The meaning of one depends on the steps before it, never on answers."""

    def __init__(self, start: Instant) -> None:
        self._now = start
        self._number = 0
        self._units: list[Known] = []
        self._services: list[Known] = []
        self._packages: list[Known] = []
        self._quotes: list[QuoteUnits] = []
        self._asked: list[Command] = []

    def rounds(self, opening: Iterable[Command], steps: Sequence[Step]) -> Iterator[Round]:
        """Write everything down, round by round."""
        # The steps that open the store are answered before any other call.
        yield Round(self._now, tuple(opening))
        commands: list[Command] = []
        for step in steps:
            self._number += 1
            if isinstance(step, Wait):
                yield Round(self._now, tuple(commands))
                self._now = Instant(self._now + step.seconds * SECOND_US)
                commands = []
            else:
                commands += self._commands(step)
        yield Round(self._now, tuple(commands))

    def _commands(self, step: Ask | Again | Report) -> Sequence[Command]:
        if isinstance(step, Report):
            return tuple(self._reports(step))
        command = self._again(step) if isinstance(step, Again) else self._command(step.what, step)
        if command is None:
            return ()
        self._asked.append(command)
        return (command,)

    def _reports(self, step: Report) -> Iterator[Command]:
        one = None if step.unit is None else _ago(self._units, step.unit)
        few = self._units[:REPORTED_MAX] + self._units[REPORTED_MAX:][-REPORTED_MAX:]
        for known in few if step.unit is None else () if one is None else (one,):
            if step.failed:
                yield ConfirmFailed(unit_id=known.id, reason="no capacity")
                yield ConfirmResizeFailed(unit_id=known.id, reason="no more capacity")
            else:
                yield ConfirmRunning(unit_id=known.id)
                yield ConfirmResized(unit_id=known.id)
                yield ConfirmReleased(unit_id=known.id)

    def _command(self, what: What, step: Ask) -> Command | None:
        match what:
            case Buy():
                return self._buy(what, self._token(ACCOUNTS[what.account], step))
            case Quoted():
                return self._quote(what, self._token(ACCOUNTS[what.buy.account], step))
            case BuyQuoted():
                return self._buy_quoted(what, step)
            case Serve():
                return self._serve(what, self._token(ACCOUNTS[what.account], step))
            case Deploy():
                return self._deploy(what, step)
            case Scale() | PlaceReplicas() | Modify() | Switch() | Delete() | ReportCalls():
                found = _ago(self._services, what.service)
                return None if found is None else self._on_service(what, found, self._token(found.account, step))
            case Schedule() | Drop() | Resize() | Renew() | AutoRenew() | SwitchBilling():
                known = _ago(self._units, what.unit)
                return None if known is None else self._on_unit(what, known, step)
            case Grant():
                return self._grant(what, self._token(ACCOUNTS[what.account], step))
            case Fund():
                account = ACCOUNTS[what.account]
                return TopUp(token=self._token(account, step), account_id=account, amount=Micro(what.amount))
            case Offer():
                return SetOffering(
                    token=self._token(ACCOUNTS[0], step),
                    region=what.region,
                    unit_type=what.unit_type,
                    per_minute=micro(what.per_minute),
                    per_month=micro(what.per_month),
                    stock_total=what.stock,
                )

    # --- buying ----------------------------------------------------------------------------------------------

    def _buy(self, what: Buy, token: IdempotencyKey | None) -> BuyUnits:
        is_quota = what.unit_type == MODEL
        return BuyUnits(
            token=token,
            purchase=self._purchase(ACCOUNTS[what.account], what, QUOTA if is_quota else UNITS_OF_COMPUTE),
            region=EVERYWHERE if is_quota else what.region,
            unit_type=what.unit_type,
            count=what.number,
            kind=QUOTA if is_quota else UNITS_OF_COMPUTE,
        )

    def _quote(self, what: Quoted, token: IdempotencyKey | None) -> QuoteUnits:
        buy = self._buy(what.buy, None)
        self._units.pop()  # nothing is bought
        quote = QuoteUnits(
            token=token,
            purchase=buy.purchase,
            region=buy.region,
            unit_type=buy.unit_type,
            count=buy.count,
            kind=buy.kind,
            quote_id=f"quote-{self._number:03}" if what.keep else None,
        )
        if what.keep:
            self._quotes.append(quote)
        return quote

    def _buy_quoted(self, what: BuyQuoted, step: Ask) -> Command | None:
        quote = _ago(self._quotes, what.quote)
        if quote is None:
            return None
        account = quote.purchase.account_id
        if what.how == "stranger":
            account = _other(account)
        purchase = msgspec.structs.replace(
            quote.purchase,
            account_id=account,
            by=f"user-{account}",
            quote_id=quote.quote_id,
            **self._new_purchase(account, quote.kind),
        )
        return BuyUnits(
            token=self._token(account, step),
            purchase=purchase,
            region=None if what.how == "anywhere" and quote.kind == UNITS_OF_COMPUTE else quote.region,
            unit_type=quote.unit_type,
            count=quote.count + (what.how == "more"),
            kind=quote.kind,
        )

    def _purchase(self, account: str, what: Buy | Serve | Scale, kind: OfferingKind = UNITS_OF_COMPUTE) -> Purchase:
        billing = (
            Billing(
                payment_timing="Prepaid",
                months=what.months,
                auto_renew=what.renew > 0,
                auto_renew_months=what.renew or 1,
            )
            if what.months
            else Billing(payment_timing="Postpaid", release_at=self._ahead(what.lead))
        )
        new = self._new_purchase(account, kind)
        return Purchase(account_id=account, by=f"user-{account}", billing=billing, **new)

    def _new_purchase(self, account: str, kind: OfferingKind) -> dict[str, Any]:
        self._units.append(Known(account, f"unit-{self._number:03}", kind))
        return {"unit_id": self._units[-1].id, "order_id": self._order_id}

    # --- services --------------------------------------------------------------------------------------------

    def _new_service(self, account: str) -> NewService:
        self._services.append(Known(account, f"svco-{self._number:03}"))
        return NewService(
            service_id=self._services[-1].id,
            account_id=account,
            user_id=f"user-{account}",
            name="a service",
            description="",
            url_suffix="service",
            model_set_id="am-1",
            model_id="amv-1",
            qps=1.5,
        )

    def _serve(self, what: Serve, token: IdempotencyKey | None) -> Command:
        account = ACCOUNTS[what.account]
        return CreateService(
            token=token,
            new=self._new_service(account),
            resource_type=what.resource_type,
            region=what.region,
            replicas=what.replicas,
            purchase=self._purchase(account, what) if what.replicas else None,
        )

    def _deploy(self, what: Deploy, step: Ask) -> Command | None:
        units = [known for ago in what.units if (known := _ago(self._units, ago)) is not None]
        if not units:
            return None
        account = units[0].account
        return DeployService(
            token=self._token(account, step),
            new=self._new_service(account),
            places=tuple(Placed(known.id, what.replicas) for known in units),
            units_each=what.each,
        )

    def _on_service(self, what: OnService, service: Known, token: IdempotencyKey | None) -> Command | None:
        owned: dict[str, Any] = {"token": token, "account_id": service.account, "service_id": service.id}
        match what:
            case Scale():
                purchase = self._purchase(service.account, what)
                return BuyReplicas(token=token, purchase=purchase, service_id=service.id, replicas=what.replicas)
            case PlaceReplicas():
                unit = _ago(self._units, what.unit)
                return None if unit is None else ScaleService(unit_id=unit.id, replicas=what.replicas, **owned)
            case Modify():
                return ModifyService(model_set_id="am-2", model_id=f"amv-{self._number}", **owned)
            case Switch():
                return SwitchService(active=what.active, **owned)
            case Delete():
                return DeleteService(**owned)
            case ReportCalls():
                package = None if what.package is None else _ago(self._packages, what.package)
                return CountCalls(
                    app_id=what.app,
                    at=Instant(self._now - what.ago * SECOND_US),
                    input_tokens=what.tokens,
                    output_tokens=what.tokens // 3,
                    succeeded=1,
                    failed=what.tokens % 2,
                    package_id=None if package is None else package.id,
                    **owned,
                )

    def _grant(self, what: Grant, token: IdempotencyKey | None) -> Command:
        account = ACCOUNTS[what.account]
        self._packages.append(Known(account, f"package-{self._number:03}"))
        return GrantPackage(
            token=token,
            package_id=self._packages[-1].id,
            account_id=account,
            user_id=f"user-{account}",
            service_name="a service",
            specification=what.specification,
            expires_at=Instant(self._now + what.lead * SECOND_US),
            starts_at=None if what.start is None else Instant(self._now + what.start * SECOND_US),
        )

    # --- units -----------------------------------------------------------------------------------------------

    def _on_unit(self, what: OnUnit, unit: Known, step: Ask) -> Command:
        account = _other(unit.account) if what.who == "stranger" else unit.account
        kind = unit.kind
        if what.who == "mistaken":
            kind = QUOTA if kind == UNITS_OF_COMPUTE else UNITS_OF_COMPUTE
        owned: dict[str, Any] = {"token": self._token(account, step), "account_id": account, "unit_id": unit.id}
        ordered: dict[str, Any] = {"by": f"user-{account}", "order_id": self._order_id}
        match what:
            case Schedule():
                return ScheduleRelease(service_id=None, release_at=self._ahead(what.lead), kind=kind, **owned)
            case Drop():
                model = None if kind == UNITS_OF_COMPUTE else MODEL
                return Release(service_id=None, kind=kind, model=model, **owned)
            case Resize():
                return ResizeUnit(count=what.number, kind=kind, **ordered, **owned)
            case Renew():
                return RenewUnit(months=what.months, day=what.day, **ordered, **owned)
            case AutoRenew():
                return SetAutoRenew(months=what.months, kind=kind, **owned)
            case SwitchBilling():
                return ChangeBilling(
                    payment_timing="Prepaid" if what.months else "Postpaid",
                    months=what.months,
                    auto_renew=what.renew > 0,
                    auto_renew_months=what.renew or 1,
                    **ordered,
                    **owned,
                )

    # --- once more -------------------------------------------------------------------------------------------

    def _again(self, step: Again) -> Command | None:
        asked = _ago(self._asked, step.back)
        if asked is None:
            return None
        if asked.token is None:
            return self._anew(asked, keep=True)
        digest = "changed" if step.changed else asked.token.digest
        return msgspec.structs.replace(
            self._anew(asked, keep=False), token=msgspec.structs.replace(asked.token, digest=digest)
        )

    def _anew(self, asked: Command, *, keep: bool) -> Command:
        """Give a repeated request the new ids that the rim would give it; they come up where they are kept."""
        lists: tuple[list[Any], ...] = (self._units, self._services, self._packages, self._quotes)
        lengths = [len(known) for known in lists]
        asked = self._with_ids(asked)
        if not keep:
            for known, length in zip(lists, lengths, strict=True):
                del known[length:]
        return asked

    def _with_ids(self, asked: Command) -> Command:
        new = msgspec.structs.replace
        if isinstance(asked, CreateService | DeployService):
            asked = new(asked, new=self._new_service(asked.new.account_id))
        elif isinstance(asked, GrantPackage):
            self._packages.append(Known(asked.account_id, f"package-{self._number:03}"))
            asked = new(asked, package_id=self._packages[-1].id)
        elif isinstance(asked, RenewUnit | ResizeUnit | ChangeBilling):
            asked = new(asked, order_id=self._order_id)
        elif isinstance(asked, QuoteUnits) and asked.quote_id is not None:
            asked = new(asked, quote_id=f"quote-{self._number:03}")
            self._quotes.append(asked)
        purchase = getattr(asked, "purchase", None)
        if purchase is None or isinstance(asked, QuoteUnits):
            return asked
        ids = self._new_purchase(purchase.account_id, getattr(asked, "kind", UNITS_OF_COMPUTE))
        return new(asked, purchase=new(purchase, **ids))

    # --- what everything needs -------------------------------------------------------------------------------

    @property
    def _order_id(self) -> str:
        return f"order-{self._number:03}"

    def _ahead(self, lead: int | None) -> Instant | None:
        return None if lead is None else Instant(self._now + lead * SECOND_US)

    def _token(self, account: str, step: Ask) -> IdempotencyKey | None:
        return IdempotencyKey(account, f"token-{self._number:03}", f"digest-{self._number:03}") if step.token else None


def micro(amount: int | None) -> Micro | None:
    """An amount, or none."""
    return None if amount is None else Micro(amount)


def _other(account: str) -> str:
    return ACCOUNTS[1 - ACCOUNTS.index(account)]


def _ago(rows: Sequence[T], back: int) -> T | None:
    return rows[-1 - back % len(rows)] if rows else None
