"""A check names the fault of a master key that is in its place and cannot be used, and the command that mends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from leasebook.cli.main import cli
from leasebook.security.keyring import MASTER_KEY_FILE
from leasebook.store.opening import Target
from tests.copies import STORES, copy_of, empty
from tests.harness import a_service


def open_to_others(key: Path) -> str:
    key.chmod(0o644)
    return f"{key}: the master key has mode 0644, it must be 0600, for its owner; run: chmod 600 {key}"


def cut_off(key: Path) -> str:
    key.write_bytes(key.read_bytes()[:-9])
    return f"put it back from your copy: install -m 600 COPY {key}"


def a_folder(key: Path) -> str:
    key.unlink()
    key.mkdir()
    return f"{key}: the master key cannot be read: {key} is not a regular file. Move it away"


def a_link_to_itself(key: Path) -> str:
    key.unlink()
    key.symlink_to(key)
    return f"{key}: the master key cannot be read"


def the_next_one_open_to_others(key: Path) -> str:
    """As a rotation leaves it that was killed before the files changed places: the key that seals is beside."""
    following = key.with_name(f"{key.name}.next")
    key.rename(following)
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    following.chmod(0o640)
    return f"run: chmod 600 {following}"


@pytest.fixture(scope="module", params=STORES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    async def live(where: Target) -> None:
        async with a_service(where) as desk:
            await desk.call("/v2/computeunit", "ReleaseComputeUnit", {"instanceId": "unit-1"})

    with empty(request.param, tmp_path_factory.mktemp("lived") / "data", migrated=True) as where:
        asyncio.run(live(where))
        yield where


@pytest.fixture
def where(lived: Target, tmp_path: Path) -> Iterator[Target]:
    with copy_of(lived, tmp_path / "data") as copy:
        yield copy


def run(command: str, where: Target) -> Result:
    store = [] if where.url is None else ["--store", where.url]
    return CliRunner().invoke(cli, [command, "--data", str(where.directory), *store])


@pytest.mark.parametrize("spoil", [open_to_others, cut_off, a_folder, a_link_to_itself, the_next_one_open_to_others])
def test_a_check_names_the_fault_of_a_key_and_proves_the_rest(where: Target, spoil: Callable[[Path], str]) -> None:
    said = spoil(where.directory / MASTER_KEY_FILE)
    done = run("check", where)
    assert "the seals were not checked: " in done.output
    assert said in done.output
    assert "The books are right" in done.output
    assert done.exit_code == 1


def test_a_check_without_any_key_proves_the_rest_and_succeeds(where: Target) -> None:
    (where.directory / MASTER_KEY_FILE).unlink()
    done = run("check", where)
    assert "their seals were not checked, for want of the master key" in done.output
    assert done.exit_code == 0


@pytest.mark.parametrize("spoil", [open_to_others, cut_off])
@pytest.mark.parametrize("lived", ["sqlite"], indirect=True)
def test_a_loss_is_not_accepted_with_a_key_that_cannot_be_used(where: Target, spoil: Callable[[Path], str]) -> None:
    said = spoil(where.directory / MASTER_KEY_FILE)
    done = CliRunner().invoke(cli, ["accept-loss", "--data", str(where.directory)])
    assert said in done.output
    assert done.exit_code != 0
