"""Writing the file of profiles, which only its owner may read."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from leasebook.client.errors import ConfigurationError


def put(path: Path, name: str, values: Mapping[str, str]) -> None:
    """Write a profile, and leave the others as they are. Raises ConfigurationError."""
    profiles = read(path)
    profiles[name] = dict(values)
    _write(path, profiles)


def remove(path: Path, name: str) -> bool:
    """Take a profile out; returns whether there was one. Raises ConfigurationError."""
    profiles = read(path)
    if profiles.pop(name, None) is None:
        return False
    _write(path, profiles)
    return True


def read(path: Path) -> dict[str, dict[str, str]]:
    """Return the profiles by their names. Raises ConfigurationError for a file that is none of profiles."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    for name, values in found.items():
        if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
            raise ConfigurationError(f"{path}: {name} must be a table of texts.")
    return found


def _write(path: Path, profiles: Mapping[str, Mapping[str, str]]) -> None:
    lines: list[str] = []
    for name, values in profiles.items():
        lines += [f"[{json.dumps(name, ensure_ascii=False)}]"]
        lines += [f"{key} = {_quoted(value)}" for key, value in values.items()]
        lines += [""]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 600, and renamed when it is whole.
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(lines))
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(path)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}.") from None


def _quoted(value: str) -> str:
    # A text of JSON is one of TOML, apart from the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
