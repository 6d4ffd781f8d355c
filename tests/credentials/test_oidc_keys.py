"""Which keys of a provider are taken, and which of them a token may name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.credentials.oidc_keys import (
    ID_TOKEN_TYPES,
    LOGOUT_TOKEN_TYPES,
    MAX_KEYS,
    Head,
    find_key,
    read_head,
    read_keys,
)
from gateway.errors import CredentialError
from tests.credentials.federation import KEYS, PROVIDER, claims, ec_key, jwk, key_set, rsa_key, signed

RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def curve(kind: type[ec.EllipticCurve]) -> dict[str, Any]:
    return {**json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(kind()).public_key())), "kid": "k"}


ED25519 = {**json.loads(OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key())), "kid": "k"}


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (jwk(rsa_key(), "k"), RSA_ALGORITHMS),
        (jwk(rsa_key(), "k", use="sig", alg="PS256"), {"PS256"}),
        (jwk(ec_key(), "k"), {"ES256"}),
        # What it says it is for, and what it can, do not meet.
        (jwk(ec_key(), "k", alg="ES384"), None),
        (curve(ec.SECP384R1), {"ES384"}),
        (curve(ec.SECP521R1), {"ES512"}),
        (ED25519, {"EdDSA"}),
    ],
)
def test_a_key_is_for_the_algorithms_of_its_kind(key: dict[str, Any], algorithms: set[str] | None) -> None:
    found = read_keys(key_set(key))
    assert [each.algorithms for each in found] == ([algorithms] if algorithms else [])


@pytest.mark.parametrize(
    "key",
    [
        jwk(rsa_key(), None),
        jwk(rsa_key(), "k", use="enc"),
        jwk(rsa_key(), "k", alg="RSA-OAEP"),
        jwk(rsa_key(), "k", alg=["RS256"]),
        jwk(rsa_key(), "k", alg="none"),
        {**jwk(rsa_key(), None), "kid": 7},
        jwk(rsa_key(bits=1024), "k"),
        {**json.loads(RSAAlgorithm.to_jwk(rsa_key())), "kid": "k"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k"},
        {"kty": "RSA", "kid": "k"},
        {"kty": "unheard-of", "kid": "k"},
        curve(ec.SECP256K1),
        {},
        "k",
        None,
    ],
    ids=range(15),
)
def test_a_key_that_is_no_good_is_left_out_and_the_others_stay(key: object) -> None:
    body = json.dumps({"keys": [key, jwk(rsa_key(), "good")]}).encode()
    assert [each.kid for each in read_keys(body)] == ["good"]


@pytest.mark.parametrize("body", [b"{}", b'{"keys": {}}', b"[]", key_set(*[{}] * (MAX_KEYS + 1))])
def test_no_key_set_is_refused(body: bytes) -> None:
    with pytest.raises(CredentialError, match="provider_failed"):
        read_keys(body)


def test_a_token_names_its_key() -> None:
    assert read_head(signed(claims()), PROVIDER, ID_TOKEN_TYPES) == Head("r1", "RS256")
    assert read_head(signed(claims(), "ES256", "e1"), PROVIDER, ID_TOKEN_TYPES) == Head("e1", "ES256")


@pytest.mark.parametrize(
    "algorithm", ["RS384", "PS256", "none", "None", "HS256", "HS512", "RS256 ", "rs256", "", None, 1]
)
def test_an_algorithm_that_was_not_allowed_is_refused(algorithm: object) -> None:
    token = f"{encoded({'alg': algorithm, 'kid': 'r1'})}.{encoded(claims())}.c2ln"
    with pytest.raises(CredentialError, match=r"token_algorithm|token_unreadable"):
        read_head(token, PROVIDER, ID_TOKEN_TYPES)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_not_even_settings_can_allow_what_is_no_signature(algorithm: str) -> None:
    careless = replace(PROVIDER, algorithms=(algorithm,))
    token = f"{encoded({'alg': algorithm, 'kid': 'r1'})}.{encoded(claims())}."
    with pytest.raises(CredentialError, match="token_algorithm"):
        read_head(token, careless, ID_TOKEN_TYPES)


@pytest.mark.parametrize(
    "head",
    [
        {"kid": None},
        {"kid": 7},
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"typ": 3},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
    ],
)
def test_a_head_that_lacks_or_demands_something_is_refused(head: dict[str, Any]) -> None:
    whole = {"alg": "RS256", "kid": "r1", **head}
    token = f"{encoded({name: value for name, value in whole.items() if value is not None})}.{encoded(claims())}.c2ln"
    with pytest.raises(CredentialError, match="token_unreadable"):
        read_head(token, PROVIDER, ID_TOKEN_TYPES)


def test_a_token_that_ends_a_session_may_say_that_it_is_one() -> None:
    token = signed({}, typ="logout+jwt")
    assert read_head(token, PROVIDER, LOGOUT_TOKEN_TYPES).kid == "r1"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "x" * 20_000, "W1td.W1td.W1td"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(CredentialError, match="token_unreadable"):
        read_head(token, PROVIDER, ID_TOKEN_TYPES)


def test_a_head_of_a_thousand_brackets_is_refused() -> None:
    with pytest.raises(CredentialError, match="token_unreadable"):
        read_head(f"{raw(b'[' * 10_000)}.{encoded({})}.c2ln", PROVIDER, ID_TOKEN_TYPES)


@given(st.text(max_size=200))
def test_whatever_comes_is_refused_by_us(text: str) -> None:
    with pytest.raises(CredentialError):
        read_head(text, PROVIDER, ID_TOKEN_TYPES)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (Head("r1", "RS256"), True),
        (Head("e1", "ES256"), True),
        (Head("r2", "RS256"), False),
        # An EC key for an RSA token, and a key whose own word names another algorithm.
        (Head("e1", "RS256"), False),
        (Head("r1", "PS256"), False),
    ],
)
def test_a_key_is_found_by_name_and_algorithm(head: Head, *, found: bool) -> None:
    assert (find_key(read_keys(KEYS), head) is not None) is found


def test_two_keys_of_one_name_are_none() -> None:
    twice = read_keys(key_set(jwk(rsa_key(), "k"), jwk(rsa_key(1), "k"), jwk(ec_key(), "k")))
    assert find_key(twice, Head("k", "RS256")) is None
    assert find_key(twice, Head("k", "ES256")) is not None


def raw(content: bytes) -> str:
    return jwt.utils.base64url_encode(content).decode()


def encoded(content: dict[str, Any]) -> str:
    return raw(json.dumps(content).encode())
