"""Points in outlines and distances, against shapely, pyproj and published distances."""

import json
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod
from shapely import MultiPolygon, Polygon, contains_xy

from escalation.cleaning import Outlines
from escalation.cleaning.geometry import cut, distance, inside
from escalation.sources import DataError
from rows import outlines, square

GEOD = Geod(ellps="WGS84")
STAR = np.array([[0, 0], [4, 8], [8, 0], [-1, 5], [9, 5.5]], float)
HOLED = [
    np.array([[60, 29], [78, 24], [76, 37], [62, 36], [60, 29]], float),
    np.array([[66, 30], [66, 33], [70, 33], [70, 30]], float),
]


def test_points_in_polygons_with_holes_agree_with_shapely(rng: np.random.Generator) -> None:
    x, y = rng.uniform(58, 80, 20_000), rng.uniform(22, 39, 20_000)
    polygon = Polygon(HOLED[0], [HOLED[1]])
    assert np.array_equal(inside(x, y, HOLED), contains_xy(polygon, x, y))
    several = [*HOLED, square(80, 40), square(-3, -3)]
    whole = MultiPolygon([polygon, Polygon(several[2]), Polygon(several[3])])
    x, y = rng.uniform(-5, 82, 20_000), rng.uniform(-5, 42, 20_000)
    assert np.array_equal(inside(x, y, several), contains_xy(whole, x, y))


def test_the_even_odd_rule_where_an_outline_crosses_itself() -> None:
    x, y = np.array([4.0, 1.0, 0.5, np.nan]), np.array([4.0, 1.5, 4.5, 4.0])
    assert inside(x, y, [STAR]).tolist() == [False, True, True, False]


def test_a_point_on_a_common_edge_lies_in_one_of_two_neighbours() -> None:
    x, y = np.full(9, 1.0), np.linspace(0.1, 0.9, 9)
    west, east = inside(x, y, [square(0, 0)]), inside(x, y, [square(1, 0)])
    assert (west != east).all()


def test_distances_agree_with_geodesics(rng: np.random.Generator) -> None:
    """To the nearest of 100 points an edge piece, on the ellipsoid (Karney, through pyproj)."""
    vertices = np.array([[68, 31], [69, 32], [70, 34]])
    line = cut(np.stack([vertices[:-1], vertices[1:]], axis=1))
    x, y = rng.uniform(64, 74, 30), rng.uniform(28, 37, 30)
    found = distance(x, y, line)
    share = np.linspace(0, 1, 20)[None, :, None]
    fine = (line[:, :1] + share * (line[:, 1:] - line[:, :1])).reshape(-1, 2)
    for own, *point in zip(found, x, y, strict=True):
        lengths = GEOD.inv(*np.broadcast_to(np.array(point)[:, None], fine.T.shape), *fine.T)[2]
        assert own == pytest.approx(lengths.min() / 1000, rel=2e-4, abs=0.01)


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [
        ((0, 0), (0, 1), 110.574),  # a degree of latitude at the equator
        ((0, 0), (1, 0), 111.320),  # of longitude
        ((0, 59.5), (0, 60.5), 111.412),  # of latitude at 60 degrees
        ((-0.5, 0), (179.8, 0), 111.320 * 179.7),  # across the date line
    ],
)  # National Geospatial-Intelligence Agency, length of a degree on WGS 84
def test_known_distances(
    one: tuple[float, float], other: tuple[float, float], length: float
) -> None:
    line = np.array([[other, other]], float)
    found = distance(np.array([one[0]], float), np.array([one[1]], float), line)
    assert found[0] == pytest.approx(length, rel=2e-3 if length > 1000 else 1e-5)


def test_pieces_are_short_and_make_the_line(rng: np.random.Generator) -> None:
    starts = rng.uniform(-60, 60, (20, 1, 2))
    edges = starts + np.stack([np.zeros((20, 2)), rng.uniform(-5, 5, (20, 2))], axis=1)
    pieces = cut(edges)
    lengths = GEOD.inv(*pieces[:, 0].T, *pieces[:, 1].T)[2] / 1000
    assert lengths.max() < 1.05
    first = np.flatnonzero(np.isin(pieces[:, 0, 0], edges[:, 0, 0]))
    assert np.array_equal(pieces[first, 0], edges[:, 0])
    assert np.allclose(pieces[np.append(first[1:], len(pieces)) - 1, 1], edges[:, 1])
    inner = np.setdiff1d(np.arange(len(pieces)), first)
    assert np.allclose(pieces[inner, 0], pieces[inner - 1, 1])


def test_a_border_is_what_two_outlines_share(tmp_path: Path) -> None:
    path = outlines(tmp_path / "o.json", A=square(0, 0), B=square(1, 0.25), C=square(5, 5))
    read = Outlines.read(path)
    line = read.border("a", "B")
    assert np.allclose(line[..., 0], 1, atol=0.011)
    assert (line[..., 1].min(), line[..., 1].max()) == pytest.approx((0.25, 1), abs=0.011)
    back = read.border("B", "A")
    assert len(back) == pytest.approx(len(line), abs=2)
    with pytest.raises(DataError, match="'A' and 'C' share no line"):
        read.border("A", "C")
    with pytest.raises(DataError, match="no outline is called 'Bb', the nearest is 'B'"):
        read.border("A", "Bb")


def test_outlines_that_nearly_meet_have_a_border(tmp_path: Path) -> None:
    path = outlines(tmp_path / "o.json", A=square(0, 0), B=square(1.005, 0), C=square(1.02, 0))
    read = Outlines.read(path)
    assert len(read.border("A", "B")) > 100
    with pytest.raises(DataError, match="share no line"):
        read.border("A", "C")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no GeoJSON"),
        ("[1, 2]", "no GeoJSON with polygons"),
        ('{"type": "FeatureCollection", "features": 3}', "no GeoJSON with polygons"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}', "feature 1 has coordinates"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 95]]]}', "feature 1"),
        ('{"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [0, 9]]]}', "feature 1"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, NaN]]]}', "feature 1"),
        ('{"type": "Polygon", "coordinates": 7}', "feature 1 has coordinates"),
        ('{"type": "Polygon"}', "feature 1 has coordinates"),
        ('{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}}', "polygons"),
        ("[" * 100_000, "no GeoJSON"),
    ],
)
def test_what_is_no_outline_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "o.geojson"
    path.write_text(text)
    with pytest.raises(DataError) as fault:
        Outlines.read(path)
    assert str(fault.value).startswith(f"{path}: ")
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_missing_file_of_outlines_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Outlines.read(tmp_path / "none.geojson")


def test_several_polygons_and_names(tmp_path: Path) -> None:
    both = {"type": "MultiPolygon",
            "coordinates": [[square(0, 0).tolist()], [square(3, 3).tolist()]]}  # fmt: skip
    feature = {"type": "Feature", "id": "XA", "geometry": both,
               "properties": {"ADMIN": "Republic of A", "POP_EST": 3, "NAME": "A"}}  # fmt: skip
    path = tmp_path / "o.geojson"
    path.write_text(json.dumps(feature))
    read = Outlines.read(path)
    for name in ("A", "xa", "republic  of a"):
        assert len(read.rings(name)) == 2
