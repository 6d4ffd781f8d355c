"""Reading TOML so that every fault of a file is found in one go.

`read_model` validates twice when it must: what the first reading refuses is replaced by UNREAD, so that the rest of the file can
still be checked against other files. A check that touches an UNREAD value stops there (`run_checks`): its fault is told already.
Such a half-read model never leaves this room: a file with a fault refuses its whole release.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import ErrorDetails

from gateway.errors import Fault, GatewayError

MAX_REPEATED_CHARACTERS = 200
"""Of a file's own text in a message: enough to recognise it."""


class UnreadTouched(GatewayError):
    """A check met a value that could not be read; raised and caught in this room only."""


class _Unread:
    """Stands for a value with a fault. Whatever is done with it ends the check that does it."""

    def _touched(self, *_: object) -> NoReturn:
        raise UnreadTouched

    __bool__ = __call__ = __contains__ = __getitem__ = __iter__ = __len__ = __reversed__ = _touched
    __lt__ = __le__ = __gt__ = __ge__ = _touched
    __add__ = __radd__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = _touched
    __bytes__ = __float__ = __format__ = __fspath__ = __index__ = __int__ = __str__ = _touched
    __eq__ = __ne__ = __hash__ = _touched  # object's promise to answer is broken on purpose

    def __getattr__(self, name: str) -> NoReturn:
        raise UnreadTouched


UNREAD = _Unread()


class FileModel(BaseModel):
    """What every table and settings file is read by: no unknown key, no guessing of types, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)

    @field_validator("*", mode="wrap")
    @classmethod
    def _let_unread_pass(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        return value if value is UNREAD else handler(value)


Model = TypeVar("Model", bound=FileModel)


def read_toml(file: str, content: bytes) -> tuple[dict[str, Any] | None, list[Fault]]:
    """The tables of a TOML file, or the one fault that makes it unreadable, with its line."""
    try:
        return tomllib.loads(content.decode()), []
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, [Fault(file, f"line {line}", "this is not UTF-8 text", "Save the file in UTF-8")]
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        where = place.rstrip(")") or "end of file"
        return None, [Fault(file, where, f"this is not TOML: {printable(what)}", "Correct the line")]
    except (RecursionError, ValueError, OverflowError) as error:
        # tomllib lets these out of deep nesting, and of dates and numbers that have the right shape and no value.
        return None, [Fault(file, "", f"this is not TOML: {printable(str(error))}", "Correct the value")]


def read_model(
    model: type[Model], file: str, raw: dict[str, Any], context: dict[str, object] | None = None
) -> tuple[Model | None, list[Fault]]:
    """The model of a file and its faults. With faults the model is None or holds UNREAD where they are."""
    try:
        return model.model_validate(raw, context=context), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    faults = [_fault(file, detail) for detail in errors]
    for detail in errors:
        _blank(raw, detail)
    try:
        return model.model_validate(raw, context=context), faults
    except ValidationError:
        return None, faults


def _blank(raw: dict[str, Any], detail: ErrorDetails) -> None:
    """Put UNREAD where an error was: at the innermost table's key, since only keys let it pass. Unknown keys go."""
    first, *rest = detail["loc"]
    table, key = raw, str(first)
    value = table.get(key)
    for step in rest:
        if isinstance(value, dict) and isinstance(step, str) and (step in value or detail["type"] == "missing"):
            table, key = value, step
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            break
    if detail["type"] == "extra_forbidden":
        table.pop(key, None)
    else:
        table[key] = UNREAD


_MISSING = "Add it; config/ in the sources shows every key with a comment"
_MENDS = {
    "missing": ("it is missing", _MISSING),
    "extra_forbidden": ("this key is unknown", "Correct the spelling or remove it"),
    "string_type": ("a text is expected", "Write it in quotes"),
    "string_too_short": ("it is empty", "Fill it in"),
    "bool_type": ("true or false is expected", "Write true or false, without quotes"),
    "int_type": ("a whole number is expected", "Write a number, without quotes"),
    "date_type": ("a date is expected", "Write YYYY-MM-DD, without quotes or time"),
    "list_type": ("a list is expected", 'Write ["…"], or [[…]] for a list of tables'),
    "tuple_type": ("a list is expected", 'Write ["…"], or [[…]] for a list of tables'),
    "dict_type": ("a table is expected", "Write [name] with its keys below"),
    "model_type": ("a table is expected", "Write [name] with its keys below"),
    "too_short": ("it is empty", "Name at least one"),
}


def _fault(file: str, detail: ErrorDetails) -> Fault:
    where = key_path(detail["loc"])
    kind = detail["type"]
    if kind in _MENDS:
        return Fault(file, where, *_MENDS[kind])
    if kind == "literal_error":
        return Fault(
            file, where, f"{printable(str(detail['input']))} is not known here", f"Use {detail['ctx']['expected']}"
        )
    if kind == "value_error":
        what, _, mend = str(detail["ctx"]["error"]).partition(". ")
        return Fault(file, where, printable(what), mend or "Correct it")
    return Fault(file, where, printable(detail["msg"][:1].lower() + detail["msg"][1:]), "Correct the value")


def key_path(loc: Iterable[int | str]) -> str:
    """`operation[2].path`: the key path of a value. Lists of a file count from 1, as people do."""
    path = ""
    for step in loc:
        path += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if path else step
    return printable(path)


def printable(text: str) -> str:
    """A message may repeat what a file holds; a terminal or a log gets no control character from it."""
    return "".join(character if character.isprintable() else "?" for character in text[:MAX_REPEATED_CHARACTERS])


Check = Callable[..., Iterator[Fault]]


def run_checks(checks: Iterable[Check], *arguments: object) -> list[Fault]:
    """The faults that `checks` find; one that meets an UNREAD value gives what it found until then."""
    faults: list[Fault] = []
    for check in checks:
        try:
            for fault in check(*arguments):
                faults.append(fault)  # noqa: PERF402 - what was found before an UNREAD value is kept
        except UnreadTouched:
            continue
    return faults


def readable(value: object) -> bool:
    """Whether a value was read."""
    return value is not UNREAD
