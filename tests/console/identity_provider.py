"""A certified identity provider (oidc-provider on Node.js), and a browser that signs in with it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.conformance.toolchains import Toolchain, ready, step
from tests.ports import free_port

HERE: Final = Path(__file__).parent / "provider"
PROVIDER: Final = Toolchain(
    name="identity provider",
    base_url_variable="",
    tools=("node", "npm"),
    sources=(HERE / "package-lock.json", HERE / "package.json"),
    stamp=HERE / "node_modules" / ".installed",
    build=lambda: step("npm", "ci", "--ignore-scripts", cwd=HERE),
    command=("node", str(HERE / "server.js")),
)
CLIENT_ID: Final = "leasebook"
SECRET: Final = "a secret: with 100% and +"
STOP_S: Final = 10


class IdentityProvider:
    """A running provider. ``control`` chooses the person who signs in, the keys, and how the provider behaves."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def control(self, **asked: Any) -> None:
        httpx2.post(f"{self.issuer}/control", json=asked, trust_env=False).raise_for_status()

    def person(self, **claims: Any) -> None:
        self.control(person=claims)


@contextmanager
def running(redirect_uri: str) -> Iterator[IdentityProvider]:
    """Run the provider for a client that is sent back to one address."""
    port = free_port()
    with subprocess.Popen(
        [*ready(PROVIDER).command, str(port), redirect_uri, SECRET], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any(line.strip() == "ready" for line in lines), "the identity provider did not start"
            yield IdentityProvider(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait(STOP_S)


class RedirectFollower:
    """A browser without a screen: it has cookies, and follows redirects until one leads to an address."""

    def __init__(self) -> None:
        self._client = httpx2.Client(trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def follow(self, url: str, until: str) -> str:
        """Return the first address on the way that begins with ``until``; it is not called."""
        for _ in range(10):
            answer = self._client.get(url)
            assert answer.is_redirect, f"{url} was answered {answer.status_code}: {answer.text[:500]}"
            url = str(httpx2.URL(url).join(answer.headers["location"]))
            if url.startswith(until):
                return url
        raise AssertionError(f"ten redirects, and none to {until}")


def query_of(url: str) -> list[tuple[str, str]]:
    """Return the parameters of an address."""
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)
