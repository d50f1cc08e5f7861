"""The parts of the gateway by themselves: who gets the next call, how many a second, and what an answer used."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.model.replica import Target as Row
from leasebook.gateway.balance import Balance, Rates
from leasebook.gateway.headers import Caller, sent_on
from leasebook.gateway.ports import Target
from leasebook.gateway.response_check import sent_back
from leasebook.gateway.token_usage import LINE_MAX, WHOLE_MAX, Events, Nothing, Tokens, Whole, reader_of
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.server.factories import Replicas

REPLICAS = [Target(f"r{number}", f"h:{number}") for number in range(3)]


def test_the_replica_with_the_fewest_calls_gets_the_next_and_equals_take_turns() -> None:
    balance = Balance(10)
    assert [balance.take(REPLICAS, set()) for _ in range(6)] == REPLICAS * 2
    balance.give_back(REPLICAS[1])
    assert balance.take(REPLICAS, set()) == REPLICAS[1]
    assert [balance.calls(one.name) for one in REPLICAS] == [2, 2, 2]


def test_one_call_after_another_goes_round_all_replicas() -> None:
    balance, seen = Balance(10), []
    for _ in range(6):
        target = balance.take(REPLICAS, set())
        assert target is not None
        seen.append(target)
        balance.give_back(target)
    assert seen == REPLICAS * 2


@given(st.lists(st.integers(min_value=0, max_value=3)))
def test_the_calls_of_replicas_differ_by_one_at_most_while_none_ends_and_never_exceed_the_most(
    pauses: list[int],
) -> None:
    balance, taken = Balance(4), 0
    for _ in pauses:
        taken += balance.take(REPLICAS, set()) is not None
        calls = [balance.calls(one.name) for one in REPLICAS]
        assert max(calls) - min(calls) <= 1
        assert sum(calls) == taken <= 12
    assert taken == min(len(pauses), 12)


def test_a_replica_that_was_tried_is_not_tried_again() -> None:
    balance = Balance(10)
    assert balance.take(REPLICAS, {"r0", "r2"}) == REPLICAS[1]
    assert balance.take(REPLICAS, {"r0", "r1", "r2"}) is None


@given(st.floats(0.01, 100), st.lists(st.floats(0, 5), max_size=60))
def test_no_stretch_of_time_has_more_calls_than_its_seconds_allow_and_one_seconds_worth(
    rate: float, steps: list[float]
) -> None:
    rates, now, passed = Rates(), 0.0, 0
    for step in steps:
        now += step
        wait_s = rates.wait_s("svco-1", rate, now)
        passed += wait_s == 0
        assert passed <= now * rate + max(rate, 1.0) + 1e-6
        if wait_s:
            assert Rates.wait_s(rates, "svco-1", rate, now + wait_s + 1e-6) == 0
            now += wait_s + 1e-6
            passed += 1


LAST = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\n'


@given(st.lists(st.integers(min_value=1, max_value=len(LAST)), max_size=8))
def test_a_usage_block_is_found_however_the_stream_is_cut(cuts: list[int]) -> None:
    text = b'data: {"usage": null}\n\n' + LAST + b"data: [DONE]\n\n"
    reader, at = Events(), 0
    for cut in cuts:
        reader.feed(text[at : at + cut])
        at += cut
    reader.feed(text[at:])
    assert reader.tokens() == Tokens(5, 7)


def test_a_line_that_is_too_long_is_not_kept_and_the_next_one_is_read() -> None:
    reader = Events()
    for _ in range(4):
        reader.feed(b"x" * LINE_MAX)
    assert len(reader._line) <= LINE_MAX
    reader.feed(b"\n" + LAST)
    assert reader.tokens() == Tokens(5, 7)


def test_the_last_usage_block_counts_and_a_broken_one_does_not() -> None:
    reader = Events()
    reader.feed(LAST + LAST.replace(b":7", b":9") + b'data: {"usage": {"prompt_tokens": "x"}}\n')
    assert reader.tokens() == Tokens(5, 9)


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    reader = Whole()
    reader.feed(b" " * WHOLE_MAX + LAST[6:])
    assert reader.tokens() == Tokens()
    assert not reader._text
    short = Whole()
    short.feed(b'{"usage":{"prompt_tokens":-5,"completion_tokens":99999999999999999}}')
    assert short.tokens() == Tokens(0, 2**53)


def test_only_what_can_say_its_tokens_is_looked_into() -> None:
    assert type(reader_of("text/event-stream; charset=utf-8", "")) is Events
    assert type(reader_of("application/json", "identity")) is Whole
    assert type(reader_of("application/json", "gzip")) is Nothing
    assert type(reader_of("image/png", "")) is Nothing


def test_headers_between_neighbours_do_not_pass() -> None:
    given_ = [(b"Connection", b"close, X-Hop"), (b"X-Hop", b"1"), (b"Transfer-Encoding", b"chunked"), (b"A", b"b")]
    assert sent_back(200, given_, "r-1", size_max=1000) == [(b"a", b"b"), (b"x-request-id", b"r-1")]


def test_nothing_that_a_caller_sends_is_read_as_what_the_gateway_says_or_as_the_frame_of_the_body() -> None:
    claims = ("x-forwarded-for", "x-forwarded-port", "x_forwarded_for", "x_real_ip", "forwarded", "x_request-id")
    frames = ("content_length", "transfer_encoding", "connection", "keep-alive", "te", "upgrade", "proxy-authorization")
    secrets = ("authorization", "proxy_authorization", "x-named")
    given_ = [(name.encode(), b"claim") for name in (*claims, *frames, *secrets)]
    given_ += [(b"connection", b"x-named, host, x-forwarded-for"), (b"x_mine", b"1"), (b"host", b"h")]
    sent = sent_on(given_, Caller("192.0.2.9", "h", "http", "/services/echo", "r-1"))
    assert sent == [
        ("x_mine", "1"),
        ("X-Forwarded-For", "claim, 192.0.2.9"),
        ("X-Forwarded-Host", "h"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Prefix", "/services/echo"),
        ("X-Request-Id", "r-1"),
    ]


def test_a_replica_that_a_local_engine_runs_on_another_machine_is_none_for_this_server() -> None:
    class NoTargets:
        def targets(self, _service_id: str) -> list[Row]:
            return [
                Row("r0", "127.0.0.1:20000", "Ready", "amv-1", "process", "here"),
                Row("r1", "127.0.0.1:20001", "Ready", "amv-1", "process", "away"),
                Row("r2", "127.0.0.1:20002", "Unhealthy", "amv-1", "process", "here"),
                Row("r3", "169.254.169.254:80", "Ready", "amv-1", "process", "here"),
                Row("r4", "10.0.0.7:20000", "Ready", "amv-1", "ray", "away"),
            ]

    found = Replicas("here").of(cast("ReadRepository", NoTargets()), "svco-1")
    assert [one.name for one in found] == ["r0", "r4"]
