"""Secrets at rest: the master key, and the sealing of secret keys under it."""

import base64
import binascii
import contextlib
import fcntl
import hmac
import os
import secrets
import stat
import string
from pathlib import Path
from typing import IO, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leasebook.config.load import Secret
from leasebook.domain.values.former_name import SEALED
from leasebook.security.file_access import READ, NoAccess, check_access

KEY_BYTES: Final = 32
_MODE: Final = 0o600
_DRAFT_BYTES: Final = 8
_FIRST_VERSION: Final = b"\x01"
"""Of values that do not say which key sealed them."""
_VERSION: Final = b"\x02"
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_FILE_MAX: Final = 1024
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FINGERPRINT_OF: Final = SEALED + b"master key"
_ALLOWED: Final = "64 hexadecimal digits, or base64 of 32 bytes"


class BadMasterKey(Exception):
    """The master key is missing, unsafe, damaged or another one; the message is one line."""


class UnusableMasterKey(BadMasterKey):
    """A master key is in its place, and cannot be used as it is there; the message says how to mend it."""


class UnreadableMasterKey(UnusableMasterKey):
    """The file of the master key is there, and this process may not read it."""


class AccessKey(NamedTuple):
    """A new pair of keys; the secret is shown to its owner once and otherwise kept sealed."""

    access_key_id: str
    secret: Secret


def new_access_key() -> AccessKey:
    """Draw a pair: an id of `AK` and 22 base62 characters, a secret of 32 (190 bits)."""
    return AccessKey(f"AK{_base62(22)}", Secret(_base62(32)))


