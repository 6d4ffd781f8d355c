"""OpenSSL's own settings take when nothing has used it before, and only then."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import os
from gateway.edge import openssl
took = openssl.configure()
print(took, openssl.groups_in_force() == openssl.GROUPS, "OPENSSL_CONF" in os.environ)
"""


SECOND = """
from OpenSSL import SSL
from gateway.edge.hello import offered_groups, read_client_hello
client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
client.set_connect_state()
try:
    client.do_handshake()
except SSL.WantReadError:
    pass
print(offered_groups(read_client_hello(client.bio_read(65536))) == openssl.GROUPS)
"""
"""The library of the listeners that ask for a certificate."""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_it_takes_and_no_child_inherits_it() -> None:
    assert run(LOOK) == "True True False"
    assert run(LOOK + SECOND).endswith("False\nTrue")


@pytest.mark.parametrize("module", ["ssl", "hashlib"])
def test_too_late(module: str) -> None:
    assert run(f"import {module}\n{LOOK}") == "False False False"


def test_an_operators_own_file_stays_in_force() -> None:
    assert run(LOOK, OPENSSL_CONF="/dev/null") == "False False True"


def test_the_command_configures_it_before_anything_else_can_use_it() -> None:
    code = """
import sys
import gateway.cli
from gateway.edge import openssl
sys.argv = ["gateway", "serve", "--help"]
try:
    gateway.cli.main()
except SystemExit:
    pass
sys.stdout.write(str(openssl.groups_in_force() == openssl.GROUPS))
"""
    assert run(code).endswith("True")
