"""Kinds of values that settings and table files share: durations, names, paths, texts. Each refusal says what to do."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo

from gateway.errors import OutboundError
from gateway.identifiers import IdentifierError, check_insz, check_kbo
from gateway.model import Network

# A room of the same floor: what a list of places says is read as it is later compared.
from gateway.outbound.hosts import Place, parse_place
from gateway.outbound.role_question import LdapServer, Question, is_attribute, parse_question, parse_server
from gateway.records.server import Server, is_url, read_url

MAX_TEXT_CHARACTERS = 4000
"""Longest single text in a file: a page of prose. What is longer belongs in a document that the file refers to."""

MAX_OID_CHARACTERS = 100

_DURATION = re.compile(r"([0-9]{1,9})(s|min|h|d)")
DAY_MINUTES = 24 * 60
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
DAYS_OF_THE_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORKING = "working"
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _duration(value: object) -> float:
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        return float(int(found[1]) * _SECONDS[found[2]])
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    raise ValueError('a duration is expected. Write a number of seconds, or "30s", "30min", "8h", "30d"')


def _no_controls(text: str) -> str:
    if _CONTROLS.search(text):
        raise ValueError("it holds a control character. Remove it")
    if not text.strip():
        raise ValueError("it is empty. Fill it in")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("it is not a host name. Write the exact name in lower case, without scheme, port or *")
    return text


def _kbo(text: str) -> str:
    try:
        return check_kbo(text)
    except IdentifierError as error:
        raise ValueError(f"{error}. Look it up in the KBO and correct it") from None


def _insz(text: str) -> str:
    try:
        return check_insz(text)
    except IdentifierError as error:
        raise ValueError(f"{error}. Take it from the written act and correct it") from None


def _fingerprint(text: str) -> str:
    digits = text.lower().replace(":", "")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(
            "it is not the SHA-256 of a public key: 64 hexadecimal digits. See docs/eid.md for how to get it"
        )
    return digits


def _object_identifier(text: str) -> str:
    if len(text) > MAX_OID_CHARACTERS or not re.fullmatch(r"[0-2](?:\.(?:0|[1-9][0-9]*))+", text):
        raise ValueError("it is not an object identifier. Write numbers and points, as in 2.16.56.12.1.1.2.2")
    return text


def _many(value: object) -> object:
    """A list becomes a tuple, so that what was read cannot change."""
    return tuple(value) if isinstance(value, list) else value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else _many(value)


class Address(NamedTuple):
    """Where a listener listens. Port 0 lets the system pick one (tests)."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    try:
        bracketed = host.startswith("[") and host.endswith("]")
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
        number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else -1
    except ValueError:
        number, bracketed, address = -1, False, None
    if address is None or not colon or not 0 <= number <= 65535 or bracketed != (address.version == 6):
        raise ValueError('it is not an address with a port. Write "127.0.0.1:8443" or "[::1]:8443"')
    return Address(str(address), number)


def _network(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        network = ipaddress.ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError('it is not a network. Write "192.0.2.0/24", "2001:db8::/48", or one address') from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        # Such a client is known by its IPv4 address: nothing would ever be in it.
        raise ValueError('it is an IPv4 network written as IPv6. Write it as IPv4: "192.0.2.0/24"')
    return network


def _place(value: object) -> Place:
    if isinstance(value, Place):
        return value
    try:
        return parse_place(value if isinstance(value, str) else "")
    except OutboundError:
        raise ValueError(
            'it is not a place on the network. Write "http://name" or "https://name:8443", with nothing behind it'
        ) from None


def _ldap_server(value: object) -> LdapServer:
    return value if isinstance(value, LdapServer) else parse_server(value if isinstance(value, str) else "")


def _question(value: object) -> Question:
    return value if isinstance(value, Question) else parse_question(value if isinstance(value, str) else "")


def _attribute(text: str) -> str:
    if not is_attribute(text):
        raise ValueError('it is no attribute of a directory. Write its name, such as "employeeType"')
    return text


def _hours(value: object) -> tuple[int, int]:
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    first, last = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if found is None or last > DAY_MINUTES:
        raise ValueError('hours are expected. Write "07:00-19:00", the time in Brussels; the end of a day is 24:00')
    if first >= last:
        raise ValueError("the hours end before they begin. Write the earlier one first; they do not go past midnight")
    return first, last


class Days(NamedTuple):
    """Days of the week, Monday 0; and whether public holidays are left out."""

    days: frozenset[int]
    working: bool


def _days(value: object) -> Days:
    if value == WORKING:
        return Days(frozenset(range(5)), working=True)
    names = value if isinstance(value, list) else []
    if not names or any(name not in DAYS_OF_THE_WEEK for name in names):
        raise ValueError(
            'these are not days. Write "working" (Monday to Friday without public holidays), or ["monday", "tuesday"]'
        )
    if len(set(names)) != len(names):
        raise ValueError("a day stands twice. Keep one")
    return Days(frozenset(map(DAYS_OF_THE_WEEK.index, names)), working=False)


def _path(value: object, info: ValidationInfo) -> Path:
    """A path of a settings file: relative ones start at the directory of that file."""
    text = str(value) if isinstance(value, Path) else value
    if not isinstance(text, str) or not text or _CONTROLS.search(text):
        raise ValueError('a path is expected. Write "name", relative to this directory, or "/from/the/root"')
    directory: Any = (info.context or {}).get("directory", Path())
    return Path(directory, text)


def empty_is_none(value: object) -> object:
    """An empty text is none."""
    return None if value == "" else value


def _database(value: object, info: ValidationInfo) -> Path | Server:
    return read_url(value) if isinstance(value, str) and is_url(value) else _path(value, info)


Duration = Annotated[float, BeforeValidator(_duration)]
"""Seconds."""
Words = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS), AfterValidator(_no_controls)]
HostName = Annotated[str, AfterValidator(_host)]
Kbo = Annotated[str, AfterValidator(_kbo)]
Insz = Annotated[str, AfterValidator(_insz)]
KeyFingerprint = Annotated[str, AfterValidator(_fingerprint)]
"""SHA-256 of a public key (SubjectPublicKeyInfo), in lower-case hex."""
ObjectIdentifier = Annotated[str, AfterValidator(_object_identifier)]
NetworkText = Annotated[Network, BeforeValidator(_network)]
"""IPv4 or IPv6, in prefix notation; an address alone is a network of one."""
HoursText = Annotated[tuple[int, int], BeforeValidator(_hours)]
"""Minutes after midnight."""
DaysText = Annotated[Days, BeforeValidator(_days)]
FilePath = Annotated[Path, BeforeValidator(_path)]
PlaceText = Annotated[Place, BeforeValidator(_place)]
"""Scheme, host and port: `http://ocsp.eid.belgium.be`."""
OptionalFilePath = Annotated[FilePath | None, BeforeValidator(empty_is_none)]
OptionalPlaceText = Annotated[PlaceText | None, BeforeValidator(empty_is_none)]
AddressText = Annotated[Address, BeforeValidator(_address)]
LdapServerText = Annotated[LdapServer, BeforeValidator(_ldap_server)]
QuestionText = Annotated[Question, BeforeValidator(_question)]
AttributeName = Annotated[str, AfterValidator(_attribute)]
DatabasePlace = Annotated[Path | Server, BeforeValidator(_database)]
"""An SQLite file, or a PostgreSQL server."""
Many = BeforeValidator(_many)
OneOrMany = BeforeValidator(_one_or_many)
Port = Annotated[int, Field(ge=1, le=65535)]
