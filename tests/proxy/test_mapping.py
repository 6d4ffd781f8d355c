"""Addresses between the public side and the origin's: whole segments, byte for byte."""

from __future__ import annotations

import pytest

from gateway.model import Match, Origin
from gateway.proxy.mapping import mount, origin_target, public_location

BASED = mount(Origin("http://127.0.0.1:9001/app/"), Match("dossier.localhost", "/dossier/"), "dossier.localhost:8443")
ROOTED = mount(Origin("http://127.0.0.1:9001"), Match("dossier.localhost", "/dossier/"), "dossier.localhost:8443")
WHOLE = mount(Origin("https://origin.test/", host="origin"), Match("app.localhost", "/"), "app.localhost")


def test_a_mount_knows_both_sides() -> None:
    assert BASED.audience == "http://127.0.0.1:9001"
    assert BASED.host_field == "dossier.localhost:8443"
    assert WHOLE.host_field == "origin.test"


@pytest.mark.parametrize(
    ("place", "rest", "query", "target"),
    [
        (BASED, "/", None, "/app/"),
        (BASED, "/x/y", "q=%2F", "/app/x/y?q=%2F"),
        (ROOTED, "/", None, "/"),
        (WHOLE, "/a", "", "/a?"),
    ],
)
def test_targets(place, rest: str, query: str | None, target: str) -> None:
    assert origin_target(rest, query, place) == target


@pytest.mark.parametrize(
    ("place", "location", "seen"),
    [
        (BASED, "/app/dossiers/1", "/dossier/dossiers/1"),
        (BASED, "/app", "/dossier/"),
        (BASED, "/app?x=1", "/dossier?x=1"),
        (BASED, "/app#top", "/dossier#top"),
        (BASED, "/application", "/application"),
        (BASED, "/dossier/1", "/dossier/1"),
        (BASED, "next", "next"),
        (BASED, "?page=2", "?page=2"),
        (BASED, "http://127.0.0.1:9001/app/1", "https://dossier.localhost:8443/dossier/1"),
        (BASED, "http://dossier.localhost:8443/app/1?a=b#c", "https://dossier.localhost:8443/dossier/1?a=b#c"),
        (BASED, "//127.0.0.1:9001/app/1", "https://dossier.localhost:8443/dossier/1"),
        (BASED, "https://elsewhere.test/app/1", "https://elsewhere.test/app/1"),
        (BASED, "mailto:a@b", "mailto:a@b"),
        (ROOTED, "/1", "/dossier/1"),
        (ROOTED, "/dossier/1", "/dossier/1"),
        (WHOLE, "/a", "/a"),
        (WHOLE, "https://origin.test/a", "https://app.localhost/a"),
        (WHOLE, "https://origin.test", "https://app.localhost/"),
    ],
)
def test_locations(place, location: str, seen: str) -> None:
    assert public_location(location, place) == seen
