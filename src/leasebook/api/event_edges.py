"""How far the events of several accounts are complete: up to which page none with a lower number is still to come.

Servers number pages of events before they commit them. Within an account that is the order of the commits; between
accounts a page may be committed after another one with a greater number. A stream over several accounts therefore
stops at the last page for which every transaction that was under way when it was seen is over: so one place, the id of
an event, says for all accounts what was sent.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from leasebook.ports.queries.costs import PostingEdge

EDGES_MAX: Final = 64
"""Edges that wait at most: while another session holds a transaction open, no more are noted."""
FIRST_PAUSE_S: Final = 0.02
LAST_PAUSE_S: Final = 1.0


class Edges:
    """The last pages that were seen, and the last one that is complete."""

    def __init__(self) -> None:
        self._waiting: deque[PostingEdge] = deque()
        self._pause_s = FIRST_PAUSE_S
        self.whole = 0
        """The last page up to which all pages are committed."""

    def see(self, edge: PostingEdge) -> None:
        """Note where the pages end now."""
        if edge.last > (self._waiting[-1].last if self._waiting else self.whole) and len(self._waiting) < EDGES_MAX:
            self._waiting.append(edge)
        before = self.whole
        while self._waiting and self._waiting[0].begun <= edge.over:
            self.whole = max(self.whole, self._waiting.popleft().last)
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S) if self.whole == before else FIRST_PAUSE_S

    @property
    def pause_s(self) -> float | None:
        """How long to wait before the next look, because pages are not yet known to be complete; None: all are."""
        return self._pause_s if self._waiting else None
