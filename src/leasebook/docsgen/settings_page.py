"""The page of settings, written from their declarations."""

from __future__ import annotations

import json
from typing import Final

from leasebook.config.load import DECLARED, ENVIRONMENT_IGNORED, Declared, SecretText, Settings

_DEFAULTS: Final = Settings()
_PAGE: Final = """\
# Settings

This page is generated from `src/leasebook/config/fields.py` and `src/leasebook/config/sections`; change it there.

A setting is read from its environment variable, otherwise from the TOML file given by `--config FILE`; otherwise it
has its default. `server.drain_seconds` is the key `drain_seconds` in the section `[server]`, and the variable
`LEASEBOOK_SERVER_DRAIN_SECONDS`. An empty variable unsets a setting whose default is none.

The service does not start with an unknown or unusable setting: it names the file's line and key, or the variable,
and says which values are allowed. It reads every variable that starts with `LEASEBOOK_` as a setting, except
{ignored}. On Kubernetes a Service named
`leasebook` adds variables with this beginning to every pod: set `enableServiceLinks: false`.

| Setting | Variable | Default | Allowed | Meaning |
|---|---|---|---|---|
{settings}

## Secrets

Secrets cannot be set in the TOML file, and are never shown or logged.

| Variable | Or a file named by | When not set | Allowed | Meaning |
|---|---|---|---|---|
{secrets}

## Example

```toml
time_zone = "Asia/Shanghai"

[server]
drain_seconds = 30

[postpaid]
balance_min = "12.50"

[log]
format = "json"
```
"""


def settings_page() -> str:
    """Return the reference page of all settings, as Markdown."""
    public = [declared for declared in DECLARED.values() if not declared.is_secret]
    secret = [declared for declared in DECLARED.values() if declared.is_secret]
    return _PAGE.format(
        ignored=", ".join(f"`{name}`" for name in ENVIRONMENT_IGNORED),
        settings="\n".join(_row(_setting_cells(declared)) for declared in public),
        secrets="\n".join(_row(_secret_cells(declared)) for declared in secret),
    )


def _setting_cells(declared: Declared) -> tuple[str, ...]:
    default = getattr(_DEFAULTS, declared.attribute)
    shown = f"none: {declared.unset}" if default is None else f"`{json.dumps(default)}`"
    return f"`{declared.name}`", f"`{declared.variable}`", shown, declared.kind.allowed, declared.meaning


def _secret_cells(declared: Declared) -> tuple[str, ...]:
    own_file = isinstance(declared.kind, SecretText) and declared.kind.own_file
    file = f"`{declared.variable}_FILE`" if own_file else "the setting `master_key_file`"
    return f"`{declared.variable}`", file, declared.unset, declared.kind.allowed, declared.meaning


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
