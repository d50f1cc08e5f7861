"""The calls that are no POST with an action: calls of models, lists of models, and the token of an access key.

The gateway takes its paths from here, and the OpenAPI document and the reference page show the same description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract.routes import bearer

MODEL_MAX: Final = 1024
"""Characters of a ``model``."""
MODELS: Final = "/v2/models"
ERRORS: Final = (
    e.INVALID_HTTP_REQUEST,
    e.HEADERS_TOO_LARGE,
    e.UPGRADE_NOT_SUPPORTED,
    e.INVALID_SERVICE_KEY,
    e.OVERLOADED,
    e.STORE_UNAVAILABLE,
    e.INTERNAL_ERROR,
)
"""The errors that every call with a key that opens services may get."""
OF_CALLS: Final = (
    e.ACCESS_DENIED,
    e.ENTITY_TOO_LARGE,
    e.MALFORMED_JSON,
    e.INAPPROPRIATE_JSON,
    e.SERVICE_NOT_FOUND,
    e.TOO_MANY_CALLS,
    e.NO_CAPACITY,
    e.REPLICA_FAILED,
    e.REPLICA_TIMEOUT,
)


class ModelCall(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A call of a model. The replica gets the body as it was sent, with all other fields, and judges it."""

    model: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MODEL_MAX,
            description="The service: its id, its urlSuffix, its name, or its address (url). The replica gets the name "
            "by which it serves its model.",
        ),
    ]


class ChatRequest(ModelCall, kw_only=True, omit_defaults=True):
    """A conversation to go on with, as in the OpenAI API."""

    messages: Annotated[
        list[dict[str, Any]] | None, Meta(description="The messages so far, each with a role and content.")
    ] = None
    stream: Annotated[bool | None, Meta(description="Whether the answer is to come as a stream of events.")] = None


class CompletionRequest(ModelCall, kw_only=True, omit_defaults=True):
    """A text to go on with, as in the OpenAI API."""

    prompt: Annotated[str | list[str] | None, Meta(description="The text.")] = None
    stream: Annotated[bool | None, Meta(description="Whether the answer is to come as a stream of events.")] = None


class EmbeddingRequest(ModelCall, kw_only=True, omit_defaults=True):
    """Texts to turn into vectors, as in the OpenAI API."""

    input: Annotated[str | list[str] | None, Meta(description="The text, or several.")] = None


class ListedModel(msgspec.Struct, kw_only=True, rename={"service_id": "serviceId"}):
    """A service, as the OpenAI API shows a model."""

    id: Annotated[
        str,
        Meta(
            description="Good as `model`: it leads to this service and to no other. The urlSuffix, or the service's id "
            "if the suffix is not this service's alone."
        ),
    ]
    created: Annotated[int, Meta(description="When the service was created, in seconds since 1970.")]
    owned_by: Annotated[str, Meta(description="The account.")]
    service_id: Annotated[str, Meta(description="The service's id.")]
    name: Annotated[str, Meta(description="The service's name.")]
    object: Annotated[Literal["model"], Meta(description="Always model.")]


class ModelList(msgspec.Struct, kw_only=True):
    """The services that a key opens, oldest first."""

    data: Annotated[list[ListedModel], Meta(description="The services.")]
    object: Annotated[Literal["list"], Meta(description="Always list.")]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A path that is called by itself, without an action. ``{model}`` in it is a part that the caller chooses.

    ``request`` is the shape of the body; None: there is none. ``result`` is the shape of the whole answer; None: it is
    the replica's. ``query`` has the parameters of the query with their meaning.
    """

    method: Literal["get", "post"]
    path: str
    name: str
    summary: str
    request: type[ModelCall] | None = None
    result: type[msgspec.Struct] | None = None
    query: Mapping[str, str] = {}
    errors: tuple[e.ErrorCode, ...]
    can_stream: bool = False
    """The answer is a stream of events if the body asks for one."""
    is_signed: bool = False
    """It is signed with an access key as an action is; otherwise a key that opens services comes as a bearer."""
    example: Mapping[str, Any] = {}
    answer: Mapping[str, Any]


_MESSAGE: Final = {"role": "assistant", "content": "A lease begins when you ask for a machine."}
_USAGE: Final = {"prompt_tokens": 6, "completion_tokens": 10, "total_tokens": 16}
_LISTED: Final = {
    "id": "chatty",
    "created": 1796086800,
    "owned_by": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "serviceId": "svco-48esssdpa594",
    "name": "Chat",
    "object": "model",
}

CALLS: Final = (
    Route(
        method="post",
        path="/v2/chat/completions",
        name="chat",
        summary="Have a model go on with a conversation.",
        request=ChatRequest,
        can_stream=True,
        errors=(*ERRORS, *OF_CALLS),
        example={"model": "chatty", "messages": [{"role": "user", "content": "What is a lease?"}]},
        answer={
            "id": "cmpl-1",
            "object": "chat.completion",
            "created": 1796086800,
            "model": "markov-1",
            "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
            "usage": _USAGE,
        },
    ),
    Route(
        method="post",
        path="/v2/completions",
        name="complete",
        summary="Have a model go on with a text.",
        request=CompletionRequest,
        can_stream=True,
        errors=(*ERRORS, *OF_CALLS),
        example={"model": "chatty", "prompt": "A lease"},
        answer={
            "id": "cmpl-2",
            "object": "text_completion",
            "created": 1796086800,
            "model": "markov-1",
            "choices": [{"index": 0, "text": " begins when you ask for a machine.", "finish_reason": "stop"}],
            "usage": _USAGE,
        },
    ),
    Route(
        method="post",
        path="/v2/embeddings",
        name="embed",
        summary="Have a model turn texts into vectors.",
        request=EmbeddingRequest,
        errors=(*ERRORS, *OF_CALLS),
        example={"model": "vectors", "input": ["What is a lease?"]},
        answer={
            "object": "list",
            "model": "hash-16",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5, 0.5, 0.5]}],
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        },
    ),
)
"""Calls of models: the body names the service, whose replica answers."""

ROUTES: Final = (
    *CALLS,
    Route(
        method="get",
        path=MODELS,
        name="listModels",
        summary="List the services that a key opens, as models.",
        result=ModelList,
        errors=(*ERRORS, e.TOO_MANY_REQUESTS),
        answer={"object": "list", "data": [_LISTED]},
    ),
    Route(
        method="get",
        path=f"{MODELS}/{{model}}",
        name="describeModel",
        summary="Show one service, as a model.",
        result=ListedModel,
        errors=(*ERRORS, e.TOO_MANY_REQUESTS, e.ACCESS_DENIED, e.SERVICE_NOT_FOUND, e.INAPPROPRIATE_JSON),
        answer=_LISTED,
    ),
    Route(
        method="get",
        path=bearer.CREATE_TOKEN.path,
        name=bearer.CREATE_TOKEN.name,
        summary=f"{bearer.CREATE_TOKEN.summary}.",
        result=bearer.BearerToken,
        query={bearer.EXPIRE: bearer.EXPIRE_MEANS},
        errors=bearer.CREATE_TOKEN.all_errors,
        is_signed=True,
        answer=bearer.CREATE_TOKEN.answer,
    ),
)
"""All of these calls, in the order of the reference page."""
