"""What each target of ours needs: an unlisted page needs a session."""

from __future__ import annotations

import pytest

from gateway.decision import Kind, Place, place_of
from gateway.decision.criteria import BY_PLACE, CRITERIA
from gateway.decision.places import host_place, portal_place
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
        "B3", "B3", "B3", "B1", "E1", "P4", "I4", "I4", "B1", "I1", "P1", "B1", "P1", "P4", "P3", "P2", "P4", "P2", "I2", "I2",
        "I2", "I5",
    ]  # fmt: skip


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("channel", [one for one in Channel if one is not Channel.USER])
def test_every_other_channel_ends_in_a_refusal(place: Place, channel: Channel) -> None:
    assert BY_PLACE[place, channel][-1].name == "the channel serves this"
