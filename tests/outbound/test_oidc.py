"""The back channel, against a server that answers, errs, is slow, rotates its keys, or is not there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs

import jwt
import pytest

from gateway.credentials.oidc_keys import Head
from gateway.errors import CredentialError
from gateway.outbound import oidc
from gateway.outbound.hosts import Hosts
from gateway.outbound.http import Client
from gateway.outbound.oidc import FAILED_SECONDS, KEPT_SECONDS, RENEW_SECONDS, ProviderDesk
from gateway.outbound.settings import OutboundSettings
from tests.credentials.federation import KEYS, NOW, PROVIDER, QUESTION, ec_key, jwk, key_set, rsa_key
from tests.outbound.elsewhere import Elsewhere, elsewhere

REDIRECT = "https://portal.example/oidc/callback/csam"
CURRENT, NEXT = Head("r1", "RS256"), Head("r2", "RS256")


@dataclass
class Place:
    """A provider's server: what it answers, by path, and what it was asked."""

    desk: ProviderDesk
    server: Elsewhere
    answers: dict[str, tuple[int, bytes]]
    delay: float = 0.0
    now: list[float] = field(default_factory=lambda: [NOW])

    def asked(self, path: str) -> list[bytes]:
        return [request for request in self.server.asked if request.split(b" ", 2)[1].decode() == path]


@asynccontextmanager
async def provider(secret: object = "s3:cret", *hosts: str) -> AsyncIterator[Place]:
    places: list[Place] = []

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        status, body = places[0].answers.get(request.split(b" ", 2)[1].decode(), (404, b""))
        await asyncio.sleep(places[0].delay)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    async with elsewhere(answer) as server:
        client, now = Client(OutboundSettings()), [NOW]
        desk = ProviderDesk(
            replace(PROVIDER, issuer=server.address),
            secret,  # type: ignore[arg-type]
            Hosts.of([server.address, *hosts]),
            client,
            lambda: now[0],
            lambda count: b"\1" * count,
        )
        answers = {
            "/.well-known/openid-configuration": (200, description(server.address)),
            "/jwks": (200, KEYS),
            "/token": (200, b'{"id_token": "a.b.c", "access_token": "x"}'),
        }
        places.append(Place(desk, server, answers, now=now))
        yield places[0]
        await client.close()


def description(address: str, **changed: str) -> bytes:
    content = {
        "issuer": address,
        "authorization_endpoint": f"{address}/auth",
        "token_endpoint": f"{address}/token",
        "jwks_uri": f"{address}/jwks",
    }
    return json.dumps({**content, **changed}).encode()


async def failure(place: Place) -> str:
    with pytest.raises(CredentialError, match="provider_failed") as found:
        await place.desk.id_token(QUESTION, "the-code", REDIRECT)
    return found.value.detail


async def test_the_code_goes_to_the_token_endpoint_with_the_verifier_and_the_secret() -> None:
    async with provider() as place:
        assert await place.desk.id_token(QUESTION, "the-code", REDIRECT) == "a.b.c"
        (request,) = place.asked("/token")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token ")
    assert b"Authorization: Basic a3N6LWdhdGV3YXk6czMlM0FjcmV0" in head  # ksz-gateway:s3%3Acret
    assert parse_qs(body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["the-code"],
        "redirect_uri": [REDIRECT],
        "code_verifier": [QUESTION.verifier],
    }


