"""Pages from templates: one Jinja environment a language, every text from its catalogue, everything else escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Final
from urllib.parse import quote

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from gateway.model import Language
from gateway.portal import catalogue
from gateway.portal.language import NAMES


@dataclass(frozen=True, slots=True)
class Switch:
    """One entry of the language switch."""

    language: Language
    name: str
    href: str | Markup
    current: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, for the line under the header. `ends_in` is whole minutes, `means` a text of the catalogues."""

    user_id: str
    name: str
    institution: str
    means: str
    ends_at: str
    ends_in: int
    renewable: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame around a page shows. `portal` is the portal's address; `style` the sheet where it goes inline."""

    language: Language
    portal: str
    here: str
    switches: tuple[Switch, ...]
    person: Person | None = None
    style: Markup | None = None
    asset: Callable[[str], str] | None = None


def switches(language: Language, before: str | Markup) -> tuple[Switch, ...]:
    """The language switch; `before` is the address up to the language that is asked for."""
    return tuple(Switch(each, NAMES[each], before + each, each == language) for each in NAMES)


def switch_address(path: str, back: str) -> str:
    """Where the switch on a page goes: `path` is the language page of this host, `back` our own path (and query) to return to."""
    return f"{path}?back={quote(back, safe='', errors='replace')}&to="


def contact_address(text: str) -> str | None:
    """A help desk as a URI, where it is an https address, an e-mail address or a telephone number; else None."""
    if text.startswith("https://") and not any(c.isspace() for c in text):
        return text
    if text.count("@") == 1 and not any(c.isspace() for c in text):
        return f"mailto:{quote(text, safe='@+', errors='replace')}"
    digits = "".join(c for c in text if c not in " ./-()")
    return f"tel:{digits}" if digits.isascii() and digits.removeprefix("+").isdecimal() else None


def contact(text: str) -> Markup:
    """A help desk as a link where it can be one; else as plain text."""
    address = contact_address(text)
    return escape(text) if address is None else Markup('<a href="{}">{}</a>').format(address, text)


class _Compiled(BytecodeCache):
    """What a template was compiled to, for all languages: texts are looked up when it runs, and compiling is half of what a start's pages cost."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED: Final = _Compiled()


@cache
def environment(language: Language) -> Environment:
    """The templates in one language. Raises `FileNotFoundError` when its catalogue is missing."""
    made = Environment(
        loader=PackageLoader("gateway.portal"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    made.policies["ext.i18n.trimmed"] = True
    texts = catalogue.translations(language)
    # The extension adds its installer to the environment at run time, where no type checker sees it.
    install: Callable[..., None] = getattr(made, "install_gettext_callables")  # noqa: B009
    install(texts.gettext, texts.ngettext, newstyle=True)
    made.filters["contact"] = contact
    made.filters["day"] = partial(catalogue.day, language)
    made.filters["last_day"] = partial(catalogue.last_day, language)
    made.filters["clock_time"] = partial(catalogue.clock_time, language)
    return made


def template(language: Language, name: str) -> Template:
    return environment(language).get_template(name)


def render(frame: Frame, name: str, context: Mapping[str, object]) -> str:
    """A whole page."""
    return template(frame.language, name).render(page=frame, **context)
