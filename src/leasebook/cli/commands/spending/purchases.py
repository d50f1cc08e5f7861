"""Commands by which money moves: each can be tried with ``--dry-run``, and asks with the price before it acts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.calling.naming import say_messages
from leasebook.cli.commands.calling.waiting import RUNNING, wait_for, wait_options
from leasebook.cli.commands.completion.values import completing
from leasebook.cli.commands.generated.kind import Asked, Kind
from leasebook.cli.commands.generated.values import is_terminal
from leasebook.cli.commands.language import _
from leasebook.cli.commands.showing.output import show
from leasebook.cli.commands.spending.asking import agreed, yes_option
from leasebook.cli.commands.spending.billing import billing_options, reservation_of, set_billing, term_options
from leasebook.cli.commands.spending.prices import Price, in_catalogue, of_change, quoted
from leasebook.cli.exits import FAILED, remark, stop

NOT_QUOTED: Final = frozenset({"clientToken", "quoteId"})
"""Values of a purchase that a quote does not take."""
RENEWAL: Final = ("instanceId", "months", "expiryDay")
"""Values of a renewal that its quote takes."""
TURN: Final = ("instanceId", "paymentTiming", "reservation")
"""Values of a change of billing that its quote takes."""


class Spending(Kind):
    """A command that costs money."""

    def price(self, asked: Asked, *, hold: bool) -> Price | None:
        """Return the price; None: nothing is paid. ``hold``: the service keeps it for some minutes, where it can."""
        raise NotImplementedError

    def parameters(self) -> list[click.Parameter]:
        """Return ``--dry-run`` and ``--yes``."""
        return [
            click.Option(
                ["--dry-run"], is_flag=True, help=_("Only show what it would cost, and whether it is refused.")
            ),
            yes_option(),
        ]

    def goes_on(self, asked: Asked) -> bool:
        """Show the price where that is all, else ask with it."""
        if asked.given["dry_run"]:
            self._tried(asked)
            return False
        if asked.given["yes"]:
            return True
        price = self.price(asked, hold=is_terminal())
        if price is None:
            return True
        if price.refusals and not all(one.startswith("ApprovalNeeded") for one in price.refusals):
            stop(" ".join(price.refusals), FAILED)
        if price.quote_id is not None:
            asked.body["quoteId"] = price.quote_id
        if price.amount is not None:
            asked.body.setdefault("maxAmount", price.amount)
        return agreed(_("{price} Go on?").format(price=price.sentence or ""), yes=False)

    def _tried(self, asked: Asked) -> None:
        price = self.price(asked, hold=False)
        if price is None:
            remark(_("Nothing is paid for this at once."))
            return
        if price.sentence is not None:
            remark(price.sentence)
        answer = dict(price.answer)
        if asked.view.is_table and "verdicts" in answer:
            answer["verdicts"] = refusing(answer)
            say_messages(answer)
        show(asked.view._replace(columns=()), action_of("quote_purchase", "term"), answer)
        if price.refusals:
            if "verdicts" not in answer or not asked.view.is_table:
                remark(" ".join(price.refusals))
            sys.exit(FAILED)


class Units(Spending):
    """Buy units of a type."""

    hidden = frozenset({"billing", "computeUnitConfig", "computeUnitCount"})

    def parameters(self) -> list[click.Parameter]:
        """Return options in place of the objects of the request."""
        return [*unit_options(), *super().parameters(), *wait_options(_("Wait until the instance runs."))]

    def prepare(self, asked: Asked) -> None:
        """Make the objects. Raises UsageError."""
        set_units(asked)

    def price(self, asked: Asked, *, hold: bool) -> Price:
        """Return the service's quote."""
        request = {name: value for name, value in asked.body.items() if name not in NOT_QUOTED}
        return quoted(asked, request, hold=hold and "quoteId" not in asked.body)

    def finish(self, asked: Asked, result: Any) -> Any:
        """Wait until it runs, where that is asked for."""
        if not asked.given["wait"]:
            return result
        return {**result, **wait_for(asked, result["instanceId"], RUNNING)}


