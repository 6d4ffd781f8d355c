"""One fault a row: the good configuration, one change, exactly the faults expected, each with its file and key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import TableError
from gateway.policy.examine import examine
from gateway.policy.release import load_release
from gateway.policy.settings import load_settings
from tests.policy.conftest import NOW

DOSSIER = "transactions/dossier.toml"
LIBRARY = "transactions/library.toml"
PENSION = "transactions/pension.toml"
NORTH = "institutions/0403019261.toml"
GRANT = "authorisations/24-123.toml"
PENSION_GRANT = "authorisations/25-011.toml"
ABOUT = "regulation/demo-1/about.toml"

Row = tuple[str, str, str, str, str]
"""file, old text, new text, key at fault (in that file), a part of what is said"""

INSTITUTIONS: list[Row] = [
    (NORTH, 'kbo = "0403019261"', 'kbo = "0403019262"', "kbo", "check digits"),
    (NORTH, "extranet_connected = false", "extranet_connected = true", "extranet_connected", "does not apply"),
    (NORTH, "extranet_connected = false", "", "extranet_connected", "missing"),
    (NORTH, 'de = "Beispieleinrichtung Nord", ', "", "name.de", "missing"),
    (NORTH, 'de = "Beispieleinrichtung Nord"', 'de = ""', "name.de", "empty"),
    (NORTH, 'de = "Beispieleinrichtung Nord"', r'de = "\u202Exyz"', "name.de", "control character"),
    (NORTH, 'language = "nl"', 'language = "lu"', "language", "not known"),
    (NORTH, 'language = "nl"', 'language = "nl"\nlangauge = "nl"', "langauge", "unknown"),
    (NORTH, 'ciso = "ciso@north.example.org", ', "", "contact.ciso", "missing"),
    (NORTH, 'language = "nl"', "language = nl", "line 4, column 12", "not TOML"),
]
TRANSACTIONS: list[Row] = [
    (DOSSIER, 'id = "dossier"', 'id = "Dossier!"', "id", "right form"),
    (DOSSIER, 'title = { nl = "Dossiers", ', "title = { ", "title.nl", "missing"),
    (DOSSIER, 'channel = "user"', 'channel = "operator"', "channel", "not known"),
    (DOSSIER, "sensitivity = 3", "sensitivity = 5", "sensitivity", "less than or equal"),
    (DOSSIER, "sensitivity = 3", 'sensitivity = "3"', "sensitivity", "whole number"),
    (DOSSIER, "sensitivity = 3", "sensitivity = 0", "sensitivity", "public data"),
    (DOSSIER, "social_personal_data = true", 'social_personal_data = "yes"', "social_personal_data", "true or false"),
    (DOSSIER, 'role = "DossierReader"', "", "role", "without a user-management role"),
    *[
        (DOSSIER, "[subjects] ", f"[revocation]\n{revocation}\n[subjects] ", where, what)
        for revocation, where, what in (
            ("", "revocation.mode", "missing"),
            ('mode = "none"', "revocation.mode", "not known"),
            ('mode = "soft"', "revocation.within", "missing"),
            ('mode = "hard"\nwithin = "12h"', "revocation.within", "bears no old answer"),
            ('mode = "soft"\nwithin = "20min"', "revocation.within", "no longer than what hard bears (1200 s"),
            ('mode = "soft"\nwithin = "8d"', "revocation.within", "less than or equal"),
            ('mode = "soft"\nwithin = "a while"', "revocation.within", "duration"),
        )
    ],
    (DOSSIER, 'host = "dossier.localhost"', 'host = "other.localhost"', "match[1].host", "no user listener"),
    (DOSSIER, 'host = "dossier.localhost"', 'host = "portal.localhost"', "match[1].host", "portal's host"),
    (DOSSIER, 'host = "dossier.localhost"', 'host = "*.localhost"', "match[1].host", "not a host name"),
    (DOSSIER, 'path = "/dossier/"', 'path = "/dossier"', "match[1].path", "whole segments"),
    (DOSSIER, 'path = "/dossier/"', 'path = "/a/../b/"', "match[1].path", "whole segments"),
    (DOSSIER, 'path = "/dossier/"', 'path = "/a//b/"', "match[1].path", "whole segments"),
    (DOSSIER, 'path = "/dossier/"', 'path = "/a%2fb/"', "match[1].path", "whole segments"),
    (DOSSIER, 'path = "/dossier/"', 'path = "/.gateway/x/"', "match[1].path", "answers itself"),
    (PENSION, 'path = "/pension/"', 'path = "/library/x/"', "match[1].path", "overlaps"),
    (PENSION, 'path = "/pension/"', 'path = "/library/"', "match[1].path", "overlaps"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "http://10.0.0.1:9001/app/", "origin.url", "not confidential"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "http://127.0.0.1.evil.example/app/", "origin.url", "not confidential"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "https://user:pass@origin.example/app/", "origin.url", "user name"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "https://origin.example/app/?x=1", "origin.url", "query"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "https://origin.example/app", "origin.url", "whole segments"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "https://origin.example:99999/", "origin.url", "not a URL"),
    (DOSSIER, "http://127.0.0.1:9001/app/", "ftp://origin.example/", "origin.url", "http or https"),
    (DOSSIER, 'cookies = "per-session"', 'cookies = "plain"', "origin.cookies", "shares"),
    (DOSSIER, 'cookies = "per-session"', 'cookies = "per-session"\nca = "certs/ca.pem"', "origin.ca", "plain http"),
    (
        DOSSIER,
        'cookies = "per-session"',
        'cookies = "per-session"\nconnect_timeout = "soon"',
        "origin.connect_timeout",
        "duration",
    ),
    (DOSSIER, 'path = "/**"', 'path = "/a/../b"', "operation[1].path", "dot segment"),
    (DOSSIER, 'path = "/**"', 'path = "/**/b"', "operation[1].path", "only at the end"),
    (DOSSIER, 'methods = ["POST"]', 'methods = ["GET"]', "operation[2]", "nobody can reach it: operation[1]"),
    (DOSSIER, 'methods = ["POST"]', "methods = []", "operation[2].methods", "missing"),
    (DOSSIER, 'methods = ["POST"]', 'methods = ["post"]', "operation[2].methods[1]", "not a method"),
    (DOSSIER, 'methods = ["POST"]', 'methods = ["CONNECT"]', "operation[2].methods[1]", "not a method"),
    (DOSSIER, "websocket = true", 'websocket = true\nmethods = ["POST"]', "operation[4].methods", "begins with a GET"),
    (DOSSIER, 'path = "/dossiers/{insz}"', 'path = "/dossiers/*"', "subjects.path", "no data subject"),
    (DOSSIER, 'origin_field = "X-Subject-INSZ"', 'origin_field = "Set-Cookie"', "subjects.origin_field", "not a field"),
    (PENSION, 'origin_field = "X-Subject-INSZ"', "", "subjects", "says nothing"),
]
AUTHORISATIONS: list[Row] = [
    (GRANT, 'reference = "24/123"', 'reference = "2024/123"', "reference", "YY/NNN"),
    (GRANT, "deliberated_on = 2024-06-04", 'deliberated_on = "2024-06-04"', "deliberated_on", "date"),
    (GRANT, "deliberated_on = 2024-06-04", "deliberated_on = 2024-06-04T00:00:00", "deliberated_on", "date"),
    (GRANT, "amendments = [2025-03-04]", "amendments = [2025-03-04, 2025-02-04]", "amendments", "order"),
    (GRANT, "amendments = [2025-03-04]", "amendments = [2024-06-04]", "amendments", "not after"),
    (GRANT, "amendments = [2025-03-04]", 'amendments = ["x"]', "amendments[1]", "date"),
    (GRANT, 'granted_by = "The head official of the KSZ (example)"', 'granted_by = " "', "granted_by", "empty"),
    (GRANT, "granted_on = 2024-06-20", "granted_on = 2024-07-02", "granted_on", "after the activation"),
    (GRANT, 'request_sha256 = "9f86', 'request_sha256 = "9F86', "request_sha256", "right form"),
    (GRANT, 'transaction = "dossier"', 'transaction = "nowhere"', "transaction", "no transaction nowhere"),
    (GRANT, 'institution = "0403019261"', 'institution = "0884303369"', "institution", "no institution"),
    (GRANT, 'institution = "0403019261"', 'institution = "0884303370"', "institution", "check digits"),
    (GRANT, 'measures = ["Managed workstations with full disk encryption", "Monthly review of designations"]', "measures = []",
     "measures", "empty"),
    (GRANT, 'opinion = { outcome = "favourable", on = 2024-06-18 }', 'opinion = { outcome = "favourable", on = 2024-07-02 }',
     "opinion.on", "after the activation"),
    (GRANT, "valid_until = 2028-06-30", "valid_until = 2024-06-30", "valid_from", "after valid_until"),
    (GRANT, "valid_until = 2028-06-30", "", "valid_until", "missing"),
    (GRANT, "valid_until = 2028-06-30", "valid_until = 9999-12-31", "valid_until", "less than or equal"),
    (GRANT, 'status = "active"', 'status = "paused"', "status", "not known"),
    (GRANT, "supersedes = []", 'supersedes = ["24/001"]', "supersedes[1]", "no authorisation 24/001"),
    (GRANT, "supersedes = []", 'supersedes = ["24/123"]', "supersedes[1]", "itself"),
    (GRANT, "supersedes = []", 'supersedes = ["24/140"]', "supersedes[1]", "another institution or transaction"),
    (GRANT, 'use = "communication"', 'use = "consultation"\npurpose = { nl = "a", fr = "a", de = "a", en = "a" }', "use[2].use", "twice"),
    (GRANT, 'fr = "Suivi des dossiers en cours"\n', "", "use[1].purpose.fr", "missing"),
    (GRANT, 'means = ["token", "itsme", "eid"]', "means = []", "use[1].means", "empty"),
    (GRANT, 'means = ["token", "itsme", "eid"]', 'means = ["token", "badge"]', "use[1].means[2]", "not known"),
    (GRANT, 'means = ["token", "itsme", "eid"]', 'means = ["token", "token"]', "use[1].means", "twice"),
    (GRANT, 'means = ["token", "itsme", "eid"]', 'means = ["password"]', "use[1].means", "weaker than sensitivity 3"),
    (GRANT, 'max_authentication_age = "8h"', "", "use[1].max_authentication_age", "missing"),
    (GRANT, 'max_authentication_age = "8h"', 'max_authentication_age = "48h"', "use[1].max_authentication_age", "less than"),
    ("authorisations/25-012.toml", 'use = "consultation"', 'use = "communication"', "use[1].use", "no operation of library"),
    (PENSION_GRANT, 'means = ["eid"]\nstronger', 'means = ["itsme"]\nstronger', "use[1].means", "level 4"),
    *[
        (GRANT, 'max_authentication_age = "30min"', f'max_authentication_age = "30min"\n[use.context]\n{context}', where, what)
        for context, where, what in (
            ("", "use[2].context", "names nothing"),
            ("networks = []", "use[2].context.networks", "empty"),
            ('networks = "192.0.2.0/24"', "use[2].context.networks", "list"),
            ('networks = ["192.0.2.0/24", "office"]', "use[2].context.networks[2]", "not a network"),
            ('networks = ["192.0.2.1/24"]', "use[2].context.networks[1]", "not a network"),
            ('networks = ["::ffff:192.0.2.0/120"]', "use[2].context.networks[1]", "Write it as IPv4"),
            ('networks = ["192.0.2.0/24", "2001:db8::/48", "192.0.2.0/24"]', "use[2].context.networks", "twice"),
            (f"networks = {[f'10.0.{number}.0/24' for number in range(65)]}", "use[2].context.networks", "at most 64"),
            ('hours = "7:00-19:00"', "use[2].context.hours", "hours are expected"),
            ('hours = "07:00 - 19:00"', "use[2].context.hours", "hours are expected"),
            ('hours = "07:00-24:01"', "use[2].context.hours", "hours are expected"),
            ('hours = "07:60-19:00"', "use[2].context.hours", "hours are expected"),
            ("hours = 7", "use[2].context.hours", "hours are expected"),
            ("hours = 07:00:00", "use[2].context.hours", "hours are expected"),
            ('hours = "22:00-06:00"', "use[2].context.hours", "past midnight"),
            ('hours = "07:00-07:00"', "use[2].context.hours", "end before they begin"),
            ('days = "weekdays"', "use[2].context.days", "not days"),
            ('days = "monday"', "use[2].context.days", "not days"),
            ("days = []", "use[2].context.days", "not days"),
            ('days = ["monday", "maandag"]', "use[2].context.days", "not days"),
            ('days = ["monday", "working"]', "use[2].context.days", "not days"),
            ('days = ["monday", ["tuesday"]]', "use[2].context.days", "not days"),
            ('days = ["monday", "tuesday", "monday"]', "use[2].context.days", "twice"),
            ('days = "working"\nholidays = []', "use[2].context.holidays", "unknown"),
        )
    ],
    (GRANT, 'status = "active"', 'status = "active"\ncontext = { days = "working" }', "context", "unknown"),
    (GRANT, 'max_authentication_age = "30min"', 'max_authentication_age = "30min"\ncontext = "office"', "use[2].context", "table is expected"),
]  # fmt: skip
ROLES: list[Row] = [
    ("roles.toml", 'insz = "85073003328"', 'insz = "81022903534"', "role[1].insz", "calendar"),
    ("roles.toml", 'insz = "85073003328"', 'insz = "47060200096"', "role[1].insz", "counter"),
    ("roles.toml", 'institution = "0403019261"', 'institution = "0884303369"', "role[1].institution", "no institution"),
    ("roles.toml", 'institution = "0403019261"', 'institution = "ksz"', "role[1].institution", "no institution ksz"),
    ("roles.toml", 'institution = "0403019261"', 'institution = "somebody"', "role[1].institution", "KBO"),
    ("roles.toml", 'role = "auditor"', 'role = "operator"', "role[5].role", "not known"),
    ("roles.toml", 'insz = "92521506931"', 'insz = "01490700185"', "role[4].insz", "auditor"),
    ("roles.toml", 'role = "duty_officer"\ninsz = "01490700185"\ninstitution = "ksz"',
     'role = "duty_officer"\ninsz = "01490700185"\ninstitution = "0403019261"', "role[4].institution", "KSZ's own people"),
    ("roles.toml", 'role = "duty_officer"\ninsz = "01490700185"', 'role = "ksz_reader"\ninsz = "98472899765"', "role[4]", "same role"),
    ("roles.toml", "until = 2028-12-31                    #", "until = 2023-12-31                    #", "role[1].from", "after until"),
]  # fmt: skip
REGULATION: list[Row] = [
    (ABOUT, "effective = 2024-01-01", "effective = 2030-01-01", "", "no version of the user regulation is in force"),
    (ABOUT, "effective = 2024-01-01", "effective = 1", "effective", "date"),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "where", "what"), [*INSTITUTIONS, *TRANSACTIONS, *AUTHORISATIONS, *ROLES, *REGULATION]
)
def test_one_change_gives_one_fault_with_its_file_and_key(
    config: Path, edit: Callable[[str, str, str], None], file: str, old: str, new: str, where: str, what: str
) -> None:
    edit(file, old, new)
    found = examine(config, NOW)
    assert [fault.where for fault in found.faults] == [where], [str(fault) for fault in found.faults]
    (fault,) = found.faults
    assert fault.file == (file if where else "regulation/")
    assert what in fault.what + " " + fault.mend
    assert fault.mend
    assert found.release is None
    with pytest.raises(TableError) as raised:
        load_release(load_settings(config), NOW)
    assert [str(fault) for fault in raised.value.faults] == [str(fault) for fault in found.faults]


def test_the_example_itself_has_no_fault(config: Path) -> None:
    found = examine(config, NOW)
    assert found.faults == []
    assert found.release is not None
    assert [warning.split(":")[0] for warning in found.warnings] == ["table.unsafe_unsigned is true"]


def _faults(config: Path) -> list[tuple[str, str]]:
    return [(fault.file, fault.where) for fault in examine(config, NOW).faults]


def test_a_whole_host_is_no_transaction_with_social_data(config: Path, edit: Callable[[str, str, str], None]) -> None:
    (config / LIBRARY).unlink()
    (config / "authorisations/25-012.toml").unlink()
    edit(PENSION, 'path = "/pension/"', 'path = "/"')
    assert _faults(config) == [(PENSION, "match[1].path")]


def test_a_whole_host_without_social_data_is_good_also_with_plain_cookies(
    config: Path, edit: Callable[[str, str, str], None]
) -> None:
    (config / PENSION).unlink()
    (config / PENSION_GRANT).unlink()
    edit(LIBRARY, 'path = "/library/"', 'path = "/"')
    edit(LIBRARY, 'url = "http://127.0.0.1:9004/"', 'url = "http://127.0.0.1:9004/"\ncookies = "plain"')
    assert _faults(config) == []
    edit(LIBRARY, '[[operation]]\nuse = "consultation"',
         '[[operation]]\nuse = "consultation"\nmethods = ["POST"]\npath = "/.gateway/**"\n\n[[operation]]\nuse = "consultation"')  # fmt: skip
    assert _faults(config) == [(LIBRARY, "operation[1]")]


def test_a_consultation_without_purpose(config: Path, edit: Callable[[str, str, str], None]) -> None:
    text = (config / GRANT).read_text()
    start, end = text.index("[use.purpose]"), text.index('\n[[use]]\nuse = "communication"')
    edit(GRANT, text[start:end], "")
    assert _faults(config) == [(GRANT, "use[1].purpose")]


@pytest.mark.parametrize(("file", "key"), [(NORTH, "kbo"), (LIBRARY, "id"), (GRANT, "reference")])
def test_the_same_subject_in_two_files(config: Path, file: str, key: str) -> None:
    copy = f"{file.split('/', maxsplit=1)[0]}/zz-copy.toml"
    shutil.copy(config / file, config / copy)
    faults = _faults(config)
    assert (copy, key) in faults
    assert {name for name, _ in faults} == {copy}


def _second_grant(config: Path, *, supersedes: str = "", **changes: str) -> str:
    name = "authorisations/26-001.toml"
    text = (
        (config / GRANT)
        .read_text()
        .replace('"24/123"', '"26/001"')
        .replace("supersedes = []", f"supersedes = [{supersedes}]")
    )
    for key, value in changes.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in text.splitlines()]
        text = "\n".join(lines)
    (config / name).write_text(text)
    return name


def test_two_authorisations_in_force_together_need_supersedes(config: Path) -> None:
    name = _second_grant(config, valid_from="2028-06-30", valid_until="2029-06-30")
    assert _faults(config) == [(name, "supersedes")]


@pytest.mark.parametrize(
    ("supersedes", "changes"),
    [
        ('"24/123"', {"valid_from": "2028-06-30", "valid_until": "2029-06-30"}),
        ("", {"valid_from": "2028-07-01", "valid_until": "2029-06-30"}),
        ("", {"status": '"revoked"'}),
        ("", {"transaction": '"career"', "valid_from": "2028-09-01", "valid_until": "2029-06-30"}),
    ],
)
def test_two_authorisations_that_may_stand_together(config: Path, supersedes: str, changes: dict[str, str]) -> None:
    name = _second_grant(config, supersedes=supersedes, **changes)
    if "transaction" in changes:  # career has no communication
        path = config / name
        path.write_text(path.read_text()[: path.read_text().index('\n[[use]]\nuse = "communication"')])
    assert _faults(config) == []


def test_superseding_reaches_through_a_chain_and_not_back(config: Path, edit: Callable[[str, str, str], None]) -> None:
    _second_grant(config, supersedes='"24/123"')
    text = (config / "authorisations/26-001.toml").read_text()
    third = config / "authorisations/26-002.toml"
    third.write_text(text.replace('"26/001"', '"26/002"').replace('["24/123"]', '["26/001"]'))
    assert _faults(config) == []
    edit(GRANT, "supersedes = []", 'supersedes = ["26/001"]')
    assert ("authorisations/26-001.toml", "supersedes[1]") in _faults(config)


def test_missing_and_empty_files(config: Path) -> None:
    (config / "roles.toml").unlink()
    (config / "regulation/demo-1/de.md").unlink()
    (config / "regulation/demo-1/fr.md").write_text(" \n")
    (config / "regulation/demo-1/nl.md").write_bytes(b"goed\n\xff")
    assert sorted(_faults(config)) == [
        ("regulation/demo-1/de.md", ""),
        ("regulation/demo-1/fr.md", ""),
        ("regulation/demo-1/nl.md", "line 2"),
        ("roles.toml", ""),
    ]
    shutil.rmtree(config / "regulation")
    shutil.rmtree(config / "transactions")
    faults = _faults(config)
    assert ("regulation/", "") in faults
    assert ("transactions/", "") in faults


def test_a_version_of_the_regulation_without_about(config: Path) -> None:
    (config / ABOUT).unlink()
    assert _faults(config) == [(ABOUT, "")]


def test_two_versions_of_the_regulation_on_one_day(config: Path) -> None:
    shutil.copytree(config / "regulation/demo-1", config / "regulation/demo-2")
    assert _faults(config) == [("regulation/demo-2/about.toml", "effective")]


def test_a_file_that_is_too_long_or_not_read_at_all(config: Path) -> None:
    (config / LIBRARY).write_bytes(b"#" * (1024 * 1024 + 1))
    (config / "transactions/notes.txt").write_text("x")
    (config / "transactions/.hidden.toml").write_text("x")
    found = examine(config, NOW)
    assert [(fault.file, fault.what) for fault in found.faults] == [(LIBRARY, "the file is longer than 1048576 bytes")]
    assert "transactions/notes.txt is not read: it is not one of the table's files" in found.warnings
    assert not any("hidden" in warning for warning in found.warnings)


def test_a_file_that_cannot_be_opened(config: Path) -> None:
    """A link to nowhere; what refers to the file that should be there is not at fault."""
    for name in (NORTH, "regulation/demo-1/de.md", ABOUT):
        (config / name).unlink()
        (config / name).symlink_to("nowhere")
    assert sorted(_faults(config)) == sorted([(NORTH, ""), (ABOUT, ""), ("regulation/demo-1/de.md", "")])


def test_values_of_the_right_shape_that_do_not_exist(config: Path, edit: Callable[[str, str, str], None]) -> None:
    edit(GRANT, "valid_until = 2028-06-30", "valid_until = 2028-02-30")
    edit(DOSSIER, "sensitivity = 3", "sensitivity = " + "[" * 10_000)
    assert [name for name, _ in _faults(config)] == [GRANT, DOSSIER]


def test_without_settings_each_file_is_still_read(config: Path, edit: Callable[[str, str, str], None]) -> None:
    edit(GRANT, 'status = "active"', 'status = "paused"')
    (config / "gateway.toml").write_text("[portal")
    assert [file for file, _ in _faults(config)] == ["gateway.toml", GRANT]


def test_with_an_unreadable_place_of_the_table_each_file_is_still_read(
    config: Path, edit: Callable[[str, str, str], None]
) -> None:
    edit(GRANT, 'status = "active"', 'status = "paused"')
    edit("gateway.toml", '# directory = "."', "directory = 1")
    assert _faults(config) == [("gateway.toml", "table.directory"), (GRANT, "status")]


def test_a_value_with_a_fault_hides_no_other(config: Path, edit: Callable[[str, str, str], None]) -> None:
    edit(DOSSIER, 'host = "dossier.localhost"', "host = 1")
    edit(DOSSIER, 'path = "/dossier/"', 'path = "/.gateway/x/"')
    edit(DOSSIER, 'methods = ["POST"]', "methods = 1")
    edit(DOSSIER, "websocket = true", "websocket = 1")
    edit(GRANT, 'use = "communication"', 'use = "reading"')
    edit(GRANT, 'means = ["eid"]', 'means = ["password"]')
    edit("roles.toml", 'role = "auditor"', "role = 1")
    edit(
        "roles.toml",
        'insz = "81050003552"\ninstitution = "0671516647"',
        'insz = "81050003552"\ninstitution = "0884303369"',
    )
    assert sorted(_faults(config)) == sorted(
        [
            (DOSSIER, "match[1].host"),
            (DOSSIER, "match[1].path"),
            (DOSSIER, "operation[2].methods"),
            (DOSSIER, "operation[4].websocket"),
            (GRANT, "use[2].use"),
            (GRANT, "use[2].means"),
            ("roles.toml", "role[5].role"),
            ("roles.toml", "role[2].institution"),
        ]
    )


def test_a_file_with_a_slip_causes_no_follow_up_faults(config: Path, edit: Callable[[str, str, str], None]) -> None:
    """What refers to a file that cannot be read is not at fault."""
    edit(DOSSIER, 'id = "dossier"', 'id = "dossier')
    edit(NORTH, 'kbo = "0403019261"', "kbo = 403019261")
    edit("authorisations/25-012.toml", 'reference = "25/012"', "reference = ")
    assert sorted(_faults(config)) == [
        ("authorisations/25-012.toml", "line 1, column 13"),
        (NORTH, "kbo"),
        (DOSSIER, "line 2, column 78"),
    ]


def test_every_fault_at_once(config: Path, edit: Callable[[str, str, str], None]) -> None:
    """Several in one file, across files, in settings and keys: none hides another."""
    edit(GRANT, 'status = "active"', 'status = "activ"\nstatsu = 1')
    edit(GRANT, "valid_until = 2028-06-30", "valid_until = 2024-06-30")
    edit(GRANT, 'means = ["token", "itsme", "eid"]', 'means = ["password"]')
    edit(GRANT, "amendments = [2025-03-04]", "amendments = [2024-01-01]")
    edit(DOSSIER, "sensitivity = 3", "sensitivity = 3\ncolour = 1")
    edit(DOSSIER, 'path = "/**"', 'path = "/a/../b"')
    edit(DOSSIER, 'role = "DossierReader"', "")
    edit(NORTH, "extranet_connected = false", "extranet_connected = true\nx = 1")
    edit("roles.toml", 'insz = "85073003328"', 'insz = "85073003329"')
    edit("gateway.toml", 'host = "portal.localhost"', 'host = "portal.elsewhere"')
    edit("gateway.toml", 'address = "127.0.0.1:9090"', 'address = "0.0.0.0:9090"')
    (config / "keys/gateway.key").chmod(0o644)
    (config / "certs/server.key").unlink()
    assert sorted(_faults(config)) == sorted(
        [
            (GRANT, "status"),
            (GRANT, "statsu"),
            (GRANT, "valid_from"),
            (GRANT, "use[1].means"),
            (GRANT, "amendments"),
            (DOSSIER, "colour"),
            (DOSSIER, "operation[1].path"),
            (DOSSIER, "role"),
            (NORTH, "extranet_connected"),
            (NORTH, "x"),
            ("roles.toml", "role[1].insz"),
            ("gateway.toml", "portal.host"),
            ("gateway.toml", "listener[3].address"),
            ("keys/gateway.key", ""),
            ("certs/server.key", ""),
        ]
    )
