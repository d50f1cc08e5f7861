"""The look of the pages behind links: their own files only, the reader's language and colours, no console needed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.api.conftest import open_up
from tests.api.scene import ACCOUNT, IAM, ServiceHarness, a_scene
from tests.api.test_links import OPERATE, RELEASED, REMINDED, Sheet, about_to_be_released, ask, links_of, pressed


def test_a_page_asks_for_its_own_files_only_and_says_what_people_called_things_as_text(fresh: ServiceHarness) -> None:
    made = fresh.operator.do(IAM, "CreateAccount", {"name": '<script>alert("1")</script>&'})
    fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": "10000", "accountId": made["accountId"]})
    customer = fresh.caller(made)
    customer.buy(release=RELEASED)
    fresh.advance(REMINDED)
    text = ask(fresh, links_of(customer)["keep"]).body
    page = Sheet(text)
    assert '<script>alert("1")</script>&' in page.words
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "style", "iframe", "base", "object"}
    assert not re.search(r"https?://|url\(|@import|\sstyle=", text)
    asked = {value for tag, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")}
    files = {one for one in asked if one and one.startswith("/links/static/")}
    assert asked - files == {"?language=zh"}
    assert any(file.endswith("console.css") for file in files)
    for file in files:
        answer = fresh.runner.run(fresh.desk.send(file, "", b"", method="GET", headers=[]))
        assert (answer.status, answer.headers["x-content-type-options"]) == (200, "nosniff")
        assert "immutable" in answer.headers["cache-control"]
    assert [attrs for tag, attrs in page.tags if tag == "form"] == [{"method": "post"}]
    assert ("meta", {"name": "robots", "content": "noindex, nofollow"}) in page.tags
    assert any(attrs.get("name") == "viewport" for tag, attrs in page.tags if tag == "meta")


def test_a_page_is_in_the_language_of_its_reader_or_else_of_its_buyer(fresh: ServiceHarness) -> None:
    owner = fresh.customer("10000")
    buyer = fresh.user(owner, OPERATE)
    unit = buyer.buy(release=RELEASED)
    fresh.advance(REMINDED)
    link = links_of(buyer)["keep"]
    user = next(user["userId"] for user in owner.do(IAM, "DescribeUsers")["users"] if not user["isRoot"])

    def language(query: str = "", **headers: str) -> str:
        sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        body = fresh.runner.run(fresh.desk.send(link, query, b"", method="GET", headers=sent)).body
        found = re.search('<html lang="([^"]+)"', body)
        assert found is not None
        assert ({"en": "Keep it for two more hours", "zh-CN": "再保留两小时"}[found[1]]) in body
        assert unit in body
        return found[1]

    assert language() == "en"
    owner.do(IAM, "SetUserContact", {"userId": user, "language": "zh-CN"})
    assert language() == "zh-CN"
    assert language(accept_language="fr-CH, fr;q=0.9") == "zh-CN"
    assert language(accept_language="fr-CH, en;q=0.9") == "en"
    assert language(accept_language="en", cookie="leasebook_language=zh") == "zh-CN"
    assert language("language=en", cookie="leasebook_language=zh") == "en"
    done = ask(fresh, link, "attempt=ab", **{"accept-language": "zh"}).body
    assert "现在的释放时间为 2030-01-18 10:00 (Asia/Shanghai)。" in done


def test_a_page_has_the_colours_that_its_reader_chose_in_the_console(fresh: ServiceHarness) -> None:
    link = about_to_be_released(fresh)[2]["keep"]
    assert "data-theme" not in ask(fresh, link).body
    assert 'data-theme="dark"' in ask(fresh, link, cookie="leasebook_theme=dark").body
    assert "data-theme" not in ask(fresh, link, cookie="leasebook_theme=x").body


def test_links_work_where_the_console_is_switched_off(tmp_path: Path) -> None:
    with a_scene(tmp_path / "data", environment={"LEASEBOOK_CONSOLE_SERVED": "no"}) as scene:
        open_up(scene)
        link = about_to_be_released(scene)[2]["keep"]
        sheet = re.search(r'rel="stylesheet" href="([^"]+)"', ask(scene, link).body)
        assert sheet is not None
        answer = scene.runner.run(scene.desk.send(sheet[1], "", b"", method="GET", headers=[]))
        assert answer.headers["content-type"].startswith("text/css")
        assert pressed(scene, link)[0] == 200
