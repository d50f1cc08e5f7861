"""Messages of refusals and errors in Chinese: which texts there are, and how a message is found among them."""

# ruff: noqa: RUF001 - Chinese

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

import pytest

from leasebook.addressing.host_port import web_of
from leasebook.api.fault import REFUSALS, Fault, bad_field
from leasebook.client.connection import connection
from leasebook.client.errors import ConfigurationError
from leasebook.config.load import BadSettings, load_settings
from leasebook.contract import errors
from leasebook.docsgen.catalogues import PACKAGE, merged
from leasebook.docsgen.messages import MAKERS, MESSAGES, VALUE, template
from leasebook.domain.model.idempotency import IdempotencyKey, IdempotencyRecord
from leasebook.domain.model.offering import Offering
from leasebook.domain.values import refusal
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import Refusal
from leasebook.translations.messages import LENGTH_MAX, in_language

UNTRANSLATED = {
    "\\(at (?:line (\\d+), column (\\d+)|end of document)\\)$",
    "- at `",
    "Invalid enum value",
    "Keys(url={1}, access_key={2}, secret_key=…)",
    "Object contains unknown field",
    "Object missing required field `",
    "audit keys",
    "disk i/o",
    "events {1} {2}",
    "home {1}",
    "home {1} {2}",
    "id: {1}\nevent: {2}\ndata:",
    "key` in `",
    "mail {1}",
    "master keys",
    "module {1} has no attribute {2}",
    "more {1} given back than were ever held",
    "renewal {1} {2}",
    "test {1}",
    "{1} ORDER BY seq LIMIT ?",
    (
        "{1} WHERE account_id = ? AND status = 'Stopped' AND payment_timing = 'Postpaid' AND status <> 'Running' AND "
        "status <> 'Released' ORDER BY id LIMIT ?"
    ),
    "{1} cannot go from {2} to {3}",
    "{1} is {2} and cannot be released",
    "{1} {2}AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?",
}
"""Texts in the sources that no person reads: parts of names, of SQL and of patterns, and errors of the program.

This set only shrinks: a new message is translated.
"""
UNSAID = {"WRONG_STATE": ["{1} is {2}: {3}."]}
"""Messages with too few words of their own to be known again. This table only shrinks: write new ones with more."""


def test_every_message_is_translated_but_those_that_nobody_reads() -> None:
    missing = {str(one.id).strip() for one in merged(MESSAGES, "zh") if one.id and not one.string}
    assert missing == UNTRANSLATED, (
        "give the new messages their Chinese in src/leasebook/translations/zh/LC_MESSAGES/messages.po, and run "
        "leasebook docs; take those out of UNTRANSLATED that are gone"
    )


def made() -> Iterator[tuple[str, str]]:
    """Yield each reason or code, and the texts with which the sources refuse for it."""
    for path in sorted((PACKAGE / "domain").rglob("*.py")) + sorted((PACKAGE / "api").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) < 2:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            reason = first.attr if isinstance(first, ast.Attribute) else getattr(first, "id", "")
            if name == "bad_field":
                reason = "INAPPROPRIATE_JSON"
            if name in MAKERS and reason.isupper():
                match node.args[1]:
                    case ast.JoinedStr() as text:
                        yield reason, template(text)
                    case ast.Constant(value=str(text)):
                        yield reason, text


def test_every_reason_and_every_code_of_the_service_is_said_in_chinese() -> None:
    known = {one.id for one in merged(MESSAGES, "zh") if one.string}
    texts: dict[str, set[str]] = defaultdict(set)
    for reason, text in made():
        texts[reason].add(text)
    reasons = {name for name, value in vars(refusal).items() if name.isupper() and value in refusal.REASONS}
    codes = {name for name, value in vars(errors).items() if isinstance(value, errors.ErrorCode)}
    assert texts.keys() <= reasons | codes
    # These are made of constants in other modules, or of several sentences, which are among the texts.
    assert reasons - texts.keys() <= {"REPLAYED", "SIGNED_TOO_OFTEN", "UNTRUSTED", "TAG_POLICY"}
    assert set(REFUSALS) == set(refusal.REASONS)
    unsaid = {
        reason: sorted(text for text in found if text not in known and len(VALUE.sub("", text)) > len(" ,."))
        for reason, found in texts.items()
    }
    assert {reason: found for reason, found in unsaid.items() if found} == UNSAID


def test_every_error_of_the_reference_has_its_meaning_in_chinese() -> None:
    known = {one.id for one in merged("fields", "zh") if one.string}
    assert [one.code for one in errors.ERRORS if one.meaning not in known] == []


GPU = Offering(
    region="bj",
    type="gpu-1",
    position=1,
    stock_total=4,
    stock_free=2,
    per_minute=Micro(1),
    per_month=None,
)


