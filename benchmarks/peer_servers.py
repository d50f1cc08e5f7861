"""The peers, each in a server of its own, from an environment that holds nothing but them (``.venv-bench``)."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.ports import free_port

from benchmarks.load import TWELVE
from benchmarks.serving import HOST, START_SECONDS_MAX

ENVIRONMENT: Final = Path(".venv-bench")
REQUIREMENTS: Final = Path("requirements/bench.txt")
PROVIDERS: Final = 16
"""Resource providers of Placement: with a single one its claims would fight over that one's generation."""
_CONSUMER: Final = f"22222222-2222-2222-2222-{TWELVE.decode()}"
_GUNICORN: Final = ("--worker-class", "gthread", "--keep-alive", "75", "--log-level", "warning")


def environment() -> Path:
    """Return the folder of the peers' programs; missing packages are installed, and their hashes compared."""
    stamp = ENVIRONMENT / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("installing the peers", file=sys.stderr)
        if not (ENVIRONMENT / "bin" / "pip").exists():
            venv.create(ENVIRONMENT, with_pip=True, symlinks=True)
        pip = [
            str(ENVIRONMENT / "bin" / "pip"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
        ]
        subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    return ENVIRONMENT / "bin"


class Peer:
    """A gunicorn server with the application of a peer."""

    name = "peer"

    def __init__(self, folder: Path, application: str, options: Sequence[str], variables: Mapping[str, str]) -> None:
        self.port = free_port()
        self._log = folder / f"{self.name}.log"
        command = [str(environment() / "gunicorn"), *_GUNICORN, "--bind", f"{HOST}:{self.port}", *options, application]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOTO_", "OS_", "AWS_"))}
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**kept, **variables, "PYTHONPATH": "."}
            )

    def wait_until_ready(self) -> None:
        """Raise RuntimeError where it does not serve in time."""
        give_up = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.ask("GET", "/")
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"{self.name} does not serve:\n{self._log.read_text()[-4000:]}") from None
                time.sleep(0.1)
            else:
                return

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Send a request, and return the status and the body of its answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def raw(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a request, byte for byte."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Moto(Peer):
    """Moto's server: everything is in the memory of one process, so it has one worker, with threads."""

    name = "moto"
    HEADERS: Final = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKBENCH/20300101/us-east-1/ec2/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "benchmarks.moto_app:app", ("--workers", "1", "--threads", "8"), {})

    def provision(self) -> bytes:
        """Return the request that starts an instance."""
        text = "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&InstanceType=t2.micro"
        return raw(self.port, "POST", "/", self.HEADERS, f"{text}&MinCount=1&MaxCount=1".encode())

    def page(self) -> bytes:
        """Return the request for a page of a hundred."""
        text = b"Action=DescribeInstances&Version=2016-11-15&MaxResults=100"
        return raw(self.port, "POST", "/", self.HEADERS, text)

    def fill(self, instances: int) -> None:
        """Start instances one by one, since moto counts requests in a page; raises RuntimeError unless it has 100."""
        for _ in range(instances):
            self._form(self.provision())
        shown = self._form(self.page()).count(b"<imageId>")
        if shown != 100:
            raise RuntimeError(f"moto's page shows {shown} instances")

    def _form(self, request: bytes) -> bytes:
        status, answer = self.ask("POST", "/", request.partition(b"\r\n\r\n")[2], **self.HEADERS)
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"moto: {status} {answer[:2000]!r}")
        return answer


class Placement(Peer):
    """OpenStack Placement on PostgreSQL, with workers and threads."""

    name = "placement"
    HEADERS: Final = {
        "X-Auth-Token": "admin",
        "Content-Type": "application/json",
        "OpenStack-API-Version": "placement 1.36",
    }

    def __init__(self, folder: Path, url: str, workers: int = 2, threads: int = 4) -> None:
        address = url.replace("postgresql://", "postgresql+psycopg2://")
        text = f"[api]\nauth_strategy = noauth2\n[placement_database]\nconnection = {address}\n"
        config = folder / "placement.conf"
        config.write_text(text)
        variables = {"OS_PLACEMENT_CONFIG_DIR": str(folder.resolve())}
        manage = [str(environment() / "placement-manage"), "--config-file", str(config), "db", "sync"]
        done = subprocess.run(manage, capture_output=True, text=True, check=False, env={**os.environ, **variables})
        if done.returncode:
            raise RuntimeError(f"placement-manage failed:\n{done.stderr[-4000:]}")
        options = ("--workers", str(workers), "--threads", str(threads))
        super().__init__(folder, "placement.wsgi.api:application", options, variables)

    def fill(self) -> None:
        """Make the resource providers, each with more than can be claimed."""
        for number in range(PROVIDERS):
            provider = _provider(number)
            self._json("POST", "/resource_providers", {"name": f"host-{number}", "uuid": provider})
            stock = {"VCPU": {"total": 2_000_000_000, "max_unit": 1_000_000}}
            body = {"resource_provider_generation": 0, "inventories": stock}
            self._json("PUT", f"/resource_providers/{provider}/inventories", body)

    def claims(self) -> list[bytes]:
        """Return the requests that claim one unit for a new consumer, one for each provider."""
        path = f"/allocations/{_CONSUMER}"
        bodies = [
            {
                "allocations": {_provider(number): {"resources": {"VCPU": 1}}},
                "project_id": "bench",
                "user_id": "bench",
                "consumer_generation": None,
            }
            for number in range(PROVIDERS)
        ]
        return [raw(self.port, "PUT", path, self.HEADERS, json.dumps(body).encode()) for body in bodies]

    def release(self) -> bytes:
        """Return the request that gives a consumer's unit back."""
        return raw(self.port, "DELETE", f"/allocations/{_CONSUMER}", self.HEADERS)

    def _json(self, method: str, path: str, body: Any) -> None:
        status, answer = self.ask(method, path, json.dumps(body).encode(), **self.HEADERS)
        if status >= 300:
            raise RuntimeError(f"placement: {method} {path}: {status} {answer[:2000]!r}")


def _provider(number: int) -> str:
    return f"11111111-1111-1111-1111-{number:012d}"
