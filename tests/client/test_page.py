"""The programs of the page about the client run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conformance.server import ACCESS_KEY, SECRET_KEY, running
from tests.style.repository import ROOT

PAGE = ROOT / "docs" / "how-to" / "call-from-python.md"


def test_each_program_of_the_page_runs(tmp_path: Path) -> None:
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with running("sqlite", tmp_path) as server:
        environment = {
            **os.environ,
            "LEASEBOOK_CLIENT_URL": server.base_url,
            "LEASEBOOK_CLIENT_ACCESS_KEY": ACCESS_KEY,
            "LEASEBOOK_CLIENT_SECRET_KEY": SECRET_KEY,
        }
        printed = [
            subprocess.run(
                [sys.executable, "-c", program],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=60,
            ).stdout
            for program in programs
        ]
    assert re.search(r"^unit-\w+ is released at \d{4}-", printed[0], re.MULTILINE)
    assert re.fullmatch(r"\d+\.\d\d", printed[0].splitlines()[-1])
    assert re.search(r"unit\.released unit-\w+$", printed[1])
