"""A form that meets a challenge: read, and kept until the person has confirmed who they are (docs/adr/0009).

Only of a browser whose session this gateway knows, living or ended: a stranger costs no memory and no disk, and gets the page of ADR
0007. So does everybody when the form is too large, too slow, of another kind, or cannot be stored: nothing is lost without a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from gateway.credentials.start import MAX_TARGET_CHARACTERS
from gateway.credentials.tokens import TOKEN_BYTES, make_token, token_hash
from gateway.decision import Decision, Facts, Kind, Place
from gateway.decision.places import FORM_PAGE
from gateway.errors import CredentialError, RecordsError, RequestError
from gateway.message import ContentLength, Data, NoBody, RequestHead
from gateway.message.forms import MULTIPART, form_type, read_form, without_files
from gateway.proxy.cookies import KEPT_COOKIE, own_cookie, split
from gateway.records.forms import FORM_SECONDS, KeptForm

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection

MOST_AT_ONCE = 64
"""Forms being read or stored at one moment by one worker: 16 MiB at the most."""
MOST_OF_A_SESSION = 4
"""Of these, of one session: a browser opens six connections to a host, and a person sends one form at a time."""

_log = structlog.get_logger("gateway.proxy")


class FormStore(Protocol):
    """Where forms are kept: `records.KeptForms`."""

    async def keep_form(self, key_hash: bytes, browser_hash: bytes, form: KeptForm) -> bool: ...


class Kept(NamedTuple):
    """The form can be had again: at the form page, with `key`, in the browser that shows `browser` as its cookie.

    For a form that was kept before and is being sent on, `key` is "": it still is where it was.
    """

    key: str
    browser: str


def keepable(client: ClientConnection, head: RequestHead, facts: Facts, decision: Decision) -> bool:
    """Whether this is a form to be kept, as far as its head says."""
    gate = client.gate
    if (
        decision.permitted
        or decision.kind is not Kind.CHALLENGE
        or not facts.navigation
        or head.method != "POST"
        or facts.session is None
        or gate.forms is None
        or head.expect_continue
        or len(head.target.path) > MAX_TARGET_CHARACTERS
        or not (decision.place is Place.TRANSACTION or head.target.path == FORM_PAGE)
    ):
        return False
    framing = head.framing
    length = framing.length if type(framing) is ContentLength else 0 if type(framing) is NoBody else None
    if length is None or length > gate.max_form_bytes or form_type(head.fields.get("content-type")) is None:
        return False
    theirs = sum(1 for other in gate.keeping if other.session == facts.session.id)
    return len(gate.keeping) < MOST_AT_ONCE and theirs < MOST_OF_A_SESSION


class Keeping:
    """One form on its way into the store. `done` is called once: with what was kept, or None."""

    __slots__ = ("_client", "_done", "_facts", "_head", "_pieces", "_storing", "_timer", "session", "whole")

    def __init__(
        self, client: ClientConnection, head: RequestHead, facts: Facts, done: Callable[[Kept | None], None]
    ) -> None:
        self._client = client
        self._head = head
        self._facts = facts
        self._done: Callable[[Kept | None], None] | None = done
        self._pieces: list[bytes] = []
        self._storing: asyncio.Task[Kept | None] | None = None
        self.session = "" if facts.session is None else facts.session.id
        self.whole = False
        """That the request was read to its end."""
        gate = client.gate
        # One limit for the whole: a form is no upload, and nobody is waited for byte by byte.
        self._timer = gate.loop.call_later(gate.timeouts.body_idle, self.give_up)
        gate.keeping.add(self)

    def pump(self) -> None:
        """Take what came of the body."""
        if self.whole or self._done is None:
            return
        reader = self._client.reader
        try:
            while (event := reader.next_event()) is not None:
                if type(event) is not Data:
                    self.whole = True
                    break
                self._pieces.append(event.data)
        except RequestError:
            self.give_up()
            return
        self._client.pace()
        if self.whole:
            self._store()

    def give_up(self) -> None:
        """The form is not kept: it took too long, or there is nobody any more to come back for it."""
        self._finish(None)

    def _store(self) -> None:
        self._timer.cancel()
        body, self._pieces = b"".join(self._pieces), []
        if self._head.target.path == FORM_PAGE:
            self._finish(Kept("", ""))
            return
        self._storing = self._client.gate.loop.create_task(self._kept(body))
        self._storing.add_done_callback(self._stored)

    def _stored(self, task: asyncio.Task[Kept | None]) -> None:
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            # A mistake of ours: told by the loop, and the person gets the page of a form that was not sent.
            self._client.gate.loop.call_exception_handler({"message": "keeping a form failed", "exception": fault})
        self._finish(None if task.cancelled() or fault is not None else task.result())

    def _finish(self, kept: Kept | None) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        self._timer.cancel()
        self._pieces = []
        self._client.gate.keeping.discard(self)
        done(kept)

    async def _kept(self, body: bytes) -> Kept | None:
        gate, head, session = self._client.gate, self._head, self._facts.session
        content_type = head.fields.get("content-type") or ""
        if gate.forms is None or session is None:
            return None
        try:
            read_form(content_type, body)
            if form_type(content_type) == MULTIPART:
                body = without_files(content_type, body)
        except RequestError as error:
            _log.info("form_not_kept", reason=error.detail)
            return None
        key = make_token(gate.random(TOKEN_BYTES))
        browser = own_cookie(split(head.fields.all("cookie")), KEPT_COOKIE) or ""
        try:
            browser_hash = token_hash(browser)
        except CredentialError:
            browser = make_token(gate.random(TOKEN_BYTES))
            browser_hash = token_hash(browser)
        host = self._facts.host or ""
        expires_at = self._facts.now + FORM_SECONDS
        form = KeptForm(session.user_id, host, head.target.encoded, content_type, body, expires_at)
        try:
            kept = await gate.forms.keep_form(token_hash(key), browser_hash, form)
        except RecordsError as error:
            _log.warning("form_not_kept", reason=str(error))
            return None
        if not kept:
            _log.warning("form_not_kept", reason="no room for more kept forms")
        return Kept(key, browser) if kept else None
