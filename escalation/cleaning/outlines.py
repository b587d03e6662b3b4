"""Outlines of countries and provinces from a GeoJSON file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from escalation.actors import folded
from escalation.cleaning.geometry import shared_line
from escalation.incidents import nearest
from escalation.sources.faults import DataError
from escalation.window import FloatArray

NAMES = (
    "name", "admin", "name_long", "name_en", "country", "iso_a2", "iso_a3", "adm0_a3", "id",
    "shapename", "shapeiso", "name_0", "name_1", "gid_0", "gid_1",
)  # fmt: skip
"""Properties of a feature by which it may be called, in the files of Natural Earth, GADM, ..."""

TOGETHER = 1.0
"""Two outlines run together where they are no more km apart."""

Rings = list[FloatArray]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Outlines by name, as a GeoJSON file holds them.

    Parameters
    ----------
    file : str
        Name of the file, for messages.
    features : tuple of (names, rings)
        The names of a feature, and the vertices of its rings, each of shape ``(m, 2)``: longitude
        and latitude in degrees (WGS 84), holes included.

    Examples
    --------
    >>> west = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    >>> both = Outlines("squares", ((("A",), [west]), (("B",), [west + [1, 0]])))
    >>> both.border("a", "B")[[0, -1]].round(2).tolist()
    [[[1.0, 0.0], [1.0, 0.01]], [[1.0, 0.99], [1.0, 1.0]]]
    """

    file: str
    features: tuple[tuple[tuple[str, ...], Rings], ...]

    @classmethod
    def read(cls, path: Path | str) -> "Outlines":
        """Read the polygons of a GeoJSON file (RFC 7946), with all the names each goes by.

        Raises
        ------
        DataError
            If the file cannot be read, is no GeoJSON, or has a polygon with faults.
        """
        try:
            text = json.loads(Path(path).read_text("utf-8-sig"))
        except OSError as fault:
            raise DataError(f"{path}: cannot be read: {fault.strerror}") from None
        except (ValueError, RecursionError) as fault:
            raise DataError(f"{path}: no GeoJSON: {str(fault).splitlines()[0]}") from None
        found = []
        for number, feature in enumerate(_features(text), start=1):
            try:
                rings = list(_rings(feature.get("geometry")))
            except (TypeError, ValueError, KeyError, AttributeError):
                raise DataError(
                    f"{path}: feature {number} has coordinates that are no polygon in degrees"
                ) from None
            if rings:
                found.append((_names(feature), rings))
        if not found:
            raise DataError(f"{path}: no GeoJSON with polygons in it")
        return cls(str(path), tuple(found))

    def rings(self, name: str) -> Rings:
        """The rings of all features of a name; case does not count.

        Raises
        ------
        DataError
            If there is none.
        """
        wanted = folded(name)
        found = [
            ring
            for names, rings in self.features
            if wanted in {folded(own) for own in names}
            for ring in rings
        ]
        if not found:
            near = nearest(name, [own for names, _ in self.features for own in names])
            hint = f", the nearest is {near!r}" if near else ""
            raise DataError(f"{self.file}: no outline is called {name!r}{hint}")
        return found

    def border(self, first: str, second: str) -> FloatArray:
        """The line that two outlines share, in pieces ``(m, 2, 2)`` of 1 km at most.

        It is the part of the first outline that runs within 1 km of the second.

        Raises
        ------
        DataError
            If one is not there, or they share none.
        """
        line = shared_line(self.rings(first), self.rings(second), TOGETHER)
        if not len(line):
            raise DataError(
                f"{self.file}: {first!r} and {second!r} share no line (none within {TOGETHER:g} km)"
            )
        return line


def _features(text: Any) -> list[dict[str, Any]]:
    kind = text.get("type") if isinstance(text, dict) else None
    if kind == "FeatureCollection":
        listed = text.get("features")
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if kind == "Feature":
        return [text]
    return [{"geometry": text}] if kind in ("Polygon", "MultiPolygon", "GeometryCollection") else []


def _names(feature: dict[str, Any]) -> tuple[str, ...]:
    given = feature.get("properties")
    named = {"id": feature.get("id"), **(given if isinstance(given, dict) else {})}
    words = [value for key, value in named.items() if key.casefold() in NAMES]
    return tuple(dict.fromkeys(word for word in words if isinstance(word, str) and word.strip()))


def _rings(geometry: Any) -> Iterator[FloatArray]:
    if geometry is None:
        return
    if geometry["type"] == "GeometryCollection":
        for one in geometry["geometries"]:
            yield from _rings(one)
    polygons: Any = ()
    if geometry["type"] == "Polygon":
        polygons = [geometry["coordinates"]]
    elif geometry["type"] == "MultiPolygon":
        polygons = geometry["coordinates"]
    for polygon in polygons:
        for ring in polygon:
            vertices = np.array([point[:2] for point in ring], np.float64)
            if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
                raise ValueError
            if not (np.abs(vertices) <= (180.0, 90.0)).all():
                raise ValueError
            yield vertices
