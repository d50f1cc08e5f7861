"""Every documented call is answered with the keys and types that are published, on both stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from leasebook.docsgen.published import PublishedCall
from tests.conformance.published import CALLS, PENDING, differences, steps, with_answers
from tests.copies import STORES, empty
from tests.harness import Answer, a_service, play
from tests.log_stores import with_log_store

pytestmark = pytest.mark.both_stores


@pytest.fixture(scope="module", params=STORES)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Answer]]:
    """The answer of a demo to each step."""
    found: dict[str, Answer] = {}

    async def scene() -> None:
        results: dict[str, Any] = {}
        async with a_service(where, demo=True, environment=with_log_store()) as root:
            for step in steps("raw"):
                answer = await root.call(step.route, step.action, with_answers(step.body, results))
                found[step.name] = answer
                results[step.name] = answer.body.get("result")

    with empty(request.param, tmp_path_factory.mktemp("published") / "data", migrated=True) as where:
        play(scene)
        yield found


def test_what_the_calls_name_is_made(answers: Mapping[str, Answer]) -> None:
    named = {call.name for _, call in CALLS}
    assert {name: answer.body for name, answer in answers.items() if name not in named and answer.status != 200} == {}


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(call, id=call.name, marks=[pytest.mark.xfail(strict=True, reason=PENDING[call.name])])
        if call.name in PENDING
        else pytest.param(call, id=call.name)
        for _, call in CALLS
    ],
)
def test_a_published_call_is_answered_as_published(call: PublishedCall, answers: Mapping[str, Answer]) -> None:
    answer = answers[call.name]
    if call.refused_with:
        assert answer.code == call.refused_with
        return
    assert answer.status == 200, answer.body
    assert differences(call, answer.result) == []
