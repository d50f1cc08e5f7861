"""The server process of a benchmark: it is ready when it listens itself, and not when another answers on its port."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import serving
from benchmarks.serving import HOST, LEASEBOOK, Server, listens


class _Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[int]:
    """Another server that is ready; returns its port."""
    server = http.server.ThreadingHTTPServer((HOST, 0), _Ready)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_is_not_taken_for_ready_because_another_answers_on_its_port(
    stranger: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "free_port", lambda: stranger)
    server = Server("founder", LEASEBOOK, ("--data", str(tmp_path / "data")), tmp_path / "log")
    try:
        with pytest.raises(RuntimeError, match=r"founder does not serve:\n.*Is another server running") as refused:
            server.wait_until_ready()
    finally:
        server.kill()
    assert f"Cannot listen on {HOST}:{stranger}" in str(refused.value)


def test_a_process_that_listens_is_known_by_its_port(stranger: int) -> None:
    assert listens(os.getpid(), stranger)
    assert not listens(os.getppid(), stranger)
    assert not listens(os.getpid(), 1)
    assert not listens(2**30, stranger)
