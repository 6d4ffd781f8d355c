"""What a directory is asked about a person, and what its answer says."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OutboundError
from gateway.model import FOR_EVER, Role, Validity
from gateway.outbound.role_question import (
    MAX_ROLES,
    Asked,
    Entry,
    escape,
    is_attribute,
    parse_question,
    parse_server,
    parse_time,
    read_password,
    read_roles,
)

ASKED = Asked("jansen01", "85073003328", "0403019261")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ldaps://ldap.example.org", "ldaps://ldap.example.org:636"),
        ("ldap://LDAP.example.org/", "ldap://ldap.example.org:389"),
        ("ldaps://127.0.0.1:7636", "ldaps://127.0.0.1:7636"),
    ],
)
def test_a_server(text: str, said: str) -> None:
    assert str(parse_server(text)) == said


@pytest.mark.parametrize(
    "text", ["", "ldap.example.org", "http://x", "ldaps://", "ldaps://x:0", "ldaps://x:65536", "ldaps://x/dc=org", "ldaps://u@x", "ldapi://%2f", "ldaps://x\n"]
)  # fmt: skip
def test_no_server(text: str) -> None:
    with pytest.raises(ValueError, match="ldaps://name"):
        parse_server(text)


@pytest.mark.parametrize(
    ("text", "filter_"),
    [
        ("(uid={user_id})", "(uid=jansen01)"),
        ("(&(a={insz})(b={institution})(c=*))", "(&(a=85073003328)(b=0403019261)(c=*))"),
        ("(member=uid={user_id},ou=people,dc=org)", "(member=uid=jansen01,ou=people,dc=org)"),
    ],
)
def test_a_question(text: str, filter_: str) -> None:
    assert parse_question(text).about(ASKED) == filter_


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "brackets"),
        ("uid={user_id}", "brackets"),
        ("(uid={user_id}", "brackets"),
        ("(uid={user_id}))", "brackets"),
        ("(uid={user_id})(a=b)", "brackets"),
        (")(uid={user_id}(", "brackets"),
        ("(uid={user_id})\n", "brackets"),
        (f"(uid={{user_id}}{'x' * 1000})", "brackets"),
        ("(uid={name})", "not known"),
        ("(uid={user_id)", "not known"),
        ("(uid={user_id}})", "not known"),
        ("(uid={{user_id}})", "not known"),
        ("(objectClass=person)", "of others"),
        ("(a={insz})", "of others"),
        ("(a={institution})", "of others"),
    ],
)
def test_no_question(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_question(text)


def test_what_rfc_4515_escapes() -> None:
    assert escape("a*(b)\\c\0") == r"a\2a\28b\29\5cc\00"
    assert escape("é\ud800") == r"\c3\a9\ed\a0\80"
    assert escape("jansen-01_x.y") == "jansen-01_x.y"


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_whatever_is_put_in_stays_one_value(one: str, other: str) -> None:
    """Nothing but the letters of a value is in the hole, and the value is what was put in, and no other's."""
    filter_ = parse_question("(uid={user_id})").about(ASKED._replace(user_id=one))
    inside = re.fullmatch(r"\(uid=((?:[^()*\\\0]|\\[0-9a-f]{2})*)\)", filter_)
    assert inside is not None
    value = re.sub(rb"\\([0-9a-f]{2})", lambda two: bytes.fromhex(two[1].decode()), inside[1].encode())
    assert value == one.encode("utf-8", "surrogatepass")
    assert (escape(one) == escape(other)) is (one == other)


def test_a_hole_in_a_value_is_not_filled_again() -> None:
    assert parse_question("(uid={user_id})").about(ASKED._replace(user_id="{insz}")) == "(uid={insz})"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260615080000Z", (2026, 6, 15, 8, 0, 0)),
        ("2026061508Z", (2026, 6, 15, 8, 0, 0)),
        ("202606150830Z", (2026, 6, 15, 8, 30, 0)),
        ("20260615080000.75Z", (2026, 6, 15, 8, 0, 0)),
        ("20260615100000+0200", (2026, 6, 15, 8, 0, 0)),
        ("20260615050000-03", (2026, 6, 15, 8, 0, 0)),
    ],
)
def test_generalized_time(text: str, moment: tuple[int, ...]) -> None:
    assert parse_time(text) == dt.datetime(*moment, tzinfo=dt.UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    "text", ["", "2026", "20260615080000", "20261315080000Z", "20260615250000Z", "20260615080060Z", "00000101000000Z", "٢0260615080000Z", "20260615080000Z "]
)  # fmt: skip
def test_no_time(text: str) -> None:
    assert parse_time(text) is None


def entry(*roles: str, **times: list[str]) -> Entry:
    return Entry({"employeetype": roles} | times)


def roles(*entries: Entry) -> dict[str, tuple[Role, ...]]:
    return read_roles(entries, "employeeType", "roleFrom", "roleUntil")


def test_roles_of_several_entries_each_with_its_times() -> None:
    early, late = parse_time("20260101000000Z"), parse_time("20260601000000Z")
    assert early is not None
    assert late is not None
    found = roles(
        entry("A", "B"),
        entry("A", rolefrom=["20260101000000Z"], roleuntil=["20260601000000Z"]),
        entry("A", rolefrom=["20260101000000Z"]),
        entry("C", roleuntil=["20260601000000Z"]),
        entry(),
    )
    assert found == {
        "A": (Role(0, "A", Validity(0.0)), Role(0, "A", Validity(early))),
        "B": (Role(0, "B", Validity(0.0)),),
        "C": (Role(0, "C", Validity(0.0, late)),),
    }
    assert found["A"][1].validity.end == FOR_EVER


@pytest.mark.parametrize(
    "spoilt",
    [
        entry("A", rolefrom=["soon"]),
        entry("A", roleuntil=[""]),
        entry("A", rolefrom=["20260101000000Z", "20260102000000Z"]),
        entry("A", rolefrom=["20260601000000Z"], roleuntil=["20260601000000Z"]),
        entry("", " A", "A\n", "cn=A,dc=org", "9A", "A" * 65, "\ufffd"),
    ],
)
def test_what_cannot_be_read_is_no_role(spoilt: Entry) -> None:
    assert roles(spoilt) == {}


def test_no_more_than_anybody_has() -> None:
    assert len(roles(entry(*(f"R{number}" for number in range(MAX_ROLES))))) == MAX_ROLES
    with pytest.raises(OutboundError, match="too_large"):
        roles(entry(*(f"R{number}" for number in range(MAX_ROLES + 1))))


def test_attributes() -> None:
    assert all(map(is_attribute, ("employeeType", "x-1")))
    assert not any(map(is_attribute, ("", "1x", "a b", "a;binary", "a" * 65, "é")))


def test_a_password_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content, password in (("geheim", "geheim"), ("geheim \n", "geheim "), ("é\r\n", "é")):
        file.write_bytes(content.encode())
        assert read_password(file) == password
    for content in ("", "\n", "a\nb", "a\0", "a\n\n"):
        file.write_bytes(content.encode())
        with pytest.raises(ValueError, match="one line"):
            read_password(file)
