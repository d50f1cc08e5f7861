"""The tour: the life of a service from its purchase to its bill, on a server of its own or on one that runs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from leasebook.cli.caller import NoAnswer, post, send
from leasebook.cli.exits import FAILED, NO_ANSWER, stop
from leasebook.cli.server_packages import need_server_packages
from leasebook.cli.terminal.texts import _

UNITS, SERVICE, MODEL, ACCOUNT = "/v2/computeunit", "/v2/service", "/v2/model", "/v2/account"
AHEAD_S: Final = 5
"""How far ahead the release is set."""
PATIENCE_S: Final = 60
LATEST_S: Final = 600
OK: Final = 200
GREETING: Final = "Leasebook serves on "


class WentWrong(Exception):
    """A step of the tour failed; the message is one line."""


class Guide:
    """Calls a service and says what it does."""

    def __init__(self, url: str, access_key: str, secret_key: str) -> None:
        self.url = url
        self._keys = access_key, secret_key

    def call(self, path: str, action: str, **body: Any) -> Any:
        """Call an action; raises WentWrong with what the service says."""
        status, text = post(self.url, path, action, json.dumps(body), *self._keys)
        try:
            answer = json.loads(text)
        except ValueError:
            raise WentWrong(
                _("{action}: {url} answered {status}, and not with JSON: {text}").format(
                    action=action, url=self.url, status=status, text=text[:200]
                )
            ) from None
        if status != OK:
            raise WentWrong(f"{action}: {answer['code']}: {answer['message']}")
        return answer["result"]

    def until(self, path: str, action: str, field: str, wanted: str, **body: Any) -> Any:
        """Ask until a field has a value; raises WentWrong where that takes too long."""
        end = time.monotonic() + PATIENCE_S
        while True:
            result = self.call(path, action, **body)
            shown = result.get("computeUnitInstance", result)
            if shown[field] == wanted:
                return shown
            if time.monotonic() > end:
                raise WentWrong(
                    _("{action} says {field} {shown} after {seconds} seconds, not {wanted}.").format(
                        action=action, field=field, shown=shown[field], seconds=PATIENCE_S, wanted=wanted
                    )
                )
            time.sleep(0.1)


def run(url: str | None, access_key: str | None, secret_key: str | None) -> None:
    """Lead through the tour, on a server of its own where there is no ``url``; ends the command where it fails."""
    try:
        with _a_server() if url is None else _the_server(url, access_key, secret_key) as guide:
            lead(guide)
    except NoAnswer as error:
        stop(error, NO_ANSWER)
    except (WentWrong, OSError) as error:
        stop(error, FAILED)


def lead(guide: Guide) -> None:
    """Lead through it."""
    sets = guide.call(MODEL, "DescribeModelSets", source="System", maxKeys=100)["modelSetList"]
    found = next((one for one in sets if one["modelSetName"] == "echo"), None)
    if found is None:
        raise WentWrong(_("The repository has no example: start the server with --demo."))
    model = guide.call(MODEL, "DescribeModelSet", modelSetId=found["modelSetId"])["modelList"][0]
    click.echo(
        _("1. The repository has {modelSetName} {version}: {description}").format(
            modelSetName=found["modelSetName"], version=model["version"], description=found["description"]
        )
    )

    name = f"tour-{secrets.token_hex(3)}"
    bought = guide.call(
        SERVICE,
        "CreateService",
        name=name,
        urlSuffix=name,
        modelSetId=found["modelSetId"],
        modelId=model["modelId"],
        resourceConfig={"type": "CPU-1-1", "region": "bj", "replicasCount": 1},
        # Whatever becomes of the tour, nothing of it runs for long.
        billing={"paymentTiming": "Postpaid", "releaseTime": _soon(LATEST_S)},
    )
    service, unit = {"serviceId": bought["serviceId"]}, {"instanceId": bought["instanceId"]}
    click.echo(
        _("2. Bought {instanceId}, by the minute, and deployed {serviceId} on it.").format(
            instanceId=unit["instanceId"], serviceId=service["serviceId"]
        )
    )
    began = time.monotonic()
    shown = guide.until(SERVICE, "DescribeService", "runStatus", "Serving", **service)
    click.echo(
        _("3. It is healthy after {seconds:.1f} seconds, at {url}/").format(
            seconds=time.monotonic() - began, url=shown["url"]
        )
    )

    key = guide.call(SERVICE, "CreateServiceKey", name=name, serviceId=service["serviceId"])["key"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    status, answer = send(f"{shown['url']}/", '{"say": "hello"}', headers)
    if status != OK:
        raise WentWrong(_("The service answers {status}: {answer}").format(status=status, answer=answer[:200]))
    click.echo(_("4. Called it: {answer}").format(answer=answer[:160].strip()))

    at = _soon(AHEAD_S)
    guide.call(UNITS, "AutoReleaseComputeUnit", **unit, releaseTime=at)
    click.echo(
        _("5. Its release is moved to {at}, {seconds} seconds ahead. Why is it alive?").format(at=at, seconds=AHEAD_S)
    )
    for line in guide.call(UNITS, "ExplainComputeUnit", **unit)["text"].splitlines():
        click.echo(f"      {line}")
    guide.until(UNITS, "DescribeComputeUnit", "status", "Released", **unit)
    status, answer = send(f"{shown['url']}/", "{}", headers)
    click.echo(
        _("6. It is gone, and its address answers {status}: {message}").format(
            status=status, message=json.loads(answer).get("message", "")[:120]
        )
    )

    click.echo(_("7. Its events and its bill:"))
    for event in guide.call("/v2/events", "DescribeEvents", **unit, oldestFirst=True, maxKeys=100)["events"]:
        click.echo(f"      {event['time']}  {event['type']}")
    for posting in guide.call(ACCOUNT, "DescribePostings", **unit, maxKeys=100)["postings"]:
        click.echo(f"      {posting['time']}  {posting['kind']}  {posting['amount']}")


def _soon(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


@contextmanager
def _a_server() -> Iterator[Guide]:
    """Run a server on a directory of its own, which is gone afterwards."""
    need_server_packages("tour without --url")
    access_key, secret_key = f"AK{secrets.token_hex(8)}", secrets.token_hex(16)
    keys = {"LEASEBOOK_ROOT_ACCESS_KEY": access_key, "LEASEBOOK_ROOT_SECRET_KEY": secret_key}
    quiet = {"LEASEBOOK_LOG_LEVEL": "error"}
    with tempfile.TemporaryDirectory(prefix="leasebook-tour-") as data:
        command = [sys.executable, "-m", "leasebook", "serve", "--demo", "--port", "0", "--data", data]
        with subprocess.Popen(command, env=os.environ | keys | quiet, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            try:
                yield Guide(_address(server), access_key, secret_key)
            finally:
                server.terminate()
                server.wait()


@contextmanager
def _the_server(url: str, access_key: str | None, secret_key: str | None) -> Iterator[Guide]:
    if not access_key or not secret_key:
        raise WentWrong(_("Give --access-key and --secret-key of the server at --url."))
    yield Guide(url, access_key, secret_key)


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None  # noqa: S101 - it is a pipe
    for line in server.stdout:
        if line.startswith(GREETING):
            return line.removeprefix(GREETING).strip()
    raise WentWrong(_("The server did not start; see its message above."))
