"""Ids of instances come in runs: alike at the beginning, and none twice."""

from __future__ import annotations

import os
import string
import uuid
from itertools import groupby

import pytest

from leasebook.api import ids
from leasebook.api.ids import UNIT_COMMON, UNIT_RUN, IdRun, unit_id, uuid4_text

BASE62 = string.digits + string.ascii_letters


def test_an_instance_has_the_id_that_clients_know() -> None:
    drawn = [unit_id() for _ in range(5 * UNIT_RUN)]
    assert len(set(drawn)) == len(drawn)
    for one in drawn:
        prefix, _, rest = one.partition("-")
        assert prefix == "unit"
        assert len(rest) == 8
        assert set(rest) <= set(BASE62)


def test_ids_drawn_one_after_another_begin_alike() -> None:
    drawn = [unit_id() for _ in range(5 * UNIT_RUN)]
    runs = [len(list(run)) for _, run in groupby(drawn, key=lambda one: one[: len("unit-") + UNIT_COMMON])]
    # The first run may have begun before, and the last one goes on.
    assert runs[1:-1] == [UNIT_RUN] * len(runs[1:-1])
    assert sum(runs) == 5 * UNIT_RUN
    assert len(runs) <= 6


def test_none_comes_twice_within_a_run_however_few_there_are() -> None:
    run = IdRun("ab", common=1, length=4, size=8)
    drawn = [run.draw() for _ in range(8)]
    assert len(set(drawn)) == 8
    assert len({one[0] for one in drawn}) == 1


@pytest.mark.parametrize("size", [1, 3])
def test_a_run_ends_after_its_size(size: int) -> None:
    run = IdRun(BASE62, common=7, length=8, size=size)
    drawn = [run.draw() for _ in range(4 * size)]
    begins = [one[:7] for one in drawn]
    assert [len(list(same)) for _, same in groupby(begins)] == [size] * 4


def _in_a_fork() -> tuple[str, str]:
    """Draw an id of an instance and one of a request in a process that is forked from this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, f"{unit_id()} {uuid4_text()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    unit, request = os.read(reading, 100).decode().split()
    os.close(reading)
    os.close(writing)
    return unit, request


def test_processes_that_are_forked_from_one_draw_ids_of_their_own() -> None:
    drawn = [(unit_id(), uuid4_text()), _in_a_fork(), _in_a_fork()]
    beginnings = {unit[: len("unit-") + UNIT_COMMON] for unit, _ in drawn}
    assert len(beginnings) == len({request for _, request in drawn}) == 3


def test_a_run_begins_with_its_first_id_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    thrown: list[int] = []

    def throw(_: str, length: int) -> str:
        thrown.append(length)
        return "a" * length

    monkeypatch.setattr(ids, "_throw", throw)
    run = IdRun("a", common=3, length=8, size=1)
    assert thrown == []
    assert run.draw() == "aaaaaaaa"
    assert thrown == [3, 5]


def test_a_request_has_a_random_uuid_as_the_library_would_write_it() -> None:
    drawn = [uuid4_text() for _ in range(2000)]
    assert len(set(drawn)) == len(drawn)
    read = [uuid.UUID(text) for text in drawn]
    assert [str(one) for one in read] == drawn
    assert {(one.version, one.variant) for one in read} == {(4, uuid.RFC_4122)}
    assert {text[19] for text in drawn} == set("89ab")
