"""The settings about what replicas of the process engine are kept apart by."""

from typing import Annotated, Literal

import msgspec

from leasebook.config.kinds import Declared, OneOf, Parsed, Paths, Span, Text, Whole
from leasebook.domain.cards import parse_cards
from leasebook.domain.replicas.unserved import parse_gone


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings about what replicas of the process engine are kept apart by; each field is its declaration."""

    engines_process_node: Annotated[
        str | None,
        Declared(
            "engines_process.node",
            Text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", "a name of letters, digits, dots, underscores and hyphens"),
            "What this machine is called in the store. Replicas of the process engine are found again under that name: "
            "give one where the host name changes, as that of a container does, and to each of several servers on one "
            "machine that have data directories of their own.",
            unset="the host name",
        ),
    ] = None

    engines_gone: Annotated[
        str | None,
        Declared(
            "engines_gone",
            Parsed(parse_gone, 'engines, a local one with its machine, such as "process@old-host, ray"'),
            "Engines that are gone for good, with all that ran there: what the store says of it ends, and is started "
            "anew elsewhere where it is still wanted. For one start; take it out again.",
            unset="none is",
        ),
    ] = None

    engines_process_sandbox: Annotated[
        Literal["require", "prefer", "off"],
        Declared(
            "engines_process.sandbox",
            OneOf(("require", "prefer", "off")),
            "How replicas are kept apart from this machine and from each other. `require`: a version of a model that "
            "no operator trusts runs only where the sandbox is complete, others in as much of it as there is; "
            "`prefer`: all of them in as much as there is; `off`: in none of it, so you trust every tenant.",
        ),
    ] = "require"

    engines_process_paths: Annotated[
        str,
        Declared(
            "engines_process.paths",
            Paths(),
            "What replicas may read besides the system's paths and those of the server's own Python: programs, and "
            "models. Never anything in the data directory.",
        ),
    ] = ""

    engines_process_uids: Annotated[
        str,
        Declared(
            "engines_process.uids",
            Span(1, 4_294_967_293, "uids"),
            "A server that runs as root gives each replica one of these users for its own. They and the groups of the "
            "same numbers must belong to nobody else. Any other server takes them from its user's ranges in "
            "`/etc/subuid` and `/etc/subgid`.",
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
            "The accelerators of this machine, and the device files of each: a replica sees those of its own cards and "
            "of `*`, and no others. A name that is a UUID (`GPU-...`) stands in CUDA_VISIBLE_DEVICES as it is.",
            unset="the NVIDIA cards that are found",
        ),
    ] = None

    engines_process_disk_max_bytes: Annotated[
        int,
        Declared(
            "engines_process.disk_max_bytes",
            Whole(1 << 20, 1 << 50, "bytes"),
            "How much a replica may have in its working directory and `/tmp`, and how long a file may be. A replica "
            "that has more is ended.",
        ),
    ] = 32 << 30

    engines_process_processes_max: Annotated[
        int,
        Declared(
            "engines_process.processes_max",
            Whole(16, 4_194_304, "processes"),
            "How many processes and threads a replica may have.",
        ),
    ] = 4096
