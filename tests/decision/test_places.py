"""What each target of ours needs: an unlisted page needs a session."""

from __future__ import annotations

import dataclasses as dc

import pytest

from gateway.decision import Agent, Kind, PageOrigin, Place, decide, place_of
from gateway.decision.checks import channel_serves
from gateway.decision.criteria import BY_PLACE, CRITERIA
from gateway.decision.places import eid_place, host_place, portal_place
from gateway.model import Channel
from tests.decision.world import WORLD, World


def at(host: str, path: str, world: World = WORLD) -> World:
    return world.request(host=host, path=path).connection(sni=host)


@pytest.mark.parametrize(("path", "place"), [
    ("/", Place.ACCEPTED),
    ("/applications", Place.ACCEPTED),
    ("/regulation", Place.SIGNED_IN),
    ("/sign-in", Place.OPEN),
    ("/sign-in/", Place.SIGNED_IN),
    ("/Sign-In", Place.SIGNED_IN),
    ("/sign-out", Place.OPEN),
    ("/static/gateway.css", Place.OPEN),
    ("/static", Place.SIGNED_IN),
    ("/static2/x", Place.SIGNED_IN),
    ("/favicon.ico", Place.OPEN),
    ("/robots.txt", Place.OPEN),
    ("/.well-known/security.txt", Place.OPEN),
    ("/.well-known/jwks.json", Place.MACHINE),
    ("/.well-known/other", Place.SIGNED_IN),
    ("/oidc/start/csam", Place.OPEN),
    ("/oidc/callback/csam", Place.OPEN),
    ("/oidc/failed", Place.OPEN),
    ("/oidc/logout/csam", Place.MACHINE),
    ("/oidc/logout", Place.SIGNED_IN),
    ("/oidc/", Place.SIGNED_IN),
    ("/dossier/list", Place.SIGNED_IN),
    ("/anything", Place.SIGNED_IN),
])  # fmt: skip
def test_portal(path: str, place: Place) -> None:
    assert portal_place(path) is place
    world = at("portal.localhost", path)
    assert place_of(world.facts, world.snapshot) is place


@pytest.mark.parametrize(("path", "place"), [
    ("/.gateway/enter", Place.OPEN),
    ("/.gateway/sign-out", Place.OPEN),
    ("/.gateway/static/gateway.css", Place.OPEN),
    ("/.gateway/other", Place.SIGNED_IN),
    ("/.gateway/", Place.SIGNED_IN),
    ("/.gateway", Place.SIGNED_IN),
    ("/.gateways", Place.TRANSACTION),
    ("/x/.gateway/enter", Place.TRANSACTION),
    ("/.well-known/jwks.json", Place.TRANSACTION),
    ("/favicon.ico", Place.TRANSACTION),
    ("/", Place.TRANSACTION),
])  # fmt: skip
def test_transaction_host(path: str, place: Place) -> None:
    assert host_place(path) is place
    world = at("dossier.localhost", path)
    assert place_of(world.facts, world.snapshot) is place


@pytest.mark.parametrize(("place", "path", "code"), [
    (Place.OPEN, "/sign-in", "permitted"),
    (Place.MACHINE, "/.well-known/jwks.json", "permitted"),
    (Place.SIGNED_IN, "/regulation", "sign_in_required"),
    (Place.ACCEPTED, "/applications", "sign_in_required"),
])  # fmt: skip
def test_what_a_stranger_gets_of_our_pages(place: Place, path: str, code: str) -> None:
    decision = at("portal.localhost", path, WORLD.anonymous()).decide()
    assert (decision.place, decision.reason.code) == (place, code)


def test_acceptance_is_needed_for_the_applications_and_not_for_the_regulation() -> None:
    newcomer = WORLD.user(acceptances={})
    assert at("portal.localhost", "/regulation", newcomer).code == "permitted"
    decision = at("portal.localhost", "/applications", newcomer).decide()
    assert (decision.reason.code, decision.kind) == ("regulation_not_accepted", Kind.CHALLENGE)


def test_our_pages_carry_nothing_of_a_transaction() -> None:
    decision = at("portal.localhost", "/applications").decide()
    assert decision.permitted
    assert (decision.located, decision.authorisation, decision.designation) == (None, None, None)


def test_a_providers_machine_may_say_that_a_session_is_over_and_open_nothing_else() -> None:
    """It has no page, so a POST of its own without Origin or fetch metadata (DESIGN section 4)."""
    machine = WORLD.anonymous().request(
        agent=Agent.PROGRAM, method="POST", fetch_site=None, page_origin=PageOrigin.NONE
    )
    assert at("portal.localhost", "/oidc/logout/csam", machine).code == "permitted"
    for path in ("/oidc/start/csam", "/oidc/callback/csam", "/sign-in"):
        assert at("portal.localhost", path, machine).code == "machine_client"


