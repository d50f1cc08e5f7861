"""The deployer of a Ray Serve application, as its guard sees it: a process, and what it reports. No Ray is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from leasebook.engines.ray.deployment import Deployment
from tests.crash.fleet import eventually

ORDER = "import json, os, sys, time; order = json.loads(sys.stdin.readline()); "
"""The first lines of each of these deployers."""
FOR_EVER = "time.sleep(600)"


def is_gone(deployment: Deployment) -> bool:
    """Whether nothing of it is left; it is killed."""
    return not deployment.cut_off()


@pytest.fixture
def deploy() -> Any:
    """Start deployers; all of them end with the test."""
    made: list[Deployment] = []

    def run(program: str, feed: Callable[[bytes], None] = lambda _: None, **env: str) -> Deployment:
        made.append(Deployment(ORDER + program, {"name": "one"}, env, feed))
        return made[-1]

    yield run
    for one in made:
        eventually("it is gone", partial(is_gone, one))


def ended(deployment: Deployment, at: float) -> int:
    """Look until it has ended; returns how."""
    codes = eventually("it ended", lambda: [code for code in [deployment.see_end(at)] if code is not None])
    return int(codes[0])


def test_the_port_that_a_deployer_reports_is_known_when_it_has_ended(deploy: Any) -> None:
    deployment = deploy("os.write(order['telling'], b'8123')")
    assert deployment.port == 0
    assert ended(deployment, 7.5) == 0
    assert (deployment.port, deployment.ended_at) == (8123, 7.5)


def test_an_end_is_seen_once_and_keeps_its_time(deploy: Any) -> None:
    deployment = deploy("sys.exit(3)")
    assert ended(deployment, 1.0) == 3
    assert deployment.see_end(2.0) is None
    assert (deployment.port, deployment.ended_at) == (0, 1.0)


def test_a_deployer_that_runs_has_no_end_and_can_be_cut_off(deploy: Any) -> None:
    deployment = deploy(FOR_EVER)
    assert deployment.see_end(1.0) is None
    assert deployment.ended_at is None
    assert deployment.cut_off()
    assert ended(deployment, 2.0) == -9
    assert not deployment.cut_off()


def test_a_deployer_gets_its_order_and_the_environment_without_what_ray_set(
    deploy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_OF_THE_GUARD", "1")
    monkeypatch.setenv("LEASEBOOK_KEPT", "2")
    lines: list[bytes] = []
    show = "print(order['name'], *(os.environ.get(name) for name in ('RAY_OF_THE_GUARD', 'LEASEBOOK_KEPT', 'OWN')))"
    deployment = deploy(show, lines.append, OWN="3")
    assert ended(deployment, 1.0) == 0
    eventually("its output came", lambda: b"".join(lines) == b"one None 2 3\n")


def test_output_of_both_kinds_is_passed_on_while_it_runs(deploy: Any) -> None:
    lines: list[bytes] = []
    deploy("print('out', flush=True); print('error', file=sys.stderr, flush=True); " + FOR_EVER, lines.append)
    eventually("both came", lambda: {b"out\n", b"error\n"} <= set(b"".join(lines).splitlines(keepends=True)))


def test_the_module_needs_the_standard_library_only() -> None:
    import leasebook.engines.ray.deployment as module

    # pytest adds a module of its own, under a name that begins with @, where it rewrites assertions.
    named = {name: value for name, value in vars(module).items() if not name.startswith("@")}
    roots = {value.__name__.partition(".")[0] for value in named.values() if type(value) is type(sys)}
    assert roots <= sys.stdlib_module_names
