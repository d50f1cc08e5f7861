"""The hook before a commit finds what the rules of single files find."""

from __future__ import annotations

import pytest

from tests.style.changed import findings, main


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("src/leasebook/a.py", "import ast\n"),
        ("src/leasebook/a.py", '"""About."""\n' + "\n" * 500),
        ("src/leasebook/a.py", '"""About."""\ndef f():\n' + "    f()\n" * 70),
        ("src/leasebook/domain/a.py", '"""About."""\nimport time\n'),
        ("docs/a.md", "[a](gone.md)"),
    ],
)
def test_a_fault_in_a_changed_file_is_found(name: str, text: str) -> None:
    assert len(list(findings(name, text))) == 1


def test_a_file_without_a_fault_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("tests/style/test_changed.py", "docs/README.md", "tests/wire/test_signing.py") == 0
    assert capsys.readouterr().out == ""
