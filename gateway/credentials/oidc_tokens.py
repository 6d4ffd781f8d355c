"""The judgement of what a provider signs: the ID token of a sign-in, and the logout token by which it ends a session.

A token is believed for what it says to this gateway, now, about a natural person who is there, and for nothing else. Not looked at, on
purpose: the access token (and so `at_hash`), which is thrown away unused, and whatever a token says of roles: those are the records' word.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import jwt
import orjson

from gateway.credentials.oidc import INSZ_CLAIM, Provider, Question
from gateway.credentials.oidc_keys import Head, Key
from gateway.errors import CredentialError
from gateway.identifiers import IdentifierError, check_insz
from gateway.model import Means

SKEW_SECONDS: Final = 30.0
"""How far a provider's clock may be from ours, either way. Machines keep time to a fraction of a second."""
LOGOUT_SECONDS: Final = 120.0
"""How old a logout token may be (OpenID Connect Back-Channel Logout section 4 recommends two minutes)."""
MAX_NAME_CHARACTERS: Final = 255
"""Of `sub` (OpenID Connect Core section 2), and of `sid` and `jti`."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"

_KEYCLOAK_JTI: Final = re.compile(r"[a-z]{4}([a-z]{2}):.*", re.DOTALL)
"""Keycloak from 26.2 on: kind of session, of token and of grant, two letters each, before the token's own name."""
_PROGRAM_FACETS: Final = frozenset({"11", "13"})
"""Of Entra's `xms_act_fct` and `xms_sub_fct`: an agent's identity, an agent's user (CLIENTS)."""


class Vouched(NamedTuple):
    """What an ID token is believed for. `auth_time` is Unix seconds; `session` is how a logout will name it (`session_name`)."""

    means: Means
    auth_time: float
    session: str


class Logout(NamedTuple):
    """The sessions that a provider ends: those of `sid`, or all of `sub` (one of them may be None). `issued_at` is Unix seconds."""

    sub: str | None
    sid: str | None
    jti: str
    issued_at: float


# --- tokens --------------------------------------------------------------------------------------------------------------


def judge_id_token(
    token: str, head: Head, key: Key, provider: Provider, question: Question, inszs: Collection[str], now: float
) -> Vouched:
    """Whether the token vouches for the person whose user ID was claimed (`inszs`: every number that they have or had). In this order:

    (1) the signature, by the key and the algorithm that were allowed; (2) it is this provider's; (3) for this gateway and nobody
    beside it; (4) of this moment: made after the question, not in the future, not over; (5) the answer to this very question; (6) the
    person was there recently enough; (7) by one of the means that would do; (8) it is of a person, and of this grant;
    (9) the person has a number; (10) it is one of the person's who was claimed.

    Raises CredentialError: `token_unreadable`, `token_signature` (1), `mixed_up` (2), `token_audience` (3), `token_time` (4),
    `token_nonce` (5), `authentication_stale` (6), `acr_refused` (7), `token_of_program` (8), `insz_missing` (9), `other_person` (10).
    """
    claims = _verified(token, head, key)  # (1)
    _ours(claims, provider)  # (2) (3)
    sub, sid = _name(claims, "sub"), _optional_name(claims, "sid")
    if sub is None:
        raise CredentialError("token_unreadable")
    issued = _moment(claims, "iat")
    if (  # (4)
        issued is None
        or not question.asked_at - SKEW_SECONDS <= issued <= now + SKEW_SECONDS
        or not _lives(claims, now)
    ):
        raise CredentialError("token_time")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(_bytes(nonce), _bytes(question.nonce)):  # (5)
        raise CredentialError("token_nonce")
    auth_time = _was_there(claims, question, now)  # (6)
    acr = claims.get("acr")
    means = provider.acr.get(acr) if isinstance(acr, str) else None
    if means is None or means not in question.means:  # (7)
        raise CredentialError("acr_refused")
    if of_program(claims, provider.client_id):  # (8)
        raise CredentialError("token_of_program")
    try:
        number = check_insz(_name(claims, INSZ_CLAIM) or "")
    except IdentifierError:  # (9)
        raise CredentialError("insz_missing") from None
    if number not in inszs:  # (10)
        raise CredentialError("other_person")
    return Vouched(means, auth_time, session_name(sub, sid))


