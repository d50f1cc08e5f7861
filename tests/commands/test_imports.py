"""The commands start quickly: a help page loads no library for calls or tables, and of the contract one noun."""

from __future__ import annotations

import pytest

from tests.packaging.test_client_imports import COMMAND, loaded


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["units", "--help"], ["units", "list", "--help"], ["units", "buy", "--help"], ["login", "-h"]],
)
def test_help_loads_neither_calls_nor_tables(arguments: list[str]) -> None:
    outside, ours = loaded(HELP.format(arguments=arguments))
    assert outside & {"httpx2", "rich", "jmespath", "yaml"} == set()
    assert not {name for name in ours if name.startswith("leasebook.client.")}
    assert "leasebook.contract.actions" not in ours


HELP = f"""
    try:
        {COMMAND}
    except SystemExit:
        pass
"""


def test_a_call_in_json_loads_no_table_and_no_methods_of_the_client() -> None:
    outside, ours = loaded(HELP.format(arguments=["clock", "--url", "http://127.0.0.1:9"]))
    assert "rich" not in outside
    assert not {name for name in ours if name.startswith("leasebook.client.methods")}
