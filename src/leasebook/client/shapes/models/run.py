"""Shapes of values: run. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

import msgspec

from leasebook.client.shape import Shape


class Run(Shape, kw_only=True):
    """How to run one replica: a command, or an image, or both (then the command runs in the image); or an application.

    ``{port}`` in the command and in values of ``env`` is replaced by the port that the replica must listen on, and the
    variable PORT has it too. With a ``port`` of null it listens on none; with 0 the engine chooses the port. A replica
    is healthy while it answers ``healthPath`` with a status from 200 to 399; without that, while its port accepts
    connections.
    """

    command: list[str] = msgspec.field(default_factory=list)
    """The program and its arguments, a word each; {port} in a word is replaced by the port."""
    image: str | None = None
    """The container image; null: the command runs on the machine itself."""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    """Variables of the environment; {port} in a value is replaced by the port. PORT is always set."""
    port: int | None = 0
    """Where a replica listens: 0 lets the port be chosen, null means nowhere."""
    health_path: str | None = None
    """Asked with GET to see whether a replica is well; null: whether the port takes connections."""
    cpus: float | None = None
    """How many processors' time a replica may use; null: no limit."""
    memory_bytes: int | None = None
    """How many bytes of memory a replica may use; null: no limit."""
    accelerators: int = 0
    """How many accelerators a replica has for itself."""
    grace_seconds: float = 10.0
    """How long a replica has to end by itself when it is stopped."""
    application: str | None = None
    """A Ray Serve application, as module:name; only the engine ray runs these."""
    arguments: dict[str, str] = msgspec.field(default_factory=dict)
    """The keyword arguments of the function that builds the application."""
    connects: list[int] = msgspec.field(default_factory=list)
    """TCP ports that a replica may connect to, on any host; to others it may not, where it is isolated."""
