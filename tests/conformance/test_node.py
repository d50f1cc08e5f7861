"""Tests that only the official Node.js client needs."""

import hashlib

import pytest
from tests.conformance.toolchains import HERE, Toolchain

pytestmark = pytest.mark.conformance

# The file that the pinned release runs. npm checks the archive it comes in, but not what became of it since.
BUNDLE = HERE / "node" / "node_modules" / "@baiducloud" / "qianfan" / "dist" / "bundle.cjs"
PUBLISHED = "4c1536935582f316617852bac97df411ed10b18a022e9c73f72459f9a4f02786"


def test_the_node_client_is_the_published_one(node_client: Toolchain) -> None:
    assert node_client.name == "node"
    assert hashlib.sha256(BUNDLE.read_bytes()).hexdigest() == PUBLISHED
