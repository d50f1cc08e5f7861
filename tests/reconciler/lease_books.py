"""For tests of leases: rows in memory on which commands are decided at once, and a time that is moved by hand."""

from __future__ import annotations

from typing import Any

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import LEASES, WORKERS, Table
from leasebook.domain.commands.command import Command
from leasebook.domain.model.lease import Worker
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules
from tests.reconciler.scene import NOW


class LeaseTime:
    """Wall time and steady time that only ``move`` moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def move(self, seconds: float) -> None:
        self.seconds += seconds

    def wall(self) -> int:
        return NOW + int(self.seconds * SECOND_US)

    def steady(self) -> float:
        return self.seconds

    def boot_us(self) -> int:
        return int(self.seconds * SECOND_US)

    def service_now(self) -> int:
        return self.wall()

    def is_paused(self) -> bool:
        return False


class LeaseBooks:
    """Workers and leases. ``trouble`` is raised instead of an answer; a command takes ``seconds``."""

    def __init__(self, time: LeaseTime) -> None:
        self.rows: dict[tuple[Table[Any], tuple[Any, ...]], Any] = {}
        self.commands: list[Command] = []
        self.trouble: Exception | None = None
        self.seconds = 0.0
        self._time = time

    async def submit(self, command: Command) -> Any:
        self._time.move(self.seconds)
        if self.trouble is not None:
            raise self.trouble
        self.commands.append(command)
        book = Book()
        for need in command.needs():
            table, key = need  # type: ignore[misc]
            book.load(table, key, self.rows.get((table, key)))
        draft = Draft(book)
        answer = command.decide(draft, Rules(time_zone="UTC"), Instant(self._time.wall()))
        self.rows.update(draft.changed)
        return answer

    def workers(self) -> list[Worker]:
        return [row for (table, _), row in self.rows.items() if table is WORKERS]

    def holders(self) -> dict[str, str]:
        return {row.unit_id: row.holder for (table, _), row in self.rows.items() if table is LEASES}
