"""Signatures that cover the body and a nonce: the checks, the single use, and the keys that must sign so."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leasebook.contract.actions import ACTIONS
from leasebook.contract.signing import parse_authorization
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import FORMER_NONCES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.record import nonce
from leasebook.domain.record.nonce import FormerNonce
from leasebook.domain.values.calendar import HOUR_US, SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.scene import ACCOUNT, CLOCK, IAM, UNITS, Caller, ServiceHarness, a_scene, order
from tests.copies import STORES, empty
from tests.harness import ROOT_KEY, Answer, Client, a_service

FULL, OPERATOR = "QianfanFullControlAccessPolicy", "LeasebookOperatorPolicy"
BOTH = ["SignedBody", "Nonce"]
BUY = "Action=PurchaseComputeUnit"


def strong(caller: Caller, path: str, query: str, content: bytes = b"{}") -> list[tuple[bytes, bytes]]:
    return caller.desk.signed(path, query, content, strong=True)


def buy(caller: Caller, headers: list[tuple[bytes, bytes]], content: bytes) -> Answer:
    return caller.send(UNITS, BUY, content, headers=headers)


def body_of(count: int) -> bytes:
    return msgspec.json.encode({**order(), "computeUnitCount": count})


# The body


def test_a_digest_that_does_not_fit_the_body_is_refused_signed_or_not(shared: ServiceHarness) -> None:
    caller = shared.customer()
    wrong = hashlib.sha256(b"something else").hexdigest().encode()
    commits = shared.commits()
    unsigned = [*caller.desk.signed(UNITS, BUY, body_of(1)), (b"x-bce-content-sha256", wrong)]
    answer = buy(caller, unsigned, body_of(1))
    assert (answer.status, answer.code) == (400, "BodyDigestMismatch")
    assert hashlib.sha256(body_of(1)).hexdigest() in answer.body["message"]
    swapped = buy(caller, strong(caller, UNITS, BUY, body_of(1)), body_of(2))
    assert (swapped.status, swapped.code) == (400, "BodyDigestMismatch")
    md5 = [*caller.desk.signed(UNITS, BUY, body_of(1)), (b"content-md5", b"AAAAAAAAAAAAAAAAAAAAAA==")]
    assert buy(caller, md5, body_of(1)).code == "BodyDigestMismatch"
    empty = [*caller.desk.signed(UNITS, BUY, body_of(1)), (b"x-bce-content-sha256", b"")]
    assert buy(caller, empty, body_of(1)).code == "InvalidHTTPRequest"
    assert shared.commits() == commits
    none = [*caller.desk.signed(UNITS, BUY, body_of(1)), (b"x-bce-content-sha256", b"UNSIGNED-PAYLOAD")]
    assert buy(caller, none, body_of(1)).status == 200


def test_a_body_that_was_swapped_does_not_use_the_nonce_up(shared: ServiceHarness) -> None:
    caller = shared.customer()
    headers = strong(caller, UNITS, BUY, body_of(1))
    assert buy(caller, headers, body_of(2)).code == "BodyDigestMismatch"
    assert buy(caller, headers, body_of(1)).status == 200


def test_a_key_that_is_disabled_while_the_body_comes_gets_nothing_done(shared: ServiceHarness) -> None:
    root = shared.customer()
    user = shared.user(root, FULL)
    content, answers = body_of(1), []
    headers = [*user.desk.signed(UNITS, BUY, content), (b"content-length", str(len(content)).encode())]

    async def slow() -> None:
        async def receive() -> Any:
            # The head was read, and the signature holds; now the key goes, and then the body comes.
            disabled = await root.desk.call(IAM, "DisableAccessKey", {"accessKeyId": user.desk.access_key})
            assert disabled.result is True
            return {"type": "http.request", "body": content, "more_body": False}

        async def keep(message: Any) -> None:
            answers.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": UNITS,
            "raw_path": UNITS.encode(),
            "query_string": BUY.encode(),
            "headers": headers,
            "client": ("192.0.2.1", 1),
        }
        await shared.running.app(scope, receive, keep)

    shared.runner.run(slow())
    assert answers[0]["status"] == 403
    assert root.do(ACCOUNT, "DescribeOrders")["orders"] == []


# The nonce


@pytest.fixture(scope="module", params=STORES)
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service on either store, with something to sell."""
    with (
        empty(request.param, tmp_path_factory.mktemp("market") / "data", migrated=True) as where,
        a_scene(where) as scene,
    ):
        scene.sell("bj", "gpu-1", stock=1_000_000)
        yield scene


