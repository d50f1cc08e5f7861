"""Findings of ``leasebook check`` and of ``doctor`` in Chinese: every text has its translation, and is found again."""

# ruff: noqa: RUF001 - Chinese

from __future__ import annotations

import re

import pytest

from leasebook.docsgen.catalogues import PACKAGE, merged
from leasebook.docsgen.findings import finding_texts
from leasebook.docsgen.messages import VALUE, message_texts
from leasebook.translations.messages import FINDINGS, finding_in_language

CHINESE = re.compile(r"[\u4e00-\u9fff]")
AS_IN_ENGLISH = {"double precision", "engines: {1}.", "nonce", "nonce {1}"}
"""Names, which are the same in every language."""


def filled(text: str) -> str:
    """Return a text with values: q1-7, q2-7 and so on."""
    return VALUE.sub(lambda place: f"q{place[0][1:-1]}-7", text)


def test_every_text_of_a_finding_is_translated() -> None:
    texts = {str(one.id): str(one.string) for one in merged(FINDINGS, "zh") if one.id}
    assert len(texts) > 400
    assert texts.keys() == finding_texts(PACKAGE) - message_texts(PACKAGE)
    missing = {text for text, said in texts.items() if CHINESE.search(VALUE.sub("", said)) is None}
    assert missing <= AS_IN_ENGLISH, (
        "give the new findings their Chinese in src/leasebook/translations/zh/LC_MESSAGES/findings.po, and run "
        "leasebook docs"
    )


def test_every_finding_is_found_again_whatever_its_values_are() -> None:
    """Two texts that look alike would be taken for one another, and then values are in the wrong places."""
    wrong = {}
    for one in merged(FINDINGS, "zh"):
        text, said = str(one.id), str(one.string)
        if not text or text != text.strip(" ,"):
            continue
        english, chinese = filled(text), filled(said)
        found = finding_in_language(english, "zh")
        if found != chinese:
            wrong[english] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("account acct-1 has 5.00, and its postings sum up to 4.00", "账户 acct-1 余额为 5.00，而其流水合计为 4.00"),
        ("account number 7 has postings and does not exist", "账户 编号 7 有流水，但账户不存在"),
        (
            "offering bj gpu-1 has 8 units, and 4 are free and 6 held, 2 more than there are",
            "商品 bj gpu-1 有 8 个算力单元，而空闲 4 个、已占用 6 个，比现有的多 2 个",
        ),
        ("model set s-1 is deleted and says 2 versions, and has 0", "模型 s-1（已删除）记有 2 个版本，而实际有 0 个"),
        (
            "order 5b94 is not what a server wrote: the audit log does not have its digest",
            "订单 5b94 不是服务器所写：审计日志没有它的摘要",
        ),
        (
            "postings could not be checked to the end: ValueError x",
            "无法完成对“流水”的检查：ValueError x",
        ),
        ("due work release of unit u-1 at 5 is missing", "实例 u-1 在 5 的待办 release 缺失"),
        (
            "engine process has 2 units of gpu-1, and 3 are sold: 1 more than there are",
            "引擎 process 有 2 个算力单元 gpu-1，而已售出 3 个：比现有的多 1 个",
        ),
        ("audit chain 1-2: page 3 was removed", "审计链 1-2：第 3 页被移除"),
        (
            (
                "3 accounts, 5 postings, 2 units (1 live), 4 pieces of due work; 9 audit entries in 2 chains; "
                "their seals were not checked, for want of the master key; SQLite's integrity_check looked at its file"
            ),
            (
                "3 个账户、5 条流水、2 个实例（1 个有效）、4 项待办；2 条链中的 9 条审计记录；因没有主密钥，"
                "未检查其签封；SQLite 的 integrity_check 检查了其文件"
            ),
        ),
        # Names of columns are no words of ours, also where they look like some.
        ("table units has no column account", "表 units 没有列 account"),
        ("user u-1 has account a, and its events tell b", "用户 u-1 的 account 为 a，而其事件记为 b"),
        ("A finding of a newer version.", "A finding of a newer version."),
    ],
)
def test_a_finding_is_said_with_its_values(english: str, chinese: str) -> None:
    assert finding_in_language(english, "zh") == chinese
    assert finding_in_language(english, "en") == english
