"""Open redirects are impossible: whatever comes back from a browser stays on the host it came to."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.portal.addresses import own_path
from tests.portal.conftest import DOSSIER, PORTAL, World

HERE = "https://portal.localhost:8443/language?to=fr"
HOSTILE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "https://evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "/%0d%0aSet-Cookie:x=1\r\nX: y",
    "/a#b",
    "evil.example",
    "?x",
    "",
    " /a",
    "/a b",
    "/" + "a" * 5000,
    "/é",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_path_of_ours_becomes_the_default(text: str) -> None:
    assert own_path(text, "/help") == "/help"


@pytest.mark.parametrize("text", ["/", "/sign-in?start=abc_-", "/a/b%20c?x=1&y=https%3A%2F%2Fz", "/[x]|^", "/?/x//y"])
def test_a_path_with_its_query_comes_back_whole(text: str) -> None:
    assert own_path(text) == text


@given(st.text() | st.text("/\\:@?#.%\t\r\nae").map(lambda rest: "/" + rest))
@example("/\\/evil.example")
def test_no_text_leads_to_another_host(text: str) -> None:
    path = own_path(text)
    landed = urlsplit(urljoin(HERE, path))
    assert (landed.scheme, landed.netloc) == ("https", "portal.localhost:8443")
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isascii()
    assert path.isprintable()


@pytest.mark.parametrize("host", [PORTAL, DOSSIER])
@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%09/evil.example"])
async def test_the_language_page_goes_to_its_own_host_only(world: World, host: str, back: str) -> None:
    prefix = "" if host == PORTAL else "/.gateway"
    answer = await world.browser().get(f"https://{host}{prefix}/language?to=fr&back={back}")
    assert answer.status == 303
    assert answer.location.startswith("/")
    assert not answer.location.startswith(("//", "/\\"))
    assert "evil" not in answer.location or answer.location.startswith("/%")
