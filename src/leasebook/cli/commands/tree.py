"""The groups of commands. A group knows its commands' names, and makes a command when it is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from leasebook.cli.commands.language import _
from leasebook.cli.commands.late import IN_GROUPS, LateCommand
from leasebook.cli.commands.places import ALONE, GROUPS, MORE, PLACES, in_group

if TYPE_CHECKING:
    from leasebook.cli.commands.generated.kind import Kind

BY_HAND: Final[dict[str, str]] = {
    "units buy": "spending.purchases.Units",
    "units renew": "spending.purchases.Renewal",
    "units resize": "spending.purchases.Resize",
    "units billing": "spending.purchases.Billing",
    "quote ask": "spending.purchases.Quote",
    "quote change": "spending.purchases.ChangeQuote",
    "services buy": "spending.purchases.Replicas",
    "services create": "spending.purchases.Service",
    "quota buy": "spending.purchases.Quota",
    "accounts top-up": "spending.purchases.TopUp",
    "approvals approve": "spending.purchases.Approval",
    "costs show": "byhand.money.Costs",
    "costs export": "byhand.money.Export",
    "bill show": "byhand.money.Statement",
    "keys list": "byhand.money.Keys",
    "limits show": "byhand.money.Limits",
    "audit-log list": "byhand.clock_and_events.AuditLog",
    "clock advance": "byhand.clock_and_events.Advance",
    "events list": "byhand.clock_and_events.Events",
    "events follow": "byhand.clock_and_events.Follow",
    "units release": "byhand.units.Release",
    "units extend": "byhand.units.Extend",
    "units keep": "byhand.units.Keep",
    "units schedule": "byhand.units.Schedule",
    "services release": "byhand.units.Ending",
    "services delete": "byhand.units.Ending",
    "service-keys delete": "byhand.units.Ending",
    "quota release": "byhand.units.Ending",
    "models delete": "byhand.units.Ending",
    "models delete-set": "byhand.units.Ending",
    "accounts close": "byhand.units.Ending",
    "projects close": "byhand.units.Ending",
    "users delete": "byhand.units.Ending",
    "subscriptions delete": "byhand.units.Ending",
    "catalog remove": "byhand.units.Ending",
}
"""The commands that add something to their operation: a module below ``leasebook.cli.commands``, and a class in it."""


def kind_of(command: str) -> Kind:
    """Return the steps of a command."""
    place = BY_HAND.get(command)
    if place is None:
        from leasebook.cli.commands.generated.kind import Kind

        return Kind()
    module, _point, name = place.rpartition(".")
    found: Kind = getattr(import_module(f"leasebook.cli.commands.{module}"), name)()
    return found


class NounGroup(click.Group):
    """The commands about one kind of thing."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context, with the form of help that the command line has."""
        if parent is not None:
            self.context_class = type(parent)
        return super().make_context(info_name, args, parent, **extra)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the sentence about the group, in the language of the environment."""
        del limit
        return _(GROUPS[str(self.name)])

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sentence about the group, and which command is meant where none is named."""
        del ctx
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_(GROUPS[str(self.name)]))
            alone = ALONE.get(str(self.name))
            if alone is not None:
                formatter.write_paragraph()
                formatter.write_text(_("Without a command it is `{command}`.").format(command=f"{self.name} {alone}"))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        if self.name == MORE:
            return _without_place()
        return [*_late(str(self.name)), *in_group(str(self.name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command of a name."""
        del ctx
        from leasebook.cli.commands.actions import action_of, in_table
        from leasebook.cli.commands.generated.command import command_of

        path = f"{self.name} {cmd_name}"
        if path in IN_GROUPS:
            return LateCommand(cmd_name, IN_GROUPS[path])
        if self.name == MORE:
            action = in_table(cmd_name.replace("-", "_"))
            return None if action is None else command_of(action, cmd_name, path, kind_of(path))
        place = in_group(str(self.name)).get(cmd_name)
        if place is None:
            return None
        return command_of(action_of(place.operation, place.module), cmd_name, path, kind_of(path))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in that is meant where none is named."""
        alone = ALONE.get(str(self.name))
        if alone is not None and (not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)):
            args = [alone, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and name the nearest one where there is none of the name."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx) and self.get_command(ctx, name) is None:
            ctx.fail(no_such(str(self.name), name, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their sentences."""
        rows = [(name, self._sentence(ctx, name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section(_("Commands")):
                formatter.write_dl(rows)

    def _sentence(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str()


def _late(group: str) -> list[str]:
    """Return the commands of a group that call no operation."""
    return [name.partition(" ")[2] for name in IN_GROUPS if name.partition(" ")[0] == group]


def no_such(group: str, given: str, names: list[str]) -> str:
    """Say that a group has no command of a name, and which is nearest."""
    near = get_close_matches(given.lower(), names, n=1, cutoff=0.5)
    if near:
        return _("{group} has no command {given}. Do you mean {near}?").format(group=group, given=given, near=near[0])
    elsewhere = [place.command for place in PLACES if given in {place.name, place.group}]
    if elsewhere:
        return _("{group} has no command {given}. There is: {others}.").format(
            group=group, given=given, others=", ".join(elsewhere[:5])
        )
    return _("{group} has no command {given}. It has {names}.").format(group=group, given=given, names=", ".join(names))


def _without_place() -> list[str]:
    from leasebook.contract.actions import ACTIONS

    placed = {place.operation for place in PLACES}
    found = dict.fromkeys(row.operation for row in ACTIONS if row.operation not in placed)
    return [name.replace("_", "-") for name in found]


def groups() -> list[click.Command]:
    """Return all groups, without what they have in them."""
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    return [NounGroup(name, context_settings=settings) for name in GROUPS]
