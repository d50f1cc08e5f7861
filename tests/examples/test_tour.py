"""The tour, as a newcomer takes it: a server, a service that runs, its end and its bill."""

from __future__ import annotations

import subprocess
import sys


def test_the_tour_leads_from_the_purchase_to_the_bill() -> None:
    command = [sys.executable, "-m", "leasebook", "tour"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines if line[:2] in {f"{number}." for number in range(1, 10)}] == list("1234567")
    told = [line.split()[1] for line in lines if "  unit." in line or "  Usage " in line]
    assert told == [
        "unit.bought",
        "unit.running",
        "unit.releaseMoved",
        "unit.releasing",
        "unit.released",
        "Usage",
    ]
    assert any("address answers 503" in line for line in lines)


def test_a_tour_of_a_server_that_is_not_there_says_so_in_one_line() -> None:
    keys = ["--access-key", "AK", "--secret-key", "secret"]
    command = [sys.executable, "-m", "leasebook", "tour", "--url", "http://127.0.0.1:9", *keys]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "does not answer" in done.stderr
