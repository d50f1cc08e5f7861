"""A new master key: while servers answer, wherever it is cut off, and nothing is left that needs the one before."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from leasebook.api.links.tokens import PURPOSE, Link, Links
from leasebook.batch import Sequencer
from leasebook.cli.main import cli
from leasebook.cli.stores import audit_keys
from leasebook.config.load import load_settings
from leasebook.domain.commands.console.second_factor import AddSecondFactor
from leasebook.domain.commands.console.sign_in import SetPassword
from leasebook.domain.values.calendar import Instant
from leasebook.security.keyring import FORGET_AFTER_S, KeyKeeper, Keyring, RotationState, keys_of, rotation_state
from leasebook.security.vault import BadMasterKey, Vault, fingerprint, load_master_key
from leasebook.server import rotate_master_key as rotating
from leasebook.server.master_key_rotation import SEALED, NotYet, Rotation
from leasebook.store.maintenance import master_key as turning
from leasebook.store.maintenance.master_key import announce
from leasebook.store.opening import Target, open_store
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.verify.check import check_store
from tests.copies import STORES, copy_of, empty
from tests.crash.fleet import ROUNDS, FleetClient, environment, eventually
from tests.crash.lone import data_of, leasebook, lone_server
from tests.depth import few
from tests.forked import Forked
from tests.harness import ENVIRONMENT, ROOT_KEY, ROOT_SECRET, Answer, Client, a_service

pytestmark = pytest.mark.mostly_embedded

IAM, HOOKS, EVENTS = "/v2/iam", "/v2/notification", "/v2/events"
KEYS = 7
"""Access keys and webhooks of the store."""


class ProcessKilled(BaseException):
    """The process was killed here."""


@pytest.fixture(scope="module", params=STORES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Any]]:
    """A store with keys, webhooks, and a log of several runs."""
    made: dict[str, str] = {}

    async def scene(desk: Client) -> None:
        await with_second_factor(desk)
        for _ in range(KEYS):
            user = (await desk.call(IAM, "CreateUser", {"name": "user"})).result["userId"]
            key = (await desk.call(IAM, "CreateAccessKey", {"userId": user})).result
            made[key["accessKeyId"]] = key["secretAccessKey"]
            asked = {"userId": user, "policyName": "QianfanReadAccessPolicy"}
            assert (await desk.call(IAM, "AttachPolicy", asked)).result
            hook = {"kind": "Webhook", "url": "https://receiver.invalid/hook", "types": ["unit.bought"]}
            assert (await desk.call(HOOKS, "CreateSubscription", hook)).status == 200

    async def whole(where: Target) -> None:
        for _ in range(2):
            async with a_service(where) as desk:
                await scene(desk)

    with empty(request.param, tmp_path_factory.mktemp("lived") / "data", migrated=True) as where:
        asyncio.run(whole(where))
        yield where, made


async def with_second_factor(desk: Client) -> None:
    """Give a new user a password with a second factor."""
    user = (await desk.call(IAM, "CreateUser", {"name": "person"})).result["userId"]
    service, login = desk.service, f"person-{user[:8]}"
    assert service.console is not None
    account = await service.store.read(lambda ask: ask.user(user))
    assert account is not None
    words = {"user_id": user, "login": login, "by": user}
    password: Any = {"former": None, "hash": "x", "at": Instant(1), "by_operator": False, "operators": frozenset()}
    await service.sequencer.submit(SetPassword(account_id=account.account_id, **password, **words))
    sealed = service.console.parts.factors._vault.seal("its secret", context=user)
    await service.sequencer.submit(AddSecondFactor(totp=sealed, step=1, recovery=(), **words))


@pytest.fixture
def copied(lived: tuple[Target, Any], tmp_path: Path) -> Iterator[tuple[Target, dict[str, str]]]:
    where, made = lived
    with copy_of(where, tmp_path / "data") as copy:
        yield copy, dict(made)


async def rotate(where: Target, *, wait_s: float | None = 60.0, say: Callable[[str], object] = str) -> None:
    await rotating.rotate_master_key(load_settings(None, ENVIRONMENT), where, wait_s=wait_s, say=say)


def standing(where: Target) -> RotationState:
    with snapshot(where) as ask:
        return rotation_state(ask)


def is_right(where: Target) -> None:
    """Every seal and every event is proved, by the master keys that are there."""
    keys = audit_keys(where)
    assert keys is not None
    assert check_store(where, keys).findings == []


async def serves(where: Target, made: dict[str, str]) -> None:
    """Every key from before still signs, and new ones can be made."""
    async with a_service(where) as desk:
        for key, secret in made.items():
            assert (await desk.as_user(key, secret).call(EVENTS, "DescribeEvents", {"maxKeys": 1})).status == 200
        assert (await desk.call(IAM, "CreateUser", {"name": "another"})).status == 200


async def test_everything_is_sealed_under_the_new_key_and_nothing_needs_the_one_before(
    copied: tuple[Target, dict[str, str]],
) -> None:
    where, made = copied
    old = load_master_key(where.directory / "master.key", None, create=False)
    for _ in range(3):
        before = standing(where).current
        await rotate(where)
        now = standing(where)
        assert (now.current != before, now.goes_on) == (True, False)
        (where.directory / "master.key.before").unlink()
        assert not (where.directory / "master.key.next").exists()
        is_right(where)
    await serves(where, made)
    is_right(where)
    with snapshot(where) as ask:
        rows = [row for table in SEALED for row in ask.sealed_rows(table, after="", limit=1000)]
    values = [(row.context, value) for row in rows for value in (row.sealed, row.sealed_before) if value]
    assert len(values) == 2 * KEYS * 2 + 1 + 2
    vault = Vault(load_master_key(where.directory / "master.key", None, create=False))
    for name, value in values:
        vault.open(value, context=name)
        with pytest.raises(BadMasterKey):
            Vault(old).open(value, context=name)


def _said(answer: Answer) -> str:
    return "200" if answer.status == 200 else str(answer.body)


async def _called(desk: Client, path: str, action: str, body: Any = None) -> Answer:
    """Call, and call again if the server is overloaded: rights change at each call here, and nothing was done."""
    for _ in range(1000):
        answer = await desk.call(path, action, body)
        if answer.status == 200 or answer.code != "Overloaded":
            break
        await asyncio.sleep(0.01)
    return answer


@asynccontextmanager
async def crowd(desks: list[Client], made: dict[str, str]) -> AsyncIterator[list[str]]:
    """Have keys used, made and disabled all the while; every answer is a success."""
    answers: list[str] = []
    stop = asyncio.Event()

    async def use(desk: Client, key: str, secret: str) -> None:
        answer = await _called(desk.as_user(key, secret), EVENTS, "DescribeEvents", {"maxKeys": 1})
        answers.append(_said(answer))
        # The remembered caller hides the sealed secret. No other caller is active meanwhile.
        desk.service.app._identities.forget()

    async def make(desk: Client) -> None:
        user = (await _called(desk, IAM, "CreateUser", {"name": "meanwhile"})).result["userId"]
        key = (await _called(desk, IAM, "CreateAccessKey", {"userId": user})).result
        made[key["accessKeyId"]] = key["secretAccessKey"]
        used = await _called(desk.as_user(key["accessKeyId"], key["secretAccessKey"]), IAM, "DescribeUsers")
        assert used.code == "AccessDenied"
        asked = {"userId": user, "policyName": "QianfanReadAccessPolicy"}
        answers.append(_said(await _called(desk, IAM, "AttachPolicy", asked)))

    async def call(desk: Client) -> None:
        while not stop.is_set():
            await make(desk)
            for key, secret in some:
                await use(desk, key, secret)

    some = list(made.items())[:4]
    async with asyncio.TaskGroup() as tasks:
        for desk in desks:
            tasks.create_task(call(desk))
        yield answers
        stop.set()
    assert answers
    assert set(answers) == {"200"}


def test_servers_answer_all_the_while_and_seal_under_the_new_key_from_their_turn_on(
    copied: tuple[Target, dict[str, str]], tmp_path: Path
) -> None:
    where, made = copied
    # On PostgreSQL a second server, with a directory of its own, as on another machine.
    places = [where]
    if where.url is not None:
        other = tmp_path / "other"
        other.mkdir(mode=0o700)
        shutil.copy2(where.directory / "master.key", other / "master.key")
        places.append(Target(other, where.url))

    async def scene() -> None:
        said: list[str] = []
        async with AsyncExitStack() as stack:
            desks = [await stack.enter_async_context(a_service(place)) for place in places]
            async with crowd(desks, made) as answers:
                if len(places) > 1:
                    # It waits as long as a server does not know the new key, and changes nothing.
                    with pytest.raises(NotYet, match=r"do not know the new master key yet: [0-9a-f]{8} on "):
                        await rotate(where, wait_s=4.0, say=said.append)
                    assert standing(where).before == ""
                    shutil.copy2(where.directory / "master.key.next", other / "master.key.next")
                await rotate(where, say=said.append)
                await _more(answers, 20)
                while any((place.directory / "master.key.next").exists() for place in places):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert not standing(where).goes_on

    asyncio.run(scene())
    for place in places:
        assert not (place.directory / "master.key.next").exists()
        shutil.rmtree(place.directory / "replicas", ignore_errors=True)
        (place.directory / "master.key.before").unlink()
        is_right(place)
    asyncio.run(serves(places[-1], made))
    is_right(where)


async def _more(answers: list[str], count: int) -> None:
    """Wait until ``count`` more calls were answered."""
    seen = len(answers)
    while len(answers) < seen + count:  # noqa: ASYNC110 - others append to it
        await asyncio.sleep(0.02)


def test_wherever_it_is_cut_off_the_store_works_and_the_next_run_finishes(
    lived: tuple[Target, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, made = lived
    # On PostgreSQL another third of the places every day: what it is cut off in is the same code on both.
    every = few(6, 1 if original.url is None or ROUNDS > 1 else 3)
    cut, done = (int(time.time()) // 86_400) % every, False
    while not done:
        for late in (False, True):
            with copy_of(original, tmp_path / f"data-{cut}-{late}") as where:
                done = _cut_at(where, cut, late=late, monkeypatch=monkeypatch)
                is_right(where)
                if cut // every % 3 == 0 and late:
                    asyncio.run(serves(where, made))
                    is_right(where)
                asyncio.run(rotate(where))
                now = standing(where)
                assert not now.goes_on
                is_right(where)
                (where.directory / "master.key.before").unlink(missing_ok=True)
                is_right(where)
                assert Keyring(load_settings(None, ENVIRONMENT), where.directory).key(now.current) is not None
        cut += every
    # An announcement, the turn, a batch each of keys and webhooks, three passes over chains, the end, a file.
    assert cut > 8


def _cut_at(where: Target, cut: int, *, late: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Rotate, and die before or right after a step; returns whether there was no step of that number any more."""
    count = iter(range(10_000))

    def cutting(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            here = next(count) == cut
            if here and not late:
                raise ProcessKilled
            answer = call(*arguments, **named)
            if here:
                raise ProcessKilled
            return answer

        return step

    def cutting_later(call: Callable[..., Any]) -> Callable[..., Any]:
        async def step(*arguments: Any, **named: Any) -> Any:
            here = next(count) == cut
            if here and not late:
                raise ProcessKilled
            answer = await call(*arguments, **named)
            if here:
                raise ProcessKilled
            return answer

        return step

    with monkeypatch.context() as patch:
        patch.setattr(rotating, "announce", cutting(announce))
        patch.setattr(Sequencer, "submit", cutting_later(Sequencer.submit))
        patch.setattr("leasebook.store.maintenance.master_key.reseal_heads", cutting(turning.reseal_heads))
        patch.setattr(Keyring, "settle", cutting(Keyring.settle))
        try:
            asyncio.run(rotate(where))
        except ProcessKilled:
            return False
        except BaseExceptionGroup:
            return False
    return True


async def test_a_server_that_has_not_both_keys_while_both_are_needed_does_not_start(
    copied: tuple[Target, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, made = copied

    async def stopped(*_: object) -> None:
        raise ProcessKilled

    with monkeypatch.context() as patch:
        patch.setattr(Rotation, "_finish", stopped)
        with pytest.raises(ProcessKilled):
            await rotate(where)
    assert standing(where).before
    (where.directory / "master.key").rename(where.directory / "aside")
    assert audit_keys(where) is None
    with pytest.raises(BadMasterKey, match="parts of the store are still sealed under") as refused:
        await serves(where, made)
    assert "\n" not in str(refused.value)
    (where.directory / "aside").rename(where.directory / "master.key")
    await serves(where, made)
    await rotate(where)
    is_right(where)


async def test_a_key_from_the_environment_takes_the_place_of_one_from_the_environment(
    copied: tuple[Target, dict[str, str]],
) -> None:
    where, _ = copied
    old = load_master_key(where.directory / "master.key", None, create=False).hex()
    (where.directory / "master.key").unlink()
    both = ENVIRONMENT | {"LEASEBOOK_MASTER_KEY": old, "LEASEBOOK_MASTER_KEY_NEXT": "ab" * 32}

    async def with_(given: dict[str, str]) -> None:
        await rotating.rotate_master_key(load_settings(None, given), where, wait_s=60.0, say=str)

    with pytest.raises(BadMasterKey, match="LEASEBOOK_MASTER_KEY_NEXT"):
        await with_(ENVIRONMENT | {"LEASEBOOK_MASTER_KEY": old})
    assert not standing(where).goes_on
    await with_(both)
    assert not (where.directory / "master.key").exists()
    with pytest.raises(BadMasterKey, match="seals already"):
        await with_(both)

    async def start(given: dict[str, str]) -> None:
        async with a_service(where, environment=given):
            pass

    await start(both)
    await start(ENVIRONMENT | {"LEASEBOOK_MASTER_KEY": "ab" * 32})
    with pytest.raises(BadMasterKey):
        await start(ENVIRONMENT | {"LEASEBOOK_MASTER_KEY": old})


async def test_an_announced_key_is_abandoned_as_long_as_it_does_not_seal(copied: tuple[Target, dict[str, str]]) -> None:
    where, made = copied
    before = standing(where)
    announce(where, "ab" * 32)
    with pytest.raises(BadMasterKey, match="is not here"):
        await rotate(where)
    if where.url is not None:
        # Where there are several, a server that starts now could come too late to be waited for.
        with pytest.raises(BadMasterKey, match="is announced or seals already"):
            await serves(where, made)
    rotating.abandon(where)
    await serves(where, made)
    assert standing(where)[:3] == before[:3]
    await rotate(where)
    is_right(where)


def test_a_check_that_a_rotation_overtakes_finds_nothing_wrong(
    copied: tuple[Target, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are those of the snapshot, whether the master key is replaced before it or after it."""
    where, _ = copied
    store = ("--data", str(where.directory), *(() if where.url is None else ("--store", where.url)))
    found: list[list[str]] = []

    def overtaken(where: Target, keys: Any, *more: Any) -> Any:
        asyncio.run(rotate(where))

        def late(fetch: Any) -> Any:
            asyncio.run(rotate(where))
            return keys(fetch)

        report = check_store(where, late if callable(keys) else keys, *more)
        found.append(report.findings)
        return report

    monkeypatch.setattr("leasebook.store.verify.check.check_store", overtaken)
    monkeypatch.delenv("LEASEBOOK_MASTER_KEY", raising=False)
    done = CliRunner().invoke(cli, ["check", *store])
    assert (found, done.exit_code) == ([[]], 0), done.output
    assert "seals were not checked" not in done.output


@pytest.mark.crash
def test_a_server_and_the_command_are_killed_again_and_again_and_the_server_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes and SIGKILL, on the embedded store: the server goes on by itself when it starts."""
    # The environment of these servers gives the master key; here it is in its file.
    monkeypatch.setattr("tests.crash.fleet.environment", _without_master_key(environment()))
    monkeypatch.setattr("tests.crash.lone.environment", _without_master_key(environment()))
    with lone_server(tmp_path) as server:
        data = data_of(tmp_path)
        assert server.port is not None
        with FleetClient([server.port], ROOT_KEY, ROOT_SECRET) as root:
            for _ in range(60):
                user = {"userId": root.call(IAM, "CreateUser", {"name": "user"}).result["userId"]}
                root.call(IAM, "CreateAccessKey", user)
        before = standing(Target(data)).current
        for milliseconds in few((30,), (30, 60, 120)):
            with (tmp_path / "said").open("wb") as said:
                command = Forked(
                    ["rotate-master-key", "--data", str(data)],
                    env=_without_master_key(environment())(),
                    stdout=said.fileno(),
                    stderr=said.fileno(),
                )
            eventually("it is announced", lambda now=before: standing(Target(data))[:2] != (now, ""))  # type: ignore[misc]
            time.sleep(milliseconds / 1000)
            command.send_signal(signal.SIGKILL)
            command.wait()
            server.kill()
            is_right(Target(data))
            draft = data / ".master.key.next.0123456789abcdef"
            draft.touch(0o600)
            server.start()
            server.wait()
            assert not draft.exists()
            eventually("the server has finished it", lambda: not standing(Target(data)).goes_on)
            assert standing(Target(data)).current != before
            before = standing(Target(data)).current
            with FleetClient([server.port], ROOT_KEY, ROOT_SECRET) as root:
                assert root.call(IAM, "DescribeUsers").status == 200
            eventually("the file is in place", lambda: not (data / "master.key.next").exists())
        server.stop()
        is_right(Target(data))
        done = leasebook("rotate-master-key", "--data", data)
        assert (done.returncode, done.stderr) == (0, "")
        is_right(Target(data))


def _without_master_key(given: dict[str, str]) -> Callable[[], dict[str, str]]:
    kept = {name: value for name, value in given.items() if name != "LEASEBOOK_MASTER_KEY"}
    return lambda: dict(kept)


def test_a_link_from_before_works_until_the_key_before_is_forgotten_and_then_no_more() -> None:
    old, new = b"o" * 32, b"n" * 32
    vault = Vault(old, new)
    links = Links(lambda: vault.derived(PURPOSE), "https://leasebook.example")
    link = Link("keep", "unit-1", Instant(1))
    before = links.token(link)
    vault.turn(fingerprint(new))
    assert links.read(before) == link
    after = links.token(link)
    assert after != before
    vault.forget()
    assert (links.read(before), links.read(after)) == (None, link)


async def test_a_server_forgets_the_key_before_a_while_after_the_change_and_not_at_once(
    copied: tuple[Target, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, _ = copied
    ring = Keyring(load_settings(None, ENVIRONMENT), where.directory)
    now = 1000.0
    monkeypatch.setattr("leasebook.security.keyring.time.monotonic", lambda: now)
    store = open_store(where)
    try:
        vault, audit = keys_of(ring, store.ask(rotation_state))
        keeper = KeyKeeper(ring, vault, audit, store)
        vault.learn(b"x" * 32)
        audit.learn(b"x" * 32)
        for seconds, known in ((0, 2), (30, 2), (FORGET_AFTER_S, 1)):
            now = 1000.0 + seconds
            await keeper.look()
            assert len(vault.known) == known
    finally:
        await store.close()
