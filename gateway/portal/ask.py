"""One request for a page of ours, with everything that a handler needs: what was handed over, the language, the way to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from math import ceil
from typing import Final
from urllib.parse import unquote, urlencode

from aiohttp import web

from gateway.decision import Facts
from gateway.decision.checks import Found, regulation_accepted, same_client, signed_in
from gateway.ledger.pseudonym import network_of
from gateway.ledger.reference import format_reference
from gateway.model import KSZ, Channel, Language, Session, UserRecords
from gateway.portal import catalogue, cookies, language
from gateway.portal.assets import Assets
from gateway.portal.forms import FIELD, FormTokens, Notes, UserTags
from gateway.portal.handed import Handed
from gateway.portal.hashing import HashingPool
from gateway.portal.render import Frame, Person, render, switch_address, switches
from gateway.portal.services import PortalServices
from gateway.portal.settings import PortalSettings
from gateway.portal.words import MEANS

PAGE_FIELDS: Final[dict[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex",
}
"""What every page of ours is sent with, beside its Content-Security-Policy."""

ONE_TIME_FIELDS: Final[dict[str, str]] = {"Referrer-Policy": "no-referrer"}
"""For answers with a one-time code in them (DESIGN section 6)."""

HOST_PREFIX: Final = "/.gateway"
CBSS: Final = catalogue.N_("Crossroads Bank for Social Security (CBSS)")
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_PATH: Final = re.compile(r"/[ -:<-~]{0,1024}")
"""A cookie's path (RFC 6265 section 4.1.1)."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")


@dataclass(frozen=True, slots=True)
class Tools:
    """What the portal makes for itself at start."""

    services: PortalServices
    assets: Assets
    forms: FormTokens
    notes: Notes
    tags: UserTags
    hashing: HashingPool


