"""Every documented call, sent by all four official clients: each shows the published keys and types."""

from collections.abc import Mapping

import pytest
from tests.conformance.family import write_steps
from tests.conformance.programs import Program, ProgramAnswer
from tests.conformance.published import CALLS, PENDING, differences, steps
from tests.conformance.server import ConformanceServer
from tests.conformance.toolchains import Toolchain

from leasebook.contract.errors import ERRORS
from leasebook.docsgen.published import PublishedCall

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module", params=["python", "node", "go", "java"])
def answers(
    request: pytest.FixtureRequest, server: ConformanceServer, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, ProgramAnswer]:
    """The answers that each client in turn shows."""
    toolchain: Toolchain = request.getfixturevalue(f"{request.param}_client")
    client = Program(toolchain, server.base_url, tmp_path_factory.mktemp("client"))
    file = tmp_path_factory.mktemp("published") / "steps.json"
    return client.run("play", str(write_steps(file, steps(request.param))))


def test_all_calls_are_sent_and_what_they_name_is_made(answers: Mapping[str, ProgramAnswer]) -> None:
    named = {call.name for _, call in CALLS}
    assert list(answers) == [step.name for step in steps("any")]
    assert {name: one.error for name, one in answers.items() if name not in named and not one.ok} == {}


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(call, id=call.name, marks=[pytest.mark.xfail(strict=True, reason=PENDING[call.name])])
        if call.name in PENDING
        else pytest.param(call, id=call.name)
        for _, call in CALLS
    ],
)
def test_a_published_call_is_answered_as_published(call: PublishedCall, answers: Mapping[str, ProgramAnswer]) -> None:
    answer = answers[call.name]
    if call.refused_with:
        # The Go client shows the number only.
        (number,) = (error.number for error in ERRORS if error.code == call.refused_with)
        assert not answer.ok
        assert call.refused_with in answer.error or f"code: {number}," in answer.error
        return
    assert answer.ok, answer.error
    assert answer.request_id
    assert differences(call, answer.result) == []
