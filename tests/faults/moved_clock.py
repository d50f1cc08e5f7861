"""A clock that is really set, for the processes that are started with it; the time since boot goes on as it does."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leasebook.contract.signing import sign
from tests.crash.fleet import HOST, ROUNDS, eventually
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.postgres import PostgresServer, shared_server

LIBRARY = "faketime/libfaketime.so.1"
SEEN_WITHIN_S = 1
"""Seconds after which a process sees that its clock was set."""


def library() -> Path:
    """Return the library that moves clocks; skips where it is missing, unless all must be there."""
    found = [
        place / LIBRARY for place in (*Path("/usr/lib").glob("*-linux-gnu*"), Path("/usr/lib64"), Path("/usr/lib"))
    ]
    here = next((path for path in found if path.exists()), None)
    if here is None:
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
            pytest.fail("libfaketime is missing")
        pytest.skip("libfaketime is missing: it moves the clock of a process")
    return here


class MovedClock:
    """The wall clock of some processes, as far ahead of the real one as it was set."""

    def __init__(self, folder: Path) -> None:
        self._library = library()
        self._file = folder / "clock"
        self.ahead_s = 0
        self.move_to(0)

    def move_to(self, ahead_s: int) -> None:
        """Set it so far ahead of the real one, or behind; a process sees it within ``SEEN_WITHIN_S``."""
        self.ahead_s = ahead_s
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+d}\n")
        new.chmod(0o644)
        new.replace(self._file)

    def environment(self) -> Mapping[str, str]:
        """Return what a process has to be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # To read the file at each look at the clock takes most of the processor time of a server.
            "FAKETIME_CACHE_DURATION": str(SEEN_WITHIN_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # It mends waits of old C libraries. With newer ones no wait for a lock ends in time, and a server that
            # does nothing takes a fifth of a processor.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }

    def now(self) -> datetime:
        """Return what it shows."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


@contextlib.contextmanager
def a_moved_database(clock: MovedClock) -> Iterator[PostgresServer]:
    """Run a PostgreSQL whose clock can be set."""
    shared_server()  # It skips where there is none.
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clock.environment().items():
            patch.setenv(name, value)
        server = PostgresServer()
    try:
        yield server
    finally:
        server.remove()


def ask(port: int, clock: MovedClock, path: str, action: str, body: dict[str, Any] | None = None) -> Any:
    """Call an action as the operator, by a clock; returns the result, and fails where it is refused."""
    content, query = json.dumps(body or {}).encode(), f"Action={action}"
    covered = {
        "host": HOST,
        "x-bce-content-sha256": hashlib.sha256(content).hexdigest(),
        "x-bce-nonce": secrets.token_hex(16),
    }
    authorization = sign(
        access_key=ROOT_KEY,
        secret_key=ROOT_SECRET,
        method="POST",
        path=path,
        query=query,
        headers=covered,
        timestamp=clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=tuple(covered),
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", f"{path}?{query}", content, {**covered, "authorization": authorization})
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    assert response.status == http.HTTPStatus.OK, answer
    return answer["result"]


def reasons(port: int) -> str:
    """Return why a server is not ready; nothing where it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/readyz")
        answer = json.loads(connection.getresponse().read())
    except OSError:
        return "it does not answer"
    finally:
        connection.close()
    return " ".join(answer.get("reasons", ()))


__all__ = ["ROUNDS", "SEEN_WITHIN_S", "MovedClock", "a_moved_database", "ask", "eventually", "library", "reasons"]
