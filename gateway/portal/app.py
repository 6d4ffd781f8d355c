"""The portal: an ordinary aiohttp application behind the proxy, on the portal host and below `/.gateway/` of every transaction host.

What it knows of a request's client, session and user was handed over by the proxy as values, found by the request's id. A request
without an id that the proxy handed over gets 400 and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from gateway.decision.places import CLEARED_PAGE, EID_ENTER, EID_REFUSED, FORM_DISCARDED, FORM_PAGE
from gateway.errors import Conflict, LedgerError, RecordsError
from gateway.identifiers import mask_insz
from gateway.portal import (
    accepting,
    access_report,
    activation,
    administration,
    applications,
    bringing_in,
    card,
    changes,
    designating,
    duty,
    eid,
    eid_door,
    federation,
    federation_logout,
    hand_over,
    head,
    head_mandates,
    information,
    issuing,
    kept_form,
    leaving,
    lists,
    methods,
    newcomers,
    own_app,
    own_password,
    people,
    person_sheet,
    reading,
    recent_acts,
    regulation,
    reviewing,
    sign_in,
    sign_out,
    step_up,
    succession,
    why,
)
from gateway.portal.ask import HOST_PREFIX, Ask, Tools
from gateway.portal.assets import Assets
from gateway.portal.catalogue import N_
from gateway.portal.forms import FormTokens, Notes, UserTags
from gateway.portal.hashing import HashingPool
from gateway.portal.own_pages import APP_PAGE, DUTY_PAGE, HEAD_PAGE, MANDATE_PAGE, PASSWORD_PAGE, READ_PAGE, TABLE_PAGE
from gateway.portal.papers import ACTIVATION_PAGE
from gateway.portal.services import PortalServices

MAX_FORM_BYTES: Final = 65_536
"""The greatest form of ours, with a start token, takes some 5 kB."""

Page = Callable[[Ask], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

UNREADABLE: Final = N_("This request could not be read")
UNREADABLE_FORM: Final = N_("What your browser sent is too large, or is no form of ours. Nothing was done.")

_log = structlog.get_logger("gateway.portal")

PERSON_ACTS: Final[dict[str, administration.Act]] = {
    "code-card": issuing.issue_card,
    "activation": issuing.issue_activation,
    "end": person_sheet.end_credential,
    "sessions": person_sheet.end_sessions,
    "block": person_sheet.block,
    "unblock": person_sheet.unblock,
    "end-designation": designating.end_designation,
    "role": designating.give_role,
    "end-role": designating.end_role,
}
"""The forms on a person's page, by the last word of their address."""

