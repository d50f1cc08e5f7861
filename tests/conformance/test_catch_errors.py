"""The programs of docs/how-to/catch-errors.md, each taken from the page and run with its official client."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.kept import compiled_go, compiled_java
from tests.conformance.programs import PASSED_ON
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer, running
from tests.conformance.toolchains import HERE, JAVA_TARGET, ROOT, VENV, Toolchain

pytestmark = pytest.mark.conformance

PAGE = (ROOT / "docs/how-to/catch-errors.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SYNC, ASYNC = (text for language, text in BLOCKS if language == "python")
JS, GO, JAVA = (dict(BLOCKS)[language] for language in ("js", "go", "java"))
RUN_SECONDS_MAX = 300
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MESSAGE = "There is no such instance 'unit-nowhere0' here. "
JAVA_CALL = """
import com.baidubce.qianfan.model.exception.QianfanException;
import java.util.Map;

public final class Call {
    public static void main(String[] arguments) {
        try {
            new Console(System.getenv("QIANFAN_ACCESS_KEY"), System.getenv("QIANFAN_SECRET_KEY"))
                .call("/v2/computeunit", "DescribeComputeUnit", Map.of("instanceId", "unit-nowhere0"), Map.class);
        } catch (QianfanException problem) {
            CatchErrors.show(problem);
        }
    }
}
"""


# The page is about clients and not about stores: one of them is enough.
@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    with running("sqlite", tmp_path_factory.mktemp("server")) as started:
        yield started


def output(*command: str, cwd: Path, toolchain: Toolchain | None = None, url: str = "") -> list[str]:
    """Run a command, with an environment that names the server and its keys only; returns the lines that it writes."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    keys = {"QIANFAN_ACCESS_KEY": ACCESS_KEY, "QIANFAN_SECRET_KEY": SECRET_KEY}
    named = {} if toolchain is None else {**keys, toolchain.base_url_variable: url}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **named}, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False
    )
    assert done.returncode == 0, f"{command!r} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def python(text: str) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        (folder / "program.py").write_text(text)
        return [str(VENV / "bin" / "python"), "program.py"]

    return write


def node(folder: Path) -> list[str]:
    (folder / "program.mjs").write_text(JS)
    (folder / "node_modules").symlink_to(HERE / "node" / "node_modules")
    return ["node", "program.mjs"]


def go(folder: Path) -> list[str]:
    del folder
    return [str(compiled_go("catch-errors", GO) / "program")]


def java(folder: Path) -> list[str]:
    del folder
    classes = compiled_java("catch-errors", {"CatchErrors.java": JAVA, "Call.java": JAVA_CALL})
    path = f"{JAVA_TARGET / 'classes'}:{JAVA_TARGET / 'lib'}/*:{classes}"
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "Call"]


@pytest.mark.parametrize(
    ("client", "prepare", "code"),
    [
        pytest.param("python", python(SYNC), "InstanceNotFound", id="python"),
        pytest.param("python", python(ASYNC), "InstanceNotFound", id="python, asynchronous"),
        pytest.param("node", node, "InstanceNotFound", id="node"),
        pytest.param("go", go, "720004", id="go"),
        pytest.param("java", java, "InstanceNotFound", id="java"),
    ],
)
def test_the_program_of_the_page_shows_code_sentence_and_request_id(
    request: pytest.FixtureRequest,
    place: ConformanceServer,
    tmp_path: Path,
    client: str,
    prepare: Callable[[Path], list[str]],
    code: str,
) -> None:
    toolchain: Toolchain = request.getfixturevalue(f"{client}_client")
    said = output(*prepare(tmp_path), cwd=tmp_path, toolchain=toolchain, url=place.base_url)
    # Clients may log beside the program.
    assert code in said, said
    shown = said[said.index(code) :]
    assert shown[1].startswith(MESSAGE), shown
    assert client == "go" or UUID.fullmatch(shown[2]), shown
