"""Request targets: the one canonicaliser (RFC 9112 section 3.2, RFC 3986 section 6.2).

The gateway decides on a path and an origin interprets one; every bypass of this kind of gateway began where the two
differed (THREATS rows 6 to 9). So there is one function from raw bytes to a `Target`, what it returns is both matched
and forwarded, and whatever two parsers are known to read differently is refused instead of repaired:

* dot segments, plain or encoded, also with something encoded behind the dots (`..%3B`): servers remove them, or not;
* `%2F` `%5C` `%00`, encoded controls, `\\`, and `//`: separators for some, data for others;
* `;`: path parameters for some servers, which strip them before or after they look at dots;
* percent signs that encode nothing, and what would decode once more (`%252e`);
* octets that are no UTF-8 (overlong forms, surrogates, legacy encodings): decoders disagree about them.

Accepted paths are normalised the way RFC 3986 section 6.2.2 says is safe: hexadecimal digits in upper case, unreserved
characters decoded. `[ ] | ^`, which browsers send raw in paths, are percent-encoded. Nothing else is changed.

A query goes on byte for byte: browsers put nearly everything into it raw and applications read it in their own way. The
gateway never decides on it. Controls, space, `#` and non-ASCII are refused there, since no browser sends them.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError
from gateway.message.host import Authority, parse_authority

HTTPS_PORT: Final = 443

_REFUSED_METHODS: Final = {
    "CONNECT": "CONNECT asks for a tunnel, and the gateway is no forward proxy",
    "TRACE": "TRACE would echo the fields that the gateway adds",
}
_PCHAR: Final = r"[A-Za-z0-9\-._~!$&'()*+,=:@]"  # RFC 3986 section 3.3 without ";"
_QUERY_OCTETS: Final = r"[!\"$-~]*+"  # visible ASCII without "#"
# The everyday target: already canonical, nothing to decode. The long way below gives the same result for it.
_CANONICAL: Final = re.compile(rf"((?:/(?!\.\.?(?:[/?]|\Z)){_PCHAR}++)*+/?)(?:\?({_QUERY_OCTETS}))?")
_ABSOLUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_PATH_OCTETS: Final = re.compile(rf"(?:{_PCHAR}|[/%\[\]|^])*")
_QUERY: Final = re.compile(_QUERY_OCTETS)
_TO_NORMALISE: Final = re.compile(r"%([0-9A-Fa-f]{2})?|[\[\]|^]")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]")
_ENCODED_TWICE: Final = re.compile(r"%25[0-9A-Fa-f]{2}")
_DOT_SEGMENT: Final = re.compile(r"/\.\.?(?:/|%[0-7]|\Z)")


class Target(NamedTuple):
    """What a request asks for. `path` is canonical and begins with "/" (or is "*"); `query` is as it was sent."""

    path: str
    query: str | None
    authority: Authority | None = None
    """Only of an absolute-form target, and then equal to the Host field in every accepted request."""

    @property
    def encoded(self) -> str:
        """The bytes that go to the origin, as ASCII text."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's segments, still percent-encoded: "/" has one empty segment, "/a/" has "a" and an empty one."""
        return tuple(self.path.split("/")[1:])


def parse_target(method: str, raw: str | bytes) -> Target:
    """Canonicalise a request target. Raises RequestError `unsafe_target`, or `malformed` for CONNECT and TRACE.

    Origin-form; `*` for OPTIONS only; absolute-form with the scheme https (clause B3), whose authority the caller
    compares with the Host field (RFC 9112 section 3.2.2).
    """
    if method in _REFUSED_METHODS:
        raise RequestError("malformed", _REFUSED_METHODS[method])
    text = raw if isinstance(raw, str) else raw.decode("latin-1")
    everyday = _CANONICAL.fullmatch(text)
    if everyday is not None and everyday[1]:
        return Target(everyday[1], everyday[2])
    if text == "*":
        if method != "OPTIONS":
            raise _unsafe("the target * is for OPTIONS only")
        return Target("*", None)
    authority = None
    if not text.startswith("/"):
        absolute = _ABSOLUTE.match(text)
        if absolute is None:
            raise _unsafe("the target is neither a path nor an absolute URI")
        if absolute[1].lower() != "https":
            raise _unsafe("the target is an absolute URI of another scheme than https")
        authority = _authority(absolute[2])
        text = text[absolute.end() :]
    path, mark, query = text.partition("?")
    if _QUERY.fullmatch(query) is None:
        raise _unsafe("the query holds a control, a space, # or an octet outside ASCII")
    return Target(canonical_path(path or "/"), query if mark else None, authority)


def canonical_path(path: str) -> str:
    """The one spelling of a path that begins with "/". Idempotent. Raises RequestError `unsafe_target`."""
    if _PATH_OCTETS.fullmatch(path) is None:
        raise _unsafe("the path holds an octet that has to be encoded, a backslash, a semicolon or #")
    canonical = _TO_NORMALISE.sub(_normalised, path)
    if _ENCODED_TWICE.search(canonical):
        raise _unsafe("the path is percent-encoded twice")
    if "//" in canonical:
        raise _unsafe("the path has an empty segment (//)")
    if _DOT_SEGMENT.search(canonical):
        raise _unsafe("the path has a dot segment, plain or encoded")
    try:
        unquote_to_bytes(canonical).decode("utf-8")
    except UnicodeDecodeError:
        raise _unsafe("the path decodes to something that is not UTF-8") from None
    return canonical


def _normalised(match: re.Match[str]) -> str:
    """One percent-encoded octet, or one character that browsers leave raw, in its canonical spelling."""
    found = match[0]
    if found in "[]|^":
        return f"%{ord(found):02X}"
    if match[1] is None:
        raise _unsafe("the path has a percent sign without two hexadecimal digits")
    character = chr(int(match[1], 16))
    if character in "/\\" or character < " " or character == "\x7f":
        raise _unsafe("the path has an encoded slash, backslash, NUL or control")
    return character if _UNRESERVED.fullmatch(character) else found.upper()


def _authority(text: str) -> Authority:
    try:
        return parse_authority(text)
    except RequestError as error:
        raise _unsafe(f"the target's authority is refused: {error.detail}") from None


def _unsafe(detail: str) -> RequestError:
    return RequestError("unsafe_target", detail)