HEAD_PAGES: Final[dict[str, head.Page]] = {"mandates": head_mandates.page, "review": reviewing.head_page}
HEAD_ACTS: Final[dict[str, tuple[head.Page, head.Act, bool]]] = {
    "mandates/give": (head_mandates.page, head_mandates.give, True),
    "mandates/end": (head_mandates.page, head_mandates.end, True),
    "offices/grant": (head_mandates.page, head_mandates.grant, True),
    "offices/end": (head_mandates.page, head_mandates.take, True),
    "review/confirm": (reviewing.head_page, reviewing.head_confirm, False),
    "review/end": (reviewing.head_page, reviewing.head_end, False),
    "succession": (succession.page, succession.review, False),
}
"""A head official's forms: the page that each stands on, and is shown again on; what it does; whether it asks for a reason first."""
PORTAL_PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", "/", applications.show),
    ("GET", "/applications", applications.show),
    ("GET", "/sign-in", sign_in.form_page),
    ("POST", "/sign-in", sign_in.submit),
    ("GET", "/code-card", card.show),
    ("POST", "/code-card", card.submit),
    ("GET", "/regulation", regulation.show),
    ("POST", "/regulation", regulation.decide),
    ("GET", "/step-up", step_up.show),
    ("POST", "/step-up", step_up.submit),
    ("GET", "/administration", people.show),
    ("GET", "/administration/person", person_sheet.show),
    *(
        route
        for name, does in PERSON_ACTS.items()
        for route in (
            # Where an act's answer stands: to switch the language there is to go back to the person.
            ("GET", f"/administration/{name}", person_sheet.show),
            ("POST", f"/administration/{name}", administration.act(does, person_sheet.person_page)),
        )
    ),
    ("GET", "/administration/designate", designating.show),
    ("POST", "/administration/designate", administration.act(designating.designate, designating.designate_page)),
    ("GET", "/administration/change", newcomers.show_change),
    ("POST", "/administration/change", administration.act(newcomers.change, newcomers.change_page)),
    ("GET", "/administration/leave", leaving.show),
    ("POST", "/administration/leave", administration.act(leaving.leave, leaving.leave_page)),
    ("GET", "/administration/new", newcomers.show_new),
    ("POST", "/administration/new", newcomers.add),
    ("GET", "/administration/recent", recent_acts.show),
    ("GET", "/administration/lists", lists.show),
    ("POST", "/administration/export", lists.export),
    ("GET", "/administration/import", lists.show),
    ("POST", "/administration/import", bringing_in.check),
    ("GET", "/administration/import/apply", lists.show),
    ("POST", "/administration/import/apply", bringing_in.apply),
    ("GET", ACTIVATION_PAGE, activation.form_page),
    ("POST", ACTIVATION_PAGE, activation.submit),
    ("GET", activation.PASSWORD_PAGE, activation.password_page),
    ("POST", activation.PASSWORD_PAGE, activation.set_password),
    ("GET", "/forgotten", own_password.forgotten),
    ("GET", "/changes", changes.show),
    ("POST", "/changes", changes.acknowledge),
    ("GET", "/administration/review", reviewing.show),
    ("GET", "/administration/review/confirm", reviewing.show),
    ("GET", "/administration/review/end", reviewing.show),
    ("POST", "/administration/review/confirm", reviewing.confirm),
    ("POST", "/administration/review/end", reviewing.end),
    ("GET", MANDATE_PAGE, accepting.show),
    ("POST", MANDATE_PAGE, accepting.answer),
    ("GET", HEAD_PAGE, head.show),
    *(("GET", f"{HEAD_PAGE}/{name}", head.shown(page)) for name, page in HEAD_PAGES.items()),
    *(
        way
        for name, (page, does, asks) in HEAD_ACTS.items()
        for way in (
            ("GET", f"{HEAD_PAGE}/{name}", head.shown(page)),
            ("POST", f"{HEAD_PAGE}/{name}", head.act(does, page, reason=asks)),
        )
    ),
    ("GET", READ_PAGE, reading.show),
    ("GET", f"{READ_PAGE}/ledger", reading.lines),
    ("GET", f"{READ_PAGE}/report", reading.report),
    ("GET", f"{READ_PAGE}/people", reading.people),
    ("GET", TABLE_PAGE, reading.table),
    ("GET", f"{READ_PAGE}/access", access_report.show),
    ("GET", why.READ_WHY, why.for_reader),
    ("GET", why.ADMINISTRATION_WHY, why.for_administrator),
    ("GET", DUTY_PAGE, duty.show),
    # Where an act's answer stands: to switch the language there is to go back to the list.
    ("GET", f"{DUTY_PAGE}/suspend", duty.show),
    ("GET", f"{DUTY_PAGE}/resume", duty.show),
    ("POST", f"{DUTY_PAGE}/suspend", duty.begin),
    ("POST", f"{DUTY_PAGE}/resume", duty.end),
    ("GET", f"{DUTY_PAGE}/sessions", duty.sessions),
    ("POST", f"{DUTY_PAGE}/sessions", duty.sessions),
    ("GET", "/methods", methods.show),
    ("POST", "/methods/sessions", methods.end_sessions),
    ("GET", PASSWORD_PAGE, own_password.form_page),
    ("POST", PASSWORD_PAGE, own_password.submit),
    ("GET", APP_PAGE, own_app.form_page),
    ("POST", APP_PAGE, own_app.submit),
    ("POST", f"{APP_PAGE}/remove", own_app.remove),
    ("POST", "/eid", eid.begin),
    ("GET", "/eid", eid.finish),
    ("POST", "/oidc/start/{provider}", federation.begin),
    ("GET", "/oidc/callback/{provider}", federation.come_back),
    ("GET", "/oidc/failed", federation.show_failure),
    ("POST", "/oidc/logout/{provider}", federation_logout.end),
    ("GET", "/sign-out", sign_out.form_page),
    ("POST", "/sign-out", sign_out.submit),
    ("GET", "/language", information.switch_language),
    ("GET", "/help", information.help_page),
    ("GET", "/privacy", information.privacy_page),
    ("GET", "/accessibility", information.accessibility_page),
    ("GET", "/static/{name}", information.static_file),
    ("GET", "/favicon.ico", information.favicon),
    ("GET", "/robots.txt", information.robots),
    ("GET", "/.well-known/security.txt", information.security_txt),
    ("GET", "/.well-known/jwks.json", information.key_set),
)
HOST_PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", f"{HOST_PREFIX}/enter", hand_over.enter),
    ("GET", FORM_PAGE, kept_form.show),
    ("POST", FORM_PAGE, kept_form.send),
    ("POST", FORM_DISCARDED, kept_form.discard),
    ("GET", f"{HOST_PREFIX}/sign-out", sign_out.form_page),
    ("POST", f"{HOST_PREFIX}/sign-out", sign_out.submit),
    ("GET", CLEARED_PAGE, sign_out.cleared),
    ("GET", f"{HOST_PREFIX}/language", information.switch_language),
    ("GET", f"{HOST_PREFIX}/static/{{name}}", information.static_file),
)
DOOR_PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("GET", EID_ENTER, eid_door.enter),
    ("GET", EID_REFUSED, eid_door.show_refusal),
)
"""On the eID listener's hosts, which have the language and the style sheets of `HOST_PAGES` too."""
ONCE: Final = frozenset({hand_over.enter, federation.come_back, eid.finish, eid_door.enter})
"""Pages whose address is good once: a HEAD must not use it up."""


