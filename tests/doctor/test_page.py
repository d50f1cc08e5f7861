"""The page of doctor lists every fault, and no fault that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from leasebook.cli.doctor import finding

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_fault_and_no_other() -> None:
    page = (ROOT / "docs" / "how-to" / "find-what-is-wrong.md").read_text()
    listed = {name for row in re.findall(r"^\| (`[A-Z].*?) \|", page, re.MULTILINE) for name in re.findall(r"\w+", row)}
    assert listed == set(finding.FAULTS)


def test_every_fault_is_found_somewhere() -> None:
    """Each name is in the code that finds it, and in a test that makes it."""
    folder = ROOT / "src" / "leasebook" / "cli" / "doctor"
    code = "".join(path.read_text() for path in folder.glob("*.py")).replace((folder / "finding.py").read_text(), "")
    code += (folder / "finding.py").read_text().partition("class Finding")[2]
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in finding.FAULTS:
        assert f'"{name}"' in code, name
        assert f'"{name}"' in tests, name
