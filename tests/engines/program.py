"""The program that replicas run in these tests: a small HTTP server that is controlled by flags (files).

    python -I -S program.py FLAGS NAME PORT [waits] [stubborn] [prints=N] [forks] [marks] [burns=BYTES]

It looks for the files FLAGS/NAME.go (it may become healthy), .sick (it answers 503), .hang (it answers nothing) and
.die (it ends with code 3). ``-`` as the port: it listens nowhere. It imports only modules that are quick to import,
because many replicas are started. It writes nothing but lines: all that it can see of FLAGS, it may only read.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time


def daemonise() -> None:
    """Leave a grandchild behind that has its own session, ignores SIGTERM and has no live parent."""
    there, is_there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.write(is_there, b"!")
            time.sleep(600)
        os._exit(0)
    os.wait()
    os.read(there, 1)


def main(flags: str, name: str, port: str, *options: str) -> None:
    given = dict(option.partition("=")[::2] for option in options)

    def flag(what: str) -> bool:
        return os.path.exists(f"{flags}/{name}.{what}")

    if "stubborn" in given:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    for number in range(int(given.get("prints", 0))):
        print(f"line {number}", file=(sys.stdout, sys.stderr)[number % 2], flush=True)
    if "forks" in given:
        daemonise()
    held = bytearray(int(given.get("burns", 0)))
    if "marks" in given:
        print("begun", flush=True)
    server = None
    while not flag("die"):
        if server is None and port != "-" and ("waits" not in given or flag("go")):
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("", int(port)))
            server.listen(16)
            server.settimeout(0.02)
        try:
            if server is None:
                time.sleep(0.02)
                continue
            asked = server.accept()[0]
        except TimeoutError:
            continue
        while flag("hang"):
            time.sleep(0.02)
        with asked:
            asked.settimeout(1)
            try:
                asked.recv(4096)
                words = "503 Sick" if flag("sick") else "200 Well"
                asked.sendall(f"HTTP/1.1 {words}\r\nContent-Length: 0\r\n\r\n".encode())
            except OSError:
                pass
    print("last words", len(held), flush=True)
    sys.exit(3)


main(*sys.argv[1:])
