"""The run block of a version of a model: how one replica is run."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from leasebook.contract.shapes import Part

Port = Annotated[int, Meta(ge=1, le=65_535)]
Argument = Annotated[str, Meta(max_length=32_768)]
ShortText = Annotated[str, Meta(min_length=1, max_length=256)]
Image = Annotated[str, Meta(min_length=1, max_length=512)]
PortOrChosen = Annotated[int, Meta(ge=0, le=65_535)]
Cpus = Annotated[float, Meta(gt=0, le=4096)]
MemoryBytes = Annotated[int, Meta(ge=2**20, le=2**53)]


class Run(Part, kw_only=True, omit_defaults=False):
    """How to run one replica: a command, or an image, or both (then the command runs in the image); or an application.

    ``{port}`` in the command and in values of ``env`` is replaced by the port that the replica must listen on, and the
    variable PORT has it too. With a ``port`` of null it listens on none; with 0 the engine chooses the port. A replica
    is healthy while it answers ``healthPath`` with a status from 200 to 399; without that, while its port accepts
    connections.
    """

    is_ours: ClassVar[bool] = True

    command: Annotated[
        list[Argument],
        Meta(
            max_length=1000,
            description="The program and its arguments, a word each; {port} in a word is replaced by the port.",
        ),
    ] = msgspec.field(default_factory=list)
    image: Annotated[
        Image | None, Meta(description="The container image; null: the command runs on the machine itself.")
    ] = None
    env: Annotated[
        dict[str, Argument],
        Meta(
            max_length=200,
            description="Variables of the environment; {port} in a value is replaced by the port. PORT is always set.",
        ),
    ] = msgspec.field(default_factory=dict)
    port: Annotated[
        PortOrChosen | None, Meta(description="Where a replica listens: 0 lets the port be chosen, null means nowhere.")
    ] = 0
    health_path: Annotated[
        ShortText | None,
        Meta(description="Asked with GET to see whether a replica is well; null: whether the port takes connections."),
    ] = None
    cpus: Annotated[Cpus | None, Meta(description="How many processors' time a replica may use; null: no limit.")] = (
        None
    )
    memory_bytes: Annotated[
        MemoryBytes | None, Meta(description="How many bytes of memory a replica may use; null: no limit.")
    ] = None
    accelerators: Annotated[int, Meta(ge=0, le=1024, description="How many accelerators a replica has for itself.")] = 0
    grace_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="How long a replica has to end by itself when it is stopped.")
    ] = 10.0
    application: Annotated[
        ShortText | None,
        Meta(description="A Ray Serve application, as module:name; only the engine ray runs these."),
    ] = None
    arguments: Annotated[
        dict[str, Argument],
        Meta(max_length=200, description="The keyword arguments of the function that builds the application."),
    ] = msgspec.field(default_factory=dict)
    connects: Annotated[
        list[Port],
        Meta(
            max_length=64,
            description=(
                "TCP ports that a replica may connect to, on any host; to others it may not, where it is isolated."
            ),
        ),
    ] = msgspec.field(default_factory=list)
