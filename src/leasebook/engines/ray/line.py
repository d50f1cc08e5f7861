"""The line between the engine and its driver, from the driver's end: questions in, answers out, each by its number.

It is the program that the engine starts (``ray.spawn_driver``).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import ray
from ray.exceptions import GetTimeoutError

from leasebook.engines.contract import CannotRun, NoRoom, Unreachable
from leasebook.engines.ray.driver import Driver
from leasebook.engines.ray.messages import Answer, Config, Question

PR_SET_PDEATHSIG = 1
THREADS = 16


def answer(driver: Driver, asked: Question) -> Answer:
    """Have one question answered; what Ray raises means that the cluster could not be asked."""
    try:
        return Answer(id=asked.id, value=_value(driver, asked))
    except (CannotRun, NoRoom, Unreachable) as refusal:
        return Answer(id=asked.id, error=type(refusal).__name__, message=str(refusal))
    except GetTimeoutError:
        return Answer(id=asked.id, error="Unreachable", message=f"the actor of {asked.name} does not answer in time")
    except Exception as error:  # noqa: BLE001 - Ray's errors are of many kinds, and all leave it open what was done
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return Answer(id=asked.id, error="Unreachable", message=message)


def _value(driver: Driver, asked: Question) -> Any:
    methods: dict[str, Callable[[], Any]] = {
        "stop": lambda: driver.stop(asked.name, asked.grace_s),
        "end_in": lambda: driver.end_in(asked.name, asked.seconds),
        "observe": lambda: list(driver.observe().values()),
        "logs": lambda: driver.logs(asked.name, asked.lines_max),
        "capacity": driver.capacity,
    }
    if asked.wanted is not None:
        return driver.start(asked.wanted)
    return methods[asked.method]()


def main() -> None:
    """Connect to the cluster of the first line, then answer line by line until the control plane is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    control = socket.socket(fileno=int(sys.argv[1]))
    questions = control.makefile("rb")
    config = msgspec.json.decode(questions.readline(), type=Config)
    ray.init(
        address=config.address,
        namespace=config.namespace,
        log_to_driver=False,
        logging_level="ERROR",
        configure_logging=False,
    )
    driver, writing = Driver(config), threading.Lock()

    def say(said: Answer) -> None:
        with writing:
            control.sendall(msgspec.json.encode(said) + b"\n")

    def reply(asked: Question) -> None:
        say(answer(driver, asked))

    threading.Thread(target=driver.sweep, daemon=True).start()
    # Starts wait for room, and for actors: no other call shall wait for them.
    starts, pool = ThreadPoolExecutor(THREADS), ThreadPoolExecutor(THREADS)
    say(Answer(id=0))
    for line in questions:
        asked = msgspec.json.decode(line, type=Question)
        (pool if asked.wanted is None else starts).submit(reply, asked)
    # The end of the stream. Replicas are detached and go on; Ray notices by itself that this driver is gone.
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001 - whatever it is, it is the end
        # Threads of Ray's and of the pool would keep the process; the engine that waits for it must see that it has
        # ended.
        traceback.print_exc()
        os._exit(1)
