"""The shipped examples, run as they are run in earnest: a process each, stopped with SIGTERM."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from leasebook.domain.commands.service.examples import EXAMPLES
from leasebook.examples.markov import TEXT, Markov, tokens
from tests.api.scene import MODEL, SERVICE, a_scene, new_service

BOUND_S = 30.0


class Running:
    """An example that listens."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def connect(self) -> HTTPConnection:
        """Open a connection."""
        return HTTPConnection("127.0.0.1", self.port, timeout=BOUND_S)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def events(self, path: str, body: Any) -> list[str]:
        """Ask for a stream; returns the data of its events."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("POST", path, json.dumps(body))
            text = connection.getresponse().read().decode()
            return re.findall("^data: (.*)$", text, re.MULTILINE)


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


SITE = {"sitecustomize", "usercustomize"}
"""Modules that a Python may load by itself at its start."""


@contextlib.contextmanager
def running(name: str) -> Iterator[Running]:
    """Run an example until the end of the test."""
    with subprocess.Popen(
        [sys.executable, "-m", f"leasebook.examples.{name}", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=_env(),
    ) as process:
        assert process.stdout is not None
        try:
            yield Running(process, int(process.stdout.readline().rpartition(":")[2]))
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def echo() -> Iterator[Running]:
    """An echo for everybody."""
    with running("echo") as found:
        yield found


@pytest.fixture(scope="module")
def completion() -> Iterator[Running]:
    """A completion server for everybody."""
    with running("completion") as found:
        yield found


@pytest.fixture(scope="module")
def embedding() -> Iterator[Running]:
    """An embedding server that all tests share."""
    with running("embedding") as found:
        yield found


def test_the_same_text_has_the_same_vector_and_common_words_bring_texts_near(embedding: Running) -> None:
    assert embedding.ask("GET", "/v1/models")[1]["data"][0]["id"] == "hash-16"
    texts = ["A lease ends at its time.", "The lease ends at that time.", "Red apples", ""]
    status, said = embedding.ask("POST", "/v1/embeddings", {"input": texts})
    assert (status, said["usage"]) == (200, {"prompt_tokens": 16, "total_tokens": 16})
    assert [one["index"] for one in said["data"]] == [0, 1, 2, 3]
    one, near, far, nothing = (found["embedding"] for found in said["data"])
    assert nothing == [0.0] * 16
    assert sum(a * a for a in one) == pytest.approx(1)
    assert sum(a * b for a, b in zip(one, near, strict=True)) > 0.5
    assert sum(a * b for a, b in zip(one, far, strict=True)) < 0.5
    assert embedding.ask("POST", "/v1/embeddings", {"input": texts[0]})[1]["data"][0]["embedding"] == one
    packed = embedding.ask("POST", "/v1/embeddings", {"input": texts[0], "encoding_format": "base64"})[1]
    assert struct.unpack("<16f", base64.b64decode(packed["data"][0]["embedding"])) == pytest.approx(one)
    short = embedding.ask("POST", "/v1/embeddings", {"input": texts[0], "dimensions": 3})[1]
    assert len(short["data"][0]["embedding"]) == 3


def test_inputs_that_cannot_become_vectors_are_refused(embedding: Running) -> None:
    bodies: tuple[Any, ...] = (
        {},
        [],
        {"input": 1},
        {"input": []},
        {"input": [1]},
        {"input": ["x"] * 257},
        {"input": "x", "dimensions": 65},
        {"input": "x", "encoding_format": "hex"},
    )
    for body in bodies:
        status, said = embedding.ask("POST", "/v1/embeddings", body)
        assert (status, bool(said["error"]["message"])) == (400, True)
    assert embedding.ask("POST", "/v1/chat/completions", {})[0] == 404


def test_the_echo_repeats_its_input(echo: Running) -> None:
    status, said = echo.ask("POST", "/a/b?c=d", {"x": "单位"})
    assert status == 200
    assert (said["method"], said["path"], said["query"], json.loads(said["body"])) == (
        "POST",
        "/a/b",
        "c=d",
        {"x": "单位"},
    )
    assert echo.ask("GET", "/health") == (200, {"status": "ok"})
    assert echo.ask("GET", "/sleep?seconds=soon")[0] == 400


def test_a_body_in_chunks_arrives_whole_and_one_that_is_too_long_is_refused(echo: Running) -> None:
    with contextlib.closing(echo.connect()) as connection:
        connection.request("POST", "/", iter([b"ab", b"cd" * 5000]), encode_chunked=True)
        assert len(json.loads(connection.getresponse().read())["body"]) == 10_002
    with contextlib.closing(echo.connect()) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(2 << 20))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_a_stream_comes_event_by_event(echo: Running) -> None:
    assert [json.loads(one)["number"] for one in echo.events("/stream?count=3", None)] == [0, 1, 2]


def test_one_connection_carries_many_requests(echo: Running) -> None:
    with contextlib.closing(echo.connect()) as connection:
        for number in range(3):
            connection.request("GET", f"/{number}")
            assert json.loads(connection.getresponse().read())["path"] == f"/{number}"
        connection.request("HEAD", "/stream")
        assert connection.getresponse().read() == b""


@pytest.mark.parametrize("name", ["echo", "completion"])
def test_an_example_that_is_stop_requested_closes_what_is_idle_and_ends_well(name: str) -> None:
    with running(name) as found, contextlib.closing(found.connect()) as idle:
        idle.request("GET", "/health")
        idle.getresponse().read()
        found.process.send_signal(signal.SIGTERM)
        assert found.process.wait(BOUND_S) == 0


def test_a_request_that_was_taken_is_answered_before_the_example_ends() -> None:
    with running("echo") as found:
        said: list[list[str]] = []
        begun = threading.Event()

        def listen() -> None:
            with contextlib.closing(found.connect()) as connection:
                connection.request("GET", "/stream?count=4&seconds=0.1")
                answer = connection.getresponse()
                begun.set()
                said.append(re.findall("number", answer.read().decode()))

        listener = threading.Thread(target=listen)
        listener.start()
        assert begun.wait(BOUND_S)
        found.process.send_signal(signal.SIGTERM)
        listener.join(BOUND_S)
        assert said == [["number"] * 4]
        assert found.process.wait(BOUND_S) == 0


# --- the completion server -------------------------------------------------------------------------------

CHAT = {"messages": [{"role": "user", "content": "What is a lease?"}], "max_tokens": 30}


def test_the_same_seed_gives_the_same_words_and_others_give_others(completion: Running) -> None:
    def text(seed: int) -> str:
        status, said = completion.ask("POST", "/v1/chat/completions", {**CHAT, "seed": seed})
        assert status == 200
        return str(said["choices"][0]["message"]["content"])

    assert text(7) == text(7)
    assert len({text(seed) for seed in range(8)}) > 4


def test_a_stream_says_what_the_whole_answer_says_and_how_many_tokens_it_took(completion: Running) -> None:
    _, whole = completion.ask("POST", "/v1/chat/completions", {**CHAT, "seed": 5})
    wanted = {**CHAT, "seed": 5, "stream": True, "stream_options": {"include_usage": True}}
    *pieces, last, done = completion.events("/v1/chat/completions", wanted)
    assert done == "[DONE]"
    deltas = [json.loads(one)["choices"][0]["delta"] for one in pieces]
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert json.loads(last)["usage"] == whole["usage"]
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]


def test_plain_completions_keep_to_their_limits_and_stop_at_stop_words(completion: Running) -> None:
    _, short = completion.ask("POST", "/v1/completions", {"prompt": "The", "max_tokens": 3})
    assert short["usage"]["completion_tokens"] == 3
    assert short["choices"][0]["finish_reason"] == "length"
    _, stopped = completion.ask("POST", "/v1/completions", {"prompt": "The", "max_tokens": 200, "stop": "e"})
    assert "e" not in stopped["choices"][0]["text"]
    assert stopped["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "body",
    [[], {"messages": []}, {"messages": "x"}, {"messages": [{}]}, {**CHAT, "max_tokens": 5000}, {**CHAT, "seed": "x"}],
)
def test_what_cannot_be_answered_is_refused_as_the_openai_api_does(completion: Running, body: Any) -> None:
    status, said = completion.ask("POST", "/v1/chat/completions", body)
    assert status == 400
    assert said["error"]["type"] == "invalid_request_error"
    assert completion.ask("GET", "/v1/nothing")[0] == 404
    assert completion.ask("GET", "/v1/models")[1]["data"][0]["id"] == "markov-1"


def test_every_word_follows_the_one_before_it_somewhere_in_the_text() -> None:
    words = tokens(TEXT)
    pairs = {(one.lower(), other) for one, other in pairwise(words)}
    for seed in range(20):
        made = Markov().words("A lease", seed=seed, temperature=1.0)
        some = ["lease", *(next(made) for _ in range(200))]
        assert all((one.lower(), other) in pairs for one, other in pairwise(some))


def test_without_heat_it_is_always_the_commonest_word() -> None:
    made = [next(Markov().words("the", seed=seed, temperature=0)) for seed in range(5)]
    assert len(set(made)) == 1


def test_an_example_needs_nothing_but_the_standard_library() -> None:
    for name in ("echo", "completion"):
        text = f"import sys, leasebook.examples.{name}; print(*{{one.partition('.')[0] for one in sys.modules}})"
        loaded = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, env=_env())
        foreign = {one for one in loaded.stdout.split() if not one.startswith("_")} - sys.stdlib_module_names
        assert foreign - SITE == {"leasebook"}


# --- in the repository -----------------------------------------------------------------------------------


def test_the_demo_puts_the_examples_into_the_repository_once_and_into_older_stores_too(tmp_path: Path) -> None:
    for demo in (False, True, True):
        with a_scene(tmp_path, demo=demo) as scene:
            caller = scene.customer()
            found = caller.do(MODEL, "DescribeSystemModelSets")["modelSetList"]
            assert [one["modelSetName"] for one in found] == (["echo", "completion", "embedding"] if demo else [])
    for example in EXAMPLES:
        assert re.fullmatch(r"am-[0-9a-z]{12}", example.set_id)
        assert re.fullmatch(r"amv-[0-9a-z]{12}", example.model_id)


def test_an_example_that_was_taken_out_does_not_come_back(tmp_path: Path) -> None:
    first = EXAMPLES[0]
    with a_scene(tmp_path, demo=True) as scene:
        body = {**new_service(), "modelSetId": first.set_id, "modelId": first.model_id}
        service = scene.operator.do(SERVICE, "CreateService", body)
        assert scene.operator.refused(MODEL, "DeleteModel", {"modelId": first.model_id}) == "InvalidState"
        scene.operator.do(SERVICE, "DeleteService", {"serviceId": service["serviceId"]})
        scene.operator.do(MODEL, "DeleteModel", {"modelId": first.model_id})
        scene.operator.do(MODEL, "DeleteModelSet", {"modelSetId": first.set_id})
    with a_scene(tmp_path, demo=True) as scene:
        found = scene.operator.do(MODEL, "DescribeSystemModelSets")["modelSetList"]
        assert [one["modelSetName"] for one in found] == ["completion", "embedding"]
