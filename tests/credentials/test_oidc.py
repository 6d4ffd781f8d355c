"""What a provider is asked, and what may come back by the browser."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.oidc import (
    INSZ_CLAIM,
    Metadata,
    Question,
    Returned,
    authorization_address,
    basic_proof,
    challenge_of,
    id_token_of,
    key_proof,
    read_metadata,
    read_return,
    refusal_of,
    state_of,
    token_request,
)
from gateway.credentials.tokens import make_token
from gateway.errors import CredentialError
from gateway.model import Means
from tests.credentials.federation import CLIENT, ISSUER, LEVEL, NOW, PROVIDER, QUESTION, ec_key, rsa_key

METADATA = Metadata(f"{ISSUER}/auth", f"{ISSUER}/token", f"{ISSUER}/jwks", names_itself=True)
STATE = make_token(b"s" * 32)
REDIRECT = "https://portal.example/oidc/callback/csam"
DESCRIPTION = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "code_challenge_methods_supported": ["plain", "S256"],
    "authorization_response_iss_parameter_supported": True,
}


def asked(question: Question = QUESTION, metadata: Metadata = METADATA) -> dict[str, list[str]]:
    return parse_qs(urlsplit(authorization_address(PROVIDER, metadata, question, STATE, REDIRECT, "nl")).query)


def test_a_request_is_the_code_flow_with_everything_that_defends_it() -> None:
    query = asked()
    wanted = json.loads(query.pop("claims")[0])
    assert query == {
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [REDIRECT],
        "scope": ["openid profile egovnrn"],
        "state": [STATE],
        "nonce": ["the-nonce"],
        "code_challenge": [challenge_of(QUESTION.verifier)],
        "code_challenge_method": ["S256"],
        "max_age": ["900"],
        "acr_values": [f"{LEVEL}500 {LEVEL}450"],
        "ui_locales": ["nl"],
    }
    assert wanted == {"id_token": {INSZ_CLAIM: {"essential": True}, "auth_time": {"essential": True}}}


def test_no_word_of_a_request_says_who_the_person_claims_to_be() -> None:
    assert not {"login_hint", "id_token_hint", "user_id"} & set(asked())


def test_the_challenge_is_the_one_of_the_rfc() -> None:
    # RFC 7636 appendix B
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ({Means.EID}, ["500"]),
        ({Means.ITSME, Means.EID}, ["500", "450"]),
        # What a sign-in does not ask for, a step-up may.
        ({Means.TOKEN, Means.EID}, ["500", "400"]),
    ],
)
def test_only_means_that_would_do_are_asked_for(means: set[Means], words: list[str]) -> None:
    question = QUESTION._replace(means=frozenset(means))
    assert asked(question)["acr_values"] == [" ".join(f"{LEVEL}{word}" for word in words)]


def test_an_address_that_has_a_query_keeps_it() -> None:
    metadata = METADATA._replace(authorization_endpoint=f"{ISSUER}/auth?realm=belgium")
    assert asked(metadata=metadata)["realm"] == ["belgium"]
    assert asked(metadata=metadata)["client_id"] == [CLIENT]


def test_a_sign_in_takes_nothing_weaker_than_the_least_it_asks_for() -> None:
    assert PROVIDER.means == {Means.EID, Means.ITSME}
    assert replace(PROVIDER, asked=(f"{LEVEL}400",)).means == {Means.EID, Means.ITSME, Means.TOKEN}


def test_a_question_is_kept_and_found_again() -> None:
    assert Question.of(json.loads(json.dumps(QUESTION.as_values()))) == QUESTION


# --- the provider's own description --------------------------------------------------------------------------------------


def test_a_description_is_read() -> None:
    assert read_metadata(json.dumps(DESCRIPTION).encode(), PROVIDER) == METADATA


def test_a_provider_that_says_nothing_of_pkce_or_of_its_name_in_answers() -> None:
    silent = {key: value for key, value in DESCRIPTION.items() if not key.endswith("supported")}
    assert read_metadata(json.dumps(silent).encode(), PROVIDER) == METADATA._replace(names_itself=False)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": f"{ISSUER}/"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"token_endpoint": 1},
        {"jwks_uri": ["x"]},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": "S256"},
    ],
)
def test_a_description_of_another_or_of_no_use_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CredentialError, match="provider_failed"):
        read_metadata(json.dumps({**DESCRIPTION, **change}).encode(), PROVIDER)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    for read in (lambda: read_metadata(body, PROVIDER), lambda: id_token_of(body)):
        with pytest.raises(CredentialError, match="provider_failed"):
            read()


# --- what the browser brings back ----------------------------------------------------------------------------------------


def returned(*pairs: tuple[str, str], metadata: Metadata = METADATA) -> Returned:
    return read_return(pairs, PROVIDER, metadata)


def test_a_code() -> None:
    assert returned(("code", "abc"), ("state", STATE), ("iss", ISSUER)) == Returned("abc", "")


def test_who_cannot_say_its_name_need_not() -> None:
    assert returned(("code", "abc"), metadata=METADATA._replace(names_itself=False)) == Returned("abc", "")


@pytest.mark.parametrize("names_itself", [True, False])
@pytest.mark.parametrize("issuer", ["https://evil.example", f"{ISSUER}/", "", ISSUER.upper()])
@pytest.mark.parametrize("rest", [("code", "abc"), ("error", "access_denied")])
def test_another_providers_answer_is_refused_also_an_error(
    issuer: str, rest: tuple[str, str], *, names_itself: bool
) -> None:
    with pytest.raises(CredentialError, match="mixed_up"):
        returned(rest, ("iss", issuer), metadata=METADATA._replace(names_itself=names_itself))


@pytest.mark.parametrize("rest", [("code", "abc"), ("error", "access_denied")])
def test_who_says_that_it_names_itself_must(rest: tuple[str, str]) -> None:
    with pytest.raises(CredentialError, match="mixed_up"):
        returned(rest)


@pytest.mark.parametrize(
    ("error", "word"),
    [("access_denied", "access_denied"), ("login_required", "login_required"), ("<script>", "other"), ("", "other")],
)
def test_an_error_is_a_word_of_the_standards(error: str, word: str) -> None:
    assert returned(("error", error), ("code", "abc"), ("iss", ISSUER)) == Returned("", word)


@pytest.mark.parametrize(
    "pairs",
    [
        [("iss", ISSUER)],
        [("code", ""), ("iss", ISSUER)],
        [("code", "x" * 2049), ("iss", ISSUER)],
        [("code", "a"), ("code", "b"), ("iss", ISSUER)],
        [("code", "a"), ("iss", ISSUER), ("iss", "https://evil.example")],
    ],
)
def test_what_has_no_single_reading_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(CredentialError, match="answer_unreadable"):
        returned(*pairs)


def test_the_state_finds_the_question() -> None:
    assert state_of([("code", "a"), ("state", STATE)]) == STATE


@pytest.mark.parametrize("states", [[], [STATE, STATE], [STATE[:-1]], [""], ["\u00e9" * len(STATE)]])
def test_no_state_or_two_answer_nothing(states: list[str]) -> None:
    with pytest.raises(CredentialError, match="state_unknown"):
        state_of([("state", state) for state in states])


@given(st.lists(st.tuples(st.sampled_from(["code", "state", "iss", "error", "x"]), st.text(max_size=50))))
def test_whatever_comes_back_is_read_or_refused_by_us(pairs: list[tuple[str, str]]) -> None:
    try:
        found = returned(*pairs)
    except CredentialError as error:
        assert error.reason in ("answer_unreadable", "mixed_up")  # noqa: PT017 - either outcome is right
    else:
        assert dict(pairs)["iss"] == ISSUER
        assert bool(found.code) != bool(found.error)


# --- the back channel ----------------------------------------------------------------------------------------------------


def test_the_verifier_goes_with_the_code() -> None:
    assert token_request(QUESTION, "abc", REDIRECT) == {
        "grant_type": "authorization_code",
        "code": "abc",
        "redirect_uri": REDIRECT,
        "code_verifier": QUESTION.verifier,
    }


def test_name_and_secret_are_encoded_before_they_are_joined() -> None:
    field = basic_proof("urn:ksz:gateway", "a:b/c é")
    assert base64.b64decode(field.removeprefix("Basic ")) == b"urn%3Aksz%3Agateway:a%3Ab%2Fc%20%C3%A9"


@pytest.mark.parametrize(("key", "algorithm"), [(rsa_key(), "PS256"), (ec_key(), "ES256")])
def test_a_proof_by_key_is_for_this_provider_alone_and_a_minute(key: object, algorithm: str) -> None:
    fields = key_proof(PROVIDER, key, NOW, "j1")  # type: ignore[arg-type]
    assert fields["client_assertion_type"].endswith(":jwt-bearer")
    content = jwt.decode(
        fields["client_assertion"],
        key.public_key(),  # type: ignore[attr-defined]
        algorithms=[algorithm],
        audience=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert content == {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "jti": "j1", "iat": NOW, "exp": NOW + 60}


def test_of_the_token_endpoints_answer_the_id_token_alone_is_kept() -> None:
    assert id_token_of(b'{"access_token": "secret", "id_token": "a.b.c"}') == "a.b.c"
    with pytest.raises(CredentialError, match="provider_failed"):
        id_token_of(b'{"access_token": "secret"}')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "invalid_client", "error_description": "<secret>"}', "status 401, invalid_client"),
        (b'{"error": "<script>"}', "status 401"),
        (b'{"error": ["invalid_client"]}', "status 401"),
        (b"<html>", "status 401"),
    ],
)
def test_why_there_is_no_token_is_told_in_words_of_the_standard(body: bytes, words: str) -> None:
    assert refusal_of(401, body) == words