async def test_with_a_key_a_proof_goes_along_and_no_secret() -> None:
    async with provider(ec_key()) as place:
        await place.desk.id_token(QUESTION, "the-code", REDIRECT)
        (request,) = place.asked("/token")
        issuer = place.server.address
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"Authorization" not in head
    proof = jwt.decode(
        parse_qs(body.decode())["client_assertion"][0],
        ec_key().public_key(),
        algorithms=["ES256"],
        audience=issuer,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (proof["iss"], proof["iat"]) == ("ksz-gateway", NOW)


async def test_description_and_keys_are_asked_for_once_in_a_while() -> None:
    async with provider() as place:
        for moment, times in ((0.0, 1), (KEPT_SECONDS - 1, 1), (KEPT_SECONDS, 2), (1.0, 3)):
            place.now[0] = NOW + moment  # the last one: the clock was set back
            for _ in range(3):
                assert (await place.desk.key(CURRENT)).kid == "r1"
            assert len(place.asked("/jwks")) == len(place.asked("/.well-known/openid-configuration")) == times


async def test_many_at_once_ask_once() -> None:
    async with provider() as place:
        place.delay = 0.05
        await asyncio.gather(*(place.desk.key(CURRENT) for _ in range(20)))
        assert len(place.asked("/jwks")) == 1


async def test_a_key_that_is_new_is_found_but_invented_names_ask_no_more_than_now_and_then() -> None:
    async with provider() as place:
        await place.desk.key(CURRENT)
        place.answers["/jwks"] = (200, key_set(jwk(rsa_key(1), "r2")))
        with pytest.raises(CredentialError, match="token_key_unknown"):
            await place.desk.key(NEXT)
        place.now[0] += RENEW_SECONDS
        assert (await place.desk.key(NEXT)).kid == "r2"
        for number in range(50):
            with pytest.raises(CredentialError, match="token_key_unknown"):
                await place.desk.key(Head(f"invented-{number}", "RS256"))
        assert len(place.asked("/jwks")) == 2
        # The key that went is believed no more.
        with pytest.raises(CredentialError, match="token_key_unknown"):
            await place.desk.key(CURRENT)


async def test_a_key_that_is_known_is_found_while_the_provider_is_silent() -> None:
    async with provider() as place:
        await place.desk.key(CURRENT)
        place.answers["/jwks"] = (500, b"")
        place.now[0] += RENEW_SECONDS
        with pytest.raises(CredentialError, match="provider_failed"):
            await place.desk.key(NEXT)
        assert (await place.desk.key(CURRENT)).kid == "r1"


async def test_who_invents_names_of_keys_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can post a token that ends sessions, signed by a key that is not there."""
    monkeypatch.setattr(oidc, "ASK_SECONDS", 1.0)
    async with provider() as place:
        await place.desk.key(CURRENT)
        place.delay, place.now[0] = 60.0, NOW + RENEW_SECONDS
        invented = asyncio.create_task(place.desk.key(Head("invented", "RS256")))
        for _ in range(100):
            if len(place.asked("/jwks")) == 2:
                break
            await asyncio.sleep(0.005)
        assert (await place.desk.key(CURRENT)).kid == "r1"
        assert not invented.done()
        with pytest.raises(CredentialError, match="provider_failed"):
            await invented


@pytest.mark.parametrize(
    ("path", "status", "body", "detail"),
    [
        ("/.well-known/openid-configuration", 404, b"", "document: status 404"),
        ("/.well-known/openid-configuration", 200, description("https://another.example"), ""),
        ("/token", 400, b'{"error": "invalid_grant"}', "token: status 400, invalid_grant"),
        ("/token", 302, b"", "token: status 302"),
        ("/token", 200, b'{"access_token": "x"}', ""),
        ("/token", 200, b"x" * (256 * 1024 + 1), "too_large: http://127.0.0.1"),
    ],
)
async def test_an_answer_of_no_use_is_a_failure(path: str, status: int, body: bytes, detail: str) -> None:
    async with provider() as place:
        place.answers[path] = (status, body)
        assert (await failure(place)).startswith(detail)


@pytest.mark.parametrize("key", ["authorization_endpoint", "token_endpoint"])
async def test_a_description_leads_nowhere_but_to_the_listed_places(key: str) -> None:
    """Server-side request forgery, and a person who is sent astray."""
    async with provider() as place:
        address = place.server.address
        changed = description(address, **{key: "http://127.0.0.1:9/x"})
        place.answers["/.well-known/openid-configuration"] = (200, changed)
        assert await failure(place) == "host_not_allowed: http://127.0.0.1:9"


async def test_who_is_not_there_is_not_asked_again_at_once() -> None:
    async with provider() as place:
        place.answers.clear()
        assert await failure(place) == await failure(place) == "document: status 404"
        assert len(place.server.asked) == 1
        place.now[0] += FAILED_SECONDS
        place.answers["/.well-known/openid-configuration"] = (200, description(place.server.address))
        place.answers["/token"] = (200, b'{"id_token": "a.b.c"}')
        assert await place.desk.id_token(QUESTION, "the-code", REDIRECT) == "a.b.c"


async def test_a_slow_provider_costs_everybody_the_time_of_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "ASK_SECONDS", 0.2)
    async with provider() as place:
        place.delay = 60.0
        began = time.monotonic()
        details = await asyncio.gather(*(failure(place) for _ in range(20)))
        assert time.monotonic() - began < 5.0
        assert {detail.partition(":")[0] for detail in details} == {"timeout"}
        assert len(place.server.asked) == 1
