"""Parts of a log: each line once and in order while its files rotate, and how many were dropped unread."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from leasebook.engines.contract import LogPart, LogPlace
from leasebook.engines.process import files as process_files
from leasebook.engines.process.files import Files
from leasebook.engines.process.keeper import put_away
from leasebook.engines.process.keeper_disk import Log

BYTES_MAX = 2000
"""Of a log; a file of it has half of them at most."""


class WrittenLog:
    """A replica's log, written as its keeper does, and the engine's files that read it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.files = Files(root, BYTES_MAX)
        self.directory = self.files.replicas / "a"
        self.directory.mkdir()
        monkeypatch.chdir(self.directory)
        self._log = Log(BYTES_MAX)

    def write(self, text: str) -> None:
        self._log.add(text.encode())

    def part(self, after: LogPlace | None = None, bytes_max: int = 10_000) -> LogPart:
        return self.files.log_part("a", after, bytes_max)

    def end(self) -> None:
        put_away("a", str(self.directory), str(self.root), BYTES_MAX)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrittenLog:
    return WrittenLog(tmp_path / "process", monkeypatch)


@pytest.mark.parametrize("seed", range(5))
def test_at_any_pace_each_line_comes_once_or_is_counted_as_lost(written: WrittenLog, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same each time
    lines = [f"{number} {'x' * dice.randrange(60)}" for number in range(400)]
    got: list[str] = []
    lost = 0
    place = LogPlace(0, 0)
    text = "".join(f"{line}\n" for line in lines)
    while text:
        cut = dice.randrange(1, 400)
        written.write(text[:cut])
        text = text[cut:]
        if dice.random() < 0.2:
            part = written.part(place, dice.choice((100, 500, 5000)))
            got, place, lost = [*got, *part.lines], part.place, lost + part.lost
    if seed % 2:
        written.end()
    while (part := written.part(place, 300)).lines:
        got, place, lost = [*got, *part.lines], part.place, lost + part.lost
    assert part.is_over is bool(seed % 2)
    assert len(got) + lost == len(lines) == place.lines
    whole = [line for line in got if line in lines]
    assert whole == sorted(whole, key=lambda line: int(line.split()[0]))
    # After each loss the first line can be the end of one whose beginning was dropped.
    assert len(got) - len(whole) <= 40
    assert got[-1] == lines[-1]
    assert lost > 0


def test_lines_that_are_read_in_time_are_all_there(written: WrittenLog) -> None:
    got: list[str] = []
    place: LogPlace | None = None
    for number in range(300):
        written.write(f"line {number}\n")
        if number % 50 == 0:
            part = written.part(place)
            got, place = [*got, *part.lines], part.place
            assert part.lost == 0
    assert [*got, *written.part(place).lines] == [f"line {number}" for number in range(300)]


def test_an_unfinished_line_waits_until_it_is_finished_or_its_replica_is_gone(written: WrittenLog) -> None:
    written.write("one\ntwo")
    first = written.part()
    assert first.lines == ("one",)
    written.write(" and a half\nthree")
    second = written.part(first.place)
    assert second.lines == ("two and a half",)
    assert written.part(second.place).lines == ()
    written.end()
    last = written.part(second.place)
    assert (last.lines, last.is_over) == (("three",), True)


def test_a_line_longer_than_a_part_comes_in_pieces_that_cut_no_character(written: WrittenLog) -> None:
    line = "é\U0001f9ee" * 60
    written.write(f"{line}\nnext\n")
    pieces: list[str] = []
    place: LogPlace | None = None
    while (part := written.part(place, 50)).lines:
        pieces += part.lines
        place = part.place
    assert "".join(pieces[:-1]) == line
    assert pieces[-1] == "next"
    assert part.place == LogPlace(len(f"{line}\nnext\n".encode()), 2)
    written.write("\n\xff\n")
    assert written.part(place).lines == ("", "\xff")


def test_a_place_is_noted_beside_the_replica_and_forgotten_after_it(written: WrittenLog) -> None:
    written.write("one\ntwo\n")
    place = written.part(None, 5).place
    written.files.log_sent("a", place)
    assert Files(written.root, BYTES_MAX).log_part("a", None, 100).lines == ("two",)
    written.end()
    assert written.part().lines == ("two",)
    for note in (written.root / "ends" / "a", written.root / "sent" / "a"):
        os.utime(note, (0, 0))
    written.files.tidy()
    assert written.part().lines == ("two",)
    (written.root / "ended" / "a.log").unlink()
    written.files.log_sent("new", place)
    written.files.tidy()
    assert [path.name for path in (written.root / "ends").iterdir()] == []
    assert [path.name for path in (written.root / "sent").iterdir()] == ["new"], "it may be written just now"
    assert written.part() == LogPart((), LogPlace(0, 0), is_over=True)


def test_the_lines_of_a_log_that_made_room_for_later_ones_are_counted_as_lost_once(written: WrittenLog) -> None:
    written.write("one\ntwo\nthree\n")
    place = written.part(None, 5).place
    written.end()
    (written.root / "ended" / "a.log").unlink()
    end = LogPlace(14, 3)
    assert written.part() == LogPart((), end, 3, is_over=True)
    assert written.part(place) == LogPart((), end, 2, is_over=True)
    written.files.log_sent("a", end)
    assert written.part() == LogPart((), end, 0, is_over=True)


def test_a_log_that_rotates_while_it_is_opened_is_opened_again(
    written: WrittenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = process_files._open
    rotations = [3]

    def rotating(path: Path, files: object) -> int | None:
        found = opened(path, files)  # type: ignore[arg-type]
        if path.name == "log" and rotations[0]:
            rotations[0] -= 1
            written.write("y" * 998 + "\n")
        return found

    written.write("one\n")
    monkeypatch.setattr(process_files, "_open", rotating)
    part = written.part()
    assert (part.lines[-1], part.lost) == ("y" * 998, 2)
    assert rotations == [0]


def test_the_log_of_a_keeper_that_did_not_count_is_not_read(written: WrittenLog) -> None:
    written.write("x" * 900 + "\n")
    written.write("y" * 998 + "\n")
    (written.directory / "rotated").unlink()
    assert written.part() == LogPart((), LogPlace(0, 0))
    written.end()
    assert written.part() == LogPart((), LogPlace(0, 0), is_over=True)


@pytest.mark.parametrize("text", ["", "1", "x y", "1 -2", "9" * 5000 + " 1"])
def test_notes_that_are_no_places_count_as_none(written: WrittenLog, text: str) -> None:
    for number in range(300):
        written.write(f"line {number}\n")
    whole = written.part()
    (written.root / "sent" / "a").write_text(text)
    assert written.part() == whole, "lines are sent again rather than never"
    (written.directory / "rotated").write_text(text)
    assert written.part().lines == ()
    written.end()
    assert not written.directory.exists(), "its replica is cleared away all the same"
    assert written.part().is_over
    (written.root / "ends" / "a").write_text(text)
    assert written.part().is_over


def test_the_lines_of_a_keeper_that_was_killed_between_two_files_are_all_there(written: WrittenLog) -> None:
    for number in range(150):
        written.write(f"line {number}\n")
    (written.directory / "log").replace(written.directory / "kept")
    before = written.part()
    assert before.lines
    written.end()
    after = written.part()
    assert (after.lines, after.is_over) == (before.lines, True)


def test_after_a_note_that_a_full_disk_refused_no_wrong_place_is_noted(written: WrittenLog) -> None:
    for number in range(300):
        written.write(f"line {number}\n")
    inode = (written.directory / "rotated").read_text().split()[0]
    (written.directory / "rotated").write_text(f"{int(inode) + 10**9} 500 20")
    written.end()
    assert not (written.root / "ends" / "a").exists()
