"""A small server that turns texts into vectors: ``python -m leasebook.examples.embedding --port 8003``.

It has ``/v1/models`` and ``/v1/embeddings`` of the OpenAI API. The vector of a text is the sum of fixed vectors of its
words, at length 1: texts with common words are near each other, and the same text always has the same vector.
"""

from __future__ import annotations

import base64
import json
import math
import os
import struct
import time
from hashlib import sha512
from typing import Any, Final

from leasebook.examples.markov import tokens
from leasebook.examples.serving import Handler, serve

NAME: Final = os.environ.get("EMBEDDING_NAME", "hash-16")
BEGAN: Final = int(time.time())
TEXTS_MAX: Final = 256
DIMENSIONS_USUAL: Final = 16
DIMENSIONS_MAX: Final = 64
"""The bytes of a SHA-512: each is one number of a word's vector."""
MIDDLE: Final = 127.5


class BadRequest(Exception):
    """The request cannot be answered; the message says why."""


def vector(text: str, dimensions: int = DIMENSIONS_USUAL) -> list[float]:
    """Return the vector of a text: its length is 1, or 0 if the text has no words."""
    sums = [0.0] * dimensions
    for word in tokens(text.lower()):
        for place, byte in enumerate(sha512(word.encode()).digest()[:dimensions]):
            sums[place] += byte - MIDDLE
    length = math.sqrt(sum(one * one for one in sums)) or 1.0
    return [one / length for one in sums]


def answer_to(body: bytes) -> dict[str, Any]:
    """Answer a request; raises BadRequest."""
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequest(f"The body is no JSON: {error}.") from None
    if not isinstance(given, dict):
        raise BadRequest("The body is no object.")
    texts = [given["input"]] if isinstance(given.get("input"), str) else given.get("input")
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise BadRequest("input is a text, or a list of texts.")
    if not 1 <= len(texts) <= TEXTS_MAX:
        raise BadRequest(f"input has {len(texts)} texts, and from 1 to {TEXTS_MAX} are taken.")
    dimensions = DIMENSIONS_USUAL if given.get("dimensions") is None else given["dimensions"]
    if type(dimensions) is not int or not 1 <= dimensions <= DIMENSIONS_MAX:
        raise BadRequest(f"dimensions is a whole number from 1 to {DIMENSIONS_MAX}.")
    form = given.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise BadRequest("encoding_format is float or base64.")
    vectors = [vector(one, dimensions) for one in texts]
    data = [
        {"object": "embedding", "index": index, "embedding": one if form == "float" else _packed(one)}
        for index, one in enumerate(vectors)
    ]
    count = sum(len(tokens(one)) for one in texts)
    return {"object": "list", "model": NAME, "data": data, "usage": {"prompt_tokens": count, "total_tokens": count}}


def _packed(numbers: list[float]) -> str:
    """Write a vector as the OpenAI client asks for it: floats of 4 bytes, little-endian, in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


class Embedding(Handler):
    """Answers as the OpenAI API does."""

    def answer(self, body: bytes) -> None:
        """Read the request, and answer it."""
        path = self.path.partition("?")[0]
        if self.command == "GET" and path == "/v1/models":
            model = {"id": NAME, "object": "model", "created": BEGAN, "owned_by": "leasebook"}
            self.say(200, {"object": "list", "data": [model]})
        elif self.command == "POST" and path == "/v1/embeddings":
            try:
                self.say(200, answer_to(body))
            except BadRequest as error:
                self._refuse(400, str(error))
        else:
            self._refuse(404, f"There is no {self.command} {path[:100]} here. Ask /v1/models or /v1/embeddings.")

    def _refuse(self, status: int, message: str) -> None:
        self.say(status, {"error": {"message": message, "type": "invalid_request_error", "code": status}})


if __name__ == "__main__":
    serve(Embedding, "Turn texts into vectors.")
