"""The page of settings, written from their declarations."""

from __future__ import annotations

import json
from typing import Final

from leasebook.config.load import DECLARED, ENVIRONMENT_IGNORED, Declared, SecretText, Settings

_DEFAULTS: Final = Settings()
_PAGE: Final = """\
# Settings

This page is generated from `src/leasebook/config/fields.py`; change it there.

A setting comes from its environment variable, else from the TOML file given by `--config FILE`, else it has
its default. `server.drain_seconds` is the key `drain_seconds` in the section `[server]`, and the variable
`LEASEBOOK_SERVER_DRAIN_SECONDS`. An empty variable unsets a setting whose default is none.

The service does not start with a setting that it does not know or cannot use: it names the file's line and
key, or the variable, and says what is allowed. Of the variables that start with `LEASEBOOK_` only
{ignored} are left alone. On Kubernetes a Service of the name
`leasebook` adds such variables to every pod: set `enableServiceLinks: false`.

| Setting | Variable | Default | Allowed | Meaning |
|---|---|---|---|---|
{settings}

## Secrets

Secrets never stand in the TOML file, and are never shown or logged.

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
