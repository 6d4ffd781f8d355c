"""The one table of reason codes. The ledger, the pages, `gateway explain` and `docs/reasons.md` all read it.

A code is stable: others script against it. It enters the table together with the check that gives it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What the gateway does about it."""

    PERMIT = "permit"
    CHALLENGE = "challenge"
    DENY = "deny"
    FAILURE = "failure"
    """Nobody's fault but a machine's: the gateway's, the origin's, or the client's network (clause B2)."""


class Mender(enum.StrEnum):
    """Who can do something about it."""

    NOBODY = "nobody"
    PERSON = "person"
    CLIENT = "maker of the client"
    ADMINISTRATOR = "local administrator"
    HEAD_OFFICIAL = "head official"
    KSZ = "KSZ"
    OPERATOR = "operator"
    ORIGIN = "operator of the origin"


class Severity(enum.StrEnum):
    """How a reader of the ledger should take it."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Reason:
    """One row. `status` is the HTTP status (0: no answer is possible; a challenge's is for a script, a navigation
    gets a 303); `clause` an id of the policy.

    `personal` says that the code tells something of the person's own position, so that only who is or was designated
    for the transaction may see it; others get the text of `not_for_you` (DESIGN section 4). `text` is the key of the
    page text.
    """

    code: str
    clause: str
    kind: Kind
    status: int
    mender: Mender
    severity: Severity
    text: str
    meaning: str
    personal: bool = False

    def __str__(self) -> str:
        return self.code


NOT_FOR_YOU = "not_for_you"
"""The page text and problem detail that stand for every `personal` reason towards a stranger."""

_P, _C, _D, _F = Kind.PERMIT, Kind.CHALLENGE, Kind.DENY, Kind.FAILURE
_INFO, _NOTICE, _WARNING, _ERROR = Severity.INFO, Severity.NOTICE, Severity.WARNING, Severity.ERROR


def _row(
    code: str,
    clause: str,
    kind: Kind,
    status: int,
    mender: Mender,
    severity: Severity,
    meaning: str,
    *,
    personal: bool = False,
) -> Reason:
    return Reason(code, clause, kind, status, mender, severity, code, meaning, personal)


_ROWS = (
    _row("permitted", "P1", _P, 200, Mender.NOBODY, _INFO, "every check was met"),
    # HTTPS, and the right host (B3)
    _row("plain_http", "B3", _D, 403, Mender.PERSON, _NOTICE, "the connection was plain HTTP"),
    _row("tls_failed", "B3", _D, 0, Mender.CLIENT, _NOTICE, "the TLS handshake failed"),
    _row("too_many_connections", "B3", _D, 0, Mender.NOBODY, _WARNING, "more connections than the configuration lets in"),
    _row("no_request", "B3", _D, 0, Mender.NOBODY, _INFO, "a good handshake, then no request (browsers do this)"),
    _row("misdirected", "B3", _D, 421, Mender.CLIENT, _NOTICE, "the Host field is not the name the handshake asked for"),
    _row("unknown_host", "B3", _D, 421, Mender.CLIENT, _NOTICE, "the Host field names no host of this listener"),
    # one reading of every message (B3)
    _row("malformed", "B3", _D, 400, Mender.CLIENT, _WARNING, "the message breaks a rule of HTTP/1.1"),
    _row("ambiguous_framing", "B3", _D, 400, Mender.CLIENT, _WARNING, "the message has more than one possible length"),
    _row("unsafe_target", "B3", _D, 400, Mender.CLIENT, _WARNING, "the target can be read in more than one way"),
    _row("field_refused", "B3", _D, 400, Mender.CLIENT, _WARNING, "a field name or value is not accepted"),
    _row("too_large", "B3", _D, 413, Mender.CLIENT, _NOTICE, "the target, a field or the body is over its limit"),
    _row("too_slow", "B3", _D, 408, Mender.CLIENT, _NOTICE, "the message did not arrive in time"),
    # natural persons only (B1)
    _row("user_agent_missing", "B1", _D, 403, Mender.CLIENT, _WARNING, "the client does not say what it is"),
    _row("machine_client", "B1", _D, 403, Mender.CLIENT, _WARNING, "the client names itself a library, a tool or a crawler"),
    _row("automated_browser", "B1", _D, 403, Mender.CLIENT, _WARNING, "the browser says that a program drives it, or that it has no window"),
    _row("signed_agent", "B1", _D, 403, Mender.CLIENT, _WARNING, "a Signature-Agent field: an agent that signs its requests"),
    _row("inbound_credential", "B1", _D, 403, Mender.CLIENT, _WARNING, "a key or token of its own came without a session"),
    _row("office_link", "B1", _C, 200, Mender.NOBODY, _INFO, "Microsoft Office fetched a link before the browser: an empty answer"),
    _row("foreign_websocket", "B1", _D, 403, Mender.CLIENT, _WARNING, "a websocket whose Origin is not ours or is absent"),
    _row("cross_site", "B1", _D, 403, Mender.CLIENT, _WARNING, "an unsafe request that another site's page made"),
    _row("too_fast", "B1", _D, 429, Mender.CLIENT, _WARNING, "more requests of one session to one transaction than a person makes"),
    _row("doubtful_client", "B1", _C, 401, Mender.PERSON, _NOTICE, "so much evidence speaks for a program that the person is asked"),
    # the gateway's own trouble
    _row("table_unavailable", "E1", _F, 503, Mender.OPERATOR, _ERROR, "no good table is loaded: nothing is permitted"),
    _row("table_expired", "E1", _F, 503, Mender.KSZ, _ERROR, "the release of the table has expired, and its grace is over"),
    _row("records_unavailable", "P4", _F, 503, Mender.OPERATOR, _ERROR, "the records cannot be read, or are too old"),
    _row("ledger_unavailable", "T1", _F, 503, Mender.OPERATOR, _ERROR, "the security log cannot be written"),
    _row("gateway_error", "B2", _F, 503, Mender.OPERATOR, _ERROR, "an unexpected error of the gateway"),
    _row("draining", "B2", _F, 503, Mender.NOBODY, _INFO, "the gateway is stopping"),
    # who it is: I4
    _row("sign_in_required", "I4", _C, 401, Mender.PERSON, _INFO, "nobody is signed in"),
    _row("session_expired", "I4", _C, 401, Mender.PERSON, _INFO, "the session ended by time"),
    _row("session_revoked", "I4", _C, 401, Mender.PERSON, _NOTICE, "the session was ended"),
    _row("session_moved", "I4", _C, 401, Mender.PERSON, _WARNING, "the session's cookie comes from another client than it was given to"),
    _row("regulation_not_accepted", "I1", _C, 401, Mender.PERSON, _INFO, "the user regulation's version in force is not accepted"),
    # the authorisation (P1, I3, E1)
    _row("no_transaction", "P1", _D, 403, Mender.NOBODY, _NOTICE, "no transaction is at this address", personal=True),
    _row("not_authorised", "P1", _D, 403, Mender.KSZ, _NOTICE, "the institution has no authorisation for it", personal=True),
    _row("not_activated", "I3", _D, 403, Mender.KSZ, _NOTICE, "the KSZ gave no favourable opinion yet", personal=True),
    _row("not_yet_valid", "E1", _D, 403, Mender.KSZ, _NOTICE, "the authorisation begins later", personal=True),
    _row("expired", "E1", _D, 403, Mender.KSZ, _NOTICE, "the authorisation has ended", personal=True),
    _row("suspended", "I3", _D, 403, Mender.KSZ, _NOTICE, "the authorisation is suspended", personal=True),
    _row("revoked", "I3", _D, 403, Mender.KSZ, _NOTICE, "the authorisation was revoked", personal=True),
    _row("suspended_by_ksz", "I3", _D, 403, Mender.KSZ, _WARNING, "suspended by the KSZ's duty officer in an emergency"),
    # the designation (P4, P5)
    _row("person_blocked", "P4", _D, 403, Mender.ADMINISTRATOR, _WARNING, "the user ID is blocked or has ended", personal=True),
    _row("not_designated", "P4", _D, 403, Mender.ADMINISTRATOR, _NOTICE, "the person is not designated for it", personal=True),
    _row("designation_ended", "P4", _D, 403, Mender.ADMINISTRATOR, _NOTICE, "the designation is over", personal=True),
    _row(
        "mandate_ended", "P5", _D, 403, Mender.HEAD_OFFICIAL, _NOTICE,
        "the designation was made outside a mandate, or the mandate is gone longer than the review time", personal=True,
    ),
    _row("role_missing", "P3", _D, 403, Mender.ADMINISTRATOR, _NOTICE, "the user-management role is missing", personal=True),
    _row("role_source_unavailable", "P3", _F, 503, Mender.OPERATOR, _ERROR, "no recent enough answer on the person's roles"),
    # what is done with the data (P2)
    _row("use_not_covered", "P2", _D, 403, Mender.KSZ, _NOTICE, "the operation is not declared, or its use is not granted", personal=True),
    _row("purpose_missing", "P2", _D, 403, Mender.KSZ, _WARNING, "a consultation without a stated purpose", personal=True),
    _row("outside_context", "I2", _D, 403, Mender.PERSON, _NOTICE, "outside the networks, hours or days of the authorisation", personal=True),
    # the means of authentication (I2, I5)
    _row("means_too_weak", "I2", _C, 401, Mender.PERSON, _NOTICE, "a stronger means of authentication is needed", personal=True),
    _row("means_not_agreed", "I2", _C, 401, Mender.PERSON, _NOTICE, "the deliberation does not name this means", personal=True),
    _row("authentication_too_old", "I2", _C, 401, Mender.PERSON, _INFO, "the last authentication is too long ago", personal=True),
    _row("revocation_unknown", "I5", _F, 503, Mender.OPERATOR, _ERROR, "no recent enough answer on whether the card is revoked"),
    # how a forwarded request ended (B2): in the completion line
    _row("completed", "B2", _P, 200, Mender.NOBODY, _INFO, "the origin's answer was delivered whole"),
    _row("client_closed", "B2", _F, 499, Mender.NOBODY, _INFO, "the client's connection broke off"),
    _row("access_ended", "P4", _D, 403, Mender.NOBODY, _NOTICE, "the access ended while the exchange was under way"),
    _row("origin_refused", "B2", _F, 502, Mender.ORIGIN, _ERROR, "the origin refused the connection or its TLS failed"),
    _row("origin_timeout", "B2", _F, 504, Mender.ORIGIN, _ERROR, "the origin did not answer in time"),
    _row("origin_broken", "B2", _F, 502, Mender.ORIGIN, _ERROR, "the origin broke off"),
    _row("origin_malformed", "B2", _F, 502, Mender.ORIGIN, _ERROR, "the origin's message breaks a rule of HTTP/1.1"),
)  # fmt: skip

REASONS: dict[str, Reason] = {row.code: row for row in _ROWS}

_ATTEMPTS = (
    _row("signed_in", "I5", _P, 303, Mender.NOBODY, _INFO, "the person proved who they are, and a session began"),
    _row("stepped_up", "I2", _P, 303, Mender.NOBODY, _INFO, "the person proved it again, by a stronger means"),
    _row("card_asked", "I5", _C, 303, Mender.PERSON, _INFO, "the password is right: a code of the card is asked for"),
    _row("activation_shown", "I5", _C, 303, Mender.PERSON, _INFO, "the activation code is right: a password is to be set"),
    _row("unknown_user_id", "I4", _D, 422, Mender.PERSON, _NOTICE, "no such user ID, or it has no password"),
    _row("password_wrong", "I5", _D, 422, Mender.PERSON, _NOTICE, "the password is not this user ID's"),
    _row("password_too_long", "I5", _D, 422, Mender.PERSON, _NOTICE, "longer than any password may be"),
    _row("password_unreadable", "I5", _D, 422, Mender.PERSON, _NOTICE, "a password of characters that cannot be"),
    _row("password_unusable", "I5", _D, 422, Mender.OPERATOR, _ERROR, "the stored hash cannot be read"),
    _row("code_needed", "I2", _D, 422, Mender.PERSON, _INFO, "the password is good only together with a code"),
    _row("code_unknown", "I5", _D, 422, Mender.ADMINISTRATOR, _NOTICE, "a code, but the user ID has no app registered"),
    _row("code_malformed", "I5", _D, 422, Mender.PERSON, _NOTICE, "the code is not six digits"),
    _row("code_wrong", "I5", _D, 422, Mender.PERSON, _NOTICE, "the code is not the app's of this moment"),
    _row("code_used", "I5", _D, 422, Mender.PERSON, _WARNING, "the code was used before"),
    _row("card_code_wrong", "I5", _D, 422, Mender.PERSON, _NOTICE, "not the code of the number that was asked for"),
    _row("card_over", "I5", _D, 422, Mender.PERSON, _NOTICE, "that number is asked for no more: tried, or a new card"),
    _row("code_unusable", "I5", _D, 422, Mender.OPERATOR, _ERROR, "what is stored of a code cannot be read"),
    _row("activation_unknown", "I5", _D, 422, Mender.ADMINISTRATOR, _NOTICE, "no activation code waits: used or voided"),
    _row("activation_wrong", "I5", _D, 422, Mender.PERSON, _NOTICE, "not the activation code of this user ID"),
    _row("activation_expired", "I5", _D, 422, Mender.ADMINISTRATOR, _NOTICE, "the right activation code, but too late"),
    # what a provider of the federation said (I5), and whether it was of a person (B1)
    _row("state_unknown", "I5", _D, 403, Mender.PERSON, _NOTICE, "an answer that this browser did not ask for, or too late, or twice"),
    _row("mixed_up", "I5", _D, 403, Mender.NOBODY, _WARNING, "an answer of another provider than the one that was asked"),
    _row("provider_error", "I5", _D, 403, Mender.PERSON, _NOTICE, "the provider said no, or the person did there: its word is the detail"),
    _row("provider_failed", "I5", _F, 503, Mender.OPERATOR, _ERROR, "the provider did not answer in time, or its answer is of no use"),
    _row("answer_unreadable", "I5", _D, 403, Mender.OPERATOR, _WARNING, "what the browser brought back from the provider has no single reading"),
    _row("token_unreadable", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a provider's token that is none, or lacks what it must have"),
    _row("token_algorithm", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a token that is not signed, or not as this provider may sign"),
    _row("token_key_unknown", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a token by a key that the provider does not publish"),
    _row("token_signature", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a token whose signature is wrong"),
    _row("token_audience", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a token that is not for this gateway alone"),
    _row("token_time", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a token from before it was asked for, of the future, or over"),
    _row("token_nonce", "I5", _D, 403, Mender.OPERATOR, _WARNING, "a token that answers another sign-in"),
    _row("token_used", "I5", _D, 403, Mender.NOBODY, _WARNING, "a provider's word that a session is over, which was heard before"),
    _row("token_of_program", "B1", _D, 403, Mender.OPERATOR, _WARNING, "a token that a program got, or somebody on behalf of a person"),
    _row("authentication_stale", "I5", _D, 403, Mender.PERSON, _NOTICE, "the person authenticated too long ago, or the token does not say when"),
    _row("acr_refused", "I5", _D, 403, Mender.PERSON, _NOTICE, "by a means that is not known, or that does not do here"),
    _row("insz_missing", "I5", _D, 403, Mender.OPERATOR, _WARNING, "the provider does not say which person it is, by their INSZ"),
    _row("other_person", "I4", _D, 403, Mender.PERSON, _WARNING, "another person than the one whose user ID was filled in"),
    # what the eID door found of a card (I5), and whose it is (I4)
    _row("certificate_missing", "I5", _D, 403, Mender.PERSON, _NOTICE, "no client certificate was sent: no card, no PIN, or none chosen"),
    _row("certificate_unreadable", "I5", _D, 403, Mender.PERSON, _WARNING, "what was sent as a client certificate cannot be read"),
    _row("certificate_untrusted", "I5", _D, 403, Mender.PERSON, _WARNING, "no authority for cards that a pinned root vouches for has issued it"),
    _row("certificate_expired", "I5", _D, 403, Mender.PERSON, _NOTICE, "the certificate, or its authority's, is over"),
    _row("certificate_not_yet_valid", "I5", _D, 403, Mender.PERSON, _NOTICE, "the certificate, or its authority's, has not begun"),
    _row("certificate_weak", "I5", _D, 403, Mender.PERSON, _WARNING, "a signature or a key that proves nothing any more"),
    _row("certificate_for_signing", "I5", _D, 403, Mender.PERSON, _NOTICE, "the card's other certificate, the one for signing"),
    _row("certificate_not_a_person", "I5", _D, 403, Mender.PERSON, _WARNING, "an organisation's, a server's or a seal's, not a natural person's"),
    _row("certificate_wrong_type", "I5", _D, 403, Mender.PERSON, _NOTICE, "not a card's certificate for signing in, for another cause"),
    _row("certificate_not_yours", "I4", _D, 403, Mender.PERSON, _WARNING, "the card is of another person than the one whose user ID was filled in"),
    _row("certificate_revoked", "I5", _D, 403, Mender.PERSON, _WARNING, "the card was revoked"),
    _row("user_id_blocked", "P4", _D, 422, Mender.ADMINISTRATOR, _WARNING, "the user ID is blocked or has ended"),
    _row("locked_out", "I5", _D, 422, Mender.PERSON, _WARNING, "an attempt during a wait: neither checked nor counted"),
    _row("disabled", "I5", _D, 422, Mender.ADMINISTRATOR, _WARNING, "100 failures in a row: the password is disabled"),
)  # fmt: skip

ATTEMPTS: dict[str, Reason] = {row.code: row for row in _ATTEMPTS}
"""What became of an attempt to sign in or step up: in its ledger line only. The page says the same of an unknown and a known user
ID, so none of these has a text of its own; what is shown is the wait, and that a password is disabled."""