class Quote(Kind):
    """Ask what units would cost."""

    hidden = Units.hidden | {"clientToken"}

    def parameters(self) -> list[click.Parameter]:
        """Return the options of the purchase."""
        return unit_options()

    def prepare(self, asked: Asked) -> None:
        """Make the objects. Raises UsageError."""
        set_units(asked)

    def finish(self, asked: Asked, result: Any) -> Any:
        """Leave the rules out that allow it, where people read the answer."""
        return {**result, "verdicts": refusing(result)} if asked.view.is_table else result


class ChangeQuote(Kind):
    """Ask what a renewal or a resize would cost."""

    hidden = frozenset({"clientToken"})

    def finish(self, asked: Asked, result: Any) -> Any:
        """Leave the rules out that allow it, where people read the answer."""
        return {**result, "verdicts": refusing(result)} if asked.view.is_table else result


def refusing(quote: Mapping[str, Any]) -> list[Any]:
    """Return the verdicts of a quote that refuse the purchase."""
    return [one for one in quote["verdicts"] if not one["passed"]]


def unit_options() -> list[click.Parameter]:
    """Return the options that say which units, how many, and for how long."""
    return [
        click.Option(
            ["--type"],
            metavar="TYPE",
            help=_("The type of unit, for example gpu-1."),
            shell_complete=completing("type"),
        ),
        click.Option(["--count"], type=click.IntRange(1), help=_("How many units; 1 if it is left out.")),
        click.Option(
            ["--region"],
            metavar="REGION",
            help=_("The region; left out: the first with stock enough."),
            shell_complete=completing("region"),
        ),
        *billing_options(),
    ]


def set_units(asked: Asked) -> None:
    """Put the units and their billing into the body. Raises UsageError."""
    body, given = asked.body, asked.given
    config = dict(body.get("computeUnitConfig") or {})
    config |= {name: given[name] for name in ("type", "region") if given[name] is not None}
    if "type" not in config:
        raise click.UsageError(_("--type is missing: `leasebook catalog` lists the types that are sold."))
    body["computeUnitConfig"] = config
    if given["count"] is not None or "computeUnitCount" not in body:
        body["computeUnitCount"] = given["count"] or 1
    set_billing(asked)


class Replicas(Spending):
    """Buy the units for replicas of a service."""

    hidden = frozenset({"billing"})

    def parameters(self) -> list[click.Parameter]:
        """Return options in place of the object ``billing``."""
        return [*billing_options(), *super().parameters()]

    def prepare(self, asked: Asked) -> None:
        """Make that object. Raises UsageError."""
        set_billing(asked)

    def price(self, asked: Asked, *, hold: bool) -> Price | None:
        """Return the quote for the units that the replicas take."""
        del hold
        service = asked.session.call(action_of("describe_service", "service"), {"serviceId": asked.body["serviceId"]})
        config = service.get("resourceConfig") or service.get("service", {}).get("resourceConfig") or {}
        return _of_replicas(asked, config, asked.body["replicasCount"])


class Service(Spending):
    """Create a service, on units bought with it where a billing is given."""

    hidden = frozenset({"billing"})

    def parameters(self) -> list[click.Parameter]:
        """Return options in place of the object ``billing``."""
        return [*billing_options(), *super().parameters()]

    def prepare(self, asked: Asked) -> None:
        """Make that object, where an option or the size of the purchase asks for one. Raises UsageError."""
        options = ("release_in", "until", "months", "auto_renew", "auto_renew_months")
        if "resourceConfig" in asked.body or any(asked.given[name] for name in options):
            set_billing(asked)

    def price(self, asked: Asked, *, hold: bool) -> Price | None:
        """Return the quote for the units that are bought with the service; None: none are."""
        del hold
        config = asked.body.get("resourceConfig")
        return None if config is None else _of_replicas(asked, config, config.get("replicasCount") or 1)


