"""The demo's origin in a process of its own, and a gateway's key to sign for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://portal.localhost:8443"
AUDIENCE = "http://127.0.0.1:9001"


class Signer:
    """One EC key of a gateway, and assertions signed by it."""

    def __init__(self, kid: str = "k1") -> None:
        self.kid = kid
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self) -> dict[str, Any]:
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**public, "use": "sig", "alg": "ES256", "kid": self.kid}

    def token(self, *, without: str | None = None, headers: Mapping[str, Any] | None = None, **changes: Any) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "an.peeters",
            "institution": "0403019261",
            "transaction": "dossier",
            "authorisation": "24/101",
            "use": "consultation",
            "purpose": "Following up a file",
            "means": "password",
            "auth_time": now - 60,
            "iat": now,
            "exp": now + 60,
            "jti": "a1",
            **changes,
        }
        claims.pop(without or "", None)
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": self.kid, **(headers or {})})


@dataclass
class Origin:
    """A running origin: where it is, its process, its gateway's key and the key set's file."""

    url: str
    guide_url: str
    process: subprocess.Popen[bytes]
    signer: Signer
    jwks: Path
    guide: Path

    def stop(self) -> int:
        """Stop it as the demo does, by the end of its standard input; its exit code."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        return self.process.wait(10)


def write_jwks(file: Path, *signers: Signer) -> None:
    file.write_text(json.dumps({"keys": [signer.jwk() for signer in signers]}))


def start_origin(directory: Path, jwks: str | None = None) -> Origin:
    """An origin with a key set of its own, or the one at `jwks`."""
    signer = Signer()
    file, guide = directory / "jwks.json", directory / "guide.json"
    write_jwks(file, signer)
    command = [
        sys.executable, "-m", "gateway.demo.origin", "--port", "0", "--jwks", jwks or str(file), "--issuer", ISSUER,
        "--audience", AUDIENCE, "--guide", str(guide), "--guide-port", "0", "--until-eof",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process.stdout as output:  # type: ignore[union-attr]
        ports = json.loads(output.readline())
    url, guide_url = (f"http://127.0.0.1:{ports[name]}" for name in ("port", "guide_port"))
    return Origin(url, guide_url, process, signer, file, guide)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """One origin for the tests of a module: each changes records of its own."""
    origin = start_origin(tmp_path_factory.mktemp("origin"))
    yield origin
    assert origin.stop() == 0


@pytest.fixture
def own_origin(tmp_path: Path) -> Iterator[Origin]:
    """An origin for one test that does something to it."""
    origin = start_origin(tmp_path)
    yield origin
    origin.stop()


Ask = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield client


@pytest.fixture
def ask(origin: Origin, client: aiohttp.ClientSession) -> Ask:
    """Ask the module's origin, with an assertion or without, and follow nothing."""

    def ask(
        method: str, path: str, token: str | None = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        fields = {**(headers or {}), **({} if token is None else {"X-Gateway-Assertion": token})}
        return client.request(method, origin.url + path, headers=fields, allow_redirects=False, **options)

    return ask
