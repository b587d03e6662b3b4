"""From the text of a study file to its tables, every fault told by file and key."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import msgspec

from escalation.cleaning import Cleaning
from escalation.incidents import nearest
from escalation.streams import Stream
from escalation.study.sections import (
    ActorSection,
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    Natural,
    NowcastSection,
    ReportSection,
    SeveritySection,
    Truth,
)

_TOML_WORDS = {"object": "table", "int": "integer", "str": "text", "bool": "true or false"}


class StudyError(ValueError):
    """A fault of a study file, told in one line that names the file and the key."""


_SECTIONS: dict[str, Any] = {
    "title": str,
    "seed": Natural,
    "data": DataSection,
    "cleaning": Cleaning,
    "actors": dict[str, ActorSection],
    "streams": tuple[Stream, ...],
    "model": ModelSection,
    "forecast": ForecastSection,
    "backtest": BacktestSection,
    "severity": SeveritySection,
    "nowcast": NowcastSection,
    "eras": tuple[Era, ...],
    "report": ReportSection,
    "truth": Truth,
}
_REQUIRED = ("title", "data", "streams")


def read(file: Path) -> dict[str, Any]:
    """Read a TOML file as plain tables; a `StudyError` names the file, and the line if known."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise StudyError(f"{file}: is a directory, not a study file") from None
    except OSError as fault:
        raise StudyError(f"{file}: cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise StudyError(f"{file}: is not UTF-8 text, so not a study file") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        message, _, place = str(fault).partition(" (at ")
        found = re.search(r"line (\d+)", place)
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise StudyError(f"{file}: line {line}: not valid TOML: {message}") from None


def parse(tree: dict[str, Any]) -> dict[str, Any]:
    """Turn plain tables into sections; a `ValueError` names the dotted key."""
    for key in tree:
        if key not in _SECTIONS:
            unknown("key", key, key, _SECTIONS)
    for key in _REQUIRED:
        if key not in tree:
            raise ValueError(f"missing key '{key}'")
    for key, value in tree.items():
        _check_keys(value, _SECTIONS[key], key)
    return {key: _convert(value, _SECTIONS[key], key) for key, value in tree.items()}


def _check_keys(value: Any, kind: Any, where: str) -> None:
    """Walk tables and arrays beside their types; fail on the first unknown key or choice."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(value, dict):
        hints = get_type_hints(kind, include_extras=True)
        known = [item.name for item in fields(kind) if item.init]
        for key, inner in value.items():
            if key not in known:
                unknown("key", key, f"{where}.{key}", known)
            _check_keys(inner, hints[key], f"{where}.{key}")
    elif origin is dict and isinstance(value, dict):
        for key, inner in value.items():
            _check_keys(inner, arguments[1], f"{where}.{key}")
    elif origin is tuple and isinstance(value, list):
        for place, inner in enumerate(value, start=1):
            _check_keys(inner, arguments[0], f"{where}[{place}]")
    elif origin is Literal and isinstance(value, str) and value not in arguments:
        unknown("value", value, where, arguments)


def unknown(what: str, word: str, where: str, known: Any) -> NoReturn:
    """Raise with the nearest valid word, or all of them where none is near."""
    near = nearest(word, known)
    prefix = where.removesuffix(word) if what == "key" else ""
    hint = f"did you mean '{prefix}{near}'?" if near else f"known: {', '.join(known)}"
    if what == "key":
        raise ValueError(f"unknown key '{where}' ({hint})")
    raise ValueError(f"unknown value '{word}' for key '{where}' ({hint})")


def _convert(value: Any, kind: Any, where: str) -> Any:
    """Convert with the types checked; say the key, what was wanted and what came."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        message, _, place = str(fault).partition(" - at ")
        steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", place)
        found: Any = value
        key = where
        for name, index in steps:
            if name:
                key += f".{name}"
                found = found.get(name) if isinstance(found, Mapping) else None
            elif index == "...":
                found = None
            else:
                key += f"[{int(index) + 1}]"
                found = found[int(index)] if isinstance(found, list) else None
        missing = re.fullmatch(r"Object missing required field `(.*)`", message)
        if missing:
            raise ValueError(f"missing key '{key}.{missing.group(1)}'") from None
        message = re.sub(r"`(\w+)`", lambda m: _TOML_WORDS.get(m[1], m[1]), message)
        if message.startswith("Expected"):
            message = re.sub(r", got .*", "", message)
        message = message[0].lower() + message[1:]
        came = f", got {found!r}" if isinstance(found, str | int | float | date) else ""
        raise ValueError(f"key '{key}': {message}{came}") from None
