"""Free TCP ports for servers that a test starts, stops and starts again."""

from __future__ import annotations

import random
import socket
from typing import Final

# Below those of replicas, and below those that the kernel gives to outgoing connections (32768 and more): while a
# server of a test is down, its port must stay free.
PORTS: Final = range(10_000, 20_000)
_DICE: Final = random.SystemRandom()


def free_port() -> int:
    """Return a port on which no process listens, and that no outgoing connection gets."""
    while True:
        port = _DICE.choice(PORTS)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