@pytest.mark.both_stores
def test_a_signature_with_a_nonce_is_good_once(market: ServiceHarness) -> None:
    caller = market.customer()
    headers = strong(caller, UNITS, BUY, body_of(1))
    assert buy(caller, headers, body_of(1)).status == 200
    again = buy(caller, headers, body_of(1))
    assert (again.status, again.code) == (403, "RequestReplayed")
    assert "new nonce" in again.body["message"]
    assert len(caller.do(ACCOUNT, "DescribeOrders")["orders"]) == 1


def test_reads_with_a_nonce_are_good_once_too(market: ServiceHarness) -> None:
    caller = market.customer()
    for path, query in ((ACCOUNT, "Action=DescribeAccount"), (CLOCK, "Action=DescribeClock")):
        headers = strong(caller, path, query)
        found = [caller.send(path, query, b"{}", headers=headers) for _ in range(3)]
        assert [answer.status for answer in found] == [200, 403, 403]


def test_what_was_refused_cannot_be_sent_again_when_it_would_be_done(market: ServiceHarness) -> None:
    caller = market.customer(None)
    poor = strong(caller, UNITS, BUY, body_of(1))
    assert buy(caller, poor, body_of(1)).code == "InsufficientBalance"
    user = market.user(caller)
    barred = strong(user, UNITS, BUY, body_of(1))
    assert buy(user, barred, body_of(1)).code == "AccessDenied"
    bad = strong(caller, UNITS, BUY, b"{")
    assert buy(caller, bad, b"{").code == "MalformedJSON"
    account = caller.do(ACCOUNT, "DescribeAccount")["accountId"]
    market.operator.do(ACCOUNT, "TopUpAccount", {"amount": "100", "accountId": account})
    me = next(one for one in caller.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    caller.do(IAM, "AttachPolicy", {"userId": me["userId"], "policyName": FULL})
    for who, headers, content in ((caller, poor, body_of(1)), (user, barred, body_of(1)), (caller, bad, b"{")):
        assert buy(who, headers, content).code == "RequestReplayed"
    assert caller.do(ACCOUNT, "DescribeOrders")["orders"] == []


def test_of_a_crowd_with_the_same_signature_one_gets_in(market: ServiceHarness) -> None:
    caller = market.customer()
    content = body_of(1)
    headers = strong(caller, UNITS, BUY, content)
    found: list[Answer] = []

    async def crowd() -> None:
        found.extend(await asyncio.gather(*(caller.desk.send(UNITS, BUY, content, headers=headers) for _ in range(20))))

    market.runner.run(crowd())
    assert Counter(answer.status for answer in found) == {200: 1, 403: 19}


def test_without_a_nonce_a_signature_alone_is_never_taken_for_a_replay(market: ServiceHarness) -> None:
    caller = market.customer()
    plain = caller.desk.signed(UNITS, BUY, body_of(1))
    assert [buy(caller, plain, body_of(1)).status for _ in range(3)] == [200] * 3
    assert len(caller.do(ACCOUNT, "DescribeOrders")["orders"]) == 3
    # Nor is one with a nonce that it does not cover: anybody could have added that.
    added = [*plain, (b"x-bce-nonce", b"n" * 16)]
    assert [buy(caller, added, body_of(1)).status for _ in range(2)] == [200] * 2


def test_the_same_nonce_of_another_key_is_another_nonce(market: ServiceHarness) -> None:
    caller = market.customer()
    colleague = market.user(caller, FULL)
    for one in (caller, colleague):
        text = {"host": "leasebook.test", "x-bce-nonce": "the-same-for-both"}
        signed = one.desk.signed(UNITS, BUY, body_of(1), headers=text, signed_headers=tuple(text))
        sent = [(name.encode(), value.encode()) for name, value in text.items()] + [signed[-1]]
        assert buy(one, sent, body_of(1)).status == 200
        assert buy(one, sent, body_of(1)).code == "RequestReplayed"


def test_a_nonce_of_another_form_is_refused(market: ServiceHarness) -> None:
    caller = market.customer()
    text = {"host": "leasebook.test", "x-bce-nonce": "short"}
    signed = caller.desk.signed(UNITS, BUY, body_of(1), headers=text, signed_headers=tuple(text))
    sent = [(name.encode(), value.encode()) for name, value in text.items()] + [signed[-1]]
    answer = buy(caller, sent, body_of(1))
    assert (answer.code, "16 to 64" in answer.body["message"]) == ("InvalidHTTPRequest", True)


def test_a_nonce_stays_used_when_the_server_starts_again(tmp_path: Path) -> None:
    headers: list[tuple[bytes, bytes]] = []
    with a_scene(tmp_path) as scene:
        headers = strong(scene.operator, ACCOUNT, "Action=TopUpAccount", b'{"amount": "5"}')
        assert scene.operator.send(ACCOUNT, "Action=TopUpAccount", b'{"amount": "5"}', headers=headers).status == 200
        read = strong(scene.operator, CLOCK, "Action=DescribeClock")
        assert scene.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=read).status == 200
    with a_scene(tmp_path) as scene:
        again = scene.operator.send(ACCOUNT, "Action=TopUpAccount", b'{"amount": "5"}', headers=headers)
        assert again.code == "RequestReplayed"
        assert scene.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=read).code == "RequestReplayed"
        assert scene.operator.do(ACCOUNT, "DescribeAccount")["balance"].startswith("5")


