"""A directory is asked: a real server with real TLS, and everything that can go wrong with one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from gateway.errors import OutboundError
from gateway.model import FOR_EVER, Role, Validity
from gateway.outbound.ldap import MOST_ENTRIES, REST_SECONDS, Directory
from gateway.outbound.role_question import Asked, parse_question, parse_time
from tests.outbound.conftest import Clock
from tests.outbound.slapd import BASE, Slapd, person

JANSEN = Asked("jansen01", "85073003328", "0403019261")
ALWAYS = Validity(0.0)


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = Slapd(tmp_path_factory.mktemp("slapd"))
    server.serve(
        person("jansen01", "DossierReader", "PensionReader"),
        person("peeters01", "DossierReader", roleFrom="20260101000000Z", roleUntil="20270101000000+0100"),
        person("nobody01"),
        person("many01", *(f"Role{number}" for number in range(900))),
        *(person(f"crowd{n}", f"Crowd{n % 7}", employeeNumber="crowd") for n in range(2400)),
        *(person(f"mob{n}", "Mob", employeeNumber="mob") for n in range(MOST_ENTRIES + 1)),
        f"dn: ou=away,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: away\nref: ldap://127.0.0.1:1/{BASE}\n",
    )
    yield server
    server.stop()


class Opener(Protocol):
    def __call__(self, *servers: str, **changed: Any) -> Directory: ...


@pytest.fixture
async def directory(slapd: Slapd, clock: Clock) -> AsyncIterator[Opener]:
    made: list[Directory] = []

    def opened(*servers: str, **changed: Any) -> Directory:
        made.append(Directory(slapd.settings(*servers, **changed), clock, Counter()))
        return made[-1]

    yield opened
    for one in made:
        await one.close()


async def refused(directory: Directory, asked: Asked = JANSEN) -> str:
    with pytest.raises(OutboundError) as error:
        await directory.roles_of(asked)
    return error.value.reason


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
async def test_who_has_which_role_by_tls_or_start_tls(directory: Opener, slapd: Slapd, scheme: str) -> None:
    place = f"{scheme}://127.0.0.1:{slapd.tls if scheme == 'ldaps' else slapd.plain}"
    asked = directory(place)
    for _ in range(2):
        roles = await asked.roles_of(JANSEN)
        assert roles == {name: (Role(0, name, ALWAYS),) for name in ("DossierReader", "PensionReader")}
    first, last = parse_time("20260101000000Z"), parse_time("20261231230000Z")
    assert first is not None
    assert last is not None
    peeters = await asked.roles_of(JANSEN._replace(user_id="peeters01"))
    assert peeters == {"DossierReader": (Role(0, "DossierReader", Validity(first, last)),)}
    assert await asked.roles_of(JANSEN._replace(user_id="nobody01")) == {}
    assert await asked.roles_of(JANSEN._replace(user_id="unknown1")) == {}
    assert asked.counts == {(place, "answered"): 5}


async def test_more_than_a_page(directory: Opener) -> None:
    """The server gives no more than a thousand without pages."""
    crowd = directory(question=parse_question("(|(employeeNumber=crowd)(uid={user_id}))"))
    assert set(await crowd.roles_of(JANSEN)) == {f"Crowd{n}" for n in range(7)} | {"DossierReader", "PensionReader"}
    assert len(await directory().roles_of(JANSEN._replace(user_id="many01"))) == 900
    mob = directory(question=parse_question("(|(employeeNumber=mob)(uid={user_id}))"))
    assert await refused(mob) == "too_large"


@pytest.mark.parametrize(
    "word", ["*", "jansen0*", "jansen01)(uid=*", "x)(|(uid=*", "jansen01\\", "\0jansen01", "é", "jansen01))(&(uid=*"]
)
async def test_what_is_put_into_the_question_stays_a_value(directory: Opener, word: str) -> None:
    """User IDs cannot be written like that; if they could, nobody would get another's roles by it."""
    assert await directory().roles_of(JANSEN._replace(user_id=word)) == {}


async def test_a_referral_is_not_followed(directory: Opener) -> None:
    """The search meets one to a port where nothing listens, below the base or at it: nothing is read there, and nobody goes there."""
    assert set(await directory().roles_of(JANSEN)) == {"DossierReader", "PensionReader"}
    assert await directory(base=f"ou=away,{BASE}").roles_of(JANSEN) == {}


