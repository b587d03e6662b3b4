"""Incidents from a few rows, and outlines of squares, for tests."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from escalation import Incidents, Window, read
from escalation.window import FloatArray

WINDOW = Window(date(2020, 1, 1), date(2020, 3, 1))
SIDES = ("source", "target")
USUAL = {"date": "2020-01-07", "source": "A", "target": "B"}


def incidents(*rows: dict[str, Any], window: Window = WINDOW) -> Incidents:
    """Read rows, each with what it has beside the usual date and sides."""
    text = [
        {"id": str(number), **USUAL, **{key: str(value) for key, value in row.items()}}
        for number, row in enumerate(rows, start=1)
    ]
    names = dict.fromkeys([*USUAL, *(key for row in text for key in row)])
    columns = {name: [row.get(name) for row in text] for name in names}
    found = read(pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String)), window)
    assert found.rejected.is_empty()
    return found


def square(west: float, south: float) -> FloatArray:
    """The corners of a square of one degree, longitude and latitude."""
    return np.add([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [west, south])


def outlines(path: Path, **rings: FloatArray) -> Path:
    """Write rings as a GeoJSON file."""
    features = [
        {
            "type": "Feature",
            "properties": {"NAME": name},
            "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]},
        }
        for name, ring in rings.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