def _of_replicas(asked: Asked, config: dict[str, Any], replicas: int) -> Price | None:
    """Return the quote for replicas; their type has the units of one at its end: GPU-1-2 is two units of gpu-1."""
    kind, _hyphen, units = str(config.get("type", "")).rpartition("-")
    if not kind or not units.isdigit():
        return None
    request = {
        "billing": asked.body["billing"],
        "computeUnitConfig": {"type": kind.lower(), **({"region": config["region"]} if config.get("region") else {})},
        "computeUnitCount": int(units) * replicas,
    }
    return quoted(asked, request, hold=False)


class Renewal(Spending):
    """Renew an instance."""

    def price(self, asked: Asked, *, hold: bool) -> Price:
        """Return the service's quote for it."""
        del hold
        return of_change(asked, {name: asked.body[name] for name in RENEWAL if name in asked.body})


class Resize(Spending):
    """Change the number of units."""

    def price(self, asked: Asked, *, hold: bool) -> Price | None:
        """Return the service's quote for it; None: no units are added, and that was not asked with ``--dry-run``."""
        del hold
        request = {name: asked.body[name] for name in ("instanceId", "count")}
        if not asked.given["dry_run"]:
            unit = asked.session.call(action_of("describe_unit", "instance"), {"instanceId": request["instanceId"]})
            if request["count"] <= unit["computeUnitInstance"]["totalComputeUnits"]:
                return None
        return of_change(asked, request)


class Billing(Spending):
    """Change how an instance is paid."""

    hidden = frozenset({"reservation"})

    def parameters(self) -> list[click.Parameter]:
        """Return options in place of the object ``reservation``."""
        return [*term_options(_("For how many months, to become Prepaid.")), *super().parameters()]

    def prepare(self, asked: Asked) -> None:
        """Make that object. Raises UsageError."""
        reservation = reservation_of(asked)
        if reservation is not None:
            asked.body["reservation"] = reservation

    def price(self, asked: Asked, *, hold: bool) -> Price | None:
        """Return the service's quote for it; None: nothing is paid at once, and ``--dry-run`` was not asked for."""
        del hold
        if asked.body["paymentTiming"] != "Prepaid" and not asked.given["dry_run"]:
            return None
        return of_change(asked, {name: asked.body[name] for name in TURN if name in asked.body})


class Quota(Spending):
    """Buy quota of a model."""

    hidden = frozenset({"billing"})

    def parameters(self) -> list[click.Parameter]:
        """Return options in place of the object ``billing``."""
        return [*billing_options(), *super().parameters()]

    def prepare(self, asked: Asked) -> None:
        """Make that object. Raises UsageError."""
        set_billing(asked)

    def price(self, asked: Asked, *, hold: bool) -> Price:
        """Return the price by the catalogue."""
        del hold
        months = (asked.body["billing"].get("reservation") or {}).get("reservationLength")
        return in_catalogue(asked, asked.body["model"], asked.body["purchaseCount"], months)


class TopUp(Spending):
    """Put money on an account."""

    def price(self, asked: Asked, *, hold: bool) -> Price:
        """Return the amount itself."""
        del hold
        account = asked.body.get("accountId") or _("your account")
        sentence = _("{amount} is put on {account}.").format(amount=asked.body["amount"], account=account)
        return Price(sentence, {"amount": asked.body["amount"], "accountId": asked.body.get("accountId")})


class Approval(Spending):
    """Approve a purchase, which makes it."""

    def price(self, asked: Asked, *, hold: bool) -> Price:
        """Return the request that waits."""
        del hold
        listed = asked.session.pages(action_of("describe_approvals", "approval.approvals"), {}, "approvals", 0)
        found = next((one for one in listed["approvals"] if one["approvalId"] == asked.body["approvalId"]), None)
        if found is None:
            stop(_("There is no request {id}.").format(id=asked.body["approvalId"]), FAILED)
        sentence = _("{what}: {count} {type}, {cost} {currency} (by the minute: for 30 days), asked by {user}.").format(
            what=found["what"],
            count=found["computeUnitCount"],
            type=found["type"],
            cost=found["cost"],
            currency=found["currency"],
            user=found["askedBy"],
        )
        return Price(sentence, found)