def judge_logout_token(token: str, head: Head, key: Key, provider: Provider, now: float) -> Logout:
    """Whether the provider ends a session (OpenID Connect Back-Channel Logout section 2.6). In this order:

    (1) the signature; (2) this provider's; (3) for this gateway; (4) of this moment; (5) it is a logout, and no ID token: the event, no
    nonce; (6) it names whom it ends, and itself.

    Raises CredentialError: `token_unreadable` (5, 6), `token_signature` (1), `mixed_up` (2), `token_audience` (3), `token_time` (4).
    """
    claims = _verified(token, head, key)  # (1)
    _ours(claims, provider)  # (2) (3)
    issued = _moment(claims, "iat")
    if issued is None or not now - LOGOUT_SECONDS <= issued <= now + SKEW_SECONDS or not _lives(claims, now):  # (4)
        raise CredentialError("token_time")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:  # (5)
        raise CredentialError("token_unreadable")
    sub, sid, jti = _optional_name(claims, "sub"), _optional_name(claims, "sid"), _name(claims, "jti")
    if jti is None or (sub is None and sid is None):  # (6)
        raise CredentialError("token_unreadable")
    return Logout(sub, sid, jti, issued)


def of_program(claims: Mapping[str, Any], client_id: str) -> bool:
    """Whether the claims betray that no person signed in, or that somebody acts for them (CLIENTS, "the contract")."""
    sub, jti = claims.get("sub"), claims.get("jti")
    names = [claims.get(name) for name in ("sub", "preferred_username", "username")]
    grant = _KEYCLOAK_JTI.fullmatch(jti) if isinstance(jti, str) else None
    return (
        sub in (client_id, claims.get("azp"), claims.get("client_id"))
        or "gty" in claims
        or any(str(name).endswith("@clients") or str(name).startswith("service-account-") for name in names)
        or (grant is not None and grant[1] != "ac")
        or claims.get("idtyp") == "app"
        or any(
            _PROGRAM_FACETS & set(re.findall(r"[0-9]+", str(claims.get(name))))
            for name in ("xms_act_fct", "xms_sub_fct")
        )
        or "act" in claims
        or "may_act" in claims
    )


# --- how a session at the provider is named here -------------------------------------------------------------------------


def session_name(sub: str, sid: str | None) -> str:
    """By what a session is found again when the provider ends it: the hashes of its person's name there and of its own."""
    return f"{_hash(sid)}.{_hash(sub)}"


def marks_of(logout: Logout) -> tuple[str, str]:
    """How the names of the sessions that it ends begin and end."""
    return (
        "" if logout.sid is None else f"{_hash(logout.sid)}.",
        "" if logout.sub is None else f".{_hash(logout.sub)}",
    )


def _hash(name: str | None) -> str:
    return "" if name is None else hashlib.sha256(_bytes(name)).hexdigest()


# --- parts ---------------------------------------------------------------------------------------------------------------


def _verified(token: str, head: Head, key: Key) -> dict[str, Any]:
    """The claims, once the signature is right. pyjwt does the signature; what the claims mean is judged here."""
    try:
        payload = jwt.PyJWS().decode(token, key.key, algorithms=[head.algorithm])
    except (jwt.PyJWTError, ValueError):
        raise CredentialError("token_signature") from None
    try:
        claims = orjson.loads(payload)
    except orjson.JSONDecodeError:
        claims = None
    if not isinstance(claims, dict):
        raise CredentialError("token_unreadable")
    return claims


def _ours(claims: Mapping[str, Any], provider: Provider) -> None:
    if claims.get("iss") != provider.issuer:  # (2)
        raise CredentialError("mixed_up")
    audience = claims.get("aud")
    alone = audience == provider.client_id or audience == [provider.client_id]
    # (3) No other audience is trusted, so none may be there (OpenID Connect Core section 3.1.3.7, step 3).
    if not alone or claims.get("azp", provider.client_id) != provider.client_id:
        raise CredentialError("token_audience")


def _lives(claims: Mapping[str, Any], now: float) -> bool:
    """`exp` is there and not over; `nbf`, when it is there, has come."""
    ends, begins = _moment(claims, "exp"), _moment(claims, "nbf")
    if ends is None or ("nbf" in claims and begins is None):
        return False
    return now < ends + SKEW_SECONDS and (begins is None or begins <= now + SKEW_SECONDS)


def _was_there(claims: Mapping[str, Any], question: Question, now: float) -> float:
    """When the person authenticated, by our clock: never in the future, and after the question when it demanded that.

    `auth_time` is demanded: that `max_age` or `prompt` was sent proves nothing (CLIENTS).
    """
    at = _moment(claims, "auth_time")
    earliest = question.asked_at if question.max_age == 0 else now - question.max_age
    if at is None or not earliest - SKEW_SECONDS <= at <= now + SKEW_SECONDS:
        raise CredentialError("authentication_stale")
    return min(now, max(at, earliest) if question.max_age == 0 else at)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2)."""
    value = claims.get(name)
    # JSON of ours has neither NaN nor infinity, and true is no number.
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _name(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARACTERS else None


def _optional_name(claims: Mapping[str, Any], name: str) -> str | None:
    """A name that may be absent, but not be something else. Raises CredentialError `token_unreadable`."""
    found = _name(claims, name)
    if found is None and name in claims:
        raise CredentialError("token_unreadable")
    return found


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
