"""Twelve replicas of nasty kinds: each a small program that is run with its port as the only argument."""

from __future__ import annotations

from typing import Final

_SERVES: Final = """
import os, signal, socket, sys, time
port = int(sys.argv[1])
def listening(on=None):
    server = socket.create_server(("127.0.0.1", port if on is None else on))
    server.listen(16)
    return server
def serve(server=None):
    server = server or listening()
    while True:
        asked, _ = server.accept()
        with asked:
            asked.recv(4096)
            asked.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""

NASTY: Final = {
    "ignores TERM": "signal.signal(signal.SIGTERM, signal.SIG_IGN); serve()",
    "forks and leaves": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)
        time.sleep(600)
    os._exit(0)
serve()""",
    "floods its log": """
if os.fork() == 0:
    while True:
        os.write(1, b"flood " * 10_000)
serve()""",
    "fills its directory": """
server = listening()
try:
    with open("filler", "wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass
except OSError:
    pass
serve(server)""",
    "never listens": "time.sleep(600)",
    "listens late": "time.sleep(3); serve()",
    "dies at once": "sys.exit(7)",
    "dies every two seconds": "signal.setitimer(signal.ITIMER_REAL, 2); serve()",
    "binds a foreign port": "serve(listening(port + 1 if port < 29_000 else port - 1))",
    "stops itself": "server = listening(); os.kill(os.getpid(), signal.SIGSTOP); serve(server)",
    "hangs in health": "server = listening(); kept = []\nwhile True: kept.append(server.accept())",
    "closes without an answer": "server = listening()\nwhile True: server.accept()[0].close()",
}


def program(kind: str) -> str:
    """Return the command line after ``python``."""
    return f"{_SERVES}\n{NASTY[kind]}\n"
