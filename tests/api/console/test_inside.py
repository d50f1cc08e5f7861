"""Sessions and calls from inside over a restart, beside a second server, with limits, and by the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from leasebook.console.routes import SESSION_COOKIE
from leasebook.contract.action import UNITS
from leasebook.store.opening import Target
from tests.api.console.browser import Browser
from tests.api.scene import ACCOUNT, IAM, ServiceHarness, a_scene
from tests.copies import STORES, empty
from tests.forked import run


@pytest.fixture(params=STORES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    with empty(request.param, tmp_path / "data", migrated=True) as made:
        yield made


def root_of(scene: ServiceHarness) -> str:
    """Return the id of the first user."""
    return next(str(one["userId"]) for one in scene.operator.do(IAM, "DescribeUsers")["users"] if one["isRoot"])


def test_sessions_outlast_a_restart_and_ended_ones_and_used_links_stay_so(where: Target) -> None:
    with a_scene(where) as scene:
        user = root_of(scene)
        kept, ended = Browser(scene), Browser(scene)
        kept.sign_in(user)
        assert scene.running.console is not None
        link = scene.running.console.link(user)
        ended.use(link)
        cookie = ended.cookies[SESSION_COOKIE]
        ended.send(ended.get("/console"), "/console/sign-out")
    with a_scene(where) as scene:
        again = Browser(scene)
        again.cookies = kept.cookies
        assert again.get("/console").status == 200
        again.cookies = {SESSION_COOKIE: cookie}
        assert again.get("/console").status == 303
        assert "was used before" in Browser(scene).use(link).text


@pytest.mark.parametrize("where", [store for store in STORES if store == "postgres"], indirect=True)
def test_a_session_that_ends_at_one_server_is_refused_by_another_that_knew_it(where: Target) -> None:
    with a_scene(where) as first, a_scene(where) as second:
        here, there, other = Browser(first), Browser(second), Browser(second)
        here.sign_in(root_of(first))
        other.sign_in(root_of(first))
        cookies = dict(here.cookies)
        there.cookies = dict(cookies)
        page = there.get("/console")
        assert page.status == 200
        here.send(here.get("/console"), "/console/sign-out")
        assert there.get("/console").status == 303
        there.cookies = cookies
        # So is a form of a page that it was shown there.
        answer = there.post("/console/account", page.form("/console/sign-out") | {"login": "too-late"})
        assert (answer.status, answer.location) == (303, "/console/sign-in?next=%2Faccount&ended=1")
        assert other.get("/console").status == 200


def test_the_command_line_prints_a_link_beside_a_server(where: Target) -> None:
    with a_scene(where) as scene:
        store = () if scene.where.url is None else ("--store", scene.where.url)
        printed = run(
            ["console", "--data", str(scene.where.directory), *store, "--url", "https://units.example.org/"],
            env=environment(),
        )
        assert printed.returncode == 0, printed.stderr
        link = printed.stdout.strip().removeprefix("https://units.example.org")
        browser = Browser(scene)
        assert browser.use(link).status == 303
        assert "root" in browser.get("/console").words()
        unknown = run(["console", "--data", str(scene.where.directory), *store, "--user", "none"], env=environment())
        assert unknown.returncode != 0
        assert "There is no user 'none' here" in unknown.stderr


def environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LEASEBOOK_")}


def test_calls_from_inside_count_against_the_limit_of_calls(tmp_path: Path) -> None:
    limits = {"LEASEBOOK_THROTTLE_KEY_PER_SECOND": "1", "LEASEBOOK_THROTTLE_KEY_BURST": "4"}
    with a_scene(tmp_path, environment=limits) as scene:
        browser = Browser(scene)
        assert scene.running.console is not None
        browser.sign_in(root_of(scene))
        statuses = [browser.get("/console/units").status for _ in range(4)]
        assert 429 in statuses
        assert statuses[0] == 200


def test_a_refusal_at_the_console_is_in_the_audit_log_with_the_instance(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        scene.sell()
        scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000"})
        unit = scene.operator.buy(months=1)
        user = root_of(scene)
        browser = Browser(scene)
        browser.sign_in(user)
        token = browser.get("/console").form("/console/sign-out")
        assert browser.post(f"/console/units/{unit}/release", token | {"sure": "1"}).status == 409
        entries = scene.operator.do(ACCOUNT, "DescribeAuditLog", {"instanceId": unit})["entries"]
        refused = next(one for one in entries if one["action"] == "ReleaseComputeUnit")
        assert (refused["userId"], refused["names"], refused["path"]) == (user, [unit], UNITS)
        assert "accessKeyId" not in refused


def test_the_console_can_be_switched_off(tmp_path: Path) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_CONSOLE_SERVED": "no"}) as scene:
        assert scene.running.console is None
        assert Browser(scene).get("/console").status == 404


def test_the_paths_have_the_prefix_of_the_service(tmp_path: Path) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_PATH_PREFIX": "/rented"}) as scene:
        assert scene.running.console is not None
        link = scene.running.console.link(root_of(scene))
        assert link.startswith("/rented/console/in/")
        browser = Browser(scene)
        assert browser.use(link).location == "/rented/console/"
        page = browser.get("/rented/console")
        assert page.status == 200
        assert 'href="/console' not in page.text
        # A proxy may take the prefix off.
        assert browser.get("/console/units").status == 200
