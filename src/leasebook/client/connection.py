"""Where the address and the keys of a client come from: arguments, then the environment, then a profile."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from leasebook.addressing.host_port import web_of
from leasebook.client.caller import Keys
from leasebook.client.errors import ConfigurationError

DEFAULT_URL: Final = "http://127.0.0.1:8000"
DEFAULT_PROFILE: Final = "default"
VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    "url": ("LEASEBOOK_CLIENT_URL", "QIANFAN_CONSOLE_API_BASE_URL"),
    "access_key": ("LEASEBOOK_CLIENT_ACCESS_KEY", "QIANFAN_ACCESS_KEY"),
    "secret_key": ("LEASEBOOK_CLIENT_SECRET_KEY", "QIANFAN_SECRET_KEY"),
}
"""The variables for each setting; the first that is set counts."""
PROFILE_VARIABLE: Final = "LEASEBOOK_CLIENT_PROFILE"


class Connection(NamedTuple):
    """An address and keys, and for each of them where it came from."""

    keys: Keys
    sources: Mapping[str, str]


def profile_file(environment: Mapping[str, str]) -> Path:
    """Return the place of the file of profiles: below ``XDG_CONFIG_HOME``, or ``~/.config``."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "leasebook" / "config.toml"


def connection(
    url: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    *,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Connection:
    """Find the address and the keys. Raises ConfigurationError, which names the missing or wrong setting.

    The access key and its secret come from the same place: half a key of one place fits none of another.
    """
    environment = os.environ if environment is None else environment
    named = profile or environment.get(PROFILE_VARIABLE) or None
    is_whole = profile is None and all((url, access_key, secret_key))
    saved = _Saved({}, "") if is_whole else _profile(profile_file(environment), named)
    found: dict[str, tuple[str, str]] = {}
    for name, given in (("url", url), ("access_key", access_key), ("secret_key", secret_key)):
        places = ((given, "argument"), *((environment.get(one), one) for one in VARIABLES[name]))
        value, source = next(((value, place) for value, place in places if value), (None, ""))
        if value is not None:
            found[name] = value, source
    if profile is not None and url is None and access_key is None:
        # A profile that was named goes before the environment.
        found = {}
    has_key = {"access_key", "secret_key"} & found.keys()
    for name, value in saved.values.items():
        if name == "url" or not has_key:
            found.setdefault(name, (value, saved.source))
    found.setdefault("url", (DEFAULT_URL, "default"))
    missing = [name for name in VARIABLES if name not in found]
    if missing:
        ways = " and ".join(f"{name} ({VARIABLES[name][0]})" for name in missing)
        raise ConfigurationError(
            f"There is no {ways}. Give it as an argument, in the environment, or in a profile of "
            f"{profile_file(environment)}."
        )
    address, source = found["url"]
    try:
        web_of(address)
    except ValueError as error:
        raise ConfigurationError(f"The address {address!r} (from {source}) is none: {error}.") from None
    keys = Keys(address, found["access_key"][0], found["secret_key"][0])
    return Connection(keys, {name: source for name, (_, source) in found.items()})


class _Saved(NamedTuple):
    values: Mapping[str, str]
    source: str


def _profile(path: Path, named: str | None) -> _Saved:
    name = named or DEFAULT_PROFILE
    source = f"profile {name} of {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named is None:
            return _Saved({}, "")
        raise ConfigurationError(f"There is no profile {name!r}: the file {path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    try:
        profiles: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}.") from None
    if name not in profiles:
        if named is None:
            return _Saved({}, "")
        listed = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(f"{path} has no profile {name!r}; it has {listed}.")
    return _Saved(_checked(path, name, profiles[name], text), source)


def _checked(path: Path, name: str, profile: Any, text: str) -> dict[str, str]:
    if not isinstance(profile, dict):
        raise ConfigurationError(f"{path}: {name} must be a table, [{name}], with url, access_key and secret_key.")
    for key, value in profile.items():
        if key not in VARIABLES or not isinstance(value, str):
            line = next((at for at, one in enumerate(text.splitlines(), 1) if one.strip().startswith(key)), 1)
            what = "must be a text" if key in VARIABLES else f"is not known; allowed are {', '.join(VARIABLES)}"
            raise ConfigurationError(f"{path}, line {line}: {key} of the profile {name} {what}.")
    if "secret_key" in profile and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path} has a secret in it, and others may read it: chmod 600 {path}")
    return profile
