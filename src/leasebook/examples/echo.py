"""A service that answers with the request: ``python -m leasebook.examples.echo --port 8001``.

It answers any request with its content as JSON. ``/stream?count=10&seconds=0.1`` gives 10 server-sent events 0.1 s
apart, ``/sleep?seconds=1`` answers after a second, ``/health`` at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from leasebook.examples.serving import Handler, serve

WAIT_MAX_S: Final = 60.0
EVENTS_MAX: Final = 10_000


class Echo(Handler):
    """Answers with what it was sent."""

    def answer(self, body: bytes) -> None:
        """Say what arrived, at once, after a while, or event by event."""
        url = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        try:
            seconds = min(max(float(asked.get("seconds", "0")), 0.0), WAIT_MAX_S)
            count = min(max(int(asked.get("count", "10")), 0), EVENTS_MAX)
        except ValueError:
            self.say(400, {"error": {"message": "seconds and count are numbers.", "type": "invalid_request"}})
            return
        if url.path == "/stream":
            self.stream(_count(count, seconds))
            return
        if url.path == "/sleep":
            time.sleep(seconds)
        self.say(
            200,
            {
                "service": os.environ.get("ECHO_NAME", "echo"),
                "process": os.getpid(),
                "method": self.command,
                "path": url.path,
                "query": url.query,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode("utf-8", "replace"),
            },
        )


def _count(count: int, seconds: float) -> Iterator[str]:
    for number in range(count):
        if number:
            time.sleep(seconds)
        yield f'{{"number": {number}}}'


if __name__ == "__main__":
    serve(Echo, "Answer with the request.")
