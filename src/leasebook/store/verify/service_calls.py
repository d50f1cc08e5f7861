"""Checks of the counts of calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.model.usage import MinuteCount
from leasebook.store.queries.read_repository import Fetch

ROWS_AT_ONCE: Final = 1000
MINUTES: Final = range(60)

_READ = msgspec.json.Decoder(tuple[MinuteCount, ...]).decode


def call_findings(fetch: Fetch) -> Iterator[str]:
    """Check that the minutes of an hour are minutes, in order, and have no more calls than the hour.

    An hour can have more calls than its minutes, which an earlier version did not count.
    """
    after = ("", "", -1)
    columns = "service_id, app_id, hour, input_tokens, output_tokens, succeeded, failed, minutes"
    text = (
        f"SELECT {columns} FROM calls WHERE minutes <> '' AND (service_id, app_id, hour) > (?, ?, ?) "
        "ORDER BY service_id, app_id, hour LIMIT ?"
    )
    while rows := fetch(text, (*after, ROWS_AT_ONCE)):
        for service_id, app_id, hour, *sums, minutes in rows:
            after = (service_id, app_id, hour)
            try:
                counted = _READ(minutes)
            except msgspec.DecodeError:
                yield f"calls of service {service_id} by {app_id} in the hour {hour} have minutes that cannot be read"
                continue
            numbers = [one.minute for one in counted]
            if numbers != sorted(set(numbers)) or not set(numbers) <= set(MINUTES):
                yield f"calls of service {service_id} by {app_id} in the hour {hour} have minutes {numbers}"
            parts = [sum(values) for values in zip(*(one[1:] for one in counted), strict=True)]
            if any(part > whole for part, whole in zip(parts, sums, strict=True)):
                yield f"calls of service {service_id} by {app_id} in the hour {hour} are {sums}, by minutes {parts}"
