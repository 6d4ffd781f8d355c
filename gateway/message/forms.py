"""Forms that a browser sends: read into fields, so that a page can show them and let the browser send them once more. Pure.

The two encodings of a form that people fill in (WHATWG HTML, section 4.10.22 "Form submission"). Only what a browser repeats exactly
from hidden fields of a page is read; anything else raises: then the form is not kept. What it goes by:

1. A browser encodes in the character set of its page and does not say which. Bytes that are UTF-8 are taken for UTF-8; others for
   windows-1252, which has a character for every byte (WHATWG Encoding): whatever set it was, the browser sends the same bytes
   again, and only the sight of a letter may be wrong.
2. `_charset_` is a field that the browser fills with the name of the set: it must be one of those two.
3. Line ends are CRLF on the wire; a browser makes them anew. NUL does not survive in a page.
4. Of a file only its place among the fields is kept: the person chooses it again.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

MOST_FIELDS: Final = 1000
"""Fields of one form: what Django and PHP take by default (DATA_UPLOAD_MAX_NUMBER_FIELDS, max_input_vars)."""

_MEDIA_TYPE = re.compile(r"([a-z]+/[a-z-]+)[ \t]*((?:;.*)?)", re.ASCII | re.IGNORECASE)
_BOUNDARY = re.compile(r";[ \t]*boundary=(?:\"([^\"\\]{1,70})\"|([^\s\";,]{1,70}))[ \t]*", re.ASCII | re.IGNORECASE)
"""RFC 2046 section 5.1.1: at most 70 characters. The only parameter that browsers send."""
_PART = re.compile(
    rb'Content-Disposition: form-data; name="(?P<name>[^"\r\n]*)"(?:; filename="(?P<file>[^"\r\n]*)")?\r\n'
    rb"(?:Content-Type: [^\r\n]*\r\n)?\r\n(?P<value>.*)",
    re.DOTALL | re.IGNORECASE,
)
"""One part as browsers write it: quotes and line ends in names are percent-encoded (WHATWG HTML, "multipart/form-data encoding")."""

_WINDOWS_1252 = "".join(
    chr(byte) if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252") for byte in range(256)
)
"""Python's table leaves five bytes out; a browser takes them for C1 controls (WHATWG Encoding, index windows-1252)."""


class Field(NamedTuple):
    """One entry of a form, in its order. `file` that it is one to choose a file with; then `value` is the name of the file, if any."""

    name: str
    value: str
    file: bool = False


class Form(NamedTuple):
    """A form: `enctype` is its media type without parameters, `charset` what the browser encodes it in."""

    enctype: str
    charset: str
    fields: tuple[Field, ...]


def form_type(content_type: str | None) -> str | None:
    """Which of the two encodings it is, if any; `text/plain` forms cannot be read back without doubt."""
    match = None if content_type is None else _MEDIA_TYPE.fullmatch(content_type)
    name = None if match is None else match[1].lower()
    return name if name in (URLENCODED, MULTIPART) else None


def read_form(content_type: str, body: bytes) -> Form:
    """The fields of a body. Raises RequestError(`malformed`) for what a browser would not send, or not send again alike."""
    match form_type(content_type):
        case "application/x-www-form-urlencoded":
            enctype, entries = URLENCODED, _urlencoded(body)
        case "multipart/form-data":
            enctype, entries = MULTIPART, _multipart(content_type, body)
        case _:
            raise _unlike("no form of a browser")
    if any(b"\0" in name or b"\0" in value for name, value, _ in entries):
        raise _unlike("a NUL in a field")
    charset, decode = _charset(entries)
    for name, value, _ in entries:
        if name.lower() == b"_charset_" and value.decode("latin-1").lower() not in (charset, ""):
            raise _unlike("a character set that is neither UTF-8 nor windows-1252")
    return Form(enctype, charset, tuple(Field(decode(name), decode(value), file) for name, value, file in entries))


_Entry = tuple[bytes, bytes, bool]


def _urlencoded(body: bytes) -> list[_Entry]:
    """WHATWG URL, "application/x-www-form-urlencoded parsing"."""
    pieces = _counted([piece for piece in body.split(b"&") if piece])
    halves = [piece.replace(b"+", b" ").partition(b"=") for piece in pieces]
    return [(unquote_to_bytes(name), unquote_to_bytes(value), False) for name, _, value in halves]


def _counted(pieces: list[bytes]) -> list[bytes]:
    """Before any of them is read: a hundred thousand fields fit in a form, and would hold everybody up for a quarter of a second."""
    if len(pieces) > MOST_FIELDS:
        raise _unlike(f"more than {MOST_FIELDS} fields")
    return pieces


def _multipart(content_type: str, body: bytes) -> list[_Entry]:
    entries: list[_Entry] = []
    for part in _counted(_parts(content_type, body)[1]):
        read = _PART.fullmatch(part)
        if read is None:
            raise _unlike("a part that is no field of a form")
        file = read["file"] is not None
        entries.append((read["name"], read["file"] if file else read["value"], file))
    return entries


def read_upload(content_type: str, body: bytes) -> dict[str, bytes]:
    """A form with files, for whom it was sent to: what each of its fields holds, the bytes of a file too. A field that is there twice is
    left out. Raises like `read_form`."""
    if form_type(content_type) != MULTIPART:
        raise _unlike("no form with a file")
    found: dict[str, list[bytes]] = {}
    for part in _parts(content_type, body)[1]:
        read = _PART.fullmatch(part)
        if read is None:
            raise _unlike("a part that is no field of a form")
        found.setdefault(read["name"].decode("latin-1"), []).append(read["value"])
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def without_files(content_type: str, body: bytes) -> bytes:
    """The same multipart body with every file empty, its name kept: no more is stored than is used. Raises like `read_form`."""
    line, parts = _parts(content_type, body)
    kept = [
        part if (read := _PART.fullmatch(part)) is None or read["file"] is None else part[: read.start("value")]
        for part in parts
    ]
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in kept) + line + b"--\r\n"


def _parts(content_type: str, body: bytes) -> tuple[bytes, list[bytes]]:
    """The delimiter, and what stands between two of them."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _unlike("multipart without a boundary")
    line = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    first, *parts = (b"\r\n" + body).split(b"\r\n" + line)
    if first or not parts or parts.pop() not in (b"--\r\n", b"--"):
        raise _unlike("multipart that does not begin and end with its boundary")
    if not all(part.startswith(b"\r\n") for part in parts):
        raise _unlike("a boundary that goes on")
    return line, [part[2:] for part in parts]


def _charset(entries: list[_Entry]) -> tuple[str, Callable[[bytes], str]]:
    try:
        for name, value, _ in entries:
            name.decode()
            value.decode()
    except UnicodeDecodeError:
        return "windows-1252", _windows_1252
    return "utf-8", bytes.decode


def _windows_1252(data: bytes) -> str:
    return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0]


def _unlike(detail: str) -> RequestError:
    return RequestError("malformed", detail)