def _base62(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


class Vault:
    """Seals texts with AES-256-GCM under the master key, each bound to a context: its access key id.

    A sealed value says which key sealed it. While a master key takes the place of another the vault knows both: it
    seals under the one that ``fingerprint`` is of, and opens what either has sealed.
    """

    __slots__ = ("_ciphers", "_derived", "_keys", "fingerprint")

    def __init__(self, master_key: bytes, *others: bytes) -> None:
        self._keys: dict[str, bytes] = {}
        self._ciphers: dict[bytes, AESGCM] = {}
        self._derived: dict[tuple[str, str], bytes] = {}
        for key in (master_key, *others):
            self.learn(key)
        self.fingerprint = fingerprint(master_key)
        """Of the master key that seals."""

    @property
    def known(self) -> list[str]:
        """The fingerprints of the master keys that it has, the one that seals first."""
        return sorted(self._keys, key=lambda one: one != self.fingerprint)

    def learn(self, master_key: bytes) -> None:
        """Open what that key has sealed, too."""
        if len(master_key) != KEY_BYTES:
            raise BadMasterKey(f"a master key has {KEY_BYTES} bytes, this one has {len(master_key)}")
        found = fingerprint(master_key)
        self._keys[found] = master_key
        self._ciphers[seal_id(found)] = AESGCM(master_key)

    def turn(self, to: str) -> None:
        """Seal under the master key with that fingerprint from now on; raises BadMasterKey where it is not known."""
        if to not in self._keys:
            raise BadMasterKey(f"the store is sealed under the master key {to[:8]}…, and this server has not got it")
        self.fingerprint = to

    def forget(self) -> None:
        """Forget all keys but the one that seals."""
        self._keys = {self.fingerprint: self._keys[self.fingerprint]}
        self._ciphers = {name: one for name, one in self._ciphers.items() if name == seal_id(self.fingerprint)}
        self._derived = {}

    @property
    def prefix(self) -> bytes:
        """The first bytes of everything that is sealed under the present key."""
        return _VERSION + seal_id(self.fingerprint)

    def seal(self, plain: str, *, context: str) -> bytes:
        """Return version, the key's id, nonce and ciphertext; only `open` with the same context gives the text back."""
        nonce, head = os.urandom(_NONCE_BYTES), self.prefix
        cipher = self._ciphers[seal_id(self.fingerprint)]
        return head + nonce + cipher.encrypt(nonce, plain.encode(), head + context.encode())

    def open(self, sealed: bytes, *, context: str) -> str:
        """Return the text that was sealed; raises BadMasterKey if the key, the context or a byte differs."""
        head_bytes = len(_VERSION) + (_ID_BYTES if sealed[:1] == _VERSION else 0)
        if sealed[:1] not in (_VERSION, _FIRST_VERSION) or len(sealed) < head_bytes + _NONCE_BYTES + _TAG_BYTES:
            raise BadMasterKey(f"the sealed secret of {context} is damaged, or was written by a later version")
        # The head is authenticated too: otherwise a forged head could make another key or version accept these bytes.
        head, nonce = sealed[:head_bytes], sealed[head_bytes : head_bytes + _NONCE_BYTES]
        ciphers = list(self._ciphers.values())
        if head_bytes > len(_VERSION):
            ciphers = [one for one in (self._ciphers.get(head[len(_VERSION) :]),) if one is not None]
        for cipher in ciphers:
            try:
                return cipher.decrypt(nonce, sealed[head_bytes + _NONCE_BYTES :], head + context.encode()).decode()
            except InvalidTag:
                continue
        raise BadMasterKey(
            f"the sealed secret of {context} does not open: it is damaged, or the master key is not the "
            "one that sealed it; put that master key back"
        )

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose (HKDF-SHA256, RFC 5869), always the same; they reveal nothing of the key.

        All servers of a store have the same master key, so all of them derive the same bytes.
        """
        return self.derived(purpose)[0]

    def derived(self, purpose: str) -> list[bytes]:
        """Return the derived bytes of each known master key for one purpose, those of the sealing key first."""
        return [self._derive(name, purpose) for name in self.known]

    def _derive(self, name: str, purpose: str) -> bytes:
        found = self._derived.get((name, purpose))
        if found is None:
            hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=SEALED + purpose.encode())
            found = self._derived[name, purpose] = hkdf.derive(self._keys[name])
        return found


def seal_id(of: str) -> bytes:
    """Return what a sealed value says of the master key with that fingerprint."""
    return bytes.fromhex(of)[:_ID_BYTES]


def sealed_by(sealed: bytes) -> bytes | None:
    """Return which master key sealed a value (``seal_id``); None: it was sealed before values said so."""
    return sealed[len(_VERSION) : len(_VERSION) + _ID_BYTES] if sealed[:1] == _VERSION else None


def fingerprint(master_key: bytes) -> str:
    """Return 64 hexadecimal digits by which the store knows its master key; they give nothing of it away."""
    return hmac.digest(master_key, _FINGERPRINT_OF, "sha256").hex()


def check_fingerprint(master_key: bytes, saved: str) -> None:
    """Compare with what the store has saved; raises BadMasterKey when the store was made with another key."""
    found = fingerprint(master_key)
    if not hmac.compare_digest(found.encode(), saved.encode()):
        raise BadMasterKey(
            f"this is not the master key of this store: the store knows the fingerprint {saved[:8]}…, the "
            f"key has {found[:8]}…; put back the key file or LEASEBOOK_MASTER_KEY that it was set up with"
        )


def load_master_key(path: Path, from_environment: Secret | str | None, *, create: bool) -> bytes:
    """Return the 32 bytes of the master key: the environment's, else the file's, else (`create`) a new one's.

    Raises BadMasterKey when the file is absent (without `create`), cannot be read, has a mode other than
    0600, or does not hold a key. Of several processes that create it at once, all get the key of the first.
    """
    if from_environment is not None:
        text = from_environment.reveal() if isinstance(from_environment, Secret) else from_environment
        return _key(text, "LEASEBOOK_MASTER_KEY", "set it to the key that the store was set up with")
    try:
        return _from_file(path)
    except FileNotFoundError:
        if not create:
            raise BadMasterKey(
                f"{path}: there is no master key; put it there (mode 0600) or set LEASEBOOK_MASTER_KEY"
            ) from None
    _create(path)
    return load_master_key(path, None, create=False)


def _from_file(path: Path) -> bytes:
    """Read the key of a file; raises FileNotFoundError when there is none."""
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            # The mode of what was opened, not of what the path may name a moment later.
            _check_mode(path, os.fstat(stream.fileno()).st_mode)
            content = stream.read(_FILE_MAX)
    except FileNotFoundError:
        raise
    except OSError as error:
        kind = UnreadableMasterKey if isinstance(error, PermissionError) else UnusableMasterKey
        raise kind(f"{path}: the master key cannot be read: {_reason(path, error)}") from None
    mend = f"put it back from your copy: install -m 600 COPY {path}"
    return _key(content.decode("ascii", "replace").removesuffix("\n"), str(path), mend)


def _reason(path: Path, error: OSError) -> str:
    try:
        check_access(path, READ)
    except NoAccess as refused:
        return str(refused)
    return error.strerror or str(error)


def _open_at_once(path: str, flags: int) -> int:
    # A named pipe in the key's place would hang the start.
    return os.open(path, flags | os.O_NONBLOCK)


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnusableMasterKey(
            f"{path}: the master key must be a regular file; move away what is there, and put the key back from your "
            f"copy: install -m 600 COPY {path}"
        )
    if stat.S_IMODE(mode) != _MODE:
        raise UnusableMasterKey(
            f"{path}: the master key has mode {stat.S_IMODE(mode):04o}, it must be 0600, for its owner; "
            f"run: chmod 600 {path}"
        )


def _key(text: str, source: str, mend: str) -> bytes:
    for decode in (_from_hex, _from_base64):
        key = decode(text)
        if key is not None:
            return key
    raise UnusableMasterKey(f"{source}: this is not a master key (not shown); allowed: {_ALLOWED}; {mend}")


def _from_hex(text: str) -> bytes | None:
    is_hex = len(text) == 2 * KEY_BYTES and set(text) <= set(string.hexdigits)
    return bytes.fromhex(text) if is_hex else None


def _from_base64(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _create(path: Path) -> None:
    """Put a whole, durable new key file in place, unless another process was faster."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(_DRAFT_BYTES)}")
    try:
        try:
            with _write_draft(draft, secrets.token_bytes(KEY_BYTES)), contextlib.suppress(FileExistsError):
                # A link, not a rename: it never overwrites, and readers never see half a key.
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise BadMasterKey(f"{path}: the master key cannot be created: {error.strerror}") from None


def clear_drafts(path: Path) -> list[Path]:
    """Delete what killed processes left when they made a key file, and return it. A draft in use is locked, and stays.

    Raises OSError.
    """
    cleared = []
    for draft in path.parent.glob(f".{path.name}.{'[0-9a-f]' * (2 * _DRAFT_BYTES)}"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), draft.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()
            cleared.append(draft)
    return cleared


def _write_draft(draft: Path, key: bytes) -> IO[bytes]:
    """Write a key into a new file; returns it open and locked. Raises OSError, also if it was cleared before that."""
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    stream = open(descriptor, "wb")  # noqa: PTH123, SIM115 - a descriptor, not a path; the caller closes it
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.fchmod(descriptor, _MODE)  # an odd umask would take away the owner's own rights
    stream.write(f"{key.hex()}\n".encode())
    stream.flush()
    os.fsync(descriptor)
    return stream


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
