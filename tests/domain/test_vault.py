"""Secrets at rest: sealing, the master key's file, and its fingerprint."""

import base64
import hmac
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from leasebook.config.load import Secret
from leasebook.domain.values.former_name import SEALED
from leasebook.security.vault import (
    BadMasterKey,
    Vault,
    check_fingerprint,
    fingerprint,
    load_master_key,
    new_access_key,
    seal_id,
    sealed_by,
)

KEY = bytes(range(32))
OTHER = bytes(32)
ALLOWED = "allowed: 64 hexadecimal digits, or base64 of 32 bytes"


def refusal(action: Callable[[], object]) -> str:
    """Return the message, which is always one line."""
    with pytest.raises(BadMasterKey) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "master.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


# --- sealing ---


@pytest.mark.parametrize("plain", ["", "a", "0123456789abcdef" * 8, "密钥 🔑"])
def test_what_is_sealed_opens_again(plain: str) -> None:
    sealed = Vault(KEY).seal(plain, context="AKone")
    assert Vault(KEY).open(sealed, context="AKone") == plain
    assert sealed[0] == 2
    assert sealed[1:9].hex() == fingerprint(KEY)[:16]
    assert len(sealed) == 1 + 8 + 12 + len(plain.encode()) + 16
    assert len(plain) <= 1 or plain.encode() not in sealed  # one byte may turn up by chance


def test_the_same_text_is_sealed_differently_each_time() -> None:
    vault = Vault(KEY)
    assert len({vault.seal("text", context="AKone") for _ in range(100)}) == 100


def test_a_sealed_text_of_known_bytes_opens_so_that_stores_survive_upgrades() -> None:
    sealed = bytes.fromhex("01000102030405060708090a0b3467b569a091e55b32ba0f98d5e4f1358bb9e694cf54")
    assert Vault(KEY).open(sealed, context="AKone") == "secret"


