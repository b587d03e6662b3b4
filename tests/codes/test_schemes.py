import csv
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from escalation.codes import (
    ACLED,
    CAMEO,
    GDELT_QUADS,
    GTD,
    INCIDENT_CLASSES,
    PLOVER,
    PLOVER_CONTEXTS,
    QUADS,
    SCHEMES,
    UCDP,
    UCDP_VIOLENCE,
    CodeScheme,
    Plover,
    unknown_codes,
)

SHARED = Path(__file__).parents[3] / "shared" / "data"
ALL = (CAMEO, PLOVER, ACLED, UCDP, GTD)
shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared tables are not here")


@pytest.mark.parametrize("scheme", ALL, ids=lambda scheme: scheme.name)
def test_a_scheme_hangs_together(scheme: CodeScheme) -> None:
    assert scheme.source
    assert set(scheme.mappings) >= {"class", "quad class"}
    for code in scheme:
        assert code.incident_class in INCIDENT_CLASSES
        assert code.quad in (None, *QUADS)
        assert code.parent is None or code in scheme.children(code.parent)
        assert code.score is None or -10 <= code.score <= 10
        assert scheme[code.code] is code
    assert len(scheme.roots) == sum(scheme.parent(code.code) is None for code in scheme)
    assert scheme.classes == {code.code: code.incident_class for code in scheme}


@pytest.mark.parametrize("scheme", ALL, ids=lambda scheme: scheme.name)
def test_a_scheme_shows_itself(scheme: CodeScheme) -> None:
    table = scheme.table()
    assert len(table) == len(scheme)
    assert table["code"].is_unique().all()
    assert scheme.name in scheme._repr_html_()
    assert str(len(scheme)) in repr(scheme)


def test_sizes() -> None:
    assert [len(scheme) for scheme in ALL] == [318, 100, 37, 3, 9]
    assert [len(scheme.roots) for scheme in ALL] == [20, 17, 12, 3, 9]


@pytest.mark.parametrize(
    ("pattern", "codes"),
    [
        ("190", ["190"]),
        ("19", ["19"]),
        ("19*", ["19", "190", "191", "192", "193", "194", "195", "1951", "1952", "196"]),
        (" 195* ", ["195", "1951", "1952"]),
        ("1999", []),
        ("9*", []),
        ("", []),
    ],
)
def test_find(pattern: str, codes: list[str]) -> None:
    assert [code.code for code in CAMEO.find(pattern)] == codes


def test_find_without_case() -> None:
    assert [code.code for code in PLOVER.find("assault/SIDE*")] == ["ASSAULT/sideAB"]
    assert ACLED.find("armed CLASH")[0].parent == "Battles"


def test_parents_and_children() -> None:
    parent = CAMEO.parent("1951")
    assert parent is not None
    assert (parent.code, parent.name) == ("195", "Employ aerial weapons")
    assert CAMEO.parent("19") is None
    assert [code.code for code in CAMEO.children("195")] == ["1951", "1952"]
    assert CAMEO.children("1951") == ()


def test_an_unknown_code_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="CAMEO has no code '1909', the nearest is '190'"):
        CAMEO["1909"]
    with pytest.raises(ValueError, match=r"ACLED has no code 'zzz'$"):
        ACLED["zzz"]
    assert "1909" not in CAMEO
    assert CAMEO.get("1909") is None
    assert 190 not in CAMEO


def test_nearest_by_name_too() -> None:
    assert CAMEO.nearest("Employ aerial weapon") == "195"
    assert GTD.nearest("Bombing/Explosions") == "3"


def test_unknown_codes_are_listed_with_counts() -> None:
    codes = ["190", "1909", None, "1909", "x", None, None]
    expected = [(None, 3, None), ("1909", 2, "190"), ("x", 1, None)]
    for given in (codes, pl.Series(codes)):
        assert unknown_codes(given, "gdelt").rows() == expected
    assert unknown_codes(codes, "table").is_empty()
    assert unknown_codes([], "icews").is_empty()
    with pytest.raises(ValueError, match="no coding scheme belongs to source 'gdlt', the nearest"):
        unknown_codes(codes, "gdlt")


