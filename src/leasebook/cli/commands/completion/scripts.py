"""The command ``completion``: the script that a shell reads."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from leasebook.cli.commands.language import _

SHELLS = ("bash", "zsh", "fish")


class Completion(click.Command):
    """Prints the script."""

    def __init__(self) -> None:
        super().__init__(
            "completion",
            params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
            callback=script,
            help=_(
                'Print the completion of commands, ids and types for a shell: eval "$(leasebook completion bash)" in '
                "~/.bashrc; the same with zsh in ~/.zshrc; leasebook completion fish | source in fish."
            ),
        )


def script(shell: str) -> None:
    """Print the script of a shell."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(_("There is no completion for {shell}.").format(shell=shell))
    context = click.get_current_context().find_root()
    click.echo(found(context.command, {}, "leasebook", "_LEASEBOOK_COMPLETE").source())
