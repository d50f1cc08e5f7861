"""The settings of the sandbox refuse paths that would show too much, and user ids that belong to a user."""

from __future__ import annotations

import pytest

from leasebook.config.load import BadSettings, load_settings
from leasebook.engines.sandbox.sandbox import UIDS
from leasebook.server.factories import sandbox_of

PATHS = ("/", "//", "models", "/a,b", "/proc", "/proc/1", "/sys", "/dev", "/a\nb", "/a/..", "/x/../proc", "../a")
UID_SPANS = ("", "5", "9-5", "0-9", "1-4294967294", "a-b", "1-2-3", " 1-2")
REFUSED = [
    *(("LEASEBOOK_ENGINES_PROCESS_PATHS", text) for text in PATHS),
    *(("LEASEBOOK_ENGINES_PROCESS_UIDS", text) for text in UID_SPANS),
]


@pytest.mark.parametrize(("name", "text"), REFUSED)
def test_what_would_show_or_give_too_much_is_refused(name: str, text: str) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: found "):
        load_settings(None, {name: text})


def test_a_sandbox_is_what_the_settings_say() -> None:
    sandbox = sandbox_of(load_settings(None, {}))
    assert (sandbox.mode, sandbox.paths, sandbox.uids) == ("require", (), UIDS)
    given = {
        "SANDBOX": "off",
        "PATHS": "/a/, /b/../c",
        "UIDS": "5-9",
        "DISK_MAX_BYTES": "1048576",
        "PROCESSES_MAX": "16",
    }
    sandbox = sandbox_of(
        load_settings(None, {f"LEASEBOOK_ENGINES_PROCESS_{name}": text for name, text in given.items()})
    )
    assert (sandbox.mode, sandbox.paths, sandbox.uids) == ("off", ("/a", "/c"), (5, 9))
    assert (sandbox.disk_max_bytes, sandbox.processes_max) == (1 << 20, 16)
