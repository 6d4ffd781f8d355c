"""The user regulation: its text in the language of the page, and accepting the version in force or leaving (clause I1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aiohttp import web
from markdown_it import MarkdownIt
from markupsafe import Markup

from gateway.errors import RecordsError
from gateway.ledger.record import administration_record
from gateway.portal import catalogue
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.errand import way_on
from gateway.portal.hand_over import host_name, open_start, step_up_page
from gateway.portal.sign_out import leads_to

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).disable(["html_block", "html_inline", "image"])
"""CommonMark without raw HTML and images; it refuses links to `javascript:` and the like itself."""

CHANGED: Final = N_("The user regulation has changed meanwhile. Please read the version in force.")
FORM_TOO_OLD: Final = N_("This form is from another session. Nothing was accepted: please try again.")


@lru_cache(maxsize=16)
def as_html(text: str) -> Markup:
    """The KSZ's own text, from the signed table; still, nothing in it becomes markup but what Markdown says.

    The page's own title is its first-level heading, so the text's headings go one level down.
    """
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 - the renderer escapes


async def show(ask: Ask) -> web.StreamResponse:
    """`GET /regulation`: also for who accepted it already."""
    return await _page(ask, ask.request.query.get("start", ""))


async def decide(ask: Ask) -> web.StreamResponse:
    """`POST /regulation`: accept the version that was shown, when it still is the one in force."""
    form = await ask.form()
    token = form.get("start", "")
    regulation = ask.services.snapshot().regulation(ask.now)
    session, user = ask.session, ask.user
    if not ask.form_fits(form) or session is None or user is None:
        return await _page(ask, token, general=ask.text(FORM_TOO_OLD), status=403)
    if regulation is None or (form.get("version"), form.get("sha256")) != (regulation.version, regulation.sha256):
        return await _page(ask, token, general=ask.text(CHANGED), status=409)

    identity = ask.services.sealer.person(user.user_id, user.insz)
    await ask.services.admin.write(
        administration_record(
            ask.handed.reference,
            act="acceptance add",
            actor="portal",
            by=identity,
            person=identity,
            institution=user.institution,
            objects={"version": regulation.version, "sha256": regulation.sha256, "language": ask.language},
        )
    )
    await ask.services.records.accept_regulation(
        user.user_id, regulation.version, regulation.sha256, ask.services.clock()
    )
    renewed = ask.services.records.index.user(user.user_id)
    if renewed is None or not ask.accepted(renewed):
        raise RecordsError("an acceptance that was recorded cannot be found")
    if not user.acceptances:
        # Whoever was never inside begins with the means that they have now.
        await ask.services.records.mark_told(user.user_id, ask.services.clock())
    return ask.redirect(step_up_page(token)) if ask.moved else await way_on(ask, session, renewed, token)


async def _page(ask: Ask, token: str, *, general: str = "", status: int = 200) -> web.Response:
    regulation = ask.services.snapshot().regulation(ask.now)
    if regulation is None:
        return ask.notice(
            N_("There is no user regulation in force"),
            N_("Without it nobody may go on. This is a fault of this access service: please tell the help desk."),
            status=503,
            link="/help",
            link_text=N_("Help desk"),
        )
    start = open_start(ask, token)
    context = {
        "start": token if start else "",
        "regulation": regulation,
        "text": as_html(regulation.texts.in_(ask.language)),
        "in_force": catalogue.day(ask.language, regulation.effective),
        "accepted": ask.user is not None and ask.accepted(ask.user),
        "general": general,
    }
    hosts = (*((ask.settings.address_of(host_name(start)),) if start else ()), *await leads_to(ask))
    again = {"start": token} if start else None
    return ask.page("regulation.html", context, status=status, leads_to=hosts, again=again)
