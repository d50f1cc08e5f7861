"""The commands in a real terminal, narrow and wide, in both languages; and the same in a pipe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pexpect
import pyte
import pytest

from tests.commands.conftest import Run, Spawn
from tests.depth import some

Asked = Callable[..., Any]
ESCAPE = "\x1b["


def screen(child: pexpect.spawn, columns: int) -> tuple[str, list[str]]:
    """Everything that a command wrote, and the lines of the screen at its end."""
    written = str(child.read())
    shown = pyte.Screen(columns, 50)
    pyte.Stream(shown).feed(written)
    return written, [line.rstrip() for line in shown.display if line.strip()]


def code_of(child: pexpect.spawn) -> int | None:
    """How a command ended."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus  # type: ignore[no-any-return]


@pytest.fixture
def unit(asked: Asked) -> str:
    made = asked("units", "buy", "--type", "gpu-1", "--release-in", "8h", "--name", "训练 one", "--yes")
    return str(made["instanceId"])


@pytest.mark.parametrize(
    ("language", "title", "left", "columns"),
    some(
        [
            ("en", "Instance", "in 8 h", 80),
            ("en", "Instance", "in 8 h", 200),
            ("zh", "实例", "8 小时后", 200),
            ("zh", "实例", "8 小时后", 80),
        ],
        3,
    ),
)
def test_a_list_is_a_table_as_wide_as_the_terminal(
    unit: str, columns: int, language: str, title: str, left: str, spawn: Spawn
) -> None:
    written, lines = screen(spawn("units", "list", columns=columns, LEASEBOOK_LANG=language), columns)
    assert lines[0].replace(" ", "").startswith(title)
    row = next(line for line in lines if line.startswith(unit))
    assert "训" in row
    assert left.replace(" ", "") in row.replace(" ", "")
    assert ESCAPE in written, "a terminal has colours"
    # A row that did not fit would go on in the next line, which then begins with no id.
    rows = [line for line in lines if line.startswith("unit-")]
    count = int(re.search(r"(\d+) (?:rows?|行)", " ".join(lines).replace("  ", " "))[1])  # type: ignore[index]
    assert len(rows) == count
    wide = "bj" in row
    assert wide == (columns == 200) or wide


def test_lists_within_one_thing_fit_a_narrow_terminal_too(unit: str, spawn: Spawn) -> None:
    _, lines = screen(spawn("units", "explain", unit, columns=80), 80)
    bought = next(line for line in lines if "unit.bought" in line)
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d +unit\.bought +unit-", bought)
    assert len(lines) < 40


def test_a_narrow_terminal_says_how_many_columns_are_left_out(unit: str, spawn: Spawn) -> None:
    _, narrow = screen(spawn("units", "list", columns=80), 80)
    assert "not fit" in " ".join(narrow)
    _, wide = screen(spawn("units", "list", columns=200), 200)
    assert "fit" not in " ".join(wide)
    assert any(unit in line for line in wide)


