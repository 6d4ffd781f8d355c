"""Lists as files: checked first, then done whole or not at all; and the file with everybody, which can be brought in again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway.errors import Conflict
from gateway.model import LANGUAGES, Language
from gateway.portal.import_words import FAULTS
from gateway.records import Records
from gateway.records.store import Write
from gateway.records.table_file import COLUMNS, MOST_BYTES, MOST_ROWS
from tests.portal.conftest import KBO, NOW, OFFICIAL, Answer, World
from tests.portal.test_accessibility import faults
from tests.portal.test_administration import OTHER_KBO, PAGE, Admin, add_person, admin  # noqa: F401 - a fixture

HEAD = ";".join(COLUMNS)
FIVE = """insz;name;user_id;language;authorisation;uses;from;until;role;reason
01490700185;Bo Peeters;bo.peeters;nl;24/123;consultation;;31/12/2026;;starts in March
81050003552;Čelik D'Hondt;celik.dhondt;fr;24/123;consultation communication;;;;
10200100128;Ann De Smet;ann.desmet;;;;;;;
92521506931;Dirk Maes;dirk.maes;de;24/124;consultation;;2026-10-31;;
00003241778;Eva Claes;eva.claes;en;;;;;;
"""


async def send(admin: Admin, data: bytes, reason: str = "new department", csrf: str | None = None) -> Answer:
    """As a browser sends a form with a file."""
    token = (await admin.browser.get(f"{PAGE}/lists")).csrf if csrf is None else csrf
    parts = [("csrf", "", token.encode()), ("reason", "", reason.encode()), ("file", '; filename="list.csv"', data)]
    body = b"".join(
        b'--xyz\r\nContent-Disposition: form-data; name="%s"%s\r\n' % (name.encode(), file.encode())
        + (b"Content-Type: text/csv\r\n" if file else b"")
        + b"\r\n%s\r\n" % value
        for name, file, value in parts
    )
    admin.browser.fields["Content-Type"] = "multipart/form-data; boundary=xyz"
    try:
        return await admin.browser.post(f"{PAGE}/import", body + b"--xyz--\r\n")  # type: ignore[arg-type]
    finally:
        del admin.browser.fields["Content-Type"]


def key_of(answer: Answer) -> str:
    found = re.search(r'name="key" value="([^"]+)"', answer.text)
    assert found is not None, answer.page.words
    return found[1]


async def apply(admin: Admin, answer: Answer) -> Answer:
    return await admin.browser.post(f"{PAGE}/import/apply", {"csrf": answer.csrf, "key": key_of(answer)})


def told(answer: Answer) -> list[tuple[str, str]]:
    """Line and column of each fault."""
    return [
        tuple(re.findall(r"<td>(?:<code>)?([^<]*)(?:</code>)?</td>", row)[:2]) for row in answer.text.split("<tr>")[2:]
    ]  # type: ignore[misc]


async def test_five_people_by_a_list(world: World, admin: Admin) -> None:
    before = world.lines("administration")
    plan = await send(admin, FIVE.encode("utf-8-sig"))
    assert plan.status == 200
    assert "Nothing has been done yet" in plan.text
    assert await world.records.find_login("bo.peeters") is None
    assert world.lines("administration") == before
    assert not re.search(r"01490700185|81050003552", plan.text)
    answer = await apply(admin, plan)
    assert "has been brought in" in answer.text
    acts = [line["act"] for line in world.lines("administration")]
    assert (acts.count("person add"), acts.count("user-id add"), acts.count("designation add")) == (5, 5, 3)
    [entry] = await world.records.entries("designation", user_id="celik.dhondt")
    assert (entry.says["uses"], entry.reason, entry.mandate) == (
        ["communication", "consultation"],
        "new department",
        admin.mandate,
    )
    [entry] = await world.records.entries("designation", user_id="bo.peeters")
    assert entry.reason == "starts in March"
    login = await world.records.find_login("celik.dhondt")
    assert login is not None
    assert (login.name, login.language, login.insz) == ("Čelik D'Hondt", "fr", "81050003552")
    # Once: the same list does nothing any more, and what was kept is gone.
    assert (await apply(admin, plan)).status == 410
    assert "there is nothing to do" in (await send(admin, FIVE.encode())).text


async def test_who_may_be_there_already_is_shown(world: World, admin: Admin) -> None:
    """As with one who is added by hand: the same day of birth and a word of the name, or the same name."""
    await add_person(world, "elsewhere", "81050003552", "An Jansen", OTHER_KBO)
    assert "may be the same person" not in (await send(admin, FIVE.encode())).text
    rows = "insz;name;user_id\n85073000259;Annie Jansen;annie.j\n01490700185;Bo Peeters;bo.peeters\n"
    plan = await send(admin, rows.encode())
    assert "Somebody of your institution may be the same person." in plan.page.words
    assert plan.text.count("person?user_id=") == plan.text.count("person?user_id=jansen01") == 1
    assert "elsewhere" not in plan.text
    assert "has been brought in" in (await apply(admin, plan)).text


async def test_what_others_do_meanwhile_is_told(world: World, admin: Admin) -> None:
    """Nobody confirms what they have not seen."""
    plan = await send(admin, FIVE.encode())
    await add_person(world, "new.user", "92521506931", "Dirk Maes")
    answer = await apply(admin, plan)
    assert answer.status == 409
    assert "changed since the list was checked" in answer.text
    assert told(answer) == [("5", "insz")]
    assert await world.records.find_login("bo.peeters") is None
    # What does not stand in the way is shown as what the list would do now.
    plan = await send(admin, FIVE.replace("92521506931;Dirk Maes;dirk.maes;", ";;new.user;").encode())
    await add_person(world, "eva.claes", "00003241778", "Eva Claes")
    answer = await apply(admin, plan)
    assert answer.status == 409
    assert key_of(answer) != key_of(plan)
    assert "has been brought in" in (await apply(admin, answer)).text


async def test_who_lost_their_mandate_meanwhile_sees_nothing_more(
    world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, apply_import = await send(admin, FIVE.encode()), Records.apply_import

    async def meanwhile(records: Records, *words: object) -> object:
        await world.records.end_mandate(admin.mandate, OFFICIAL, NOW)
        return await apply_import(records, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Records, "apply_import", meanwhile)
    answer = await apply(admin, plan)
    assert (answer.status, "bo.peeters" in answer.text) == (404, False)


async def test_a_list_is_whole_or_nothing(world: World, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the last row fails in the middle of the work."""
    plan = await send(admin, FIVE.encode())
    insert_all = Write.insert_all

    async def fails(write, table, rows):  # type: ignore[no-untyped-def]
        if table.name == "designations":
            raise Conflict("as if something were in the way in this moment")
        return await insert_all(write, table, rows)

    monkeypatch.setattr(Write, "insert_all", fails)
    assert (await apply(admin, plan)).status == 409
    assert await world.records.find_login("bo.peeters") is None
    assert await world.records.known_person("01490700185", KBO) is None
    assert [line for line in world.lines("administration") if line["act"] == "person add"] == []


