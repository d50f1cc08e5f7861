"""The file system of a data directory becomes read-only under a server, as the kernel does after an error."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.crash.fleet import UNITS, eventually, postpaid
from tests.crash.lone import data_of, every_page, prove_books
from tests.faults.loop_disk import command, loop_disk
from tests.faults.writing_scene import TYPE, PurchaseOutcomes, page, served


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """An ext4 of its own: the file that it is in, and where it is mounted."""
    image, folder = tmp_path / "image", tmp_path / "mounted"
    with loop_disk(image, folder):
        yield image, folder


def test_what_was_acknowledged_before_a_file_system_became_read_only_is_there_afterwards(
    disk: tuple[Path, Path],
) -> None:
    image, folder = disk
    told = PurchaseOutcomes({}, set(), set())
    with served(folder) as (server, account):
        caller = account.caller([server.port or 0], timeout_s=60)
        with caller:
            for number in range(2):
                told.buy(caller, f"before-{number}")
            # The kernel itself refuses that while a server has its files open for writing: nothing changes.
            assert "busy" in command("mount", "-o", "remount,ro", folder).stderr
            assert told.buy(caller, "still").status == HTTPStatus.OK
            # That is what ext4 does by itself where the disk fails (errors=remount-ro).
            assert command("mount", "-o", "remount,abort", folder).returncode == 0
            for number in range(2):
                answer = told.buy(caller, f"during-{number}")
                assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert len(told.bought) == 3
            ready = eventually("a monitor sees it", lambda: (p := page(server, "/readyz")).status == 503 and p)
            assert "written" in ready.reasons, ready
            assert caller.call_at(0, UNITS, "DescribeComputeUnits").status == HTTPStatus.OK
        assert "Traceback" not in server.log(), server.log()[-3000:]
        server.kill()
        # Only a file system that was unmounted can be written again.
        assert command("umount", folder).returncode == 0
        assert command("e2fsck", "-fy", image).returncode in (0, 1)
        assert command("mount", "-o", "loop", image, folder).returncode == 0
        server.start()
        server.wait()
        with account.caller([server.port or 0]) as caller:
            found = {
                unit["instanceId"]
                for unit in every_page(caller, UNITS, "DescribeComputeUnits", "computeUnitInstanceList")
            }
            assert set(told.bought.values()) <= found
            for token in sorted(told.nothing | told.unknown):
                answer = caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE), token=token)
                assert answer.status == HTTPStatus.OK
        server.stop()
        prove_books(data_of(folder))