def make_app(services: PortalServices) -> web.Application:
    """The application. Raises `OSError` when a template, catalogue or static file is missing."""
    settings = services.settings
    tools = Tools(
        services,
        Assets(settings.idle_seconds, settings.warn_before_seconds),
        FormTokens(services.secret),
        Notes(services.secret),
        UserTags(services.secret),
        HashingPool(settings.hashing_threads),
    )
    app = web.Application(client_max_size=MAX_FORM_BYTES)
    tables: tuple[tuple[tuple[tuple[str, str, Page], ...], Callable[[Ask], bool]], ...] = (
        (PORTAL_PAGES, lambda ask: ask.on_portal),
        (HOST_PAGES, lambda ask: not ask.on_portal),
        (DOOR_PAGES, lambda ask: ask.at_eid_door),
    )
    for pages, has_it in tables:
        for method, path, page in pages:
            app.router.add_route(method, path, _handler(tools, page, has_it))
            if method == "GET" and page not in ONCE:
                app.router.add_route("HEAD", path, _handler(tools, page, has_it))
    app.router.add_route("*", "/{path:.*}", _handler(tools, _nothing, lambda _: True))

    async def close(_: web.Application) -> None:
        tools.hashing.close()

    app.on_cleanup.append(close)
    return app


def _handler(tools: Tools, page: Page, has_it: Callable[[Ask], bool]) -> Handler:
    """`has_it` says whether the host that was asked has this page."""

    async def handle(request: web.Request) -> web.StreamResponse:
        handed = tools.services.handed(request.headers.get("X-Request-Id", ""))
        if handed is None or not handed.decision.permitted:
            return web.Response(status=400)
        ask = Ask(tools, request, handed)
        try:
            return await (page if has_it(ask) else _nothing)(ask)
        except Conflict:
            # What the request rested on ended meanwhile: the session, or the user ID.
            return _over(ask)
        except (LedgerError, RecordsError) as error:
            _log.error("portal_unavailable", request=handed.reference, path=mask_insz(request.path), reason=str(error))
            return _unavailable(ask)
        except web.HTTPException as error:
            # aiohttp's own: a form that is too large or cannot be read.
            return ask.notice(UNREADABLE, UNREADABLE_FORM, status=error.status)
        except Exception:  # noqa: BLE001 - the last resort of a server: whatever went wrong, the person gets a page and the log the trace
            _log.exception("portal_error", request=handed.reference, path=mask_insz(request.path))
            return _unavailable(ask)

    return handle


async def _nothing(ask: Ask) -> web.StreamResponse:
    return eid_door.elsewhere(ask) if ask.at_eid_door else information.not_found(ask)


def _over(ask: Ask) -> web.Response:
    return ask.notice(
        N_("Your session has ended"),
        N_("Your session ended while this page was being made. Nothing was changed."),
        status=403,
        link_text=N_("Sign in again"),
    )


def _unavailable(ask: Ask) -> web.Response:
    """Fail closed: what could not be recorded did not happen."""
    response = ask.notice(
        N_("This service is not available at the moment"),
        N_(
            "The register of users or the security log cannot be reached, so nothing was done. Please try again in a few minutes."
        ),
        status=503,
        link=ask.request.raw_path if ask.request.method == "GET" else f"{ask.settings.address}/applications",
        link_text=N_("Try again"),
    )
    response.headers["Retry-After"] = "5"
    return response
