"""The ID token and the logout token: a good one, and each way in which one can look right and be wrong."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.oidc import Question
from gateway.credentials.oidc_keys import ID_TOKEN_TYPES, LOGOUT_TOKEN_TYPES, find_key, read_head, read_keys
from gateway.credentials.oidc_tokens import (
    LOGOUT_EVENT,
    Logout,
    Vouched,
    judge_id_token,
    judge_logout_token,
    marks_of,
    session_name,
)
from gateway.errors import CredentialError
from gateway.model import Means
from tests.credentials.federation import (
    ASKED_AT,
    CLIENT,
    INSZ,
    ISSUER,
    KEYS,
    LEVEL,
    NOW,
    PROVIDER,
    QUESTION,
    SID,
    SUB,
    claims,
    rsa_key,
    signed,
)

OTHER = "17073003384"
BIS = "92521506931"
GOOD = read_keys(KEYS)


def judge(
    token: str, question: Question = QUESTION, inszs: frozenset[str] = frozenset({INSZ}), now: float = NOW
) -> Vouched:
    """As the shell does it: the head, the key, the token."""
    head = read_head(token, PROVIDER, ID_TOKEN_TYPES)
    key = find_key(GOOD, head)
    if key is None:
        raise CredentialError("token_key_unknown")
    return judge_id_token(token, head, key, PROVIDER, question, inszs, now)


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "r1"), ("ES256", "e1")])
def test_a_good_token_vouches(algorithm: str, kid: str) -> None:
    vouched = judge(signed(claims(), algorithm, kid))
    assert vouched == Vouched(Means.EID, NOW - 20, session_name(SUB, SID))


def test_signatures_that_are_none() -> None:
    """`alg: none`; HS256 with the public key as the secret; another key under the same name; one bit changed."""
    public = (
        rsa_key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    head, content, signature = signed(claims()).split(".")
    confused = signed_with_secret(claims(), public)
    strange = jwt.encode(claims(), rsa_key(1), algorithm="RS256", headers={"kid": "r1"})
    for token, reason in (
        (jwt.encode(claims(), None, algorithm="none", headers={"kid": "r1"}), "token_algorithm"),
        (confused, "token_algorithm"),
        (strange, "token_signature"),
        (f"{head}.{content}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}", "token_signature"),
        (f"{head}.{content}.", "token_signature"),
        (f"{head}.{content}", "token_unreadable"),
        (signed(claims(), kid="r9"), "token_key_unknown"),
        (signed(claims(), "ES256", "r1"), "token_key_unknown"),
    ):
        with pytest.raises(CredentialError, match=f"^{reason}$"):
            judge(token)


def signed_with_secret(content: dict[str, Any], secret: bytes) -> str:
    """pyjwt refuses to make one with a public key; another library would not."""
    import hmac

    head = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": "r1"}).encode()).decode()
    payload = jwt.utils.base64url_encode(json.dumps(content).encode()).decode()
    tag = hmac.new(secret, f"{head}.{payload}".encode(), "sha256").digest()
    return f"{head}.{payload}.{jwt.utils.base64url_encode(tag).decode()}"


EARLY = NOW - QUESTION.max_age

REFUSED: list[tuple[dict[str, object], str]] = [
    # whose, for whom
    ({"iss": "https://evil.example"}, "mixed_up"),
    ({"iss": f"{ISSUER}/"}, "mixed_up"),
    ({"iss": [ISSUER]}, "mixed_up"),
    ({"iss": None}, "mixed_up"),
    ({"aud": "somebody-else"}, "token_audience"),
    ({"aud": [CLIENT, "somebody-else"]}, "token_audience"),
    ({"aud": [CLIENT, "somebody-else"], "azp": CLIENT}, "token_audience"),
    ({"aud": []}, "token_audience"),
    ({"aud": None}, "token_audience"),
    ({"aud": {CLIENT: 1}}, "token_audience"),
    ({"azp": "somebody-else"}, "token_audience"),
    # who
    ({"sub": None}, "token_unreadable"),
    ({"sub": 7}, "token_unreadable"),
    ({"sub": "x" * 256}, "token_unreadable"),
    ({"sid": 7}, "token_unreadable"),
    ({"sid": ""}, "token_unreadable"),
    # when
    ({"exp": NOW - 30}, "token_time"),
    ({"exp": None}, "token_time"),
    ({"exp": str(NOW + 300)}, "token_time"),
    ({"exp": True}, "token_time"),
    ({"iat": NOW + 31}, "token_time"),
    ({"iat": ASKED_AT - 31}, "token_time"),
    ({"iat": None}, "token_time"),
    ({"nbf": NOW + 31}, "token_time"),
    ({"nbf": "soon"}, "token_time"),
    # the answer to this question
    ({"nonce": "another"}, "token_nonce"),
    ({"nonce": None}, "token_nonce"),
    ({"nonce": ["the-nonce"]}, "token_nonce"),
    # the person was there
    ({"auth_time": EARLY - 31}, "authentication_stale"),
    ({"auth_time": NOW + 31}, "authentication_stale"),
    ({"auth_time": None}, "authentication_stale"),
    ({"auth_time": str(NOW)}, "authentication_stale"),
    ({"auth_time": True}, "authentication_stale"),
    # by what
    ({"acr": f"{LEVEL}400"}, "acr_refused"),
    ({"acr": f"{LEVEL}200"}, "acr_refused"),
    ({"acr": f"{LEVEL}5000"}, "acr_refused"),
    ({"acr": "500"}, "acr_refused"),
    ({"acr": f"{LEVEL}500 "}, "acr_refused"),
    ({"acr": [f"{LEVEL}500"]}, "acr_refused"),
    ({"acr": None}, "acr_refused"),
    # a person, and not somebody for them
    ({"sub": CLIENT}, "token_of_program"),
    ({"azp": CLIENT, "sub": CLIENT}, "token_of_program"),
    ({"client_id": SUB}, "token_of_program"),
    ({"gty": "client-credentials"}, "token_of_program"),
    ({"gty": "password"}, "token_of_program"),
    ({"sub": "abc@clients"}, "token_of_program"),
    ({"sub": "service-account-batch"}, "token_of_program"),
    ({"preferred_username": "service-account-batch"}, "token_of_program"),
    ({"username": "service-account-batch"}, "token_of_program"),
    ({"jti": "trrtcc:7f0e2d3c"}, "token_of_program"),
    ({"jti": "onrtro:7f0e2d3c"}, "token_of_program"),
    ({"jti": "onrtrt:7f0e2d3c\n"}, "token_of_program"),
    ({"idtyp": "app"}, "token_of_program"),
    ({"xms_act_fct": "3 9 11"}, "token_of_program"),
    ({"xms_sub_fct": [2, 13]}, "token_of_program"),
    ({"xms_act_fct": 13}, "token_of_program"),
    ({"act": {"sub": "agent"}}, "token_of_program"),
    ({"act": {}}, "token_of_program"),
    ({"may_act": {"sub": "agent"}}, "token_of_program"),
    # which person
    ({"egovNRN": None}, "insz_missing"),
    ({"egovNRN": 85073003328}, "insz_missing"),
    ({"egovNRN": "85073003329"}, "insz_missing"),
    ({"egovNRN": "81130103578"}, "insz_missing"),
    ({"egovNRN": f"{INSZ}0"}, "insz_missing"),
    ({"egovNRN": OTHER}, "other_person"),
    ({"egovNRN": BIS}, "other_person"),
]


@pytest.mark.parametrize(("changed", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_a_token_that_only_looks_right_is_refused(changed: dict[str, object], reason: str) -> None:
    with pytest.raises(CredentialError, match=f"^{reason}$"):
        judge(signed(claims(**changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT]},
        {"azp": CLIENT},
        {"exp": NOW - 29},
        {"iat": NOW + 30},
        {"iat": ASKED_AT - 30},
        {"iat": NOW - 0.5},
        {"nbf": NOW + 30},
        {"auth_time": EARLY - 30},
        {"auth_time": NOW + 30},
        {"jti": "onrtac:7f0e2d3c-b1c0-4e5f-8a7b-0123456789ab"},
        {"jti": "7f0e2d3c-b1c0-4e5f-8a7b-0123456789ab"},
        {"jti": 7},
        {"idtyp": "user"},
        {"xms_act_fct": "3 9 111"},
        {"preferred_username": "An Jansen"},
        {"egovNRN": "85.07.30-033.28"},
        {"roles": ["admin"], "at_hash": "not looked at"},
    ],
    ids=range(17),
)
def test_what_a_provider_may_say_besides_does_no_harm(changed: dict[str, object]) -> None:
    assert judge(signed(claims(**changed))).means is Means.EID


@pytest.mark.parametrize(
    ("level", "means"), [("500", Means.EID), ("450", Means.ITSME), ("400", Means.TOKEN), ("200", Means.PASSWORD)]
)
def test_a_word_of_the_table_stands_for_a_means(level: str, means: Means) -> None:
    question = QUESTION._replace(means=frozenset(Means))
    assert judge(signed(claims(acr=f"{LEVEL}{level}")), question).means is means


def test_a_person_is_known_by_each_number_that_they_have_or_had() -> None:
    """A bis number that became a national number (DESIGN section 1)."""
    assert judge(signed(claims()), inszs=frozenset({BIS, INSZ})).means is Means.EID
    assert judge(signed(claims(egovNRN=BIS)), inszs=frozenset({BIS, INSZ})).means is Means.EID


def test_nobody_has_an_unknown_user_id() -> None:
    with pytest.raises(CredentialError, match="other_person"):
        judge(signed(claims()), inszs=frozenset())


@pytest.mark.parametrize(
    ("at", "counts_as"),
    [
        (ASKED_AT + 10, ASKED_AT + 10),
        (ASKED_AT - 20, ASKED_AT),
        (NOW + 20, NOW),
        (ASKED_AT - 31, None),
        (NOW + 31, None),
    ],
)
def test_when_it_had_to_be_now_it_was_after_the_question(at: float, counts_as: float | None) -> None:
    """Their clock may be behind ours; by ours the person authenticated after they were asked."""
    token, question = signed(claims(auth_time=at)), QUESTION._replace(max_age=0.0)
    if counts_as is None:
        with pytest.raises(CredentialError, match="authentication_stale"):
            judge(token, question)
    else:
        assert judge(token, question).auth_time == counts_as


@pytest.mark.parametrize("payload", [b"", b"[]", b"nonsense", b"\xff", b"[" * 9000, b'{"iss": NaN}'])
def test_a_signed_thing_that_holds_no_claims(payload: bytes) -> None:
    token = jwt.PyJWS().encode(payload, rsa_key(), algorithm="RS256", headers={"kid": "r1"})
    with pytest.raises(CredentialError, match="token_unreadable"):
        judge(token)


@given(
    st.dictionaries(
        st.sampled_from([*claims(), "azp", "jti", "act", "gty", "nbf", "username"]),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
        | st.lists(st.text(max_size=5), max_size=3),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_signed_token_with_anything_in_it_is_judged_by_us(changed: dict[str, object]) -> None:
    """What is accepted says what a good one says wherever it counts."""
    content = {**claims(), **changed}
    try:
        vouched = judge(signed(content))
    except CredentialError:
        return
    for name in ("iss", "nonce"):
        assert content[name] == claims()[name]
    assert content["acr"] in (f"{LEVEL}500", f"{LEVEL}450")
    assert vouched.auth_time <= NOW


@given(st.data())
def test_a_token_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = signed(claims())
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("AQgwb9-_.").filter(lambda character: character != token[at]))
    changed = token[:at] + other + token[at + 1 :]
    try:
        judge(changed)
    except CredentialError:
        return
    # The last character of a part holds bits that base64url leaves unused: the same bytes, the same token.
    decode = jwt.utils.base64url_decode
    assert [decode(part) for part in changed.split(".")] == [decode(part) for part in token.split(".")]


# --- the provider ends a session -----------------------------------------------------------------------------------------


def order(**changed: object) -> dict[str, Any]:
    good = {
        "iss": ISSUER, "aud": CLIENT, "iat": int(NOW) - 2, "exp": int(NOW) + 110, "jti": "j1", "events": {LOGOUT_EVENT: {}},
        "sid": SID, "sub": SUB,
    }  # fmt: skip
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def judge_logout(token: str) -> Logout:
    head = read_head(token, PROVIDER, LOGOUT_TOKEN_TYPES)
    key = find_key(GOOD, head)
    assert key is not None
    return judge_logout_token(token, head, key, PROVIDER, NOW)


@pytest.mark.parametrize(
    ("changed", "logout"),
    [
        ({}, Logout(SUB, SID, "j1", NOW - 2)),
        ({"sub": None}, Logout(None, SID, "j1", NOW - 2)),
        ({"sid": None}, Logout(SUB, None, "j1", NOW - 2)),
        ({"iat": NOW - 120}, Logout(SUB, SID, "j1", NOW - 120)),
        ({"iat": NOW + 30}, Logout(SUB, SID, "j1", NOW + 30)),
    ],
)
@pytest.mark.parametrize("typ", ["logout+jwt", "JWT"])
def test_a_logout_names_whom_it_ends(typ: str, changed: dict[str, object], logout: Logout) -> None:
    assert judge_logout(signed(order(**changed), typ=typ)) == logout


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "mixed_up"),
        ({"aud": "somebody-else"}, "token_audience"),
        ({"aud": [CLIENT, "somebody-else"]}, "token_audience"),
        ({"iat": NOW - 121}, "token_time"),
        ({"iat": NOW + 31}, "token_time"),
        ({"iat": None}, "token_time"),
        ({"exp": NOW - 30}, "token_time"),
        ({"exp": None}, "token_time"),
        ({"events": None}, "token_unreadable"),
        ({"events": [LOGOUT_EVENT]}, "token_unreadable"),
        ({"events": {LOGOUT_EVENT: True}}, "token_unreadable"),
        ({"events": {"urn:something-else": {}}}, "token_unreadable"),
        ({"nonce": "n"}, "token_unreadable"),
        ({"jti": None}, "token_unreadable"),
        ({"jti": 7}, "token_unreadable"),
        ({"sub": None, "sid": None}, "token_unreadable"),
        ({"sid": 7}, "token_unreadable"),
    ],
)
def test_a_logout_that_only_looks_right_is_refused(changed: dict[str, object], reason: str) -> None:
    with pytest.raises(CredentialError, match=f"^{reason}$"):
        judge_logout(signed(order(**changed)))


def test_an_id_token_is_no_logout_and_a_logout_no_id_token() -> None:
    with pytest.raises(CredentialError, match="token_unreadable"):
        judge_logout(signed(claims()))
    with pytest.raises(CredentialError, match="token_nonce"):
        judge(signed(order()))
    strange = jwt.encode(order(), rsa_key(1), algorithm="RS256", headers={"kid": "r1"})
    with pytest.raises(CredentialError, match="token_signature"):
        judge_logout(strange)


@pytest.mark.parametrize(
    ("sub", "sid", "name", "ends"),
    [
        (SUB, SID, session_name(SUB, SID), True),
        (None, SID, session_name(SUB, SID), True),
        (SUB, None, session_name(SUB, SID), True),
        (SUB, None, session_name(SUB, None), True),
        (SUB, "session-2", session_name(SUB, SID), False),
        ("person-2", SID, session_name(SUB, SID), False),
        ("person-2", None, session_name(SUB, SID), False),
        (None, "session-2", session_name(SUB, SID), False),
        (None, SID, session_name(SUB, None), False),
        (SUB, SID, session_name(SUB, None), False),
    ],
)
def test_which_sessions_a_logout_ends(sub: str | None, sid: str | None, name: str, *, ends: bool) -> None:
    begins_with, ends_with = marks_of(Logout(sub, sid, "j", NOW))
    assert (name.startswith(begins_with) and name.endswith(ends_with)) is ends


def test_the_name_of_a_session_holds_neither_of_the_providers() -> None:
    assert SUB not in session_name(SUB, SID)
    assert SID not in session_name(SUB, SID)
