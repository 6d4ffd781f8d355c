"""Where a PostgreSQL server is, as whom the gateway comes, and how it knows that it is that server.

The form is that of libpq's connection URIs (PostgreSQL 15, section 34.1.1.2), less what has no place in settings that others read:
a password, and switches that weaken TLS. Over a network the connection is TLS, and the certificate is verified with the name of
the host (libpq's `verify-full`); on this machine (loopback, a UNIX socket) it is TLS when the settings name an authority.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.errors import ConfigurationError, RecordsError

SCHEMES = frozenset({"postgresql", "postgres"})
PORT = 5432
EXAMPLE = "postgresql://gateway@db.example:5432/gateway"


@dataclass(frozen=True, slots=True)
class Server:
    """A database `name` on the first of `hosts` that takes writes. A host is a name, an address, or the directory of a UNIX socket.

    `password_file` is read at each connection; None: as libpq finds it (PGPASSFILE, ~/.pgpass), or none. `ca` holds the authorities (PEM) that
    may vouch for the server; None: the system's.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str
    name: str
    password_file: Path | None = None
    ca: Path | None = None

    def __str__(self) -> str:
        if self.is_socket:
            directory, port = self.hosts[0]
            return f"postgresql://{self.user}@/{self.name}?host={directory}" + (f"&port={port}" if port != PORT else "")
        places = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"postgresql://{self.user}@{places}/{self.name}"

    @property
    def is_socket(self) -> bool:
        return self.hosts[0][0].startswith("/")

    def password(self) -> str | None:
        """Raises RecordsError when the file cannot be read."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise RecordsError(f"{self.password_file}: the password of the records' database cannot be read") from error

    def tls(self) -> ssl.SSLContext | None:
        """None: plain, on this machine alone. Raises ConfigurationError."""
        if self.is_socket or (self.ca is None and all(_is_loopback(host) for host, port in self.hosts)):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise ConfigurationError(
                f"{self.ca}: records.ca cannot be read as certificates (PEM): {error.strerror or error}"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_url(text: str) -> bool:
    """Whether this is meant as a server's address, not as a file's name."""
    return "://" in text


def read_url(text: str) -> Server:
    """The server that a URL names. Raises ValueError: what is wrong and what to do; the text itself is never repeated."""
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(f'this is no URL. Write "{EXAMPLE}"') from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f'this is neither a file nor a PostgreSQL server. Write a path, or "{EXAMPLE}"')
    who, _, places = parts.netloc.rpartition("@")
    if ":" in who:
        raise ValueError("a password stands in the URL. Write it to a file and name that as records.password_file")
    name = unquote(parts.path[1:])
    if not who or not name or "/" in name or parts.fragment:
        raise ValueError(f'the user or the name of the database is missing. Write "{EXAMPLE}"')
    options = dict(query)
    if len(options) != len(query) or not options.keys() <= {"host", "port"}:
        raise ValueError("only host, the directory of a UNIX socket, and port may follow the '?'. Take the rest out")
    if options and (places or not options.get("host", "").startswith("/")):
        raise ValueError("after the '?' stands a UNIX socket's directory. Write a server's name between '@' and '/'")
    hosts = ((options["host"], _port(options.get("port", ""))),) if options else tuple(map(_host, places.split(",")))
    return Server(hosts, unquote(who), name)


def _host(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host:
        raise ValueError(f'a host is missing. Write "{EXAMPLE}"')
    return host, _port(port)


def _port(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError("a port is a number from 1 to 65535. Correct it")
    return int(text or PORT)
