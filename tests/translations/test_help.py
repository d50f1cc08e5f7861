"""The command line in both languages: its help, its errors, and the width of its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from leasebook.cli.main import cli
from leasebook.cli.terminal.help import cells, wrapped
from leasebook.docsgen.catalogues import help_texts, marked_texts

ENGLISH = re.compile(r"(?:\b[a-z]{2,}\b[ ,;:.]+){3,}[a-z]{2,}\b")
"""Four words in a row, in small letters: a sentence, and no name or example."""


def every(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from every(one, *names, name)


COMMANDS = list(every(cli))


def said(*arguments: str, language: str, width: int = 80) -> str:
    done = CliRunner().invoke(cli, arguments, env={"LEASEBOOK_LANG": language, "COLUMNS": str(width)})
    return done.output


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_the_help_is_in_the_reader_s_language(names: tuple[str, ...]) -> None:
    english = said(*names, "--help", language="en")
    assert "Usage:" in english
    assert not re.search("[\u4e00-\u9fff]", english)
    assert re.findall(r".*\w\.\.\.$", english, re.MULTILINE) == [], "no sentence is cut off"
    for width in (80, 200):
        chinese = said(*names, "--help", language="zh", width=width)
        assert "用法" in chinese
        assert [found[0] for found in ENGLISH.finditer(chinese)] == []
        assert max(map(cells, chinese.splitlines())) <= width
    assert said(*names, "--help", language="en") == english


def test_a_variable_of_the_locale_chooses_too() -> None:
    done = CliRunner().invoke(cli, ["--help"], env={"LEASEBOOK_LANG": None, "LC_ALL": "zh_CN.UTF-8"})
    assert "用法" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "没有命令 'nonsense'。"),
        (("check", "--nonsense"), "没有选项 '--nonsense'"),
        (("call", "/v2/account"), "缺少参数 'ACTION'"),
        (("call", "v2", "X", "--access-key", "a", "--secret-key", "b"), "不是操作的路径"),
        (("call", "/v2/account", "X", "--url", "ftp://x", "--access-key", "a", "--secret-key", "b"), "不是服务的地址"),
        (("check", "--data", "a.file"), ""),
        (("focus", "--month", "13", "--out", "a.csv"), "不是月份"),
        (
            ("call", "/v2/account", "X", "--url", "http://127.0.0.1:9", "--access-key", "a", "--secret-key", "b"),
            "没有应答",
        ),
    ],
)
def test_errors_are_in_the_reader_s_language(arguments: tuple[str, ...], words: str) -> None:
    chinese = said(*arguments, language="zh")
    assert words in chinese
    assert "错误" in chinese or "leasebook:" in chinese
    assert not re.search("[\u4e00-\u9fff]", said(*arguments, language="en"))


def test_chinese_breaks_after_any_character_and_words_stay_whole() -> None:
    assert wrapped("检查 leasebook 的配置，然后再说。", 14) == ["检查", "leasebook 的", "配置，然后再", "说。"]  # noqa: RUF001 - Chinese
    assert wrapped("四个字了，好", 10) == ["四个字了，", "好"]  # noqa: RUF001 - Chinese
    assert wrapped("", 8) == [""]


def test_help_is_collected_from_options_and_docstrings() -> None:
    source = """
@click.command("a")
@click.option("--b", help="An option.")
@click.argument("c")
def a(): 'A command.'

def helper(): 'No command.'
"""
    assert sorted(help_texts(source)) == ["A command.", "An option."]


def test_the_help_of_each_command_is_among_the_texts_that_are_translated() -> None:
    texts = marked_texts("cli")
    for command in cli.commands.values():
        for parameter in command.params:
            text = getattr(parameter, "help", None)
            assert not text or text in texts, (command.name, text)