ROWS = [
    ("01490700185;Bo;;nl;;;;;;", ["user_id"]),
    ("01490700185;Bo;BO;nl;;;;;;", ["user_id"]),
    (";Bo;bo.peeters;nl;;;;;;", ["insz"]),
    ("1490700185;Bo;bo.peeters;nl;;;;;;", ["insz"]),
    ("01490700186;Bo;bo.peeters;nl;;;;;;", ["insz"]),
    ("x;Bo;bo.peeters;nl;;;;;;", ["insz"]),
    ("01490700185;;bo.peeters;nl;;;;;;", ["name"]),
    ("01490700185;Bo;bo.peeters;es;;;;;;", ["language"]),
    ("01490700185;Bo;jansen01;nl;;;;;;", ["insz"]),
    ("85073003328;An;an.jansen;nl;;;;;;", ["insz"]),
    ("01490700185;Bo;their.word;nl;;;;;;", ["user_id"]),
    (";;admin01;;24/123;consultation;;;;", ["user_id"]),
    ("98472899765;Me;me.again;nl;24/123;consultation;;;;", ["insz"]),
    ("01490700185;Bo;bo.peeters;nl;99/999;consultation;;;;", ["authorisation"]),
    ("01490700185;Bo;bo.peeters;nl;25/001;consultation;;;;", ["authorisation"]),
    ("01490700185;Bo;bo.peeters;nl;23/077;consultation;;;;", ["authorisation"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;communication;;;;", ["uses"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;reading;;;;", ["uses"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;;;;;", ["uses"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;consultation;yesterday;;;", ["from"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;consultation;1/6/2026;;;", ["from"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;consultation;;1/1/2027;;", ["until"]),
    ("01490700185;Bo;bo.peeters;nl;24/124;consultation;1/9/2026;1/8/2026;;", ["until"]),
    ("01490700185;Bo;bo.peeters;nl;;consultation;;;;", ["authorisation"]),
    (";;jansen01;;24/123;consultation;;;;", ["authorisation"]),
    ("01490700185;Bo;bo.peeters;nl;;;1/9/2026;;;", ["authorisation"]),
    ("01490700185;Bo;bo.peeters;nl;;;;;Anything;", ["role"]),
    ("01490700185;Bo;bo.peeters;nl;;;;;;" + "x" * 201, ["reason"]),
    ("01490700185;Bo;bo.peeters;nl;;;;;;;;more", ["–"]),
    ("01490700185;B\u200bo;bo.peeters;nl;;;;;;", ["name"]),
    ("x;;BO;es;99/999;;;;Role;", ["authorisation", "insz", "language", "name", "role", "user_id"]),
]


@pytest.mark.parametrize(("row", "columns"), ROWS, ids=[f"{number}" for number in range(len(ROWS))])
async def test_every_fault_is_named(world: World, admin: Admin, row: str, columns: list[str]) -> None:
    await add_person(world, "their.word", "81050003552", "Ot Her", OTHER_KBO)
    theirs = replace(world.snapshot.by_reference["24/123"], reference="25/001", institution=OTHER_KBO)
    world.snapshot = replace(world.snapshot, by_reference={**world.snapshot.by_reference, "25/001": theirs})
    answer = await send(admin, f"{HEAD}\n10200100128;Good One;good.one;nl;;;;;;\n{row}\n".encode())
    assert answer.status == 422
    assert sorted(told(answer), key=lambda each: each[1]) == [("3", column) for column in columns]
    assert await world.records.find_login("good.one") is None
    assert "Ot Her" not in answer.text


async def test_rows_are_judged_together(world: World, admin: Admin) -> None:
    rows = f"""{HEAD}
01490700185;Bo Peeters;bo.peeters;nl;24/123;consultation;;;;
;;bo.peeters;;24/124;consultation;;;;
01490700185;Bo Peeters;bo.peeters;nl;24/123;consultation;;;;
01490700185;Bo Peeters;bo.too;nl;;;;;;
81050003552;Bo Peeters;bo.peeters;;;;;;;
;Bo Other;bo.peeters;;23/999;;;;;
"""
    assert told(await send(admin, rows.encode())) == [
        ("4", "user_id"),
        ("5", "insz"),
        ("6", "insz"),
        ("7", "authorisation"),
        ("7", "name"),
    ]
    answer = await send(admin, "\n".join(rows.split("\n")[:3]).encode())
    assert "has been brought in" in (await apply(admin, answer)).text
    assert len(await world.records.entries("designation", user_id="bo.peeters")) == 2


FILES = [
    (b"", "no rows"),
    (b"\xef\xbb\xbf", "Choose|no rows"),
    (HEAD.encode(), "no rows"),
    (b"PK\x03\x04rest", "spreadsheet"),
    (b"\xd0\xcf\x11\xe0rest", "spreadsheet"),
    ("\ufeff" + HEAD + "\nx", "utf-16"),
    (b"\x81\x8d", "no text"),
    (b"name;insz\nBo;1\n", "This column is missing"),
    (b"user_id;user_id\nbo;bo\n", "there twice"),
    (b"user_id;colour\nbo;red\n", "colour"),
    (b'user_id;name\nbo;"Bo\n', "quotation mark"),
    (b"user_id\n" + b"bo.peeters\n" * (MOST_ROWS + 1), "more than 500 rows"),
]


@pytest.mark.parametrize(("data", "said"), FILES, ids=[f"{number}" for number in range(len(FILES))])
async def test_a_file_that_is_no_list(world: World, admin: Admin, data: bytes | str, said: str) -> None:
    if isinstance(data, str):
        data, said = data.encode("utf-16"), "no text"
    answer = await send(admin, data)
    assert answer.status == 422
    assert re.search(said if data else "Choose the file", answer.page.words), answer.page.words


async def test_a_file_that_is_too_large(world: World, admin: Admin) -> None:
    answer = await send(admin, b"user_id\n" + b"x" * MOST_BYTES)
    assert (answer.status, "larger than 256 KiB" in answer.text) == (422, True)
    answer = await send(admin, b"x" * (2 * MOST_BYTES))
    assert (answer.status, "larger than 256 KiB" in answer.text) == (413, True)


@pytest.mark.parametrize(
    "data",
    [
        b"sep=;\r\nuser_id;name;insz\r\nbo.peeters;D\xe9sir\xe9e;01.49.07-001.85\r\n",  # windows-1252, as Excel once wrote
        "user_id,name,insz\nbo.peeters,Désirée,01490700185\n".encode(),
        "USER_ID ; Name;insz;;\r\nbo.peeters;Désirée;01490700185;;\r\n;;;;\r\n".encode("utf-8-sig"),
        'user_id\tname\tinsz\nbo.peeters\t"Désirée"\t01490700185\n'.encode(),
    ],
)
async def test_files_as_programs_write_them(world: World, admin: Admin, data: bytes) -> None:
    answer = await apply(admin, await send(admin, data))
    assert answer.status == 200
    login = await world.records.find_login("bo.peeters")
    assert login is not None
    assert (login.name, login.insz) == ("Désirée", "01490700185")


async def test_a_form_that_is_not_ours(world: World, admin: Admin) -> None:
    assert (await send(admin, FIVE.encode(), csrf="0" * 64)).status == 403
    plan = await send(admin, FIVE.encode())
    for form in ({"csrf": "0" * 64, "key": key_of(plan)},):
        assert (await admin.browser.post(f"{PAGE}/import/apply", form)).status == 403
    for key in ("", "x", "A" * 43):
        assert (await admin.browser.post(f"{PAGE}/import/apply", {"csrf": plan.csrf, "key": key})).status == 410
    for content_type, body in (
        ("text/plain", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nodd\r\n--x--"),
    ):
        admin.browser.fields["Content-Type"] = content_type
        answer = await admin.browser.post(f"{PAGE}/import", body)  # type: ignore[arg-type]
        del admin.browser.fields["Content-Type"]
        assert answer.status == 400
    world.clock.now += 901
    assert (await apply(admin, plan)).status == 410
    assert await world.records.find_login("bo.peeters") is None


async def test_the_file_with_everybody(world: World, admin: Admin) -> None:
    await add_person(world, "sneaky.one", "01490700185", '=HYPERLINK("http://evil.example")')
    await add_person(world, "peeters1", "81050003552", "Bo Elsewhere", OTHER_KBO)
    assert (await admin.do("export", "", reason="")).status == 422
    answer = await admin.do("export", "", reason="yearly check")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="people-{KBO}-2026-06-15.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    rows = answer.text.removeprefix("\ufeff").split("\r\n")
    assert rows[0] == HEAD
    assert ";An Jansen;jansen01;en;24/123;communication consultation;2026-03-27;2026-12-31;;" in rows
    assert """;"'=HYPERLINK(""http://evil.example"")";sneaky.one;en;;;;;;""" in rows
    assert "Elsewhere" not in answer.text
    assert "85" not in rows[3].split(";")[0]
    line = world.lines("administration")[-1]
    assert (line["act"], line["objects"], line["person"]) == ("people export", {"with_insz": False}, None)
    # Brought in again it does nothing; and so it is with the numbers in it.
    assert "there is nothing to do" in (await send(admin, answer.text.encode())).text
    numbered = await admin.do("export", "", reason="yearly check", with_insz="1")
    assert "85.07.30-033.28;An Jansen" in numbered.text
    assert "there is nothing to do" in (await send(admin, numbered.text.encode())).text


def test_every_fault_has_its_words() -> None:
    import inspect

    from gateway.records import importing, narrowing, table_file

    text = "".join(map(inspect.getsource, (importing, narrowing, table_file)))
    given = set(re.findall(r'(?:Fault\([^)]*?, |_fault\("\w+", |_nothing\(|TooWide\("\w+", )"(\w+)"', text))
    given |= {"insz_short", "insz_shape", "no_day"}
    assert given == set(FAULTS)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_for_everybody(world: World, admin: Admin, language: Language) -> None:
    admin.browser.fields["Accept-Language"] = language
    plan = await send(admin, FIVE.encode())
    pages = {
        "lists": await admin.browser.get(f"{PAGE}/lists"),
        "no file": await send(admin, b""),
        "faults": await send(admin, FIVE.replace("nl;", "es;").encode()),
        "plan": plan,
        "done": await apply(admin, plan),
        "new": await admin.browser.get(f"{PAGE}/new"),
        "new, faults": await admin.do("new", "", reason=""),
        "namesake": await admin.do(
            "new", "", reason="x", insz="00003241778", name="x", new_user_id="eva.c", language="nl"
        ),
        "designate": await admin.browser.get(f"{PAGE}/designate?user_id=jansen01"),
        "chosen": await admin.browser.get(f"{PAGE}/designate?user_id=eva.claes&authorisation=24/123"),
        "wrong": await admin.do("designate", "eva.claes", authorisation="24/123", until="x"),
        "change": await admin.browser.get(f"{PAGE}/change?user_id=jansen01"),
        "leave": await admin.browser.get(f"{PAGE}/leave?user_id=jansen01"),
        "not sure": await admin.do("leave"),
        "recent": await admin.browser.get(f"{PAGE}/recent"),
        "old": await admin.browser.get(f"{PAGE}/recent?before=1"),
    }
    assert {name: found for name, answer in pages.items() if (found := faults(answer.page, language))} == {}
    assert pages["faults"].page.by_id("errors").attributes["role"] == "alert"
