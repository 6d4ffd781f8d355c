"""Forms of browsers: what is read back, and that encoding it as a browser does gives the same bytes."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RequestError
from gateway.message import forms
from gateway.message.forms import (
    MOST_FIELDS,
    MULTIPART,
    URLENCODED,
    Field,
    Form,
    form_type,
    read_form,
    read_upload,
    without_files,
)

BOUNDARY = "----WebKitFormBoundaryAbC123"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def encoded(form: Form) -> bytes:
    """What a browser makes of the fields (WHATWG URL, "application/x-www-form-urlencoded serializing")."""

    def one(text: str) -> str:
        data = as_browser(text, form.charset)
        return quote_from_bytes(data, safe="*-._ ").replace("~", "%7E").replace(" ", "+")

    return "&".join(f"{one(field.name)}={one(field.value)}" for field in form.fields).encode("ascii")


def as_browser(text: str, charset: str) -> bytes:
    """A browser's encoder; windows-1252 with the C1 controls that Python's leaves out."""
    if charset == "utf-8":
        return text.encode()
    return b"".join(c.encode("latin-1") if "\x80" <= c <= "\x9f" else c.encode("cp1252") for c in text)


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """Parts by what stands behind `form-data; `."""
    lines = [
        b"--"
        + BOUNDARY.encode()
        + b"\r\nContent-Disposition: form-data; "
        + head.encode("latin-1")
        + b"\r\n\r\n"
        + value
        for head, value in parts
    ]
    return b"\r\n".join([*lines, b"--" + BOUNDARY.encode() + b"--\r\n"])


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, None),
        ("", None),
        ("text/plain", None),
        ("application/json", None),
        ("application/x-www-form-urlencoded", URLENCODED),
        ("Application/X-WWW-Form-URLencoded; charset=UTF-8", URLENCODED),
        (TYPE, MULTIPART),
        ("multipart/mixed; boundary=x", None),
    ],
)
def test_which_bodies_are_forms(content_type: str | None, expected: str | None) -> None:
    assert form_type(content_type) == expected


@pytest.mark.parametrize(
    ("body", "charset", "fields"),
    [
        (b"", "utf-8", []),
        (b"a=1&b=&a=2", "utf-8", [("a", "1"), ("b", ""), ("a", "2")]),
        (b"note=Gr%C3%BC%C3%9Fe+aus+K%C3%B6ln%0D%0A2", "utf-8", [("note", "Grüße aus Köln\r\n2")]),
        (b"note=Gr%FC%DFe", "windows-1252", [("note", "Grüße")]),
        (b"note=%80%81", "windows-1252", [("note", "€\x81")]),
        (b"gr%F6%DFe=2%2B2%26%3D", "windows-1252", [("größe", "2+2&=")]),
        (b"_charset_=windows-1252&a=%E9", "windows-1252", [("_charset_", "windows-1252"), ("a", "é")]),
        (b"_charset_=&a=%C3%A9", "utf-8", [("_charset_", ""), ("a", "é")]),
    ],
)
def test_a_form_is_read_and_a_browser_would_send_the_same_bytes(
    body: bytes, charset: str, fields: list[tuple[str, str]]
) -> None:
    form = read_form(URLENCODED, body)
    assert form == Form(URLENCODED, charset, tuple(Field(name, value) for name, value in fields))
    assert encoded(form) == body


@pytest.mark.parametrize("body", [b"a", b"&a=", b"a=&"])
def test_what_no_browser_writes_so_means_what_it_means_to_a_server(body: bytes) -> None:
    assert read_form(URLENCODED, body).fields == (Field("a", ""),)


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=40)), max_size=5))
def test_whatever_its_character_set_the_bytes_come_back(entries: list[tuple[bytes, bytes]]) -> None:
    def one(data: bytes) -> str:
        return quote_from_bytes(data, safe="*-._ ").replace("~", "%7E").replace(" ", "+")

    body = "&".join(f"{one(name)}={one(value)}" for name, value in entries).encode("ascii")
    try:
        form = read_form(URLENCODED, body)
    except RequestError:
        assert b"\0" in b"".join(name + value for name, value in entries) or b"_charset_" in body.lower()
        return
    assert encoded(form) == body


def test_a_multipart_form_with_an_empty_file_field() -> None:
    body = multipart(
        ('name="note"', "Grüße\r\n--x".encode()),
        ('name="a%22b"', b""),
        ('name="file"; filename=""\r\nContent-Type: application/octet-stream', b""),
    )
    form = read_form(TYPE, body)
    assert form.enctype == MULTIPART
    assert form.fields == (Field("note", "Grüße\r\n--x"), Field("a%22b", ""), Field("file", "", True))
    assert without_files(TYPE, body) == body


def test_of_a_file_only_its_place_and_name_are_kept() -> None:
    file = ('name="f"; filename="k\xf6ln.pdf"\r\nContent-Type: application/pdf', b"%PDF\r\n\x00\xff")
    body = multipart(('name="a"', b"1"), file, ('name="b"', b"2"))
    bare = multipart(('name="a"', b"1"), (file[0], b""), ('name="b"', b"2"))
    assert without_files(TYPE, body) == bare
    form = read_form(f'multipart/form-data; boundary="{BOUNDARY}"', bare)
    assert form.fields == (Field("a", "1"), Field("f", "köln.pdf", True), Field("b", "2"))
    assert form.charset == "windows-1252"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"a=1"),
        ("application/json", b"{}"),
        (URLENCODED, b"a=%00"),
        (URLENCODED, b"%00=a"),
        (URLENCODED, b"_charset_=Shift_JIS&a=%83%65"),
        (URLENCODED, b"_CHARSET_=UTF-8&a=%E9"),
        (URLENCODED, b"&".join([b"a=1"] * (MOST_FIELDS + 1))),
        ("multipart/form-data", multipart(('name="a"', b"1"))),
        (TYPE, b""),
        (TYPE, b"preamble\r\n" + multipart(('name="a"', b"1"))),
        (TYPE, multipart(('name="a"', b"1")) + b"epilogue"),
        (TYPE, multipart(('name="a"', b"1")).removesuffix(b"--\r\n")),
        (TYPE, multipart(("name=a", b"1"))),
        (TYPE, multipart(('name="a"\r\nX-More: 1', b"1"))),
        (TYPE, multipart(('name="a"', b"1")).replace(BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b" \r\n")),
    ],
)
def test_what_a_browser_would_not_send_alike_is_not_read(content_type: str, body: bytes) -> None:
    with pytest.raises(RequestError) as raised:
        read_form(content_type, body)
    assert raised.value.reason == "malformed"


def test_what_has_too_many_fields_is_not_read_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: bytes) -> bytes:
        raise AssertionError("read before it was counted")

    monkeypatch.setattr(forms, "unquote_to_bytes", never)
    with pytest.raises(RequestError):
        read_form(URLENCODED, b"%41&" * (MOST_FIELDS + 1))


@given(st.binary(max_size=200), st.sampled_from([URLENCODED, TYPE, "multipart/form-data; boundary=\u00e9"]))
def test_hostile_bytes_raise_only_our_error(body: bytes, content_type: str) -> None:
    for read in (read_form, read_upload, without_files):
        try:
            read(content_type, body)
        except RequestError:
            continue


def test_an_upload_is_read_whole() -> None:
    file = ('name="file"; filename="list.csv"\r\nContent-Type: text/csv', b"a;b\r\n\x00\xff")
    body = multipart(('name="csrf"', b"1"), file, ('name="twice"', b"2"), ('name="twice"', b"3"))
    assert read_upload(TYPE, body) == {"csrf": b"1", "file": b"a;b\r\n\x00\xff"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(URLENCODED, b"a=1"), ("text/plain", b""), (TYPE, b""), (TYPE, multipart(("name=a", b"1")))],
)
def test_what_is_no_upload(content_type: str, body: bytes) -> None:
    with pytest.raises(RequestError):
        read_upload(content_type, body)


def test_a_part_that_is_no_field_is_left_as_it_is() -> None:
    body = multipart(("name=a", b"1"))
    assert without_files(TYPE, body) == body