class Ask:
    """A request that the proxy permitted. `facts` are the proxy's; of the request only path, query, form and cookies are read."""

    def __init__(self, tools: Tools, request: web.Request, handed: Handed) -> None:
        self.tools = tools
        self.request = request
        self.handed = handed

    @property
    def services(self) -> PortalServices:
        return self.tools.services

    @property
    def settings(self) -> PortalSettings:
        return self.tools.services.settings

    @property
    def facts(self) -> Facts:
        return self.handed.facts

    @property
    def now(self) -> float:
        return self.handed.facts.now

    @property
    def host(self) -> str:
        """The host that was asked, one of ours: the decision has checked it."""
        return self.handed.facts.host or ""

    @property
    def on_portal(self) -> bool:
        return self.host == self.settings.host

    @property
    def at_eid_door(self) -> bool:
        """Whether the request came by a listener that asks for a card: a host of its own, without sessions."""
        return self.facts.connection.channel is Channel.EID

    @cached_property
    def language(self) -> Language:
        user = self.facts.user
        default = self.settings.default_language if user is None else user.language
        return language.choose(self.request.headers.get("Accept-Language"), self.cookie(cookies.LANGUAGE), default)

    @cached_property
    def _cookies(self) -> list[tuple[str, str]]:
        """Names and values as they came (RFC 6265 section 5.4); the standard parser drops everything after a name it dislikes."""
        pieces = (piece for field in self.request.headers.getall("Cookie", ()) for piece in field.split(";"))
        return [
            (name, value) for name, equals, value in (piece.strip(" \t").partition("=") for piece in pieces) if equals
        ]

    def cookie(self, name: str) -> str | None:
        """One of our cookies; None as well when it is there with two values: then somebody plays."""
        values = {value for key, value in self._cookies if key == name}
        return values.pop() if len(values) == 1 else None

    def forget_strange_cookies(self, response: web.StreamResponse) -> None:
        """Expires the cookies that are not ours, as far as they have names (RFC 9110 token): those that reach this page, and those with a
        path that a note of the proxy tells of."""
        found = {(key, "/") for key, _ in self._cookies if not key.lower().startswith("__host-gw-")}
        for key, value in self._cookies:
            if key.startswith(cookies.NOTE_PREFIX) and _TOKEN.fullmatch(key):
                path, _, name = value.partition(":")
                found.add((name, unquote(path)))
                cookies.expire_cookie(response, key)
        for name, path in sorted(found):
            if _TOKEN.fullmatch(name) and _PATH.fullmatch(path):
                response.headers.add("Set-Cookie", f"{name}=; Path={path}; Max-Age=0; Secure")

    @cached_property
    def session(self) -> Session | None:
        """The session, when it lives. An open page may be asked for with one that has ended."""
        return self.facts.session if signed_in(self.facts, self.services.snapshot(), Found()) is None else None

    @property
    def user(self) -> UserRecords | None:
        return None if self.session is None else self.facts.user

    @property
    def moved(self) -> bool:
        """Whether the session came here from another client than it was given to: the decision's own check."""
        return self.session is not None and same_client(self.facts, self.services.snapshot(), Found()) is not None

    @property
    def family(self) -> str | None:
        """The family of this client, by its TLS; None when it is not known."""
        hello = self.facts.connection.hello
        return None if hello is None else hello.fingerprint

    def accepted(self, user: UserRecords) -> bool:
        """Whether `user` accepted the regulation in force: the decision's own check."""
        return regulation_accepted(replace(self.facts, user=user), self.services.snapshot(), Found()) is None

    def text(self, message: str) -> str:
        return catalogue.translate(self.language, message)

    @property
    def helpers(self) -> dict[str, str]:
        """Who can help, for a page's context: the institution and its help desk, when somebody is signed in, and ours."""
        institution = None if self.user is None else self.services.snapshot().institutions.get(self.user.institution)
        return {
            "institution": "" if institution is None else institution.name.in_(self.language),
            "helpdesk": "" if institution is None else institution.helpdesk,
            "service": self.settings.help_desk,
        }

    def institution_name(self, kbo: str) -> str:
        """In the page's language; its number, where the table does not name it any more."""
        if kbo == KSZ:
            return self.text(CBSS)
        institution = self.services.snapshot().institutions.get(kbo)
        return kbo if institution is None else institution.name.in_(self.language)

    # --- forms --------------------------------------------------------------------------------------------------------

    @cached_property
    def form_holder(self) -> str:
        """Whom a form is tied to: the session, else the browser by its form cookie, which is made when there is none."""
        if self.session is not None:
            return f"session {self.session.id}"
        return f"browser {self.cookie(cookies.FORM) or self.services.random(32).hex()}"

    @property
    def form_token(self) -> str:
        return self.tools.forms.make(self.form_holder)

    @property
    def holder_hash(self) -> bytes:
        """The same, as what goes on elsewhere is tied to it (`records.pending`)."""
        return sha256(self.form_holder.encode("utf-8", "surrogatepass")).digest()

    @property
    def network(self) -> str:
        """The client's network, by which what waits is bounded."""
        return str(network_of(ip_address(self.facts.connection.address)))

    async def form(self) -> dict[str, str]:
        """The fields of a form; a field that is there twice is left out. Raises `HTTPBadRequest` when it cannot be read."""
        if self.request.content_type != FORM_TYPE:
            # No form of ours sends a file; a reader of multipart bodies is one less that strangers can try.
            raise web.HTTPBadRequest
        try:
            data = await self.request.post()
        except (ValueError, LookupError, ConnectionError, web.RequestPayloadError) as error:
            # Bytes or a character set that are none, or a browser that left half-way; aiohttp lets these out as they are.
            raise web.HTTPBadRequest from error
        return {
            key: value
            for key in set(data)
            if len(values := data.getall(key)) == 1 and isinstance(value := values[0], str)
        }

    def form_fits(self, form: Mapping[str, str]) -> bool:
        return self.tools.forms.fits(form.get(FIELD, ""), self.form_holder)

    # --- answers ------------------------------------------------------------------------------------------------------

    def page(
        self,
        name: str,
        context: Mapping[str, object] | None = None,
        *,
        status: int = 200,
        leads_to: Sequence[str] = (),
        again: Mapping[str, str] | None = None,
    ) -> web.Response:
        """A page from a template. `leads_to` are the other addresses, `https://host[:port]`, that a form here may lead to by redirect
        (DESIGN section 10); never from the request.

        `again` is the query with which a GET shows the same: an answer to a POST has none in its address, and a change of language
        would forget where the person was going.
        """
        text = render(self._frame(again or {}), name, {"csrf": self.form_token, "start": "", **(context or {})})
        response = web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=PAGE_FIELDS
        )
        others = "".join(f" {address}" for address in leads_to)
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; img-src 'self'; "
            f"form-action 'self'{others}; frame-ancestors 'none'; base-uri 'none'"
        )
        response.headers["Content-Language"] = self.language
        if self.form_token in text:
            self.tie(response)
        return response

    def tie(self, response: web.StreamResponse) -> None:
        """Gives the browser the cookie by which it is known again as `form_holder`; a session needs none."""
        if self.form_holder.startswith("browser "):
            cookies.set_cookie(response, cookies.FORM, self.form_holder.removeprefix("browser "))

    def notice(
        self, title: str, text: str, *, status: int, link: str | None = None, link_text: str = ""
    ) -> web.Response:
        """A short page that says one thing and has one way on. Texts are messages of the catalogues."""
        context = {
            "title": title,
            "text": text,
            "link": link or f"{self.settings.address}/applications",
            "link_text": link_text or catalogue.N_("My applications"),
            "reference": format_reference(self.handed.reference),
        }
        return self.page("notice.html", context, status=status)

    def redirect(self, location: str) -> web.Response:
        """303 (RFC 9110 section 15.4.4). `location` is made by us, or came through `own_path`."""
        return web.Response(status=303, headers={**PAGE_FIELDS, "Location": location})

    def _frame(self, again: Mapping[str, str]) -> Frame:
        here = self.request.raw_path
        if self.request.method != "GET":
            here = f"{self.request.path}?{urlencode(again)}" if again else self.request.path
        prefix = "" if self.on_portal else HOST_PREFIX
        return Frame(
            self.language,
            "" if self.on_portal else self.settings.address,
            here,
            switches(self.language, switch_address(f"{prefix}/language", here)),
            self._person(),
            asset=lambda name: f"{prefix}/static/{self.tools.assets.named(name).name}",
        )

    def _person(self) -> Person | None:
        """Who is signed in, until when. An activity now begins the idle time anew; the absolute end stays."""
        session, user = self.session, self.user
        if session is None or user is None:
            return None
        seen = self.now if self.facts.activity else self.facts.last_seen
        idle_end = seen + self.services.snapshot().idle_seconds
        end = min(idle_end, session.expires_at)
        return Person(
            user.user_id,
            user.name,
            self.institution_name(user.institution),
            MEANS[session.means.value],
            catalogue.clock_time(self.language, end),
            min(max(0, ceil((end - self.now) / 60)), self.tools.assets.longest_countdown),
            idle_end < session.expires_at,
        )
