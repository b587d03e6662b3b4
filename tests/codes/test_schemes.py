import csv
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    for form in (codes, pl.Series(codes)):
        assert unknown_codes(form, "gdelt").rows() == expected
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


GDELT_SCORES = """
01 010 014 015 017:0;011:-.1;012:-.4;013:.4;016:-2;018 019:3.4;02 020:3;021 0211 0212 0213 0214:3.4;
022:3.2;023 0231 0232 0233 0234:3.4;024 0241 0242 0243 0244 025 0251 0252 0253 0254 0255 0256:-.3;
026 027 028:4;03 030:4;031 0311 0312 0313 0314:5.2;032:4.5;033 0331 0332 0333:5.2;0334:6;034 0341
0342 0343 0344 035 0351 0352 0353 0354 0355 0356:7;036:4;037:5;038:7;039:5;04 040 041:1;042:1.9;
043:2.8;044:2.5;045:5;046:7;05 050:3.5;051:3.4;052:3.5;053:3.8;054:6;055 056:7;057:8;06 060:6;
061:6.4;062 063:7.4;064:7;07 070:7;071:7.4;072:8.3;073:7.4;074:8.5;075:7;08 080 081 0811 0812 0813
0814 082 083 0831 0832 0833 0834:5;084 0841 0842 085:7;086 0861 0862 0863 087 0871 0872 0873:9;
0874:10;09 090 091 092 093 094:-2;10 100 101 1011 1012 1013 1014 102 103 1031 1032 1033 1034 104
1041 1042 1043 1044 105 1051 1052 1053 1054 1055 1056 106 107 108:-5;11 110 111 112 1121 1122 1123
1124 1125 113 114 115 116:-2;12 120 121 1211 1212 122 1221 1222 1223 1224 123 1231 1232 1233 1234
124 1241 1242 1243 1244 1245 1246:-4;125 126 127 128 129:-5;13:-6;130:-4.4;131 1311 1312 1313 132
1321 1322 1323 1324 133 134 135:-5.8;136 137 138 1381 1382 1383 1384 1385 139:-7;14 140 141 1411
1412 1413 1414 142 1421 1422 1423 1424 143 1431 1432 1433 1434:-6.5;144 1441 1442 1443 1444 145
1451 1452 1453 1454:-7.5;15 150 151 152 153 154:-7.2;16 160 161:-4;162 1621 1622 1623:-5.6;163:-8;
164:-7;165:-6.5;166 1661 1662 1663:-7;17 170:-7;171 1711 1712:-9.2;172 1721 1722 1723 1724 173
174:-5;175:-9;18 180 181:-9;182:-9.5;1821 1822:-9;1823 183 1831 1832 1833:-10;184 185:-8;186 19
190:-10;191 192:-9.5;193 194 195:-10;196:-9.5;20 200:-10;201:-9.5;202 203 204 2041 2042:-10
"""
"""GDELT's lookup table CAMEO.goldsteinscale.txt, codes of one score together."""


def test_scores_agree_with_those_of_gdelt_but_for_four() -> None:
    groups = (group.split(":") for group in GDELT_SCORES.split(";"))
    theirs = {code: float(score) for codes, score in groups for code in codes.split()}
    assert len(theirs) == 311
    other = {code for code, score in theirs.items() if CAMEO[code].score != score}
    assert other == {"016", "022", "164", "165"}
    assert {code.code for code in CAMEO if code.score is not None} - set(theirs) == {"1213"}


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


def test_the_tables_in_the_documentation_are_those_of_the_schemes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "codes.md").read_text("utf-8")
    rows = [re.split(r" \| ", line.strip("| ")) for line in page.splitlines() if line[:1] == "|"]
    mapped = {cells[0]: cells[1:] for cells in rows if cells[0] in INCIDENT_CLASSES}
    assert set(mapped) == set(INCIDENT_CLASSES)
    for name, cells in mapped.items():
        for scheme, cell in zip((CAMEO, PLOVER, ACLED), cells, strict=False):
            tops = [
                code.code
                for code in scheme
                if code.incident_class == name
                and getattr(scheme.parent(code.code), "incident_class", None) != name
            ]
            assert (cell == "–" and not tops) or cell.split(", ") == tops
    for scheme in ALL:
        row = next(cells for cells in rows if cells[0] == f"`{scheme.name}`")
        scored = sum(code.score is not None for code in scheme)
        assert row[2:4] == [str(len(scheme)), str(len(scheme.roots))]
        assert row[4].startswith(str(scored) if scored else "")
    for code in PLOVER.roots:
        row = next(cells for cells in rows if cells[0] == f"`{code.code}`")
        modes = [each.code.split("/")[1] for each in PLOVER.children(code.code)]
        assert row[1] == QUADS[code.quad or 0]
        assert (row[4] == "–" and not modes) or row[4].split(", ") == modes


@given(st.text())
def test_any_text_is_known_or_listed(text: str) -> None:
    for scheme in ALL:
        listed = scheme.unknown([text])
        assert len(listed) == (text not in scheme)
        assert all(near in scheme for near in listed["nearest"].drop_nulls())


def test_zeros_that_a_spreadsheet_dropped_are_found() -> None:
    assert [CAMEO.nearest(code) for code in ("42", "7", "831")] == ["042", "07", "0831"]
