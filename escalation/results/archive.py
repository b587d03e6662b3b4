"""A tree of nouns, arrays and tables as named parts of JSON, ``.npy`` and Parquet, and back."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Nouns = Mapping[str, type]
"""The classes that may be held, by their names."""


def encode(value: Any, parts: dict[str, bytes], nouns: Nouns) -> Any:
    """Encode as JSON; what JSON has no word for becomes ``{"$kind": content}``.

    Arrays and tables become entries of ``parts``; a class that is not listed is a `TypeError`.
    """
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Path):
        return {"$path": value.as_posix()}
    if isinstance(value, list):
        return [encode(item, parts, nouns) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(item, parts, nouns) for item in value]}
    if isinstance(value, Mapping):
        return {
            "$dict": [
                [encode(key, parts, nouns), encode(item, parts, nouns)]
                for key, item in value.items()
            ]
        }
    if isinstance(value, np.ndarray):
        name = f"{len(parts):04d}.npy"
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        parts[name] = buffer.getvalue()
        return {"$array": name}
    if isinstance(value, pl.DataFrame):
        name = f"{len(parts):04d}.parquet"
        buffer = io.BytesIO()
        value.rechunk().write_parquet(buffer, statistics=False)
        parts[name] = buffer.getvalue()
        return {"$frame": name}
    if is_dataclass(value) and nouns.get(type(value).__name__) is type(value):
        content = {
            item.name: encode(getattr(value, item.name), parts, nouns)
            for item in fields(value)
            if item.init
        }
        return {"$noun": type(value).__name__, **content}
    raise TypeError(f"a results file cannot hold {type(value).__name__}: add it to the nouns")


def decode(tree: Any, parts: Mapping[str, bytes], nouns: Nouns) -> Any:
    """Make what `encode` was given; an unknown part is a `ValueError`."""
    if isinstance(tree, list):
        return [decode(item, parts, nouns) for item in tree]
    if not isinstance(tree, dict):
        return tree
    (kind, content), *rest = tree.items()
    if kind == "$float":
        return float(content)
    if kind == "$date":
        return date.fromisoformat(content)
    if kind == "$path":
        return Path(content)
    if kind == "$tuple":
        return tuple(decode(item, parts, nouns) for item in content)
    if kind == "$dict":
        return {decode(key, parts, nouns): decode(item, parts, nouns) for key, item in content}
    if kind == "$array":
        array = np.load(io.BytesIO(parts[content]), allow_pickle=False)
        array.setflags(write=False)
        return array
    if kind == "$frame":
        return pl.read_parquet(io.BytesIO(parts[content]))
    if kind == "$noun" and content in nouns:
        return nouns[content](**{name: decode(item, parts, nouns) for name, item in rest})
    raise ValueError(f"a results file with an unknown part: {kind} {content!r}")