async def test_a_wrong_password_and_a_new_one_without_a_restart(
    directory: Opener, tmp_path: Path, slapd: Slapd
) -> None:
    file = tmp_path / "password"
    asked = directory(password_file=file)
    assert await refused(asked) == "password_unreadable"
    for content in ("", "\n", "two\nlines"):
        file.write_text(content)
        assert await refused(asked) == "password_unreadable"
    file.write_text("wrong")
    assert await refused(asked) == "credentials_refused"
    file.write_text(slapd.password.read_text())
    assert await asked.roles_of(JANSEN)


async def test_a_certificate_that_nobody_vouches_for(directory: Opener, slapd: Slapd) -> None:
    for place in (f"ldaps://127.0.0.1:{slapd.tls}", f"ldap://127.0.0.1:{slapd.plain}"):
        assert await refused(directory(place, ca=slapd.other_ca)) in ("unreachable", "question_refused")


async def test_a_certificate_of_another_name(directory: Opener, slapd: Slapd) -> None:
    """It is 127.0.0.1's; the server answers by its other name as well."""
    assert await refused(directory(f"ldaps://localhost:{slapd.tls}")) == "unreachable"


async def test_a_base_that_is_not_there_is_no_person_without_roles(directory: Opener) -> None:
    assert await refused(directory(base="ou=nowhere,dc=example,dc=org")) == "base_missing"


async def test_a_filter_that_the_server_cannot_read(directory: Opener) -> None:
    assert await refused(directory(question=parse_question("(&(uid={user_id})(=))"))) == "question_refused"


async def test_a_server_that_hangs_holds_nobody_up(directory: Opener, slapd: Slapd) -> None:
    """Neither at the handshake nor in the middle of a connection; the loop turns all the while, and afterwards it is asked again."""
    used, fresh, longest = directory(timeout=0.5), directory(timeout=0.5), 0.0
    assert await used.roles_of(JANSEN)

    async def turning() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    turns = asyncio.create_task(turning())
    slapd.hang()
    try:
        began = time.monotonic()
        assert [await refused(used), await refused(fresh)] == ["timeout", "timeout"]
        assert time.monotonic() - began < 10
    finally:
        slapd.go_on()
    turns.cancel()
    assert longest < 0.4
    assert await used.roles_of(JANSEN)
    assert await fresh.roles_of(JANSEN)


async def test_a_server_that_is_down_is_asked_last_for_a_while(directory: Opener, slapd: Slapd, clock: Clock) -> None:
    down, up = "ldaps://127.0.0.1:1", f"ldaps://127.0.0.1:{slapd.tls}"
    asked = directory(down, up)
    for _ in range(3):
        assert await asked.roles_of(JANSEN)
    assert asked.counts == {(down, "unreachable"): 1, (up, "answered"): 3}
    clock.now += REST_SECONDS
    assert await asked.roles_of(JANSEN)
    assert asked.counts[down, "unreachable"] == 2
    assert await refused(directory(down)) == "unreachable"


async def test_a_connection_that_the_server_has_ended_is_made_anew(directory: Opener, slapd: Slapd) -> None:
    asked = directory()
    assert await asked.roles_of(JANSEN)
    slapd.stop()
    assert await refused(asked) == "unreachable"
    slapd.start()
    assert await asked.roles_of(JANSEN)
    slapd.stop()
    slapd.start()
    assert await asked.roles_of(JANSEN)


async def test_no_more_at_once_than_the_settings_say(directory: Opener) -> None:
    asked = directory(connections=2)
    answers = await asyncio.gather(*(asked.roles_of(JANSEN) for _ in range(9)))
    assert all(set(answer) == {"DossierReader", "PensionReader"} for answer in answers)
    assert len(asked._idle) == 2


async def test_without_end_means_without_end(directory: Opener) -> None:
    (role,) = (await directory(valid_from=None, valid_until=None).roles_of(JANSEN._replace(user_id="peeters01")))["DossierReader"]  # fmt: skip
    assert role.validity == Validity(0.0, FOR_EVER)
