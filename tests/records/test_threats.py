"""Bugs of sign-ins and sessions that gateways of this kind have had, tried on ours (THREAT_MODEL.md)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model import Means, Validity
from gateway.records import Act, By, Login, Records, RecordsSettings, upgrade_schema

NOW = 1_780_000_000.0
SHELL = By("shell", "for the test", act=Act("HO-1", dt.date(2026, 1, 5)))
HOSTS = ("portal.localhost", "dossier.localhost", "pension.localhost")


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    """One natural person with two user IDs (two institutions), and another person."""
    key = tmp_path / "records.key"
    key.write_bytes(bytes(32))
    settings = RecordsSettings(tmp_path / "records.sqlite", key)
    upgrade_schema(settings)
    records = await Records.open(settings, clock=lambda: NOW)
    an = await records.add_person("85073003328", "An Jansen", SHELL, NOW)
    bo = await records.add_person("17073003384", "Bo Peeters", SHELL, NOW)
    for user_id, person, institution in (
        ("jansen01", an, "0403019261"),
        ("jansen02", an, "0671516647"),
        ("peeters01", bo, "0403019261"),
    ):
        await records.add_user_id(user_id, person, institution, "nl", SHELL, NOW, Validity(NOW))
    yield records
    await records.close()


async def login(records: Records, user_id: str) -> Login:
    found = await records.find_login(user_id)
    assert found is not None
    return found


def cookie(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


async def test_a_user_id_has_one_spelling(records: Records) -> None:
    """Row 15: identifiers are compared exactly, so that no second spelling has a counter or rights of its own."""
    for alias in ("Jansen01", "JANSEN01", " jansen01", "jansen01 ", "jansen01\x00", "jansen0１", "jansen01@", ""):
        assert await records.find_login(alias) is None, alias
        assert await records.user(alias) is None, alias


async def test_one_counter_for_a_natural_person_whatever_the_user_id(records: Records) -> None:
    """Row 15: failures under one user ID make the other wait too, and nobody else."""
    first, second, other = [await login(records, name) for name in ("jansen01", "jansen02", "peeters01")]
    for number in range(20):
        await records.claim_attempt((first, second)[number % 2], NOW + number * 1000)
    last = NOW + 19 * 1000
    assert (await records.lockout(first)) == (await records.lockout(second))
    assert (await records.lockout(first)).waits(last + 1)
    assert not (await records.lockout(other)).waits(last + 1)
    await records.record_success(second, last + 2000)
    assert not (await records.lockout(first)).waits(last + 2001)


async def test_an_unknown_word_has_a_counter_of_its_own(records: Records) -> None:
    """Row 15: guessing at words that are no user IDs locks nobody out."""
    for number in range(20):
        await records.claim_attempt("nobody01", NOW + number * 1000)
    last = NOW + 19 * 1000
    assert (await records.lockout("nobody01")).waits(last + 1)
    assert not (await records.lockout("nobody02")).waits(last + 1)
    assert not (await records.lockout(await login(records, "jansen01"))).waits(last + 1)


async def test_signing_out_ends_every_cookie_of_the_session_on_the_server(records: Records) -> None:
    """Row 17: what a browser keeps opens nothing any more, on any host."""
    session = await records.create_session(
        await login(records, "jansen01"), Means.PASSWORD, NOW, HOSTS[0], cookie(HOSTS[0]), NOW, 36_000.0
    )
    for host in HOSTS[1:]:
        await records.attach_cookie(session.id, host, cookie(host))
    for host in HOSTS:
        entry = records.index.session(cookie(host), host)
        assert entry is not None
        assert entry.session.ended_at is None
    assert await records.end_session(session.id, "signed out", "jansen01")
    for host in HOSTS:
        entry = records.index.session(cookie(host), host)
        assert entry is None or entry.session.ended_at is not None


async def test_a_cookie_opens_one_host_only(records: Records) -> None:
    """Row 20: one that leaked on a transaction host is nothing on the portal."""
    await records.create_session(
        await login(records, "jansen01"), Means.PASSWORD, NOW, HOSTS[1], cookie("x"), NOW, 36_000.0
    )
    assert records.index.session(cookie("x"), HOSTS[1]) is not None
    assert records.index.session(cookie("x"), HOSTS[0]) is None


async def test_every_sign_in_and_step_up_has_a_new_id_and_the_old_cookie_is_dead(records: Records) -> None:
    """Row 20: session fixation gains nothing."""
    who = await login(records, "jansen01")
    first = await records.create_session(who, Means.PASSWORD, NOW, HOSTS[0], cookie("old"), NOW, 36_000.0)
    again = await records.create_session(who, Means.PASSWORD, NOW, HOSTS[0], cookie("again"), NOW, 36_000.0)
    await records.attach_cookie(first.id, HOSTS[1], cookie("asking"))
    stepped = await records.renew_session(first.id, Means.TOKEN, NOW + 60, HOSTS[0], cookie("new"), HOSTS[1], NOW + 60)
    assert len({first.id, again.id, stepped.id}) == 3
    assert stepped.expires_at == first.expires_at
    new = records.index.session(cookie("new"), HOSTS[0])
    assert new is not None
    assert new.session == stepped
    for word, host in (("old", HOSTS[0]), ("asking", HOSTS[1])):
        entry = records.index.session(cookie(word), host)
        assert entry is None or entry.session.ended_at is not None
