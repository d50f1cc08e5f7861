"""What only the official Go client does: it looks at the number of an error and at nothing else."""

import re
import subprocess

import pytest
from tests.conformance.programs import Program
from tests.conformance.toolchains import HERE, Toolchain

pytestmark = pytest.mark.conformance

# Numbers after which one of the clients sends a request again, or which stand for success.
TAKEN = {0, 1, 2, 4, 18, 336100, 336501, 336502, 500000}


def test_the_go_client_is_the_published_one(go_client: Toolchain) -> None:
    assert go_client.name == "go"
    done = subprocess.run(["go", "mod", "verify"], cwd=HERE / "go", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "all modules verified"), done.stderr
    assert "replace" not in (HERE / "go" / "go.mod").read_text()


def test_every_kind_of_error_has_a_number_of_its_own(go: Program) -> None:
    answers = go.run("errors")
    shown = [re.fullmatch(r"api error, code: (\d+), msg: .+", answer.error) for answer in answers.values()]
    numbers = {int(match[1]) for match in shown if match}
    assert len(numbers) == len(answers)
    assert not numbers & TAKEN
