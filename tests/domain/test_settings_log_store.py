"""The settings of the log store: headers as the environment has them."""

from __future__ import annotations

import pytest

from leasebook.config.load import load_settings
from leasebook.config.sections.log_store import headers_of
from tests.domain.test_settings import refusal


@pytest.mark.parametrize(
    "text",
    [
        "authorization",
        "=x",
        "a b=c",
        "a=b c",
        "a=b,",
        "a=%0D%0Ab",
        "a=%7F",
        "a=%ZZ",
        "a=100%",
        "a=\u00e9",
        "Content-Type=text/plain",
        "a=b,host=c",
        "connection=close",
        "a=%20b",
        "a=b,c=d%20",
        "a=%20",
    ],
)
def test_headers_of_the_log_store_that_no_request_can_have_are_refused(text: str) -> None:
    message = refusal(None, {"LEASEBOOK_LOG_STORE_HEADERS": text})
    assert message.startswith("LEASEBOOK_LOG_STORE_HEADERS: found a value of another form (not shown)")


def test_headers_of_the_log_store_are_read_with_their_escapes() -> None:
    settings = load_settings(None, {"LEASEBOOK_LOG_STORE_HEADERS": "x-a=,content-types=b%25%2c%3D=,x-b=%2520c%2520"})
    read = [("x-a", ""), ("content-types", "b%,=="), ("x-b", "%20c%20")]
    assert headers_of(settings.log_store_headers) == read
    assert headers_of(None) == []
