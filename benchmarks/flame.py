"""A flame graph of a server under load: ``python -m benchmarks.flame``.

It starts a server on a new store, drives it as the purchase benchmark does, and has py-spy take a sample of the main
thread's stack a hundred times a second. The width of a frame in the picture is its share of the samples. Rates measured
under it are not worth recording: sampling stops the server for each sample.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.filling import store_options, stores
from benchmarks.load import Plan, drive_apart
from benchmarks.purchase import NO_OP, PURCHASE, prepare, requests
from benchmarks.serving import LEASEBOOK, Server

SPARE_S = 2.0
"""The load lasts so much longer than the samples are taken, because py-spy needs a moment to start."""
FORMATS = {".svg": "flamegraph", ".json": "speedscope", ".txt": "raw"}


class Options(msgspec.Struct, frozen=True):
    """How to sample: ``rate`` in samples a second."""

    store: str
    kind: str
    clients: int
    seconds: int
    rate: int
    output: Path
    native: bool


class CannotSample(Exception):
    """The reason why py-spy wrote nothing."""


def sampler(options: Options, pid: int) -> list[str]:
    """The command that writes the picture. The ending of ``output`` says which format."""
    format_ = FORMATS.get(options.output.suffix)
    if format_ is None:
        raise CannotSample(f"{options.output} ends with none of {', '.join(FORMATS)}")
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise CannotSample("py-spy is missing: run make profile, which installs it")
    command = [found, "record", "--pid", str(pid), "--duration", str(options.seconds), "--rate", str(options.rate)]
    return [*command, "--format", format_, "--output", str(options.output), *(["--native"] if options.native else [])]


def sampled(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start to sample."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def record(server: Server, options: Options) -> str:
    """Drive a server that is ready while its stack is sampled. Returns the line about it."""
    command = sampler(options, server.pid)
    plan = Plan(server.port, requests(server, tokens=False)[options.kind], options.clients, options.seconds + SPARE_S)
    with sampled(command) as spy:
        tally = drive_apart(plan)
        said = spy.communicate()[0]
    if spy.returncode or not options.output.exists():
        raise CannotSample(
            f"py-spy wrote nothing: {said.strip()}\nIt must be allowed to read another process: run this as root, "
            "set kernel.yama.ptrace_scope to 0, or give a container the capability SYS_PTRACE."
        )
    return f"{options.output}: {options.kind}, {options.clients} clients, {tally.rate:,.0f} a second while sampled"


def flame(options: Options, folder: Path) -> str:
    """Start a server on a store of its own, sample it under load, stop it, and have its books checked."""
    with stores(options.store, folder, "flame") as places:
        where = store_options(places[0])
        server = Server("flame", LEASEBOOK, where, folder / "flame.log")
        try:
            prepare(server)
            line = record(server, options)
            server.stop()
            return f"{line}\n{server.check()}"
        finally:
            server.kill()


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flame", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kind", choices=[PURCHASE, NO_OP], default=PURCHASE, help="the request to send")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=100, help="samples a second")
    parser.add_argument("--native", action="store_true", help="show frames of C, too; only where py-spy has it")
    help_ = "flame.svg for a browser, .json for speedscope, .txt for folded stacks"
    parser.add_argument("--output", type=Path, default=Path("flame.svg"), help=help_)
    given = parser.parse_args(arguments)
    return msgspec.convert(vars(given), Options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a flame graph."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(flame(options, Path(folder)))
        except CannotSample as reason:
            sys.exit(str(reason))


if __name__ == "__main__":
    main()
