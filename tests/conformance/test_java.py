"""Tests that only the official Java client needs."""

import hashlib

import pytest
from tests.conformance.toolchains import JAVA_RELEASE, JAVA_TARGET, Toolchain

pytestmark = pytest.mark.conformance

PUBLISHED = "a851ac7642ee76cfdc86b126fa9bb912308c253bf6c7b3cc0cbe80fb89544316"


@pytest.mark.skipif(bool(JAVA_RELEASE), reason="another release was asked for")
def test_the_java_client_is_the_published_one(java_client: Toolchain) -> None:
    assert java_client.name == "java"
    (jar,) = (JAVA_TARGET / "lib").glob("qianfan-*.jar")
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == PUBLISHED
