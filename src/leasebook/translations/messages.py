"""Messages of refusals and errors in a person's language.

The rules, the store and the client write their messages in English, with values in them, and these are sent and kept.
Where a message is shown to a person, it is compared with the texts of the catalogue ``messages``, whose values
are numbers (``{1} has {2} already.``), and said again in another language with the same values. A value that is a text
of the catalogue itself is translated, too. A message of several sentences may be made of several texts.
"""

from __future__ import annotations

import gettext
import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

from leasebook.translations.catalogues import FOLDER, Language

PART: Final = "messages"
FINDINGS: Final = "findings"
"""The part with the findings of ``leasebook check``, in which messages are quoted."""
PARTED: Final = "; "
"""Between the parts of a text that has several."""
DEPTH_MAX: Final = 4
"""Texts within values of texts. Deeper ones stay in English."""
LOOKS_MAX: Final = 120
"""Looks at the whole catalogue for one message: 0.1 to 0.3 ms each. Callers choose values, which could take more."""
FIRST: Final = 20
"""Characters that a text counts more if it begins with a word and not with a value, which could be any other text."""
LENGTH_MAX: Final = 4000
"""Characters of a message that is translated; the longest text has 400, and values may be long."""
_VALUE: Final = re.compile(r"\{(\d+)\}")
_FIELD: Final = re.compile(r" param\[[^\[\]]{1,128}(?:\[[^\[\]]*\][^\[\]]*)*\]$")
"""The parameter at fault, after the message."""
_BESIDE: Final = re.compile(r"[ ,;(]")
"""Where a text beside a value may begin, such as " by {1}"."""
_WORD: Final = re.compile(r"[A-Za-z]{2,}")
_SENTENCE: Final = re.compile(r"(?<=[.?;:])\s+|(?<=[。：；])")  # noqa: RUF001 - Chinese
_CHINESE: Final = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]$")
TAKES_WORDS: Final = ("A unit of ", "Expected ", "a whole number of ", "{1} has {2} {3}, and at most ")
"""How the texts begin whose values may be a word of ours. Other values of one word are names that people chose."""
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_COLUMN: Final = re.compile(r"\b(column|index|table)\b")
_OF_COLUMNS: Final = re.compile(rf"{_COLUMN.pattern}|\bha[sd] (the )?\{{\d\}} \{{")
"""Findings with the name of a column in them, which is the same in every language."""
_COUNTS: Final = re.compile(r"\d+ .* \d+")
SENTENCE_MIN: Final = 12
"""Characters of a sentence that is looked for in a translation."""
WORDS_MIN: Final = 2
"""Words that a text with several values must have, to be found in a message whatever the values are."""


class _Text(NamedTuple):
    """A text with values: the pieces before, between and after them, and the translation."""

    pieces: tuple[str, ...]
    translated: str
    is_weak: bool
    """Whether it has so few words that any message could have them: then its values must be single words or texts."""
    takes_words: int
    """How many values, from the first on, are translated where they are one word. Others may be names of columns."""


class _Catalogue(gettext.GNUTranslations):
    """A catalogue that can say which texts it has."""

    def _parse(self, fp: Any) -> None:
        super()._parse(fp)
        found: dict[Any, str] = vars(self)["_catalog"]
        self.said = {text: said for text, said in found.items() if isinstance(text, str) and text and said}


class _TooLong(Exception):
    """A message would take too many looks at the catalogue."""


class Messages:
    """The messages of a language. Raises FileNotFoundError if there is no compiled catalogue."""

    def __init__(self, language: Language, *, findings: bool = False) -> None:
        found: dict[str, str] = {}
        for part in (PART, FINDINGS) if findings else (PART,):
            found |= gettext.translation(part, FOLDER, [language], class_=_Catalogue).said
        self.whole: Final = {text: said for text, said in found.items() if _VALUE.search(text) is None}
        texts = [_text(text, said, takes_words=findings) for text, said in found.items() if text not in self.whole]
        # The more words a text has, the surer it is the right one; and if it begins with a word, it is surer still.
        self.texts: Final = sorted(texts, key=lambda one: -sum(map(len, one.pieces)) - FIRST * bool(one.pieces[0]))

    def translated(self, message: str) -> str:
        """Return a message in the language; sentences that no text fits stay as they are."""
        if len(message) > LENGTH_MAX:
            return message
        field = _FIELD.search(message)
        end = len(message) if field is None else field.start()
        try:
            return _Reading(self).translated(message[:end]) + message[end:]
        except _TooLong:
            return message


