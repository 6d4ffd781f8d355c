"""The federation's sign-in, OpenID Connect's authorization code flow: what is asked of a provider, and what the browser brings back.

The flow is that of RFC 6749 section 4.1 with PKCE (RFC 7636, S256), `state`, `nonce` and an exact redirect address; tokens come from the
back channel alone (`oidc_tokens` judges them). A provider cannot pass for another (mix-up, RFC 9700 section 4.4): each has a redirect
address of its own, and says its name in what it sends back when it can (RFC 9207).

Everything here is a value: what was asked is kept on the server (`Question`), and compared with what comes back.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.credentials.tokens import TOKEN_CHARACTERS
from gateway.errors import CredentialError
from gateway.model import Means, Text

INSZ_CLAIM: Final = "egovNRN"
"""The claim that holds the INSZ of the person (DOMAIN section 3)."""
ANSWER_SECONDS: Final = 600.0
"""How long a person may take at the provider: as long as the way back is known (`start.LIFETIME_SECONDS`)."""
ASSERTION_SECONDS: Final = 60
"""How long a proof of the gateway's own key is good (RFC 7523 section 3)."""
MAX_CODE_CHARACTERS: Final = 2048
"""An authorization code is the provider's to shape; those that hold a sealed state take some hundreds of characters."""

_ERRORS: Final = frozenset(
    {
        # RFC 6749 section 4.1.2.1
        "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
        "temporarily_unavailable",
        # OpenID Connect Core section 3.1.2.6
        "interaction_required", "login_required", "account_selection_required", "consent_required", "request_not_supported",
        # OpenID Connect Core Unmet Authentication Requirements
        "unmet_authentication_requirements",
    }
)  # fmt: skip
_TOKEN_ERRORS: Final = frozenset(
    {
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
    }
)  # fmt: skip
CANCELLED: Final = frozenset({"access_denied", "login_required", "interaction_required", "account_selection_required"})
"""Errors by which a person, rather than a machine, says no."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What is believed of a provider, and asked of it: from gateway.toml.

    `algorithms` are those that it may sign with. `acr` says which means each of its words for a way of signing in stands for: a word
    that is not there is believed to be none. `asked` are those of them that a sign-in asks for, the preferred one first; `max_age`
    (seconds) is how old an authentication may be that it answers a sign-in with.
    """

    id: str
    title: Text
    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    algorithms: tuple[str, ...]
    acr: Mapping[str, Means]
    asked: tuple[str, ...]
    max_age: float

    @property
    def means(self) -> frozenset[Means]:
        """What a sign-in may be by: nothing weaker than the least that is asked for, compared as numbers."""
        least = min(self.acr[word].level for word in self.asked)
        return frozenset(means for means in self.acr.values() if means.level >= least)


class Metadata(NamedTuple):
    """What a provider says of itself (OpenID Connect Discovery section 3). `names_itself`: its answers by the browser say who answers."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool


class Question(NamedTuple):
    """What was asked, kept until the answer comes. `means` are those that will do; `max_age` is seconds, and 0 demands an authentication
    that began after `asked_at` (Unix seconds)."""

    provider: str
    nonce: str
    verifier: str
    asked_at: float
    max_age: float
    means: frozenset[Means]

    def as_values(self) -> dict[str, object]:
        """As what JSON can hold; `of` reads it."""
        return {**self._asdict(), "means": sorted(self.means)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Question:
        return cls(**{**values, "means": frozenset(Means(word) for word in values["means"])})


class Returned(NamedTuple):
    """What the browser brought back: a `code` for the back channel, or the provider's `error`, a word of the standards or "other"."""

    code: str
    error: str


