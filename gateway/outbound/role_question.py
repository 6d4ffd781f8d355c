"""What a directory is asked about a person's user-management roles, and what its answer says (clause P3). Pure.

The question is a filter of LDAP (RFC 4515) with holes for the person. What goes into a hole is escaped, so that it can be nothing but a
value there; and the holes must tell one person at one institution from every other, so that nobody gets another's roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from gateway.errors import OutboundError
from gateway.model import FOR_EVER, Role, Validity

HOLES: Final = ("user_id", "insz", "institution")
MAX_FILTER_CHARACTERS: Final = 1000
MAX_ROLES: Final = 1000
"""Of one person: a directory that says more has answered another question."""
_SERVER = re.compile(r"(ldaps?)://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([1-9][0-9]{0,4}))?/?")
_PORTS = {"ldaps": 636, "ldap": 389}
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_HOLE = re.compile(r"\{([^{}]*)\}")
_UNSAFE = re.compile(rb"[^\x20-\x7e]|[\\*()]")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
"""As a transaction's file names one."""
_TIME = re.compile(
    r"(\d{4})(\d{2})(\d{2})(\d{2})(?:(\d{2})(?:(\d{2}))?)?(?:[.,]\d{1,9})?(?:Z|([+-])(\d{2})(\d{2})?)", re.ASCII
)


class LdapServer(NamedTuple):
    """`ldaps` is TLS from the first byte, `ldap` begins with StartTLS: there is no third way."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


class Asked(NamedTuple):
    """Whose roles are asked for: one natural person (`insz`) acting for one institution (its KBO number)."""

    user_id: str
    insz: str
    institution: str


@dataclass(frozen=True, slots=True)
class Question:
    """A filter with holes, such as `(&(objectClass=person)(uid={user_id}))`."""

    template: str

    def about(self, asked: Asked) -> str:
        """The filter for one person."""
        values = {"user_id": asked.user_id, "insz": asked.insz, "institution": asked.institution}
        return _HOLE.sub(lambda hole: escape(values[hole[1]]), self.template)


class Entry(NamedTuple):
    """An entry that the directory found: the values of the attributes that were asked for, by name in lower case."""

    values: Mapping[str, Sequence[str]]


def parse_server(text: str) -> LdapServer:
    """Raises ValueError, which says how it is written."""
    found = _SERVER.fullmatch(text)
    port = _PORTS[found[1]] if found and found[3] is None else int(found[3]) if found else 0
    if found is None or port > 65535:
        raise ValueError(
            'it is not a server of a directory. Write "ldaps://name" or, for StartTLS, "ldap://name:389", with nothing behind it'
        )
    return LdapServer(found[1], found[2].lower(), port)


def parse_question(text: str) -> Question:
    """Raises ValueError, which says what is wrong and how it is written."""
    if len(text) > MAX_FILTER_CHARACTERS or not text.isprintable() or not _is_balanced(text):
        raise ValueError('it is not a filter in brackets (RFC 4515). Write "(&(objectClass=person)(uid={user_id}))"')
    holes = set(_HOLE.findall(text))
    if not holes <= set(HOLES) or re.search("[{}]", _HOLE.sub("", text)):
        raise ValueError("something stands between { and } that is not known. Write {user_id}, {insz} or {institution}")
    if "user_id" not in holes and not {"insz", "institution"} <= holes:
        raise ValueError(
            "it finds the roles of others as well. Write {user_id} in it, or both {insz} and {institution}"
        )
    return Question(text)


def _is_balanced(text: str) -> bool:
    """Brackets open before they close, and the first one closes at the end."""
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth <= 0 and at < len(text) - 1:
            return False
    return bool(text) and depth == 0


def is_attribute(text: str) -> bool:
    """Whether this is the name of an attribute (RFC 4512 section 1.4)."""
    return _ATTRIBUTE.fullmatch(text) is not None


def escape(value: str) -> str:
    r"""A value in a filter: whatever could end it, or be a wildcard, as `\HH` (RFC 4515 section 3); so is all that is not ASCII."""
    return _UNSAFE.sub(lambda byte: b"\\%02x" % byte[0][0], value.encode("utf-8", "surrogatepass")).decode("ascii")


def read_roles(
    entries: Iterable[Entry], attribute: str, valid_from: str | None, valid_until: str | None
) -> dict[str, tuple[Role, ...]]:
    """The roles that these entries say, by name. An entry whose times cannot be read says nothing, and neither does a value that is no
    role's name. Raises OutboundError `too_large`.
    """
    found: dict[str, set[Validity]] = {}
    for entry in entries:
        validity = _validity(entry, valid_from, valid_until)
        if validity is None:
            continue
        for name in entry.values.get(attribute.lower(), ()):
            if _ROLE.fullmatch(name):
                found.setdefault(name, set()).add(validity)
    if sum(map(len, found.values())) > MAX_ROLES:
        raise OutboundError("too_large")
    return {name: tuple(_roles(name, validities)) for name, validities in sorted(found.items())}


def _roles(name: str, validities: Iterable[Validity]) -> Iterator[Role]:
    """One for each beginning: of those that begin together the one that lasts longest says it all."""
    longest: dict[float, float] = {}
    for validity in validities:
        longest[validity.start] = max(validity.end, longest.get(validity.start, validity.end))
    for start, end in sorted(longest.items()):
        yield Role(0, name, Validity(start, end))


def _validity(entry: Entry, valid_from: str | None, valid_until: str | None) -> Validity | None:
    """None: it cannot be read, or it is over before it begins."""
    start, end = _moment(entry, valid_from, 0.0), _moment(entry, valid_until, FOR_EVER)
    return None if start is None or end is None or end <= start else Validity(start, end)


def _moment(entry: Entry, attribute: str | None, default: float) -> float | None:
    values = () if attribute is None else entry.values.get(attribute.lower(), ())
    if not values:
        return default
    return parse_time(values[0]) if len(values) == 1 else None


def parse_time(text: str) -> float | None:
    """Generalized Time (RFC 4517 section 3.3.13) as Unix seconds, fractions left out; None for anything else."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, sign, hours, minutes = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0), tzinfo=UTC)
        away = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return (moment - away if sign == "+" else moment + away).timestamp()
    except (ValueError, OverflowError):
        return None


def read_password(path: Path) -> str:
    """The one line of a password file. Raises OSError; ValueError when it holds none, or more."""
    password = path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    if not password or not password.isprintable():
        raise ValueError("a password file has one line with the password")
    return password
