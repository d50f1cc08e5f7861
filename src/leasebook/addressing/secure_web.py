"""Web addresses that secrets may be sent to: by https, and by http only on this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

URL_MAX: Final = 2000
_PRINTABLE: Final = re.compile(r"[!-~]+")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: a loopback address, or the name that every machine has for itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def secure_web_of(text: str) -> str:
    """Return a web address as it is, which may have a path and a query; raises ValueError with the reason."""
    if len(text) > URL_MAX or not _PRINTABLE.fullmatch(text):
        raise ValueError(f"an address has at most {URL_MAX} visible ASCII characters")
    parts = urlsplit(text)
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("an address begins with https:// and a host")
    if "@" in parts.netloc or "#" in text or "\\" in text:
        raise ValueError("an address has no user, no password, no fragment and no backslash")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("http:// is only for this machine (127.0.0.1, ::1 or localhost); write https://")
    return text


def issuer_of(text: str) -> str:
    """Return the issuer of an identity provider as it is; raises ValueError with the reason."""
    if "?" in text:
        raise ValueError("an issuer has no query")
    return secure_web_of(text)
