"""Every operation has a command, made of the operation's own parameters."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.generated.options import common_options
from leasebook.cli.commands.places import ALONE, GROUPS, MORE, PLACES
from leasebook.cli.commands.tree import BY_HAND, NounGroup, kind_of
from leasebook.cli.main import cli
from leasebook.contract.actions import ACTIONS
from leasebook.contract.parameters.fields import fields_of

COMMANDS = [place.command for place in PLACES]
CONTEXT = click.Context(cli, info_name="leasebook")


def command(path: str) -> click.Command:
    group, name = path.split()
    found = cli.commands[group]
    assert isinstance(found, NounGroup)
    made = found.get_command(CONTEXT, name)
    assert made is not None
    return made


def test_every_operation_has_a_command() -> None:
    placed = {place.operation for place in PLACES}
    more = cli.commands[MORE]
    assert isinstance(more, NounGroup)
    by_name = {name.replace("-", "_") for name in more.list_commands(CONTEXT)}
    assert placed.isdisjoint(by_name)
    assert placed | by_name == {action.operation for action in ACTIONS}
    assert all(more.get_command(CONTEXT, name) is not None for name in more.list_commands(CONTEXT))


def test_an_operation_without_a_place_is_among_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leasebook.cli.commands.tree.PLACES", PLACES[1:])
    more = cli.commands[MORE]
    assert isinstance(more, NounGroup)
    assert more.list_commands(CONTEXT) == ["purchase-units"]
    made = more.get_command(CONTEXT, "purchase-units")
    assert made is not None
    assert "--billing-payment-timing" in [text for one in made.params for text in one.opts]


def test_a_place_names_the_module_that_has_its_operation() -> None:
    for place in PLACES:
        found = action_of(place.operation, place.module)
        assert any(row.operation == found.operation and row.request is found.request for row in ACTIONS), place


def test_no_command_is_there_twice_and_each_group_is_known() -> None:
    assert [path for path, count in Counter(COMMANDS).items() if count > 1] == []
    assert {place.group for place in PLACES} | {MORE} == set(GROUPS)
    assert set(BY_HAND) <= set(COMMANDS)
    assert {f"{group} {name}" for group, name in ALONE.items()} <= set(COMMANDS)


def test_every_parameter_of_an_operation_can_be_given() -> None:
    missing = []
    for place in PLACES:
        kind = kind_of(place.command)
        made = command(place.command)
        names = {parameter.name for parameter in made.params}
        action = action_of(place.operation, place.module)
        hidden = kind.hidden if action.writes else kind.hidden | {"clientToken"}
        asked = {field.key for field in fields_of(action.request) if field.path[0] not in hidden}
        taken = {text for parameter in made.params for text in parameter.opts}
        by_hand = {field.key for field in fields_of(action.request) if f"--{field.option}" in taken}
        missing += [(place.command, name) for name in asked - names - by_hand]
    assert missing == []


def test_the_options_of_a_command_are_different() -> None:
    for path in COMMANDS:
        spelled = [text for parameter in command(path).params for text in (*parameter.opts, *parameter.secondary_opts)]
        assert [text for text, count in Counter(spelled).items() if count > 1] == [], path


def test_the_secret_is_no_option() -> None:
    for path in COMMANDS:
        assert not [one for parameter in command(path).params for one in parameter.opts if "secret-key" in one], path
    assert common_options(is_read=True)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_is_printed_for_every_command(language: str) -> None:
    runner = CliRunner(env={"LEASEBOOK_LANG": language, "LC_ALL": ""})
    for group in GROUPS:
        found = runner.invoke(cli, [group, "--help"])
        assert found.exit_code == 0, found.output
    for path in COMMANDS:
        shown = command(path).get_help(click.Context(command(path), info_name=path))
        assert "--output" in shown, path


def test_the_sentence_of_a_command_is_in_the_language_of_the_environment() -> None:
    def listed(**variables: str) -> str:
        return CliRunner(env={"LEASEBOOK_LANG": "", "LC_ALL": "", **variables}).invoke(cli, ["units", "--help"]).output

    assert "Buy compute units of a type." in listed()
    assert "购买某种类型的算力单元。" in listed(LEASEBOOK_LANG="zh")
    assert "购买某种类型的算力单元。" in listed(LC_ALL="zh_CN.UTF-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["units", "lst"], "Do you mean list?"),
        (["units", "explian", "unit-1"], "Do you mean explain?"),
        (["units", "postings"], "There is: bill postings."),
        (["units", "zzzz"], "It has buy, list, show"),
        (["unit", "list"], "units"),
        (["units", "list", "--statsu", "Running"], "--status"),
        (["units", "list", "--status", "Runing"], "Do you mean Running?"),
        (["quote", "--tpye", "gpu-1"], "--type"),
        (["clock", "advance"], "Give one of --by and --to."),
        (["units", "buy"], "--type is missing"),
        (["units", "buy", "--type", "gpu-1", "--until", "18:00", "--release-in", "8h"], "Give one of"),
        (["units", "buy", "--type", "gpu-1", "--auto-renew"], "give --months too"),
        (["units", "extend", "unit-1", "--by", "soon"], "is no span of time"),
        (["users", "rename", "user-1"], "NAME is missing"),
        (["tags", "set", "unit-1"], "--tags is missing"),
        (["limits", "set", "--limits", "{"], "this is no JSON"),
        (["limits", "set", "--limits", "@/nowhere/limits.json"], "cannot be read"),
        (["units", "list", "-o", "json", "--columns", "type"], "--columns is for tables and CSV"),
        (["units", "list", "--watch"], "it needs a terminal"),
        (["accounts", "top-up", "many"], "is no amount"),
        (["bill", "--month", "soon"], "is no month"),
        (["events", "--follow", "--start-time", "2026-11-30"], "--follow does not go with startTime"),
    ],
)
def test_what_is_typed_wrong_is_named_before_anything_is_sent(
    given: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leasebook.cli.commands.calling.session.Session.now", lambda _: NOW)
    found = CliRunner(env=NOWHERE).invoke(cli, given)
    assert (found.exit_code, said in found.output) == (2, True), found.output


NOWHERE = {
    "LEASEBOOK_CLIENT_URL": "http://127.0.0.1:9",
    "LEASEBOOK_CLIENT_ACCESS_KEY": "AK",
    "LEASEBOOK_CLIENT_SECRET_KEY": "secret",
    "LEASEBOOK_LANG": "en",
}
NOW = datetime(2026, 11, 30, 21, 43, 59, tzinfo=UTC)