class KeepFormerNonce(Command, frozen=True, kw_only=True):
    """Writes a used nonce as versions before pages of nonces did."""

    row: FormerNonce

    def needs(self) -> Needs:
        yield FORMER_NONCES, FORMER_NONCES.key_of(self.row)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        draft.put(FORMER_NONCES, self.row)
        return True


def keep_former(scene: ServiceHarness, headers: list[tuple[bytes, bytes]]) -> None:
    """Use the nonce of a signature up as an earlier version did."""
    given = {name: value.decode() for name, value in headers}
    auth = parse_authorization(given[b"authorization"])
    until = auth.signed_at_us + auth.expires_s * SECOND_US
    row = FormerNonce(auth.access_key, given[b"x-bce-nonce"], Instant(-(-until // HOUR_US) * HOUR_US))
    scene.runner.run(scene.running.sequencer.submit(KeepFormerNonce(row=row)))


def test_a_nonce_stays_used_when_the_server_is_upgraded(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        used, unused = (strong(scene.operator, CLOCK, "Action=DescribeClock") for _ in range(2))
        keep_former(scene, used)
    with a_scene(tmp_path) as scene:
        assert scene.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=used).code == "RequestReplayed"
        found = [scene.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=unused).status for _ in range(2)]
        assert found == [200, 403]


def test_more_nonces_than_a_second_takes_are_refused_and_not_used_up(
    market: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = market.customer()
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = [caller.desk.signed(UNITS, BUY, body_of(1), strong=True, timestamp=moment) for _ in range(3)]
    monkeypatch.setattr(nonce, "NONCES_MAX", 2)
    assert [buy(caller, headers, body_of(1)).status for headers in signed] == [200, 200, 429]
    full = buy(caller, signed[2], body_of(1))
    assert (full.code, "sign the request again" in full.body["message"]) == ("TooManyRequests", True)
    assert buy(caller, signed[0], body_of(1)).code == "RequestReplayed"
    assert len(caller.do(ACCOUNT, "DescribeOrders")["orders"]) == 2
    monkeypatch.undo()
    assert [buy(caller, signed[2], body_of(1)).status for _ in range(2)] == [200, 403]


def test_a_clock_is_not_moved_by_a_signature_whose_nonce_was_used_elsewhere(fresh: ServiceHarness) -> None:
    """An action without a command of the caller's own uses the nonce up before it does anything."""

    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def with_nonce(path: str, query: str) -> list[tuple[bytes, bytes]]:
        covered = {"host": "leasebook.test", "x-bce-nonce": "used-for-both-of-them"}
        desk = fresh.operator.desk
        signed = desk.signed(path, query, b"", headers=covered, signed_headers=tuple(covered), timestamp=moment)
        return [*((name.encode(), value.encode()) for name, value in covered.items()), signed[-1]]

    first = with_nonce(CLOCK, "Action=DescribeClock")
    assert fresh.operator.send(CLOCK, "Action=DescribeClock", b"", headers=first).status == 200
    stood = fresh.now()
    second = with_nonce(CLOCK, "Action=AdvanceClock")
    answer = fresh.operator.send(CLOCK, "Action=AdvanceClock", b'{"to": "2031-01-01 00:00:00"}', headers=second)
    assert answer.code == "RequestReplayed"
    assert fresh.now() == stood


async def test_every_action_uses_the_nonce_up_whatever_comes_of_it(tmp_path: Path) -> None:
    """Valid requests and invalid ones: no kind of request gets past the nonce."""

    async def scene() -> None:
        async with a_service(tmp_path, demo=True) as desk:
            # Not years ahead, as in the example: what the demo bought would be charged for every hour of them.
            stands = (await desk.call(CLOCK, "DescribeClock")).result["now"]
            for action in ACTIONS:
                example = {"to": stands} if action.operation == "advance_clock" else action.example
                await twice(desk, action.path, action.name, example)

    async def twice(desk: Client, path: str, name: str, example: Any) -> None:
        content, query = msgspec.json.encode(example), f"Action={name}"
        headers = desk.signed(path, query, content, strong=True)
        first = await desk.send(path, query, content, headers=headers)
        assert first.status == 200 or first.code != "RequestReplayed", (name, first.body)
        before = desk.service.store.ask(lambda ask: ask.accounts())
        second = await desk.send(path, query, content, headers=headers)
        assert (second.status, second.code) == (403, "RequestReplayed"), name
        assert desk.service.store.ask(lambda ask: ask.accounts()) == before

    await scene()


# Rules


def rules(caller: Caller, requires: list[str], **whose: str) -> None:
    assert caller.do(IAM, "SetKeyRules", {**whose, "requires": requires}) is True


def test_a_key_or_a_user_can_be_made_to_sign_more(market: ServiceHarness) -> None:
    root = market.customer()
    user = market.user(root, FULL)
    (me,) = (one for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    for whose in ({"userId": me["userId"]}, {"accessKeyId": user.desk.access_key}):
        rules(root, BOTH, **whose)
        shown = next(one for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
        holder = shown if "userId" in whose else shown["accessKeys"][0]
        assert holder["requires"] == BOTH
        weak = user.ask(UNITS, "PurchaseComputeUnit", order())
        assert (weak.status, weak.code) == (403, "SignatureTooWeak")
        assert "x-bce-content-sha256" in weak.body["message"]
        assert "x-bce-nonce" in weak.body["message"]
        assert user.refused(UNITS, "DescribeComputeUnits") == "SignatureTooWeak"
        assert buy(user, strong(user, UNITS, BUY, body_of(1)), body_of(1)).status == 200
        rules(root, ["Nonce"], **whose)
        assert "x-bce-content-sha256" not in user.ask(UNITS, "DescribeComputeUnits").body["message"]
        rules(root, [], **whose)
        assert user.ask(UNITS, "DescribeComputeUnits").status == 200
    # The other keys of the account were never asked for more.
    assert root.ask(UNITS, "DescribeComputeUnits").status == 200


def test_a_user_rule_holds_for_keys_that_are_made_later(market: ServiceHarness) -> None:
    root = market.customer()
    market.user(root, FULL)
    (me,) = (one for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    rules(root, BOTH, userId=me["userId"])
    new = market.caller(root.do(IAM, "CreateAccessKey", {"userId": me["userId"]}))
    assert new.refused(UNITS, "DescribeComputeUnits") == "SignatureTooWeak"


def test_nobody_turns_a_rule_off_with_a_signature_that_leaves_the_body_out(market: ServiceHarness) -> None:
    root = market.customer()
    rules(root, BOTH, accessKeyId=root.desk.access_key)
    off = {"accessKeyId": root.desk.access_key, "requires": []}
    content = msgspec.json.encode(off)
    query = "Action=SetKeyRules"
    plain = [(b"host", b"leasebook.test")]
    # The signature of an attacker who listens on the wire: it covers the host only, whatever the key's own rule.
    for key in (root, market.customer()):
        weak = sign_host_only(key, query)
        answer = key.send(IAM, query, content, headers=[*plain, (b"authorization", weak)])
        assert (answer.status, answer.code) == (403, "SignatureTooWeak")
    # And a strong one is good for its own body only, and once.
    on = msgspec.json.encode({"accessKeyId": root.desk.access_key, "requires": BOTH})
    headers = strong(root, IAM, query, on)
    assert root.send(IAM, query, content, headers=headers).code == "BodyDigestMismatch"
    assert root.send(IAM, query, on, headers=headers).status == 200
    assert root.send(IAM, query, on, headers=headers).code == "RequestReplayed"


def sign_host_only(caller: Caller, query: str) -> bytes:
    text = {"host": "leasebook.test"}
    return caller.desk.signed(IAM, query, b"", headers=text, signed_headers=("host",))[-1][1]


def test_only_managers_set_rules_and_those_of_an_operator_only_operators(market: ServiceHarness) -> None:
    root = market.customer()
    plain = market.user(root, "QianfanServiceOperateAccessPolicy")
    mine = {"accessKeyId": plain.desk.access_key, "requires": []}
    assert plain.refused(IAM, "SetKeyRules", mine) == "AccessDenied"
    chief = market.user(root, OPERATOR)
    theirs = {"accessKeyId": chief.desk.access_key, "requires": BOTH}
    assert root.refused(IAM, "SetKeyRules", theirs) == "AccessDenied"
    account = root.do(ACCOUNT, "DescribeAccount")["accountId"]
    assert market.operator.do(IAM, "SetKeyRules", {**theirs, "accountId": account}) is True
    assert chief.refused(CLOCK, "ConfirmClock") == "SignatureTooWeak"
    # Another account's key answers like one that does not exist.
    stranger = market.customer()
    assert stranger.refused(IAM, "SetKeyRules", mine) == "ResourceNotFound"
    assert stranger.refused(IAM, "SetKeyRules", {"userId": "nobody", "requires": []}) == "ResourceNotFound"
    neither: dict[str, Any] = {"requires": []}
    for body in (neither, {**neither, "userId": "a", "accessKeyId": "b"}):
        assert stranger.field_refused(IAM, "SetKeyRules", body) == "accessKeyId"


def test_every_call_of_an_operator_is_made_to_sign_more_by_a_setting(tmp_path: Path) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_SIGNATURE_OPERATORS_STRICT": "yes"}) as scene:
        assert scene.operator.refused(CLOCK, "DescribeClock") == "SignatureTooWeak"
        headers = strong(scene.operator, CLOCK, "Action=DescribeClock")
        assert scene.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=headers).status == 200
        content = b'{"name": "customer"}'
        headers = strong(scene.operator, IAM, "Action=CreateAccount", content)
        made = scene.operator.send(IAM, "Action=CreateAccount", content, headers=headers).result
        assert scene.caller(made).ask(CLOCK, "DescribeClock").status == 200


def test_a_host_without_its_port_is_taken_or_not_by_a_setting(tmp_path: Path) -> None:
    for number, (setting, status) in enumerate((("yes", 200), ("no", 400))):
        environment = {"LEASEBOOK_SIGNATURE_HOST_WITHOUT_PORT": setting}
        with a_scene(tmp_path / str(number), environment=environment) as scene:
            for host, expected in ((b"leasebook.test:8000", status), (b"leasebook.test", 200)):
                signed = scene.operator.desk.signed(CLOCK, "Action=DescribeClock", b"{}")
                headers = [(b"host", host), signed[-1]]
                assert scene.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=headers).status == expected


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE users SET requires = '[\"Everything\"]' WHERE is_root", "requires"),
        ("UPDATE access_keys SET requires = 'x'", "requires"),
        ('UPDATE access_keys SET requires = \'["Nonce","SignedBody"]\'', "requires"),
        ("UPDATE nonces SET hour = hour + 1", "which is no full hour"),
        ("UPDATE nonces SET access_key_id = 'AKNOBODY'", "there is no such key"),
        ("UPDATE nonce_pages SET until = until + 1", "ends at no full second"),
        ("UPDATE nonce_pages SET access_key_id = 'AKNOBODY'", "there is no such key"),
        ("UPDATE nonce_pages SET digests = substr(digests, 2)", "no digests of 8 bytes"),
        ("UPDATE nonce_pages SET digests = digests || digests", "is not what a server wrote"),
        ("UPDATE nonce_pages SET number = 1", "does not follow a full page"),
        ("UPDATE refused_calls SET calls = calls + 1", "refused calls"),
        ("UPDATE refused_calls SET minute = minute + 1", "refused calls"),
        ("UPDATE refused_calls SET last_at = last_at + 60000000", "refused calls"),
        ("UPDATE refused_calls SET codes = 'x'", "refused calls"),
    ],
)
def test_check_finds_rows_that_were_changed(checked: Path, tmp_path: Path, change: str, named: str) -> None:
    directory = Path(shutil.copytree(checked, tmp_path / "data"))
    assert check_store(Target(directory)).findings == []
    with closing(sqlite3.connect(directory / "leasebook.db")) as store, store:
        assert store.execute(change).rowcount > 0
    findings = check_store(Target(directory)).findings
    assert findings
    assert any(named in finding for finding in findings), findings


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a rule, used nonces of both kinds and refused calls in it."""
    directory = tmp_path_factory.mktemp("checked") / "data"
    with a_scene(directory) as scene:
        rules(scene.operator, BOTH, accessKeyId=ROOT_KEY)
        assert scene.operator.send(CLOCK, "Action=DescribeClock", headers=[]).code == "SignatureEmpty"
        keep_former(scene, strong(scene.operator, CLOCK, "Action=DescribeClock"))
    return directory
