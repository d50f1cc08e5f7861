"""Addresses on the command line: what calls could not be signed for is refused before anything is sent."""

from __future__ import annotations

import click

from leasebook.cli.terminal.texts import _, of_error


def url_given(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return the address of a service as calls are signed for it, without a slash at its end."""
    if text is None:
        return None
    # Commands without an address need not wait for the parser of addresses.
    from leasebook.addressing.host_port import web_of

    try:
        return str(web_of(text))
    except ValueError as error:
        raise click.BadParameter(
            _("{text!r} is no address of a service: {error}. Write it like https://units.example.com:8000.").format(
                text=text, error=of_error(error)
            ),
            context,
            parameter,
            _named(parameter),
        ) from None


def _named(parameter: click.Parameter) -> str:
    variables = parameter.envvar if isinstance(parameter.envvar, list) else []
    return " / ".join([*parameter.opts, *variables])


def path_given(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return the path of an action."""
    if not text.startswith("/") or any(character in text for character in "?#") or not text.isprintable():
        raise click.BadParameter(
            _("{text!r} is no path of an action. Write it like /v2/computeunit, and the action after it.").format(
                text=text
            ),
            context,
            parameter,
        )
    return text
