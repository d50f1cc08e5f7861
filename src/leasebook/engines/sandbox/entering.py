"""How a keeper's child enters a sandbox: it opens the launcher's files, and executes the prepared command line.

The files lie in the working directory, which is the replica's state directory:

    confined   the command line to execute, each word ended by a zero byte
    mounts     more words for bubblewrap, likewise: a command line can be seen by the replica
    orders     the launcher's instructions; see there
    filter     the filter of system calls
    users      the replica's user if the server is not root: see ``own_user``
    command    the command's words, and ``environ`` its variables, each ended by a zero byte

It imports only modules that are quick to import.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys

from leasebook.engines.process.own_user import USERS, settle

CONFINED, MOUNTS, ORDERS, FILTER = "confined", "mounts", "orders", "filter"
FILES = {3: ORDERS, 4: "command", 5: "environ", 6: FILTER, 8: MOUNTS}
"""The files that a launcher is started with, by their numbers (``sandbox``)."""
REPORT_FD = 7
_OUT_OF_THE_WAY = 64
OOM_SCORE = 800
"""Of 1000: how readily the kernel takes it. The server has 0."""


def go_first() -> None:
    """Have the kernel, where memory runs out, end what a tenant runs before the server, its database and keepers."""
    with contextlib.suppress(OSError):
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(descriptor, b"%d" % OOM_SCORE)
        finally:
            os.close(descriptor)


def enter(words: list[str], report: int) -> None:
    """Execute the prepared command line with these files open and only the keeper's variables."""
    opened = {number: os.open(name, os.O_RDONLY) for number, name in FILES.items()} | {REPORT_FD: report}
    # First duplicate all of them to numbers that none of them needs.
    high = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, _OUT_OF_THE_WAY) for number, descriptor in opened.items()}
    for number, descriptor in high.items():
        os.dup2(descriptor, number)
    os.closerange(max(FILES) + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        os.execv(words[0], words)  # noqa: S606 - the keeper has no variables but what Python may need
    except OSError as error:
        os.write(REPORT_FD, f"{words[0]}: {error.strerror}".encode())
        os._exit(127)


def main() -> None:
    """Try it: the working directory is as a state directory, and the report goes to the standard output."""
    if os.path.exists(USERS):
        with open(USERS) as told:
            settle(told.read())
    with open(CONFINED, "rb") as file:
        words = os.fsdecode(file.read()).split("\0")[:-1]
    enter(words, os.dup(sys.stdout.fileno()))
