"""A provider of the tests' own: its keys, its description, and tokens that it signs as it should, or as it should not."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.credentials.oidc import Provider, Question
from gateway.model import Means, Text

ISSUER = "https://fas.example"
CLIENT = "ksz-gateway"
NOW = 1_795_000_000.0
ASKED_AT = NOW - 40
INSZ = "85073003328"
LEVEL = "urn:be:fedict:iam:fas:Level"
SID, SUB = "session-1", "person-1"

PROVIDER = Provider(
    "csam",
    Text("Federale dienst", "Service fédéral", "Föderaler Dienst", "Federal service"),
    ISSUER,
    CLIENT,
    ("openid", "profile", "egovnrn"),
    ("RS256", "ES256"),
    {
        f"{LEVEL}500": Means.EID,
        f"{LEVEL}450": Means.ITSME,
        f"{LEVEL}400": Means.TOKEN,
        f"{LEVEL}200": Means.PASSWORD,
    },
    (f"{LEVEL}500", f"{LEVEL}450"),
    900.0,
)
QUESTION = Question("csam", "the-nonce", "v" * 43, ASKED_AT, 900.0, frozenset({Means.ITSME, Means.EID}))


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str | None, **more: object) -> dict[str, Any]:
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    public: dict[str, Any] = json.loads(kind.to_jwk(key.public_key()))  # type: ignore[attr-defined]
    public.pop("key_ops", None)
    return {**public, **({} if kid is None else {"kid": kid}), **more}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


KEYS = key_set(jwk(rsa_key(), "r1", use="sig", alg="RS256"), jwk(ec_key(), "e1", use="sig"))


def claims(**changed: object) -> dict[str, Any]:
    """Those of a good ID token; None takes a claim out."""
    good = {
        "iss": ISSUER,
        "sub": SUB,
        "aud": CLIENT,
        "exp": int(NOW) + 300,
        "iat": int(NOW) - 2,
        "auth_time": int(NOW) - 20,
        "nonce": QUESTION.nonce,
        "acr": f"{LEVEL}500",
        "sid": SID,
        "egovNRN": INSZ,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(content: dict[str, Any], alg: str = "RS256", kid: str | None = "r1", **head: object) -> str:
    """Signs whatever it is given; pyjwt's own `encode` has an opinion on claims."""
    key = ec_key() if alg == "ES256" else rsa_key()
    headers = head if kid is None else {"kid": kid, **head}
    return jwt.PyJWS().encode(json.dumps(content).encode(), key, algorithm=alg, headers=headers)
