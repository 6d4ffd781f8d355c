"""Sign-in: from the form to a session, and every way in which it is refused."""

from __future__ import annotations

from tests.portal.conftest import PORTAL, SESSION, World


async def test_a_password_opens_a_session_and_the_line_comes_first(world: World) -> None:
    browser = world.browser()
    answer = await browser.sign_in()
    assert (answer.status, answer.location) == (303, "/regulation")
    assert SESSION in browser.jar[PORTAL]
    (line,) = world.lines("sign-in")
    assert (line["verdict"], line["reason"], line["means"]) == ("permit", "signed_in", "password")
    (session,) = await world.records.sessions_of("jansen01")
    assert line["session"] == session.id
