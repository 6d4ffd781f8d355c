"""A provider ends a session of its own, and tells us by a token over the back channel (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import structlog
from aiohttp import web

from gateway.credentials.oidc_keys import LOGOUT_TOKEN_TYPES, read_head
from gateway.credentials.oidc_tokens import LOGOUT_SECONDS, SKEW_SECONDS, Logout, judge_logout_token, marks_of
from gateway.errors import CredentialError
from gateway.ledger.record import sign_out_record
from gateway.outbound.oidc import ProviderDesk
from gateway.portal.ask import Ask
from gateway.records import Change

FIELD: Final = "logout_token"
CAUSE: Final = "provider"
_FIELDS: Final = {"Cache-Control": "no-store"}
"""Section 2.8."""

_log = structlog.get_logger("gateway.portal")


async def end(ask: Ask) -> web.StreamResponse:
    """`POST /oidc/logout/<provider>`: for the provider's machine. No cookie is looked at; the token proves who says it.

    Only sessions are ended that began before it was said, and each word is heard once: who catches one cannot lock anybody out with it.
    """
    desk = ask.services.providers.get(ask.request.match_info["provider"])
    if desk is None:
        return _answer(404)
    token = (await ask.form()).get(FIELD, "")
    try:
        head = read_head(token, desk.provider, LOGOUT_TOKEN_TYPES)
        logout = judge_logout_token(token, head, await desk.key(head), desk.provider, ask.services.clock())
        heard = sha256(f"{desk.provider.id}\0{logout.jti}".encode("utf-8", "surrogatepass")).digest()
        if await ask.services.records.logout_heard(heard):
            raise CredentialError("token_used")
    except CredentialError as error:
        _log.warning(
            "provider_logout_refused", request=ask.handed.reference, provider=desk.provider.id, reason=error.reason
        )
        return _answer(400)
    ended = await _end_all(ask, desk, logout)
    await ask.services.records.hear_logout(heard, logout.issued_at + LOGOUT_SECONDS + SKEW_SECONDS)
    _log.info("provider_logout", request=ask.handed.reference, provider=desk.provider.id, sessions=ended)
    return _answer(200)


async def _end_all(ask: Ask, desk: ProviderDesk, logout: Logout) -> int:
    """Ends the sessions, each with its line first. Gives how many there were."""
    records = ask.services.records
    found = await records.provider_sessions(desk.provider.id, *marks_of(logout), logout.issued_at + SKEW_SECONDS)
    ended = 0
    for session in found:

        async def write(change: Change, session: str = session) -> None:
            user = None if change.user_id is None else ask.services.sealer.person(change.user_id, change.insz)
            line = sign_out_record(
                ask.handed.reference, cause=CAUSE, client=ask.handed.address, user=user, session=session
            )
            await ask.services.admin.write(line)

        by = f"provider:{desk.provider.id}"
        ended += await records.end_session(session, "ended at the provider", by, before_commit=write)
    return ended


def _answer(status: int) -> web.Response:
    if status == 200:
        return web.Response(headers=_FIELDS)
    return web.json_response({"error": "invalid_request"}, status=status, headers=_FIELDS)