def test_a_browser_comes_back_from_a_provider_by_a_strange_sites_redirect() -> None:
    back = WORLD.anonymous().request(
        method="GET", fetch_site="cross-site", page_origin=PageOrigin.NONE, navigation=True
    )
    assert at("portal.localhost", "/oidc/callback/csam", back).code == "permitted"
    # But no strange page begins a sign-in for anybody.
    form = back.request(method="POST", page_origin=PageOrigin.FOREIGN)
    assert at("portal.localhost", "/oidc/start/csam", form).code == "cross_site"


def test_public_keys_skip_the_person_check_and_nothing_else() -> None:
    rows = [row for row in CRITERIA if row.channels >= {Channel.USER}]
    skipped = [
        row.name for row in rows if row not in BY_PLACE[Place.MACHINE, Channel.USER] and Place.OPEN in row.places
    ]
    assert skipped == ["the client is not a program"]
    world = at("portal.localhost", "/.well-known/jwks.json", WORLD.anonymous())
    assert world.request(port_is_ours=False).code == "unknown_host"
    assert world.connection(tls_version=None).code == "plain_http"


def test_a_transaction_has_every_row_of_its_channel_in_order() -> None:
    rows = BY_PLACE[Place.TRANSACTION, Channel.USER]
    assert list(rows) == [row for row in CRITERIA if Channel.USER in row.channels]
    assert [row.clause for row in rows] == [
        "B3", "B3", "B3", "B1", "I3", "E1", "P4", "I4", "I4", "B1", "I1", "P1", "B1", "P1", "P4", "I3", "P3", "P2", "P4", "P2",
        "I2", "I2", "I2", "I5",
    ]  # fmt: skip


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("channel", [one for one in Channel if one is not Channel.USER])
def test_every_other_channel_ends_in_a_refusal(place: Place, channel: Channel) -> None:
    """Whatever else is asked; but for the few pages that the eID door has."""
    closed = [row for row in BY_PLACE[place, channel] if row.check is channel_serves]
    assert len(closed) == (0 if (place, channel) == (Place.OPEN, Channel.EID) else 1)


DOOR = "eid.localhost"


@pytest.mark.parametrize(("path", "place"), [
    ("/", Place.OPEN),
    ("/.gateway/eid", Place.OPEN),
    ("/.gateway/eid/refused", Place.OPEN),
    ("/.gateway/language", Place.OPEN),
    ("/.gateway/static/portal.css", Place.OPEN),
    ("/.gateway/eid/", Place.TRANSACTION),
    ("/.gateway/enter", Place.TRANSACTION),
    ("/.gateway/sign-out", Place.TRANSACTION),
    ("/.gateway/form", Place.TRANSACTION),
    ("/sign-in", Place.TRANSACTION),
    ("/.well-known/jwks.json", Place.TRANSACTION),
    ("/dossier/list", Place.TRANSACTION),
])  # fmt: skip
def test_the_eid_door(path: str, place: Place) -> None:
    """Whoever is signed in elsewhere: no page there needs a session, and none but these is there."""
    assert eid_place(path) is place
    for world in (WORLD, WORLD.anonymous()):
        at_the_door = at(DOOR, path, world).connection(channel=Channel.EID)
        facts, snapshot = at_the_door.facts, dc.replace(world.snapshot, eid_names=frozenset({DOOR}))
        assert place_of(facts, snapshot) is place
        decision = decide(facts, snapshot)
        assert decision.reason.code == ("permitted" if place is Place.OPEN else "no_transaction")


def test_no_host_is_at_two_doors() -> None:
    """A transaction's host is not at the eID door, and the door's own is nowhere else."""
    snapshot = dc.replace(WORLD.snapshot, eid_names=frozenset({DOOR}))
    for host, channel in (("dossier.localhost", Channel.EID), ("portal.localhost", Channel.EID), (DOOR, Channel.USER)):
        facts = at(host, "/").connection(channel=channel).facts
        assert decide(facts, snapshot).reason.code == "unknown_host"


def test_the_door_is_no_place_for_programs() -> None:
    facts = dc.replace(at(DOOR, "/.gateway/eid").connection(channel=Channel.EID).facts, agent=Agent.PROGRAM)
    snapshot = dc.replace(WORLD.snapshot, eid_names=frozenset({DOOR}))
    assert decide(facts, snapshot).reason.code == "machine_client"
    good = dc.replace(facts, agent=Agent.BROWSER)
    assert decide(good, dc.replace(snapshot, usable=False)).reason.code == "table_unavailable"