def read_metadata(body: bytes, provider: Provider) -> Metadata:
    """The provider's own description. Raises CredentialError `provider_failed`: unreadable, of another issuer, or without PKCE.

    The issuer is compared exactly (OpenID Connect Discovery section 4.3). Where the addresses lead is compared with the list of hosts
    by whoever follows them.
    """
    found = read_object(body)
    authorization, token, jwks = (found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
    methods = found.get("code_challenge_methods_supported", ["S256"])
    if (
        found.get("issuer") != provider.issuer
        or not isinstance(authorization, str)
        or not isinstance(token, str)
        or not isinstance(jwks, str)
        or not isinstance(methods, list)
        or "S256" not in methods
    ):
        raise CredentialError("provider_failed")
    names_itself = found.get("authorization_response_iss_parameter_supported") is True
    return Metadata(authorization, token, jwks, names_itself)


def authorization_address(
    provider: Provider, metadata: Metadata, question: Question, state: str, redirect: str, language: str
) -> str:
    """Where the browser goes. No login hint: who the person says they are is nobody's business there, and the answer is compared."""
    words = [word for word in (*provider.asked, *provider.acr) if provider.acr[word] in question.means]
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(provider.scopes),
        "state": state,
        "nonce": question.nonce,
        "code_challenge": challenge_of(question.verifier),
        "code_challenge_method": "S256",
        "max_age": str(int(question.max_age)),
        "acr_values": " ".join(dict.fromkeys(words)),
        "ui_locales": language,
        # What is needed stands in the ID token; who knows no such parameter leaves it aside (OpenID Connect Core section 5.5).
        "claims": orjson.dumps(
            {"id_token": {INSZ_CLAIM: {"essential": True}, "auth_time": {"essential": True}}}
        ).decode(),
    }
    mark = "&" if "?" in metadata.authorization_endpoint else "?"
    return f"{metadata.authorization_endpoint}{mark}{urlencode(asked, quote_via=quote)}"


def challenge_of(verifier: str) -> str:
    """RFC 7636 section 4.2, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).decode("ascii").rstrip("=")


def state_of(query: Iterable[tuple[str, str]]) -> str:
    """The key of the question that an answer says it answers. Raises CredentialError `state_unknown` when there can be none."""
    found = [value for name, value in query if name == "state"]
    if len(found) != 1 or len(found[0]) != TOKEN_CHARACTERS or not found[0].isascii():
        raise CredentialError("state_unknown")
    return found[0]


def read_return(query: Iterable[tuple[str, str]], provider: Provider, metadata: Metadata) -> Returned:
    """What came back for a question that was found by its state. The steps, in order:

    (1) no parameter is there twice (RFC 6749 section 3.1); (2) `iss` is this provider, and is there when it says that it sends it
    (RFC 9207 section 2.4), in errors as well; (3) an error, or else a code.

    Raises CredentialError: `answer_unreadable` (1, 3), `mixed_up` (2).
    """
    pairs = list(query)
    fields = dict(pairs)
    if len(fields) != len(pairs):  # (1)
        raise CredentialError("answer_unreadable")
    issuer = fields.get("iss")
    if (issuer is None and metadata.names_itself) or issuer not in (None, provider.issuer):  # (2)
        raise CredentialError("mixed_up")
    if "error" in fields:  # (3)
        error = fields["error"]
        return Returned("", error if error in _ERRORS else "other")
    code = fields.get("code", "")
    if not 0 < len(code) <= MAX_CODE_CHARACTERS:
        raise CredentialError("answer_unreadable")
    return Returned(code, "")


# --- the back channel ----------------------------------------------------------------------------------------------------


def token_request(question: Question, code: str, redirect: str) -> dict[str, str]:
    """The form for the token endpoint (RFC 6749 section 4.1.3, RFC 7636 section 4.5), without what proves who asks."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": question.verifier,
    }


def basic_proof(client_id: str, secret: str) -> str:
    """The Authorization field of `client_secret_basic`: both parts are form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def key_proof(provider: Provider, key: SigningKey, now: float, jti: str) -> dict[str, str]:
    """The fields of `private_key_jwt` (RFC 7523 section 2.2). Its audience is the issuer: a proof for one provider is good at no other."""
    issued = int(now)
    claims = {
        "iss": provider.client_id,
        "sub": provider.client_id,
        "aud": provider.issuer,
        "jti": jti,
        "iat": issued,
        "exp": issued + ASSERTION_SECONDS,
    }
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(
            claims, key, algorithm="PS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        ),
    }


def id_token_of(body: bytes) -> str:
    """The ID token in a token endpoint's answer; what else is there is thrown away. Raises CredentialError `provider_failed`."""
    token = read_object(body).get("id_token")
    if not isinstance(token, str):
        raise CredentialError("provider_failed")
    return token


def refusal_of(status: int, body: bytes) -> str:
    """Why a token endpoint gave none, in words that may stand in a line (RFC 6749 section 5.2)."""
    try:
        error = read_object(body).get("error")
    except CredentialError:
        error = None
    return f"status {status}, {error}" if isinstance(error, str) and error in _TOKEN_ERRORS else f"status {status}"


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises CredentialError `provider_failed` for anything else."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise CredentialError("provider_failed")
    return found