def test_a_vault_that_knows_two_keys_opens_what_either_sealed_and_seals_under_the_one_whose_turn_it_is() -> None:
    old, new = Vault(KEY).seal("one", context="AKone"), Vault(OTHER).seal("two", context="AKone")
    first = bytes.fromhex("01000102030405060708090a0b3467b569a091e55b32ba0f98d5e4f1358bb9e694cf54")
    vault = Vault(OTHER, KEY)
    assert [vault.open(sealed, context="AKone") for sealed in (old, new, first)] == ["one", "two", "secret"]
    assert sealed_by(vault.seal("x", context="AKone")) == seal_id(fingerprint(OTHER))
    vault.turn(fingerprint(KEY))
    assert sealed_by(vault.seal("x", context="AKone")) == seal_id(fingerprint(KEY))
    assert vault.derived("links") == [Vault(KEY).derive("links"), Vault(OTHER).derive("links")]
    vault.forget()
    assert vault.known == [fingerprint(KEY)]
    assert "does not open" in refusal(lambda: vault.open(new, context="AKone"))
    assert "has not got it" in refusal(lambda: vault.turn(fingerprint(OTHER)))
    assert sealed_by(first) is None


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    vault = Vault(KEY)
    sealed = vault.seal("text", context="AKone")
    for position in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[position // 8] ^= 1 << position % 8
        assert "AKone" in refusal(lambda: vault.open(bytes(flipped), context="AKone"))  # noqa: B023
    for length in range(len(sealed)):
        assert "AKone" in refusal(lambda: vault.open(sealed[:length], context="AKone"))  # noqa: B023


def test_another_context_or_key_does_not_open_and_the_message_says_so() -> None:
    sealed = Vault(KEY).seal("very secret", context="AKone")
    message = refusal(lambda: Vault(KEY).open(sealed, context="AKtwo"))
    assert message == (
        "the sealed secret of AKtwo does not open: it is damaged, or the master key is not the one that "
        "sealed it; put that master key back"
    )
    assert "does not open" in refusal(lambda: Vault(OTHER).open(sealed, context="AKone"))


def test_a_later_version_is_distinguished() -> None:
    message = refusal(lambda: Vault(KEY).open(b"\x03" + bytes(40), context="AKone"))
    assert message == "the sealed secret of AKone is damaged, or was written by a later version"


def test_a_key_of_another_length_makes_no_vault() -> None:
    assert refusal(lambda: Vault(bytes(16))) == "a master key has 32 bytes, this one has 16"


# --- access keys ---


def test_new_access_keys_have_their_form_and_never_repeat() -> None:
    keys = [new_access_key() for _ in range(200)]
    assert all(re.fullmatch("AK[0-9A-Za-z]{22}", key.access_key_id) for key in keys)
    assert all(re.fullmatch("[0-9A-Za-z]{32}", key.secret.reveal()) for key in keys)
    assert len({key.access_key_id for key in keys}) == len({key.secret for key in keys}) == 200
    assert keys[0].secret.reveal() not in f"{keys[0]}"


# --- the fingerprint ---


def test_the_fingerprint_is_a_fixed_one() -> None:
    assert fingerprint(KEY) == "38e651d53d0dcb534850ed2a51301d2160e72ee9733d54ace1dd3a379cf93f5c"
    assert fingerprint(OTHER) != fingerprint(KEY)


def test_a_wrong_key_is_noticed_by_the_fingerprint() -> None:
    check_fingerprint(KEY, fingerprint(KEY))
    message = refusal(lambda: check_fingerprint(OTHER, fingerprint(KEY)))
    assert message == (
        "this is not the master key of this store: the store knows the fingerprint "
        f"{fingerprint(KEY)[:8]}…, the key has {fingerprint(OTHER)[:8]}…; "
        "put back the key file or LEASEBOOK_MASTER_KEY that it was set up with"
    )
    assert "is not the master key" in refusal(lambda: check_fingerprint(KEY, "damägt"))


# --- the master key ---


FORMS = {
    "hex": KEY.hex(),
    "hex in capitals": KEY.hex().upper(),
    "base64": base64.b64encode(KEY).decode(),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_both_forms_are_read_from_file_and_environment(text: str, tmp_path: Path) -> None:
    for ending in ("", "\n"):
        assert load_master_key(key_file(tmp_path, f"{text}{ending}".encode()), None, create=False) == KEY
    for given in (text, Secret(text)):
        assert load_master_key(tmp_path / "none", given, create=False) == KEY


def test_the_environment_stands_over_the_file_and_creates_none(tmp_path: Path) -> None:
    path = key_file(tmp_path, OTHER.hex().encode(), mode=0o644)
    assert load_master_key(path, KEY.hex(), create=True) == KEY
    assert load_master_key(tmp_path / "none", KEY.hex(), create=True) == KEY
    assert not (tmp_path / "none").exists()


BAD_TEXTS = {
    "empty": b"",
    "short": KEY.hex()[:-1].encode(),
    "long": KEY.hex().encode() + b"0",
    "no hexadecimal digit": b"g" * 64,
    "raw": KEY,
    "not ascii": b"\xff" * 64,
    "base64 of 31 bytes": base64.b64encode(KEY[:31]),
    "base64 of 33 bytes": base64.b64encode(KEY + b"x"),
    "two lines": KEY.hex().encode() + b"\n\n",
    "spaced": b" " + KEY.hex().encode(),
    "huge": b"a" * 100_000,
}


@pytest.mark.parametrize("content", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_corrupt_file_is_refused_and_not_replaced(content: bytes, tmp_path: Path) -> None:
    path = key_file(tmp_path, content)
    message = refusal(lambda: load_master_key(path, None, create=True))
    assert message == (
        f"{path}: this is not a master key (not shown); {ALLOWED}; "
        f"put it back from your copy: install -m 600 COPY {path}"
    )
    assert path.read_bytes() == content


def test_a_corrupt_variable_is_refused(tmp_path: Path) -> None:
    message = refusal(lambda: load_master_key(tmp_path / "none", Secret("nonsense"), create=True))
    assert message == (
        f"LEASEBOOK_MASTER_KEY: this is not a master key (not shown); {ALLOWED}; "
        "set it to the key that the store was set up with"
    )


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o601, 0o700, 0o666, 0o400, 0o4600])
def test_a_file_of_another_mode_is_refused(mode: int, tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY.hex().encode(), mode)
    message = refusal(lambda: load_master_key(path, None, create=True))
    assert message == (
        f"{path}: the master key has mode {mode:04o}, it must be 0600, for its owner; run: chmod 600 {path}"
    )


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert refusal(lambda: load_master_key(pipe, None, create=True)) == (
        f"{pipe}: the master key must be a regular file; move away what is there, and put the key back from your "
        f"copy: install -m 600 COPY {pipe}"
    )
    message = refusal(lambda: load_master_key(tmp_path, None, create=True))
    assert message.startswith(f"{tmp_path}: the master key cannot be read: {tmp_path} is not a regular file. ")


def test_an_absent_file_is_refused_unless_it_may_be_created(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    assert refusal(lambda: load_master_key(path, None, create=False)) == (
        f"{path}: there is no master key; put it there (mode 0600) or set LEASEBOOK_MASTER_KEY"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_created_file_is_for_its_owner_alone_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    before = os.umask(umask)
    try:
        key = load_master_key(path, None, create=True)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert path.read_text() == f"{key.hex()}\n"
    assert load_master_key(path, None, create=False) == key
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_created_is_a_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "master.key"
    assert refusal(lambda: load_master_key(path, None, create=True)) == (
        f"{path}: the master key cannot be created: No such file or directory"
    )


RACER = """
import sys, time
from pathlib import Path
from leasebook.security.vault import load_master_key
folder, start = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while not start.exists():
    time.sleep(0)
print([load_master_key(folder / str(n), None, create=True).hex() for n in range(50)])
"""


def test_processes_that_create_it_at_once_get_the_same_key(tmp_path: Path) -> None:
    keys, start = tmp_path / "keys", tmp_path / "start"
    keys.mkdir()
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, keys, start], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = []
    try:
        for racer in racers:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        time.sleep(0.01)
        start.touch()
        answers = [racer.communicate(timeout=30)[0] for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert answers[0] == answers[1] != ""
    assert len(list(keys.iterdir())) == 50, "no drafts are left"


def test_the_loser_of_the_race_takes_the_winners_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def beaten(source: Path, target: Path) -> None:
        key_file(tmp_path, KEY.hex().encode())
        link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    assert load_master_key(tmp_path / "master.key", None, create=True) == KEY
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_what_is_derived_for_a_purpose_is_always_the_same_and_tells_nothing_else() -> None:
    derived = Vault(KEY).derive("links")
    assert derived == Vault(KEY).derive("links")
    assert len(derived) == 32
    assert len({derived, Vault(KEY).derive("link"), Vault(OTHER).derive("links"), KEY, OTHER}) == 5
    # RFC 5869 in two lines, for one block: extract with a salt of zeros, and expand.
    pseudorandom = hmac.digest(bytes(32), KEY, "sha256")
    assert derived == hmac.digest(pseudorandom, SEALED + b"links\x01", "sha256")


def test_the_bytes_of_before_are_derived_sealed_and_recognized_still() -> None:
    """Whatever the project is called: with other bytes no store of before would open."""
    assert sha256(SEALED).hexdigest() == "7d76056115ed2ce46d3518c2e19e1ea9c5c7b8950b7f085207e2f412927a7f94"
