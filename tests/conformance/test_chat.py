"""The programs of docs/how-to/chat.md, run as the page has them against a real service."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.kept import compiled_go, compiled_java
from tests.conformance.programs import PASSED_ON
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, running
from tests.conformance.toolchains import HERE, JAVA_TARGET, NODE, PYTHON, ROOT, VENV, ready
from tests.depth import few
from tests.rests import Rests

from leasebook.cli.caller import post
from leasebook.examples.embedding import vector

pytestmark = pytest.mark.conformance

PAGE = ROOT / "docs" / "how-to" / "chat.md"
SERVING_SECONDS_MAX = 60
RUN_SECONDS_MAX = 120
KINDS = {
    "python": ["whole", "stream", "whole-async", "stream-async"],
    "openai": ["models", "whole", "stream"],
    "node": ["whole", "stream"],
    "go": ["whole", "stream"],
    "java": ["whole", "stream"],
}
THOROUGH = few(("go",), tuple(KINDS))
"""The clients that name a service in every way, and whose embeddings are refused too: each way is a run of a program.
The one in Go starts in a fiftieth of the time of the others, and the server cannot tell them apart."""
KEPT = {"##": "chat", "###": "embeddings"}
TEXTS = ("A lease ends at its time.", "The lease ends at that time.")
# Sends half a stream, and hangs up.
CUT_OFF = """
import http.server
class Half(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_error(404)
    def do_POST(self):
        if b"true" not in self.rfile.read(int(self.headers["Content-Length"])):
            return self.send_error(500)
        piece = b'data: {"id": "a", "choices": [{"index": 0, "delta": {"content": "half"}}]}' + b"\\n\\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(piece), piece))
        self.close_connection = True
import os
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Half).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A server with three services: a completion server, one that breaks off, and one for embeddings."""

    base_url: str
    service_id: str
    key: str

    def do(self, path: str, action: str, body: Mapping[str, Any]) -> Any:
        status, text = post(self.base_url, path, action, json.dumps(body), ACCESS_KEY, SECRET_KEY)
        assert status == 200, text
        return json.loads(text)["result"]

    def variables(self, key: str) -> dict[str, str]:
        """The variables that the page names: for a key, or without one for an access key alone."""
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        said = {
            "QIANFAN_CONSOLE_API_BASE_URL": self.base_url,
            "QIANFAN_CONSOLE_BASE_URL": self.base_url,
            "QIANFAN_V2_BASE_URL": f"{self.base_url}/v2/chat/completions",
        }
        if key:
            return {**kept, **said, "QIANFAN_BEARER_TOKEN": key, "OPENAI_API_KEY": key}
        return {
            **kept,
            **said,
            "QIANFAN_ACCESS_KEY": ACCESS_KEY,
            "QIANFAN_SECRET_KEY": SECRET_KEY,
            "QIANFAN_IAM_BASE_URL": self.base_url,
            "QIANFAN_BEAR_TOKEN_URL": f"{self.base_url}/v1/BCE-BEARER/token",
        }


def until(seen: Callable[[], bool]) -> None:
    give_up, rests = time.monotonic() + SERVING_SECONDS_MAX, Rests(0.05, 0.3)
    while not seen():
        assert time.monotonic() < give_up
        time.sleep(rests.next_s())


def deploy(server: Served, name: str, model: Mapping[str, str]) -> str:
    """Buy a unit, place a service on it, and wait until its replica answers; returns the service's id."""
    bought = {
        "billing": {"paymentTiming": "Postpaid"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
    unit = server.do("/v2/computeunit", "PurchaseComputeUnit", bought)["instanceId"]
    placed = {"deploymentComputeUnitList": [{"instanceId": unit, "deploymentReplicasCount": 1}]}
    body = {**model, "name": name, "urlSuffix": name, "deploymentConfig": placed}
    service_id: str = server.do("/v2/service", "CreateService", body)["serviceId"]
    asked = {"serviceId": service_id}
    until(lambda: server.do("/v2/service", "DescribeService", asked)["runStatus"] == "Serving")
    return service_id


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """On the embedded store, whose server runs replicas as processes by itself."""
    with running("sqlite", tmp_path_factory.mktemp("server")) as started:
        server = Served(started.base_url, "", "")
        service_id = deploy(server, "chatty", {"modelSetId": "am-completion00", "modelId": "amv-completion00"})
        made = server.do("/v2/model", "CreateCustomModelSet", {"modelSetName": "half"})
        run = {"command": [sys.executable, "-c", CUT_OFF]}
        model = server.do("/v2/model", "CreateCustomModel", {**made, "run": run})
        deploy(server, "half", {"modelSetId": made["modelSetId"], "modelId": model["modelId"]})
        deploy(server, "vectors", {"modelSetId": "am-embedding000", "modelId": "amv-embedding000"})
        key = server.do("/v2/service", "CreateServiceKey", {"name": "shop"})["key"]
        yield Served(started.base_url, service_id, key)


def block(heading: str, level: str) -> str:
    """The program below a heading of the page, of level ## for chat and ### for embeddings."""
    found = re.search(
        rf"^{level} {re.escape(heading)}\n.*?^```\w+\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None, heading
    return found[1]


def python_program(folder: Path, level: str, heading: str = "Python") -> list[str]:
    ready(PYTHON)
    (folder / "chat.py").write_text(block(heading, level))
    return [str(VENV / "bin" / "python"), "chat.py"]


def openai_program(folder: Path, level: str) -> list[str]:
    return python_program(folder, level, "Python, with `openai`")


def node_program(folder: Path, level: str) -> list[str]:
    ready(NODE)
    (folder / "chat.mjs").write_text(block("Node.js", level))
    (folder / "node_modules").symlink_to(HERE / "node" / "node_modules")
    return ["node", "chat.mjs"]


def go_program(folder: Path, level: str) -> list[str]:
    del folder
    return [str(compiled_go(KEPT[level], block("Go", level)) / "program")]


def java_program(folder: Path, level: str) -> list[str]:
    del folder
    text = block("Java", level)
    (name,) = re.findall(r"^public class (\w+)", text, re.MULTILINE)
    classes = compiled_java(KEPT[level], {f"{name}.java": text})
    options = ("-Dfile.encoding=UTF-8", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    return ["java", *options, "-cp", f"{JAVA_TARGET / 'lib'}/*:{classes}", name]


PROGRAMS: Mapping[str, Callable[[Path, str], list[str]]] = {
    "python": python_program,
    "openai": openai_program,
    "node": node_program,
    "go": go_program,
    "java": java_program,
}


def said(command: list[str], folder: Path, variables: Mapping[str, str], model: str) -> dict[str, str]:
    """Run a program; returns what it printed of each kind of call."""
    done = subprocess.run(
        [*command, model],
        cwd=folder,
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    kinds = {"embed", *(kind for known in KINDS.values() for kind in known)}
    return {kind: rest for kind, _, rest in lines if kind in kinds}


@pytest.mark.parametrize("client", PROGRAMS)
def test_every_client_chats_by_the_program_of_the_page_and_sees_an_error_wherever_there_is_one(
    client: str, served: Served, tmp_path: Path
) -> None:
    command = PROGRAMS[client](tmp_path, "##")

    def run(model: str, key: str) -> dict[str, str]:
        answers = said(command, tmp_path, served.variables(key), model)
        assert list(answers) == KINDS[client]
        if "models" in answers:
            assert {"chatty", "half"} <= set(answers.pop("models").split())
        return answers

    by_name, others = ("chatty", served.key), ((served.service_id, served.key), ("chatty", ""))
    for model, key in (by_name, *(others if client in THOROUGH else ())):
        if key or client != "openai":
            answers = run(model, key)
            assert len(set(answers.values())) == 1, "whole and stream are the same text"
            assert len(answers["whole"].split()) > 5
            assert not answers["whole"].startswith("refused:")
    refused = run("nowhere", served.key)
    assert all(text.startswith("refused:") for text in refused.values()), refused
    # The client's own asynchronous calls show status and headers only.
    assert all("nowhere" in text for kind, text in refused.items() if kind != "whole-async"), refused
    half = run("half", served.key)
    broken = {kind: text for kind, text in half.items() if kind.startswith("stream")}
    assert all(text.startswith("refused:") for text in half.values()), half
    # The Node.js client throws the object of the error without its message.
    assert client == "node" or all("only a part" in text for text in broken.values()), broken


@pytest.mark.parametrize("client", PROGRAMS)
def test_every_client_gets_the_same_vectors_by_the_program_of_the_page(
    client: str, served: Served, tmp_path: Path
) -> None:
    command = PROGRAMS[client](tmp_path, "###")
    one, other = map(vector, TEXTS)
    near = sum(a * b for a, b in zip(one, other, strict=True))
    variables = served.variables(served.key)
    assert said(command, tmp_path, variables, "vectors") == {"embed": f"2 16 {near:.4f}"}
    if client not in THOROUGH:
        return
    refused = said(command, tmp_path, variables, "nowhere")["embed"]
    assert refused.startswith("refused:")
    assert "nowhere" in refused
    # The completion server has no embeddings: its refusal reaches the caller, too.
    assert said(command, tmp_path, variables, "chatty")["embed"].startswith("refused:")
