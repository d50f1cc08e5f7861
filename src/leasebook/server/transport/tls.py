"""TLS by itself: a certificate and its key, looked at before they are used, and read again while serving."""

from __future__ import annotations

import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

FOR_OTHERS: Final = 0o037
"""Rights that a key file must not give: only its owner may have them, and its group may read."""


class BadTls(Exception):
    """Certificate or key cannot be used; the message is one line and says what to do."""


class Tls:
    """The certificate that new connections are served with."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self.context = load(certificate, key)

    def reload(self) -> bool:
        """Read both files again; where they will not do, the old ones stay in use. Connections are left alone."""
        try:
            self.context = load(self._certificate, self._key)
        except BadTls as error:
            log.error("the new certificate is not used, the old one stays", reason=str(error))  # noqa: TRY400
            return False
        log.info("new connections get the certificate that was read again", certificate=str(self._certificate))
        return True


def load(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what TLS connections are made with; raises BadTls."""
    _check_key_file(key)
    _check_times(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadTls(
                f"{key}: this is not the key of the certificate {certificate}; give both of one pair"
            ) from None
        raise BadTls(f"{key}: no key without a password can be read from it ({error.reason or error})") from None
    except OSError as error:
        raise BadTls(f"{key}: cannot be read: {error.strerror}") from None
    return context


def _no_password() -> str:
    return ""


def _check_key_file(key: Path) -> None:
    try:
        mode = os.stat(key).st_mode  # noqa: PTH116 - of whatever it names, once
    except OSError as error:
        raise BadTls(f"{key}: the key cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise BadTls(f"{key}: the key must be a regular file")
    if stat.S_IMODE(mode) & FOR_OTHERS:
        raise BadTls(
            f"{key}: the key has mode {stat.S_IMODE(mode):04o}, and must be for its owner, at most readable for its "
            f"group; run: chmod 600 {key}"
        )


def _check_times(certificate: Path) -> None:
    # Imported only where a server serves TLS by itself: it takes a thirtieth of the time of a start.
    from cryptography import x509

    try:
        first, *_ = x509.load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        raise BadTls(f"{certificate}: the certificate cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadTls(f"{certificate}: there is no certificate in PEM in it") from None
    now = datetime.now(UTC)
    if first.not_valid_after_utc < now:
        raise BadTls(f"{certificate}: the certificate expired at {first.not_valid_after_utc:%Y-%m-%d %H:%M:%SZ}")
    if first.not_valid_before_utc > now:
        raise BadTls(f"{certificate}: the certificate is valid from {first.not_valid_before_utc:%Y-%m-%d %H:%M:%SZ} on")
