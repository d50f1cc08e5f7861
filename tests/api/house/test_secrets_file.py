"""The file of secrets: its owner's alone, never through a link, and whole after a power cut."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leasebook.cli.house.secrets_file import Asked, BadSecretsFile, calls_without_secrets, locked

NOW = datetime(2026, 11, 30, tzinfo=UTC)
CALL = Asked(
    "key of ci", "u0", "/v2/iam", "CreateAccessKey", {"userId": "u", "clientToken": "t"}, ["k0"], NOW.isoformat()
)


def test_a_call_is_open_until_its_secret_is_there(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with locked(path) as file:
        file.asking(CALL)
        assert file.open_calls() == [CALL]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert calls_without_secrets(path) == [CALL]
    with locked(path) as file:
        file.asking(CALL)
        file.answered(CALL, {"accessKeyId": "AK", "secretAccessKey": "S"})
        assert file.open_calls() == []
    assert calls_without_secrets(path) == []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [next(iter(line)) for line in lines] == ["asked", "secretOf"]
    assert calls_without_secrets(tmp_path / "none") == []


def test_a_line_that_a_power_cut_tore_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with locked(path) as file:
        file.asking(CALL)
        size = path.stat().st_size
        file.answered(CALL, {"accessKeyId": "AK", "secretAccessKey": "S"})
    for length in range(size, path.stat().st_size - 1):
        copy = tmp_path / f"keys{length}"
        copy.write_bytes(path.read_bytes()[:length])
        copy.chmod(0o600)
        assert calls_without_secrets(copy) == [CALL]
    with locked(copy) as file:
        file.answered(CALL, {"accessKeyId": "AK", "secretAccessKey": "S"})
    assert calls_without_secrets(copy) == []


def test_files_that_others_can_read_or_that_are_none_are_refused(tmp_path: Path) -> None:
    secret, link, wide, hard = (tmp_path / one for one in ("secret", "link", "wide", "hard"))
    secret.touch(0o600)
    link.symlink_to(secret)
    (tmp_path / "other").touch(0o600)
    os.link(tmp_path / "other", hard)
    wide.touch()
    wide.chmod(0o640)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "made-by-the-link")
    for path in (link, wide, hard, pipe, dangling, tmp_path, tmp_path / "none" / "keys"):
        with pytest.raises(BadSecretsFile) as caught, locked(path):
            pass
        assert str(caught.value).startswith(f"{path}: ")
    for path in (link, wide, hard):
        with pytest.raises(BadSecretsFile):
            calls_without_secrets(path)
    assert not (tmp_path / "made-by-the-link").exists()
    assert secret.read_bytes() == b""


@pytest.mark.parametrize("text", ["export A=b\n", "{}\n", "[1]\n", '{"other": 1}\n', "x"])
def test_a_file_with_other_content_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(BadSecretsFile, match="other content"), locked(path):
        pass
    with pytest.raises(BadSecretsFile, match="other content"):
        calls_without_secrets(path)
    assert path.read_text() == text


def test_two_runs_do_not_share_a_file(tmp_path: Path) -> None:
    with locked(tmp_path / "keys"), pytest.raises(BadSecretsFile, match="another run"), locked(tmp_path / "keys"):
        pass