def test_schemes_by_source() -> None:
    assert set(SCHEMES) == {"ucdp", "acled", "gdelt", "icews", "polecat", "gtd"}
    assert {code.code: code.name for code in UCDP} == UCDP_VIOLENCE


@pytest.mark.parametrize(
    ("code", "plover"),
    [
        ("195", Plover("ASSAULT", "heavy-weapons", ("military",))),
        ("091", Plover("ACCUSE", "investigate", ("corruption", "crime"))),
        ("0874", Plover("RETREAT", "disarm", ("military",))),
        ("18", Plover("ASSAULT")),
        ("010", None),
    ],
)
def test_cameo_to_plover(code: str, plover: Plover | None) -> None:
    assert CAMEO[code].plover == plover


def test_every_plover_of_cameo_is_one_of_plover() -> None:
    for code in CAMEO:
        if code.plover is None:
            assert code.code[:2] in ("01", "02")
            continue
        assert "/".join(part for part in code.plover[:2] if part) in PLOVER
        assert set(code.plover.contexts) <= set(PLOVER_CONTEXTS)


def test_where_the_way_over_plover_gives_another_class() -> None:
    """PLOVER has no word for the air, for a clash, for occupied ground."""
    other = {
        code.code
        for code in CAMEO
        if code.plover
        and PLOVER["/".join(filter(None, code.plover[:2]))].incident_class != code.incident_class
    }
    assert other == {
        "163", "175", "1823", "184", "19", "190", "192", "193", "195", "1951", "1952", "196", "20",
    }  # fmt: skip


@shared
def test_cameo_agrees_with_the_table_it_comes_from() -> None:
    with (SHARED / "codes" / "cameo_goldstein.csv").open(newline="") as file:
        rows = {row["code"]: row for row in csv.DictReader(file)}
    assert set(rows) <= set(CAMEO.codes)
    assert set(CAMEO.codes) - set(rows) == {"1214", "155", "176", "1834", "1951", "1952"}
    for code, row in rows.items():
        assert CAMEO[code].score == float(row["goldstein"])
        assert CAMEO[code].name == row["name"].replace(", not specified below", "")


@shared
def test_cameo_to_plover_agrees_with_the_conversion_table() -> None:
    text = (SHARED / "codes" / "CAMEO2PLOVER-2021.txt").read_text("utf-8")
    seen = 0
    for line in text.splitlines():
        code, colon, rest = line.partition(":")
        if not colon or not code.isdecimal() or len(code) < 3 or code == "175":
            continue  # 175 has a context where its mode should stand
        event_type, mode, contexts = (part.strip() for part in rest.split("#")[0].split(",", 2))
        plover = CAMEO[code].plover
        assert plover is not None
        assert (plover.event_type, plover.mode) == (event_type, mode)
        assert set(plover.contexts) == set(re.findall(r"\w+", contexts))
        seen += 1
    assert seen == 255


@shared
@pytest.mark.parametrize("name", ["gdelt2_export.tsv", "gdelt1_export.tsv"])
def test_scores_and_quad_classes_agree_with_those_in_gdelt(name: str) -> None:
    counts = Counter[str]()
    for line in (SHARED / "samples" / name).read_text("utf-8").splitlines():
        fields = line.split("\t")
        code, root, quad, score = fields[26], fields[28], fields[29], fields[30]
        assert GDELT_QUADS[root] == int(quad)
        assert CAMEO[code].quad == int(quad) or root in ("09", "14")
        if CAMEO[code].score is not None:
            assert CAMEO[code].score == float(score), code
            counts["scores"] += 1
    assert counts["scores"] >= 95


@shared
def test_acled_knows_every_category_of_the_codebook() -> None:
    with (SHARED / "samples" / "acled_event_categories.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 25
    force = {"armed clash", "armed attack", "air or drone strike", "shelling", "bombing",
             "unconventional weapon", "violence against civilians", "abduction"}  # fmt: skip
    for row in rows:
        code = ACLED[row["sub_event_type"]]
        assert code.parent == row["event_type"]
        # ACLED's own mark of organised violence, but for force against protesters.
        violent = row["organized_political_violence"] == "1"
        excessive = code.code == "Excessive force against protesters"
        assert (code.incident_class in force) == (violent or excessive)
