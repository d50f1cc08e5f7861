"""Drafts of master keys: a killed process leaves one, and the next start clears it away; one in use stays."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from structlog.testing import capture_logs

from leasebook.config.load import load_settings
from leasebook.security import vault
from leasebook.security.keyring import Keyring


def test_a_draft_of_a_killed_process_is_cleared_once_and_one_in_use_stays(tmp_path: Path) -> None:
    ring = Keyring(load_settings(None, {}), tmp_path)
    pid = os.fork()
    if pid == 0:
        os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        ring.make_next()
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".master.key.next.")
    used = tmp_path / f".master.key.{'0' * 16}"
    with vault._write_draft(used, bytes(32)), capture_logs() as logs:
        ring.clear_drafts()
        ring.clear_drafts()
    assert list(tmp_path.iterdir()) == [used]
    assert [one["file"] for one in logs] == [str(left)]
    ring.clear_drafts()
    assert list(tmp_path.iterdir()) == []
    assert len(ring.make_next()) == vault.KEY_BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["master.key.next"]