def _of(error: type[Exception], made: object) -> str:
    assert callable(made)
    with pytest.raises(error) as found:
        made()
    return found.value.message if isinstance(found.value, Refusal | Fault) else str(found.value)


def test_messages_as_the_code_makes_them_are_said_in_chinese() -> None:
    key = IdempotencyKey("acct", "tok-1", "a")
    kept = IdempotencyRecord("acct", "tok-1", "b", False, b"", Instant(0))
    made = {
        _of(Refusal, lambda: GPU.take(5)): "要求 bj 的 gpu-1 的 5 个算力单元，而 4 个中有 2 个空闲。",
        _of(Refusal, lambda: GPU.take(3)): "要求 bj 的 gpu-1 的 3 个算力单元，",
        _of(Refusal, lambda: kept.check(key)): "客户端令牌 'tok-1' 曾用于其他参数。",
        bad_field("to", "The end is not after the beginning. Give a later one.").message: (
            "结束不晚于开始。请给更晚的时间。 param[to]"
        ),
        _of(ConfigurationError, lambda: connection(environment={"HOME": "/none"})): "没有 access_key",
        _of(BadSettings, lambda: load_settings(None, {"LEASEBOOK_HTTP_BODY_SECONDS": "x"})): "LEASEBOOK_HTTP_BODY",
        _of(ValueError, lambda: web_of("ftp://x")): "地址以 http:// 或 https:// 开头",
    }
    for english, chinese in made.items():
        assert in_language(english, "zh").startswith(chinese), (english, in_language(english, "zh"))
        assert in_language(english, "en") == english


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "The balance is 0.00 CNY, and 3 units for 1 month takes 12.00. Top up the account, or ask for less.",
            "余额为 0.00 CNY，而 1 个月的 3 个算力单元 需要 12.00。请为账户充值，或减少数量。",
        ),
        (
            "The balance is 0.00 CNY, and 30 units for 5 months takes 12.00. Top up the account, or ask for less.",
            "余额为 0.00 CNY，而 5 个月的 30 个算力单元 需要 12.00。请为账户充值，或减少数量。",
        ),
        # The rest of a message is not taken for the value with which its first sentence ends.
        (
            "There is no action 'DescribUnits' at '/v2/x'. The nearest is POST /v2/x?Action=DescribeUnits.",
            "'/v2/x' 没有操作 'DescribUnits'。最接近的是 POST /v2/x?Action=DescribeUnits。",
        ),
        (
            (
                "root (u-1) tried AutoReleaseComputeUnit at 2030 and was refused (InappropriateJSON): 2029 is not in "
                "the future. Give a later time; it is 2030 now. param[releaseTime]"
            ),
            "root (u-1) 于 2030 尝试 AutoReleaseComputeUnit 被拒绝（InappropriateJSON）：2029 不在将来。请给更晚的",
        ),
        ("Expected str, got int. param[instanceId]", "应为 文本，得到的是 整数。 param[instanceId]"),
        (
            "'x' is none of Postpaid, Prepaid (did you mean Postpaid?). param[billing.paymentTiming]",
            "'x' 不是 Postpaid, Prepaid 之一（您是指 Postpaid 吗？）。 param[billing.paymentTiming]",
        ),
        ("u-1 is Released since 2026; nothing is left to release.", "u-1 的状态是 Released（自 2026）；没有可释放的。"),
        (
            "u-1 is Released; nothing is left to release. A new sentence. Nothing was done: the disk.",
            "u-1 的状态是 Released；没有可释放的。A new sentence. 没有做任何事：the disk。",
        ),
        (
            "It needs an approval: a.units is 4 of gpu-1, and this makes 8; a.months is 2, and this is for 3.",
            "需要审批：a.units 为 gpu-1 的 4 个，而这会达到 8 个；a.months 为 2，而这是 3 个月。",
        ),
        # A value is the caller's own, also where it has words of ours.
        (
            "There is no service 'one for two' here. DescribeServices (/v2/service) lists yours.",
            "这里没有服务 'one for two'。",
        ),
        (r"There is no account 'a\1{1}'.", r"没有账户 'a\1{1}'。"),
        (
            "The project p-1 (users) is closed, and stays closed. CreateProject (/v2/project) makes another one.",
            "项目 p-1（users）",
        ),
        ("A sentence that nobody knows.", "A sentence that nobody knows."),
        ("", ""),
    ],
)
def test_a_message_is_said_with_its_values(english: str, chinese: str) -> None:
    assert in_language(english, "zh").startswith(chinese)


def test_a_message_that_would_take_too_long_stays_as_it_is() -> None:
    for long in (
        "x" * (LENGTH_MAX + 1),
        "a b c. " * (LENGTH_MAX // 8),
        f"x is none of {' (did you mean ' * 200}.",
        "{1} is {2}; " * 200,
    ):
        assert in_language(long, "zh") == long