class _Reading:
    """The translation of one message."""

    def __init__(self, messages: Messages) -> None:
        self._whole: Final = messages.whole
        self._texts: Final = messages.texts
        self._looks = LOOKS_MAX

    def translated(self, message: str) -> str:
        """Return it as one text, else sentence by sentence. Raises _TooLong."""
        return self._sentences(message, 0)

    def _one(self, message: str, depth: int) -> str | None:
        """Return the translation of a message that is one text; None: no text fits it."""
        found = self._whole.get(message)
        if found is not None or depth > DEPTH_MAX:
            return found
        self._looks -= 1
        if self._looks < 0:
            raise _TooLong
        for text in self._texts:
            values = self._values(text, message, depth)
            if values is None:
                continue
            if message.endswith(".") and not text.pieces[-1] and _CHINESE.search(values[-1]) is None:
                # The full stop is not the value's: a text became a sentence where it is sent.
                stopped = self._one(message[:-1], depth)
                return None if stopped is None else f"{stopped}。"
            return _filled(text.translated, values)
        return None

    def _values(self, text: _Text, message: str, depth: int) -> list[str] | None:
        """Return the values of a text in a message, translated; None: the message is not made of the text."""
        found = self._found(text.pieces, message, depth)
        if found is None:
            return None
        if len(text.pieces) == WORDS_MIN and not text.pieces[0] and _COUNTS.fullmatch(found[0]):
            # "2 units for 3" of "2 units for 3 months": the months are those of another text.
            return None
        words = text.takes_words
        said = [self._whole.get(one, one) if place < words else one for place, one in enumerate(found)]
        said = [self._value(one, depth) if " " in one else one for one in said]
        if text.is_weak and any(" " in one and one == new for one, new in zip(found, said, strict=True)):
            return None
        return said

    def _found(self, pieces: tuple[str, ...], message: str, depth: int) -> list[str] | None:
        first, *between, last = pieces
        if not (message.startswith(first) and message.endswith(last)) or any(one not in message for one in between):
            return None
        found: list[str] = []
        at, until, beside = len(first), len(message) - len(last), 0
        for place, piece in enumerate(between, 1):
            if not piece:
                beside += 1
                continue
            following = next(filter(None, pieces[place + 1 :]), "")
            end = self._end(message, piece, at, message.find(following, at) if following else until, depth)
            if end < at:
                return None
            found += self._parted(message[at:end], beside, depth)
            at, beside = end + len(piece), 0
        return None if until < at else [*found, *self._parted(message[at:until], beside, depth)]

    def _end(self, message: str, piece: str, at: int, until: int, depth: int) -> int:
        """Return where a value ends: before the next piece; if that is a space, after a text that is known."""
        end = message.find(piece, at)
        if piece == " ":
            place = message.find(piece, at, until)
            while place >= at:
                if self._one(message[at:place], depth + 1) is not None:
                    return place
                place = message.find(piece, place + 1, until)
        return end

    def _parted(self, values: str, beside: int, depth: int) -> list[str]:
        """Part values that stand side by side: all but the first are texts, such as " by {1}", or empty."""
        parts: list[str] = []
        for _ in range(beside):
            places = (found.start() for found in _BESIDE.finditer(values))
            here = next((at for at in places if self._one(values[at:], depth + 1) is not None), len(values))
            parts.insert(0, values[here:])
            values = values[:here]
        return [values, *parts]

    def _value(self, value: str, depth: int) -> str:
        if _QUOTED.fullmatch(value):
            return value
        parts = [self._one(one, depth + 1) for one in value.split(PARTED)]
        if None not in parts:
            return "；".join(map(str, parts))  # noqa: RUF001 - Chinese
        return self._sentences(value, depth + 1) if depth < DEPTH_MAX else value

    def _swallowed(self, run: str, said: str) -> bool:
        """Whether a value of the text that fits a run of sentences is, in truth, the rest of the run."""
        first, *others = _SENTENCE.split(run)
        return any(len(one) >= SENTENCE_MIN and one.strip(".") in said for one in others) and (
            self._one(first, 0) is not None
        )

    def _sentences(self, message: str, depth: int) -> str:
        """Translate the sentences of a message, the longest runs of them that are texts first."""
        ends = [*(found.start() for found in _SENTENCE.finditer(message)), len(message)]
        said, at = "", 0
        while at < len(message):
            for end in reversed([one for one in ends if one > at]):
                found = self._one(message[at:end], depth)
                if found is not None and not self._swallowed(message[at:end], found):
                    break
            else:
                end = next(one for one in ends if one > at)
                found = message[at:end]
            said += ("" if not said or _CHINESE.search(said) else " ") + found
            at = end + (len(message[end:]) - len(message[end:].lstrip()))
        return said


def _filled(translated: str, values: list[str]) -> str:
    # A function, because a value may have backslashes in it.
    return _VALUE.sub(lambda place: values[int(place[1]) - 1], translated)


def _text(text: str, translated: str, *, takes_words: bool) -> _Text:
    pieces = tuple(_VALUE.split(text)[::2])
    words = sum(len(_WORD.findall(piece)) for piece in pieces)
    is_weak = len(pieces) > WORDS_MIN and words < WORDS_MIN
    words_taken = len(pieces) if takes_words or text.startswith(TAKES_WORDS) else 0
    if _OF_COLUMNS.search(text):
        words_taken = min(words_taken, 0 if _COLUMN.search(text) else 1)
    return _Text(pieces, translated, is_weak, words_taken)


@lru_cache
def messages(language: Language, *, findings: bool = False) -> Messages:
    """Return the messages of a language other than English, from the compiled catalogue; also those of findings."""
    return Messages(language, findings=findings)


def in_language(message: str, language: Language) -> str:
    """Return a message in a language; in English, and where no text is known, as it is."""
    return message if language == "en" else messages(language).translated(message)


def finding_in_language(finding: str, language: Language) -> str:
    """Return a finding of ``check``, or its summary, in a language; where no text is known, as it is."""
    if language == "en":
        return finding
    found = messages(language, findings=True)
    parts = finding.split(PARTED)
    said = [found.translated(one) for one in parts]
    if len(parts) > 1 and all(one != new for one, new in zip(parts, said, strict=True)):
        return "；".join(said)  # noqa: RUF001 - Chinese
    return found.translated(finding)
