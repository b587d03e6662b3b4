"""Whether JSON has the form that it must have."""

from collections.abc import Mapping
from typing import Any

from escalation.fetch.errors import AnswerError


def value_under(
    url: str, content: Any, key: str, kind: type, *, optional: bool = False, nullable: bool = False
) -> Any:
    """The value of a key, of the kind that it must be; None where it may lack, or be null.

    Raises
    ------
    AnswerError
        Names the URL and the key, what was wanted and what came.
    """
    names = {list: "a list", dict: "an object", str: "text", int: "a whole number"}
    if not isinstance(content, Mapping):
        raise AnswerError(f"{url}: wanted an object with the key {key!r}, got {_name(content)}")
    if key not in content:
        if optional:
            return None
        known = ", ".join(repr(str(each)[:40]) for each in list(content)[:8])
        raise AnswerError(f"{url}: no key {key!r}; the keys are {known or 'none'}")
    value = content[key]
    if (optional or nullable) and value is None:
        return None
    if kind is int and isinstance(value, str) and value.isdecimal():
        return int(value)
    if kind is int or not isinstance(value, kind):
        raise AnswerError(f"{url}: {key!r} must be {names[kind]}, got {_name(value)}")
    return value


def rows_under(url: str, content: Any, key: str) -> list[dict[str, Any]]:
    """The rows under a key, each of them an object.

    Raises
    ------
    AnswerError
        If one is none.
    """
    rows: list[Any] = value_under(url, content, key, list)
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise AnswerError(f"{url}: {key}[{number}] must be an object, got {_name(row)}")
    return rows


def _name(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    names = {type(None): "null", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
