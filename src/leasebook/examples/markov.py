"""A text model as small as they come: which word follows which, counted in a text that this module carries."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

TEXT: Final = """
A lease begins when somebody asks for a machine and ends when the time that they named has come. Until then the
machine is theirs. They may run what they like on it, and nobody else may take it away. When the time has come the
machine goes back to the shelf, whether or not they remember it, and the bill ends at that moment and not a minute
later.

Most machines are forgotten. Somebody starts a long job in the evening, goes home, and finds the job done in the
morning. The machine has waited for them all night, and the bill has grown all night with it. A release time is a
promise that the machine makes to the budget. It is set once, when the machine is bought, and it is kept by a clock
that never goes home.

A service is a name that stays while the machines behind it come and go. People call the name, and the name finds a
replica that is well and has little to do. When a replica falls ill the name stops sending people there. When a
replica is told to stop it finishes what it was saying, and then it is quiet. When no replica is left the name says
so at once, because an honest refusal is better than a long silence.

A model is a large table of numbers that somebody else has filled. To run a model is to read the table very often and
very fast, one word at a time. The first word takes the longest, because the whole question has to be read before the
answer can begin. After that the words come one by one, and each word is chosen by all the words before it. That is
why people like to see an answer as it is written, and why a gateway must never wait for the end of it.

A small model like this one knows only which word follows which. It has read a few paragraphs about leases and
machines, and it repeats what it has read in another order. It never knows what it is saying, but it always says it in
time. It needs no accelerator and no download, it starts at once, and it gives the same answer to the same seed. That
makes it a poor companion and a very good test.

A ledger is a book in which nothing is ever erased. Money moves from one account to another, and both lines are
written in the same moment, so that the book is in balance whenever somebody opens it. If a machine was used for an
hour, the book says who used it, how long, and at which price. If the price has changed since, the book still says
what the price was then. A good book can be checked by somebody who does not trust the one who wrote it.

A clock that jumps is worse than a clock that is late. If the clock jumps forward, every lease seems to have ended,
and a careless service would take every machine away. A careful service waits, and asks somebody to look at the clock.
If the clock was right, nothing is lost but a few minutes. If the clock was wrong, everything is saved.

A queue is a line of people who believe that they will be served. The longer the line, the less the belief is worth.
A service that is kind says early that it is full, and when to come back. A service that is unkind takes everybody in
and answers nobody. The best service is seldom full, because somebody has counted the people, and bought the machines
before the people came.
"""
"""Written for this purpose, so that it quotes no other text."""

_PIECES: Final = re.compile(r"\w+(?:['-]\w+)*|[^\w\s]")
ENDS: Final = frozenset(".!?")


def tokens(text: str) -> list[str]:
    """Cut a text into words and punctuation marks; each counts as a token here."""
    return _PIECES.findall(text)


class Markov:
    """Which word follows two words, one word, or anything, and how often."""

    def __init__(self, text: str = TEXT) -> None:
        words = tokens(text)
        self._after: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for index, word in enumerate(words):
            for order in range(3):
                if order <= index:
                    self._after[tuple(one.lower() for one in words[index - order : index])][word] += 1

    def choices(self, before: Sequence[str]) -> Counter[str]:
        """Return the words that may follow, by the longest end of ``before`` that the text contains."""
        for order in (2, 1, 0):
            found = self._after.get(tuple(word.lower() for word in before[len(before) - order :]))
            if found and order <= len(before):
                return found
        return Counter()

    def words(self, prompt: str, *, seed: int, temperature: float) -> Iterator[str]:
        """Go on from a prompt, word by word and without end; the same seed gives the same words.

        At a ``temperature`` of 0 it is always the commonest word, and the higher it is the likelier are rare ones.
        """
        dice = random.Random(seed)  # noqa: S311 - a seed has to give the same words again
        before = [".", *tokens(prompt)][-2:]
        if not self._after.get((before[-1].lower(),)):
            before = ["."]
        while True:
            found = sorted(self.choices(before).items())
            if temperature <= 0:
                word = max(found, key=lambda one: one[1])[0]
            else:
                weights = [count ** (1 / temperature) for _, count in found]
                word = dice.choices([one for one, _ in found], weights)[0]
            yield word
            before = [*before[-1:], word]


def spaced(word: str, *, first: bool) -> str:
    """Return a word with the space before it, if it needs one."""
    return word if first or word in ENDS or word in ",;:" else f" {word}"
