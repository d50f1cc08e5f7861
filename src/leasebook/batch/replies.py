"""Replies that leave only after the next batch has been sent to the store: the one place that holds replies back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from leasebook.batch.ports import StaleIdentity
from leasebook.batch.waiting import WaitingCall
from leasebook.domain.commands.command import Decision

DEFER_MAX_S = 0.005
"""Upper bound on how long replies are held back while the next batch starts, including its wait for locked rows."""


class DeferredReplies:
    """The replies of the last committed batch.

    Where other callers wait already, the replies leave when the next batch is on its way to the store, and after
    ``DEFER_MAX_S`` at the latest. To write sixty replies, and to read the sixty requests that follow on them, takes
    time, and so it passes while the store is at work instead of before.
    """

    def __init__(self) -> None:
        self._callers: Sequence[WaitingCall] = ()
        self._decided: Sequence[WaitingCall] = ()
        self._decisions: Sequence[Decision] = ()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many callers have no reply yet although their batch is committed."""
        return len(self._callers)

    def defer(
        self,
        callers: Sequence[WaitingCall],
        decided: Sequence[WaitingCall],
        decisions: Sequence[Decision],
        *,
        is_next_waiting: bool,
    ) -> None:
        """Hold back the replies of a committed batch if another batch ``is_next_waiting``, or else send them now.

        ``decided`` are those of the batch's ``callers`` that were decided, and ``decisions`` what each of them gets.
        The other callers get StaleIdentity.
        """
        self.send()
        self._callers, self._decided, self._decisions = callers, decided, decisions
        if is_next_waiting and callers:
            self._timer = asyncio.get_running_loop().call_later(DEFER_MAX_S, self.send)
        else:
            self.send()

    def send(self) -> None:
        """Send the replies that are held back, if there are any."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._callers:
            return
        callers, decided, decisions = self._callers, self._decided, self._decisions
        self._callers = self._decided = self._decisions = ()
        for waiting, decision in zip(decided, decisions, strict=True):
            waiting.answer(decision)
        if len(decided) < len(callers):
            for waiting in callers:
                waiting.fail(StaleIdentity())
