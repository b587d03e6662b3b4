"""Points inside outlines and their distance to a line, on the WGS 84 ellipsoid.

Between two vertices an edge is straight in degrees, as GeoJSON has it (RFC 7946, section 3.1.1).
"""

from collections.abc import Sequence

import numpy as np

from escalation.window import BoolArray, FloatArray

SEMI_MAJOR, FLATTENING = 6378.137, 1 / 298.257223563
"""The ellipsoid of WGS 84: its equatorial radius in km, and its flattening."""

MEAN_RADIUS = 6371.0088
PIECE = 1.0
"""A line is cut into pieces no longer than that, in km: their chords then lie on the ellipsoid."""

CELLS = 2_000_000
"""Numbers held at once by a comparison of every point with every edge."""


def inside(longitude: FloatArray, latitude: FloatArray, rings: Sequence[FloatArray]) -> BoolArray:
    """Whether each point lies inside an outline, shape ``(n,)``, by the even-odd rule.

    A point on an edge counts as inside on one side of the outline and as outside on the other, so
    that of two neighbours only one has it. A point without coordinates (NaN) lies outside.

    Parameters
    ----------
    longitude, latitude : array of float, shape (n,)
    rings : sequence of array of float, shape (m, 2)
        Longitude and latitude of the vertices of outer edges and holes, closed or not.
    """
    found = np.zeros(len(longitude), dtype=bool)
    edges = segments([_closed(ring) for ring in rings])
    if not len(edges):
        return found
    (low_x, low_y), (high_x, high_y) = edges.min((0, 1)), edges.max((0, 1))
    near = (longitude >= low_x) & (longitude <= high_x)
    near &= (latitude >= low_y) & (latitude <= high_y)
    (x1, y1), (x2, y2) = edges[:, 0].T, edges[:, 1].T
    # A level edge is never crossed: any slope does.
    slope = (x2 - x1) / np.where(y2 == y1, 1.0, y2 - y1)
    step = max(1, CELLS // len(edges))
    places = np.flatnonzero(near)
    for part in (places[i : i + step] for i in range(0, len(places), step)):
        x, y = longitude[part, None], latitude[part, None]
        crossed = ((y1 > y) != (y2 > y)) & (x < x1 + slope * (y - y1))
        found[part] = crossed.sum(axis=1) % 2 == 1
    return found


def distance(longitude: FloatArray, latitude: FloatArray, line: FloatArray) -> FloatArray:
    """Distance of each point to the nearest point of a line in km, shape ``(n,)``.

    Exact on WGS 84 to a few metres below 1,000 km. A point without coordinates has NaN.

    Parameters
    ----------
    longitude, latitude : array of float, shape (n,)
    line : array of float, shape (m, 2, 2)
        Pieces of it, as `cut` gives them: longitude and latitude of both ends.
    """
    found = np.full(len(longitude), np.nan)
    known = np.isfinite(longitude) & np.isfinite(latitude)
    # Many incidents stand at few places: each is looked up once.
    places, of = np.unique(
        np.stack([longitude, latitude], axis=1)[known], axis=0, return_inverse=True
    )
    found[known] = arc(_chords(geocentric(*places.T), line))[of]
    return found


def _chords(points: FloatArray, line: FloatArray) -> FloatArray:
    """Length of the chord from each point ``(n, 3)`` to the nearest point of a line, in km."""
    from scipy.spatial import cKDTree

    found = np.full(len(points), np.nan)
    start, end = geocentric(*line[:, 0].T), geocentric(*line[:, 1].T)
    along = end - start
    length = (along**2).sum(axis=1)
    longest = float(np.sqrt(length.max()))
    tree = cKDTree(start + along / 2)
    open_, nearest = np.arange(len(points)), min(8, len(line))
    while open_.size:
        away, which = tree.query(points[open_], k=np.arange(1, nearest + 1))
        offset = points[open_, None] - start[which]
        share = np.clip(
            (offset * along[which]).sum(-1) / np.maximum(length[which], 1e-18), 0.0, 1.0
        )
        apart = np.linalg.norm(offset - share[..., None] * along[which], axis=-1)
        found[open_] = best = apart.min(axis=1)
        # No piece further down the list can be nearer than its middle less half its length.
        unsure = (best > away[:, -1] - longest / 2) & (nearest < len(line))
        open_, nearest = open_[unsure], min(4 * nearest, len(line))
    return found


def shared_line(
    first: Sequence[FloatArray], second: Sequence[FloatArray], within: float
) -> FloatArray:
    """The part of one outline that runs along another, in pieces ``(m, 2, 2)``.

    A piece that leads away from the other outline at more than 45 degrees is not along it.

    Parameters
    ----------
    first, second : sequence of array of float, shape (k, 2)
        Rings of the two outlines.
    within : float
        Both ends of a piece lie so many km from the other outline at most.
    """
    own = segments([_closed(ring) for ring in first])
    other = segments([_closed(ring) for ring in second])
    margin = np.array([within / 20.0, within / 100.0])  # degrees; enough below 80° of latitude
    pieces = [
        cut(_near(one, another.min((0, 1)) - margin, another.max((0, 1)) + margin))
        for one, another in ((own, other), (other, own))
    ]
    if not all(len(one) for one in pieces):
        return np.empty((0, 2, 2))
    line, along = pieces
    ends = line.reshape(-1, 2)
    apart = distance(ends[:, 0], ends[:, 1], along).reshape(-1, 2)
    length = np.linalg.norm(geocentric(*line[:, 0].T) - geocentric(*line[:, 1].T), axis=1)
    leads_away = np.abs(np.diff(apart, axis=1)[:, 0]) > np.sqrt(0.5) * length
    return np.asarray(line[(apart <= within).all(axis=1) & ~leads_away])


def cut(edges: FloatArray) -> FloatArray:
    """The same edges ``(m, 2, 2)`` in pieces no longer than `PIECE` km."""
    if not len(edges):
        return edges
    apart = np.linalg.norm(geocentric(*edges[:, 0].T) - geocentric(*edges[:, 1].T), axis=1)
    number = np.maximum(np.ceil(apart / PIECE).astype(np.int64), 1)
    of = np.repeat(np.arange(len(edges)), number)
    place = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    ends = np.stack([place, place + 1], axis=1) / number[of, None]
    start, step = edges[of, 0], edges[of, 1] - edges[of, 0]
    return np.asarray(start[:, None, :] + ends[:, :, None] * step[:, None, :])


def segments(lines: Sequence[FloatArray]) -> FloatArray:
    """Edges ``(m, 2, 2)`` of lines, each given by its vertices ``(k, 2)``."""
    found = [np.stack([line[:-1], line[1:]], axis=1) for line in lines if len(line) > 1]
    return np.concatenate(found) if found else np.empty((0, 2, 2))


def geocentric(longitude: FloatArray, latitude: FloatArray) -> FloatArray:
    """Cartesian coordinates in km, shape ``(n, 3)``, of points on the ellipsoid."""
    along, up = np.radians(longitude), np.radians(latitude)
    eccentricity = FLATTENING * (2 - FLATTENING)
    radius = SEMI_MAJOR / np.sqrt(1 - eccentricity * np.sin(up) ** 2)
    return np.stack(
        [
            radius * np.cos(up) * np.cos(along),
            radius * np.cos(up) * np.sin(along),
            (1 - eccentricity) * radius * np.sin(up),
        ],
        axis=-1,
    )


def arc(chord: FloatArray) -> FloatArray:
    """Length of an arc from that of its chord, in km."""
    return np.asarray(2 * MEAN_RADIUS * np.arcsin(np.clip(chord / (2 * MEAN_RADIUS), None, 1.0)))


def _closed(ring: FloatArray) -> FloatArray:
    return ring if np.array_equal(ring[0], ring[-1]) else np.concatenate([ring, ring[:1]])


def _near(edges: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    return edges[((edges.max(1) >= low) & (edges.min(1) <= high)).all(axis=1)]