@pytest.mark.parametrize(("option", "more"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
@pytest.mark.usefixtures("unit")
def test_colours_are_left_out_where_they_are_not_wanted(option: list[str], more: dict[str, str], spawn: Spawn) -> None:
    written, _ = screen(spawn("units", "list", *option, **more), 80)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", written)


@pytest.mark.usefixtures("unit")
def test_in_a_pipe_the_answer_is_json_and_a_table_has_no_colours(run: Run) -> None:
    assert json.loads(run("units", "list").stdout)["computeUnitInstanceList"]
    table = run("units", "list", "-o", "table").stdout
    assert ESCAPE not in table
    assert all(line == line.rstrip() for line in table.splitlines())


@pytest.mark.parametrize(
    ("language", "price"), [("en", "2 gpu-1 in bj: 0.40 CNY a minute until"), ("zh", "每分钟 0.40")]
)
def test_a_purchase_is_asked_for_with_its_price_and_made_at_that_price(
    language: str, price: str, spawn: Spawn, asked: Asked
) -> None:
    command = ("units", "buy", "--type", "gpu-1", "--count", "2", "--release-in", "8h")
    before = asked("orders", "--limit", "0")["orders"]
    no = spawn(*command, LEASEBOOK_LANG=language)
    no.expect_exact(price)
    no.expect_exact("[y/N]")
    no.sendline("n")
    assert code_of(no) == 1
    assert asked("orders", "--limit", "0")["orders"] == before
    yes = spawn(*command, "--wait", LEASEBOOK_LANG=language, columns=200)
    yes.expect_exact("[y/N]")
    yes.sendline("y")
    _, lines = screen(yes, 200)
    assert code_of(yes) == 0
    assert any("Running" in line for line in lines)
    after = asked("orders", "--limit", "0")["orders"]
    assert len(after) == len(before) + 1


def test_the_price_that_was_asked_with_counts_where_it_is_changed_meanwhile(spawn: Spawn, asked: Asked) -> None:
    gpu = ("catalog", "set", "--region", "bj", "--type", "gpu-2", "--price-per-month")
    child = spawn("units", "buy", "--type", "gpu-2", "--region", "bj", "--months", "1")
    child.expect_exact("9000.00 CNY at once")
    child.expect_exact("[y/N]")
    asked(*gpu, "9999")
    child.sendline("y")
    assert code_of(child) == 0
    asked(*gpu, "9000")
    assert asked("orders", "--limit", "1")["orders"][0]["amount"] == "9000.00"


def test_no_more_is_paid_for_a_change_than_it_was_asked_with(unit: str, spawn: Spawn, asked: Asked) -> None:
    child = spawn("units", "billing", unit, "Prepaid", "--months", "2", columns=200)
    child.expect_exact("10000.00 CNY at once")
    child.expect_exact("[y/N]")
    asked("catalog", "set", "--region", "bj", "--type", "gpu-1", "--price-per-month", "9999")
    child.sendline("y")
    child.expect_exact("at most 10000.00 was agreed to")
    assert code_of(child) == 1
    asked("catalog", "set", "--region", "bj", "--type", "gpu-1", "--price-per-month", "5000")
    assert asked("units", "show", unit)["computeUnitInstance"]["paymentTiming"] == "Postpaid"


def test_a_release_is_asked_for(unit: str, spawn: Spawn, asked: Asked) -> None:
    child = spawn("units", "release", unit)
    child.expect_exact(f"Release {unit}?")
    child.sendline("")
    assert code_of(child) == 1
    assert asked("units", "show", unit)["computeUnitInstance"]["status"] == "Running"


def test_a_table_is_shown_again_until_ctrl_c(unit: str, spawn: Spawn, asked: Asked) -> None:
    child = spawn("units", "list", "--watch", "0.2", columns=120)
    child.expect_exact(unit)
    asked("units", "release", unit, "--yes")
    other = asked("units", "buy", "--type", "gpu-1", "--yes")["instanceId"]
    child.expect_exact(other)
    child.sendintr()
    assert code_of(child) == 0


def test_events_are_followed_until_ctrl_c(spawn: Spawn, asked: Asked) -> None:
    newest = asked("events", "--limit", "1")["events"][0]["id"]
    child = spawn("events", "follow", "--after", newest, columns=200)
    made = asked("units", "buy", "--type", "gpu-1", "--yes")["instanceId"]
    child.expect_exact(f"unit.bought  {made}")
    child.sendintr()
    assert code_of(child) == 0


def test_a_reader_that_leaves_ends_a_command_quietly(variables: dict[str, str]) -> None:
    shell = f"{sys.executable} -m leasebook catalog -o yaml | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("leasebook units re", {"release", "resize", "renew"}),
        ("leasebook unit", {"units"}),
        ("leasebook units list --stat", {"--status"}),
        ("leasebook units list --status Ru", {"Running"}),
        ("leasebook units buy --type gpu-", {"gpu-1", "gpu-7"}),
        ("leasebook call /v2/clo", {"/v2/clock"}),
        ("leasebook call /v2/clock Adv", {"AdvanceClock"}),
        ("leasebook policies attach user-1 QianfanRead", {"QianfanReadAccessPolicy"}),
    ],
)
def test_a_shell_completes_commands_options_and_values(words: str, expected: set[str], run: Run) -> None:
    found = complete(run, words)
    assert expected <= found, found


def test_a_shell_completes_ids(unit: str, run: Run) -> None:
    assert unit in complete(run, "leasebook units show unit-")
    assert complete(run, "leasebook units show unit-", LEASEBOOK_CLIENT_URL="http://127.0.0.1:9") == set()


def complete(run: Run, words: str, **variables: str) -> set[str]:
    """The words that bash gets for the last one."""
    count = str(len(words.split()) - 1)
    found = run(_LEASEBOOK_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count, **variables)
    return {line.partition(",")[2] for line in found.stdout.splitlines() if line}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell: str, run: Run) -> None:
    script = run("completion", shell).stdout
    assert "_LEASEBOOK_COMPLETE" in script
