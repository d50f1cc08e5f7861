"""The settings of the process engine's sandbox, and of engines' places."""

from typing import Annotated, Literal

import msgspec

from leasebook.config.kinds import Declared, OneOf, Parsed, Paths, Span, Text, Whole
from leasebook.domain.cards import parse_cards
from leasebook.domain.replicas.unserved import parse_gone


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the process engine's sandbox, and of engines' places; each field is its declaration."""

    engines_process_node: Annotated[
        str | None,
        Declared(
            "engines_process.node",
            Text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", "a name of letters, digits, dots, underscores and hyphens"),
            "The name of this machine in the store. Replicas of the process engine are found again under that name. "
            "Set one if the host name changes, as that of a container does, and for each of several servers on one "
            "machine that have data directories of their own.",
            unset="the host name",
        ),
    ] = None

    engines_gone: Annotated[
        str | None,
        Declared(
            "engines_gone",
            Parsed(parse_gone, 'engines, a local one with its machine, such as "process@old-host, ray"'),
            "Engines that are gone for good, with all their replicas: these replicas end in the store, and are "
            "started again elsewhere if they are still wanted. Set it for one start only, and remove it afterwards.",
            unset="no engine",
        ),
    ] = None

    engines_process_sandbox: Annotated[
        Literal["require", "prefer", "off"],
        Declared(
            "engines_process.sandbox",
            OneOf(("require", "prefer", "off")),
            "How replicas are isolated from this machine and from each other. `require`: a version of a model that "
            "no operator trusts runs only in a complete sandbox, others in the parts that the machine has; `prefer`: "
            "all of them in the parts that the machine has; `off`: without a sandbox, so you trust every tenant.",
        ),
    ] = "require"

    engines_process_paths: Annotated[
        str,
        Declared(
            "engines_process.paths",
            Paths(),
            "Paths that replicas may read besides the system's and those of the server's own Python: programs and "
            "models. Never a path in the data directory.",
        ),
    ] = ""

    engines_process_uids: Annotated[
        str,
        Declared(
            "engines_process.uids",
            Span(1, 4_294_967_293, "uids"),
            "User ids for replicas. A server that runs as root gives each replica one of them. These ids and the "
            "groups of the same numbers must have no other use. A server that is not root takes ids from its user's "
            "ranges in `/etc/subuid` and `/etc/subgid`.",
        ),
    ] = "2000000000-2000009999"

    engines_process_devices: Annotated[
        str | None,
        Declared(
            "engines_process.devices",
            Parsed(
                parse_cards,
                "cards with their files below /dev, `*` for what all of them need, each file once, such as "
                '"a=/dev/dri/renderD128, b=/dev/dri/renderD129, *=/dev/kfd"',
            ),
            "The accelerators of this machine, and the device files of each: a replica sees those of its own cards "
            "and of `*`, and no others. A name that is a UUID (`GPU-...`) is written into CUDA_VISIBLE_DEVICES "
            "unchanged.",
            unset="the NVIDIA cards that are found",
        ),
    ] = None

    engines_process_disk_max_bytes: Annotated[
        int,
        Declared(
            "engines_process.disk_max_bytes",
            Whole(1 << 20, 1 << 50, "bytes"),
            "Disk limit of a replica: the size of its working directory and `/tmp` together, and of a single file. A "
            "replica that has more is ended.",
        ),
    ] = 32 << 30

    engines_process_processes_max: Annotated[
        int,
        Declared(
            "engines_process.processes_max",
            Whole(16, 4_194_304, "processes"),
            "Maximum number of processes and threads of a replica.",
        ),
    ] = 4096
