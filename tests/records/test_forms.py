"""Kept forms: good once, for one browser and host, for a quarter of an hour; sealed, and bounded in number and bytes."""

from __future__ import annotations

import dataclasses as dc

import pytest

from gateway.errors import RecordsError
from gateway.records import KeptForm, Records, RecordsSettings
from gateway.records import forms as module
from gateway.records.forms import FORM_SECONDS, MOST_FORMS_OF_A_PERSON
from tests.records.conftest import NOW, Clock, sql

BROWSER = b"b" * 32
FORM = KeptForm(
    "jansen01",
    "dossier.localhost",
    "/dossier/1?tab=2",
    "application/x-www-form-urlencoded",
    b"note=Gr%FC%DFe\xff\x00",
    NOW + FORM_SECONDS,
)


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


async def test_a_form_comes_back_as_it_was_and_is_taken_once(records: Records) -> None:
    assert await records.keep_form(key(1), BROWSER, FORM)
    assert await records.kept_form(key(1), BROWSER, FORM.host) == FORM
    assert await records.kept_form(key(1), BROWSER, FORM.host) == FORM
    assert await records.take_form(key(1), BROWSER, FORM.host) == FORM
    assert await records.kept_form(key(1), BROWSER, FORM.host) is None
    assert await records.take_form(key(1), BROWSER, FORM.host) is None


@pytest.mark.parametrize(("browser", "host"), [(b"x" * 32, FORM.host), (BROWSER, "pension.localhost")])
async def test_another_browser_or_host_gets_nothing_and_taking_it_there_uses_it_up(
    records: Records, browser: bytes, host: str
) -> None:
    await records.keep_form(key(1), BROWSER, FORM)
    assert await records.kept_form(key(1), browser, host) is None
    assert await records.kept_form(key(1), BROWSER, FORM.host) == FORM
    assert await records.take_form(key(1), browser, host) is None
    assert await records.kept_form(key(1), BROWSER, FORM.host) is None


async def test_after_a_quarter_of_an_hour_it_is_gone(records: Records, clock: Clock, settings: RecordsSettings) -> None:
    await records.keep_form(key(1), BROWSER, FORM)
    clock.now = NOW + FORM_SECONDS
    assert await records.kept_form(key(1), BROWSER, FORM.host) is None
    assert len(sql(settings, "SELECT 1 FROM kept_forms")) == 1
    await records._tidy(clock.now + 1)
    assert sql(settings, "SELECT 1 FROM kept_forms") == []


async def test_a_person_has_room_for_some_and_what_lapsed_makes_room(records: Records, clock: Clock) -> None:
    for number in range(MOST_FORMS_OF_A_PERSON):
        assert await records.keep_form(key(number), BROWSER, FORM)
    assert not await records.keep_form(key(99), BROWSER, FORM)
    assert await records.keep_form(key(100), BROWSER, dc.replace(FORM, user_id="dupont01"))
    assert await records.kept_form(key(0), BROWSER, FORM.host) == FORM
    clock.now = NOW + FORM_SECONDS
    assert await records.keep_form(key(99), BROWSER, dc.replace(FORM, expires_at=clock.now + FORM_SECONDS))


async def test_all_forms_together_are_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 3 * module.ROW_BYTES)
    kept = [await records.keep_form(key(n), BROWSER, dc.replace(FORM, user_id=f"user{n:04}")) for n in range(4)]
    assert kept == [True, True, False, False]


async def test_nothing_of_it_can_be_read_in_the_database_nor_moved_to_another_person(
    records: Records, settings: RecordsSettings
) -> None:
    await records.keep_form(key(1), BROWSER, FORM)
    ((sealed,),) = sql(settings, "SELECT sealed FROM kept_forms")
    assert b"note" not in sealed
    assert b"dossier/1" not in sealed
    sql(settings, "UPDATE kept_forms SET user_id = 'dupont01'")
    with pytest.raises(RecordsError, match="does not open"):
        await records.kept_form(key(1), BROWSER, FORM.host)


async def test_a_key_is_kept_once(records: Records) -> None:
    await records.keep_form(key(1), BROWSER, FORM)
    with pytest.raises(RecordsError):
        await records.keep_form(key(1), BROWSER, FORM)
