"""The subcommands ``apply`` and ``export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from leasebook.cli.client import ACCESS_KEY_OPTION, SECRET_KEY_OPTION, URL_OPTION
from leasebook.cli.exits import FAILED, NO_ANSWER, TO_DO, printable, remark, stop
from leasebook.cli.terminal.texts import _

if TYPE_CHECKING:
    from leasebook.cli.house.plan import Plan, Run
    from leasebook.cli.house.server import Server

_COLOURS: Final = {"+": "green", "~": "yellow", "-": "red"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--plan", "only_plan", is_flag=True, help="Only show the plan; exit code 5 if there is something to do.")
@click.option("--prune", is_flag=True, help="Also end what this key's user made and the file does not have.")
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.option(
    "--keys-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Where new secrets go, mode 0600.  [default: FILE.keys]",
)
@URL_OPTION
@ACCESS_KEY_OPTION
@SECRET_KEY_OPTION
def apply(
    file: Path,
    only_plan: bool,  # noqa: FBT001
    prune: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    keys_file: Path | None,
    url: str,
    access_key: str,
    secret_key: str,
) -> None:
    """Make the service what FILE says: offerings, accounts, users, limits, reminders and subscriptions."""
    from leasebook.cli.house import words
    from leasebook.cli.house.house import house_of, plan_of
    from leasebook.cli.house.plan import Run
    from leasebook.cli.house.secrets_file import calls_without_secrets, locked

    secrets = keys_file or file.with_name(f"{file.name}.keys")
    with _errors_of(file), _service(url, access_key, secret_key) as server:
        house = house_of(_content(file), os.environ)
        plan = plan_of(house, server, calls_without_secrets(secrets), prune=prune)
        _show(plan, house.name, url)
        for problem in plan.problems:
            remark(words.at_line(str(file), None, problem))
        if plan.problems:
            sys.exit(FAILED)
        if only_plan:
            sys.exit(0 if plan.is_empty else TO_DO)
        if plan.is_empty:
            return
        ends = _ask(plan, yes=yes)
        if not plan.makes_secrets:
            sys.exit(_do(plan, Run(server, house.name, plan.maker, None), ends=ends))
        with locked(secrets) as opened:
            code = _do(plan, Run(server, house.name, plan.maker, opened), ends=ends)
        click.echo(words.secrets_in(secrets))
        sys.exit(code)


@click.command()
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), default=None, help="A new file, mode 0600.")
@click.option("--house", default="main", show_default=True, help="The name of the house in the file.")
@URL_OPTION
@ACCESS_KEY_OPTION
@SECRET_KEY_OPTION
def export(file: Path | None, house: str, url: str, access_key: str, secret_key: str) -> None:
    """Write the offerings, accounts and users that there are, as a file for apply."""
    from leasebook.cli.house.house import export_of, text_of

    with _errors_of(file or Path("-")), _service(url, access_key, secret_key) as server:
        text = text_of(export_of(server, house))
    if file is None:
        click.echo(text, nl=False)
    else:
        _write_new(file, text)


def _write_new(file: Path, text: str) -> None:
    """Write a new file that its owner alone can read: URLs of webhooks may hold secrets."""
    from leasebook.cli.house import words

    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        stop(words.exists(file), FAILED)
    except OSError as error:
        stop(words.at_line(str(file), None, str(error.strerror)))
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


def _content(file: Path) -> bytes:
    from leasebook.cli.house.reading import BYTES_MAX

    with file.open("rb") as opened:
        return opened.read(BYTES_MAX + 1)


@contextmanager
def _service(url: str, access_key: str, secret_key: str) -> Iterator[Server]:
    from leasebook.cli.house.server import Server

    server = Server(url, access_key, secret_key)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def _errors_of(file: Path) -> Iterator[None]:
    """End with one line where the file, the service or the file of secrets does not let the command go on."""
    from leasebook.cli.house import words
    from leasebook.cli.house.secrets_file import BadSecretsFile
    from leasebook.cli.house.server import Refused
    from leasebook.client.errors import NoAnswer

    try:
        yield
    except words.BadHouse as error:
        stop(words.at_line(str(file), error.line, str(error)))
    except (Refused, BadSecretsFile) as error:
        stop(error, FAILED)
    except NoAnswer as error:
        stop(error, NO_ANSWER)
    except OSError as error:
        stop(words.at_line(str(error.filename or file), None, str(error.strerror or error)))


def _show(plan: Plan, house: str, url: str) -> None:
    from leasebook.cli.house import words

    click.echo(words.planned(house, url))
    for line in plan.shown():
        click.echo(click.style(printable(line), fg=_COLOURS.get(line[:1])))
    if plan.is_empty:
        click.echo(_(words.NO_CHANGES))


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(plan: Plan, *, yes: bool) -> bool:
    """Ask whether to do the steps, and separately whether to end things; returns whether to end them."""
    from leasebook.cli.house import words

    if yes:
        return bool(plan.ends)
    if not _is_terminal():
        stop(_(words.NO_TERMINAL), FAILED)
    if plan.steps and not click.confirm(_(words.ASK)):
        stop(_(words.NOT_WANTED), FAILED)
    ends = bool(plan.ends) and click.confirm(click.style(_(words.ASK_ENDS), fg="red"))
    if not plan.steps and not ends:
        stop(_(words.NOT_WANTED), FAILED)
    return ends


def _do(plan: Plan, run: Run, *, ends: bool) -> int:
    """Do the steps, and return the exit code. A step that fails is the last one; an end that is refused is not."""
    from leasebook.cli.house import words
    from leasebook.cli.house.server import Refused
    from leasebook.client.errors import NoAnswer

    code = 0
    for step in (*plan.steps, *(plan.ends if ends else ())):
        try:
            step.do(run)
        except Refused as refused:
            if step.sign != "-":
                stop(words.stopped(step.thing, refused), FAILED)
            remark(words.stays(step.thing, refused))
            code = FAILED
        except NoAnswer as error:
            stop(words.stopped(step.thing, error), NO_ANSWER)
        else:
            click.echo(printable(words.doing(step.sign, step.thing)))
    return code
