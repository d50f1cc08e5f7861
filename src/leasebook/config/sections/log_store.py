"""The settings of the log store that the lines of replicas are sent to."""

from typing import Annotated
from urllib.parse import unquote

from leasebook.addressing.host_port import web_of
from leasebook.config.kinds import Declared, Parsed, Secret, SecretText
from leasebook.config.sections.store import StoreSettings

_NAME = r"(?!(?i:host|content-(?:length|type)|transfer-encoding|connection)=)[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}"
_VALUE = r"(?!%20)(?:[!-$&-+\--~]|%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])){0,4000}(?<!%20)"


def headers_of(secret: Secret | None) -> list[tuple[str, str]]:
    """Return the headers that the setting ``log_store.headers`` has: names and plain values."""
    pairs = (part.partition("=") for part in (secret.reveal() if secret is not None else "").split(",") if part)
    return [(name, unquote(value)) for name, _, value in pairs]


class LogStoreSettings(StoreSettings, frozen=True, kw_only=True):
    """Settings of the log store; each field is its declaration."""

    log_store_url: Annotated[
        str | None,
        Declared(
            "log_store.url",
            Parsed(web_of, 'a whole web address with its path, such as "http://collector.example.org:4318/v1/logs"'),
            "The log store: where the lines of replicas are posted whose services have AttachLogStore, as OTLP logs in "
            "JSON. Lines leave this machine unencrypted if it begins with `http://`.",
            unset="AttachLogStore is refused, and no lines are sent",
        ),
    ] = None

    log_store_headers: Annotated[
        Secret | None,
        Declared(
            "log_store.headers",
            SecretText(
                rf"{_NAME}={_VALUE}(?:,{_NAME}={_VALUE})*",
                "NAME=VALUE with commas between several, and %XX for spaces, commas and % in a value, such as "
                "authorization=Bearer%20abc, and no space at the ends of one; not host, connection, transfer-encoding, "
                "content-type or content-length",
            ),
            "Headers that each request to the log store has besides those of the format, such as one that lets it in.",
            unset="none",
        ),
    ] = None
