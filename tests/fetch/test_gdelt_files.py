"""GDELT through a local server: lists, checksums, zips, and going on after a kill."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from datetime import date
from pathlib import Path
from threading import Event

import pytest

from escalation.fetch import AnswerError, FetchError, GdeltRequest, Policy, UnreachableError
from escalation.fetch.archives import ArchiveError, check_zip
from escalation.fetch.lists import Listed, listing_1, listing_2
from played import Gdelt, bomb, gdelt_row, quarters, zipped
from served import Asked, Reply, serve

QUICK = Policy(pause=0, backoff=0, attempts=3, timeout=5)
DAY = (date(2020, 1, 2), date(2020, 1, 3))


def test_lines_of_the_lists_as_they_are_recorded(tmp_path: Path) -> None:
    """The first lines of the master list, as public programs quote them, and the two lists of
    generation 1 in the form that one program found on 25 September 2026."""
    at = "http://data.gdeltproject.org/gdeltv2/20150218230000"
    master = tmp_path / "masterfilelist.txt"
    master.write_text(
        f"150383 297a16b493de7cf6ca809a7cc31d0b93 {at}.export.CSV.zip\n"
        f"318084 bb27f78ba45f69a17ea6ed7755e9f8ff {at}.mentions.CSV.zip\n"
        f"10768507 ea8dde0beb0ba98810a92db068c0ce99 {at}.gkg.csv.zip\n"
    )
    request = GdeltRequest(date(2015, 2, 18), date(2015, 2, 19))
    found, odd = listing_2([master], request._wants())
    name = "20150218230000.export.CSV.zip"
    assert found == {name: Listed(name, "297a16b493de7cf6ca809a7cc31d0b93", 150383)}
    assert odd == 0
    sums, sizes = tmp_path / "md5sums", tmp_path / "filesizes"
    sums.write_text(f"{'0a' * 16}  20130401.export.CSV.zip\n{'0b' * 16}  201303.zip\n")
    sizes.write_text("1234 20130401.export.CSV.zip\n567 201303.zip\n1801 total\n")
    request = GdeltRequest(date(2013, 3, 31), date(2013, 4, 2), generation=1)
    found, odd = listing_1([sums, sizes], request._wants())
    assert {each.name: each.bytes for each in found.values()} == {
        "20130401.export.CSV.zip": 1234, "201303.zip": 567,
    }  # fmt: skip
    assert odd == 0


def test_all_files_of_the_days_come_and_no_other(tmp_path: Path) -> None:
    files = quarters(5) | quarters(2, "202001030") | quarters(1, "202001010")
    others = ["20200102000000.mentions.CSV.zip", "20200102000000.gkg.csv.zip", "readme.txt"]
    others += ["20200102000000.translation.export.CSV.zip", "../20200102000000.export.CSV.zip"]
    api = Gdelt(
        files | dict.fromkeys(others[:4], b"x"), lines=["no file", "12 too many words here"]
    )
    with serve(api) as served:
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths() == ["/masterfilelist.txt", *(f"/{name}" for name in quarters(5))]
    assert sorted(path.name for path in found.path.glob("*.zip")) == sorted(quarters(5))
    assert (found.files, found.kept, found.missing) == (5, 0, ())
    assert "2 lines of the list name no file and are left out" in found.notes
    told = json.loads(found.manifest.read_text())
    for part in told["parts"]:
        path = found.path / part["file"]
        assert part["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert part["bytes"] == path.stat().st_size
        assert part["rows"] == 3
        assert part["etag"] == f'"{part["file"]}"'


def test_translated_news_are_files_of_their_own(tmp_path: Path) -> None:
    name = "20200102000000.translation.export.CSV.zip"
    files = {name: zipped("a.CSV", b"x\n")} | quarters(1)
    api = Gdelt(files)
    lines = api.lists()["masterfilelist.txt"]
    api.lists = lambda: {"masterfilelist-translation.txt": lines}  # type: ignore[method-assign]
    with serve(api) as served:
        request = GdeltRequest(*DAY, translated=True, base=served.base)
        request.fetch(tmp_path / "g", policy=QUICK)
    assert served.paths() == ["/masterfilelist-translation.txt", f"/{name}"]


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        ((2013, 4, 1), (2013, 4, 3), ["20130401", "20130402"]),
        ((2013, 3, 31), (2013, 4, 2), ["201303", "20130401"]),
        ((2005, 12, 31), (2006, 1, 2), ["2005", "200601"]),
        ((2006, 2, 28), (2006, 3, 1), ["200602"]),
        ((2004, 12, 31), (2005, 1, 1), ["2004"]),
    ],
)
def test_generation_1_has_days_months_and_years(
    tmp_path: Path, start: tuple[int, ...], end: tuple[int, ...], wanted: list[str]
) -> None:
    body = zipped("a.csv", gdelt_row(1, 57).encode() + b"\n")
    stamps = ["2004", "2005", "200601", "200602", "200603", "201303"]
    names = [f"{stamp}.zip" for stamp in stamps] + ["GDELT.MASTERREDUCEDV2.1979-2013.zip"]
    names += [f"{day}.export.CSV.zip" for day in ("20130401", "20130402", "20130403")]
    with serve(Gdelt(dict.fromkeys(names, body), generation=1)) as served:
        request = GdeltRequest(date(*start), date(*end), generation=1, base=served.base)
        found = request.fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths()[:2] == ["/md5sums", "/filesizes"]
    came = [path.removeprefix("/").partition(".")[0] for path in served.paths()[2:]]
    assert sorted(came) == sorted(wanted)
    assert found.files == len(wanted)


def test_files_that_are_there_are_not_asked_for_again(tmp_path: Path) -> None:
    with serve(Gdelt(quarters(4))) as served:
        request = GdeltRequest(*DAY, base=served.base)
        first = request.fetch(tmp_path / "gdelt", policy=QUICK)
        before = json.loads(first.manifest.read_text())["parts"]
        served.asked.clear()
        damaged = first.path / list(quarters(4))[2]
        damaged.write_bytes(damaged.read_bytes()[:-1])
        second = request.fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths() == ["/masterfilelist.txt", f"/{damaged.name}"]
    assert "if-none-match" in served.asked[0].headers  # the list has not changed: 304
    assert (second.files, second.kept) == (4, 3)
    after = json.loads(second.manifest.read_text())["parts"]
    assert [p for p in after if p["file"] != damaged.name] == [
        p for p in before if p["file"] != damaged.name
    ]


def test_a_new_list_is_read(tmp_path: Path) -> None:
    api = Gdelt(quarters(2))
    with serve(api) as served:
        request = GdeltRequest(*DAY, base=served.base)
        request.fetch(tmp_path / "gdelt", policy=QUICK)
        api.files = quarters(3)
        assert request.fetch(tmp_path / "gdelt", policy=QUICK).files == 3


def wrong(name: str, reply: Reply, times: int):
    left = [times]

    def meddle(asked: Asked) -> Reply | None:
        if asked.path.endswith(name) and left[0]:
            left[0] -= 1
            return reply
        return None

    return meddle


NAME = list(quarters(3))[1]
BODY = quarters(3)[NAME]
FAULTS = {
    "of another sum": (Reply(BODY[:-1] + b"x"), "the MD5 is"),
    "too short": (Reply(BODY[:-9]), "bytes, the list says"),
    "too long": (Reply(BODY + b"more"), "more than the"),
    "cut short": (Reply(BODY[:-9], length=len(BODY)), "the answer was cut short"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_file_is_asked_for_again(tmp_path: Path, fault: str) -> None:
    with serve(Gdelt(quarters(3), meddle=wrong(NAME, FAULTS[fault][0], 1))) as served:
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths().count(f"/{NAME}") == 2
    assert (found.files, found.missing) == (3, ())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_stays_wrong_is_missing_and_told(tmp_path: Path, fault: str) -> None:
    reply, said = FAULTS[fault]
    with serve(Gdelt(quarters(3), meddle=wrong(NAME, reply, 99))) as served:
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
    assert found.files == 2
    assert len(found.missing) == 1
    assert NAME in found.missing[0] and said in found.missing[0]
    assert not (found.path / NAME).exists()
    assert not list(found.path.glob(".*part"))
    assert any(NAME in note for note in json.loads(found.manifest.read_text())["notes"])


def test_a_listed_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    api = Gdelt(quarters(3), meddle=wrong(NAME, Reply(b"<html>", 404), 99))
    with serve(api) as served:
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths().count(f"/{NAME}") == 1
    assert found.files == 2
    assert "answered 404" in found.missing[0]


def test_a_server_that_is_down_keeps_what_came(tmp_path: Path) -> None:
    api = Gdelt(quarters(3), meddle=wrong(NAME, Reply(status=503), 3))
    with serve(api) as served:
        request = GdeltRequest(*DAY, base=served.base)
        with pytest.raises(UnreachableError, match=f"{NAME}: answered 503, after 3 attempts"):
            request.fetch(tmp_path / "gdelt", policy=QUICK)
        served.asked.clear()
        found = request.fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths()[1:] == [f"/{name}" for name in list(quarters(3))[1:]]
    assert (found.files, found.kept) == (3, 1)


def test_a_day_without_files_is_told(tmp_path: Path) -> None:
    with serve(Gdelt(quarters(1, "202001090"))) as served:
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
    assert found.files == 0
    assert "the list has no files of these days" in found.notes


def test_an_estimate_adds_up_the_list() -> None:
    with serve(Gdelt(quarters(4))) as served:
        found = GdeltRequest(*DAY, base=served.base).estimate(QUICK)
    assert served.paths() == ["/masterfilelist.txt"]
    assert (found.requests, found.bytes) == (4, sum(map(len, quarters(4).values())))
    assert found.urls == tuple(served.base + name for name in quarters(4))


KILLED = """
import sys
from datetime import date
from escalation.fetch import GdeltRequest, Policy
request = GdeltRequest(date(2020, 1, 2), date(2020, 1, 3), base=sys.argv[1])
request.fetch(sys.argv[2], policy=Policy(pause=0))
"""


def test_a_killed_fetch_goes_on_where_it_was(tmp_path: Path) -> None:
    names = list(quarters(6))
    reached, killed = Event(), Event()

    def hang(asked: Asked) -> Reply | None:
        if asked.path.endswith(names[3]) and not reached.is_set():
            reached.set()
            # A part of the file, so that there is a draft when the process is killed.
            return Reply(quarters(6)[names[3]][:50], length=len(quarters(6)[names[3]]))
        if reached.is_set():
            killed.wait(60)
        return None

    with serve(Gdelt(quarters(6), meddle=hang)) as served:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, served.base, str(tmp_path / "gdelt")]
        )
        assert reached.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        killed.set()
        served.asked.clear()
        request = GdeltRequest(*DAY, base=served.base)
        found = request.fetch(tmp_path / "gdelt", policy=QUICK)
    assert served.paths() == ["/masterfilelist.txt", *(f"/{name}" for name in names[3:])]
    assert (found.files, found.kept) == (6, 3)
    assert len(json.loads(found.manifest.read_text())["parts"]) == 6
    assert not list(found.path.glob(".*part"))


@pytest.fixture(scope="module")
def huge() -> dict[str, bytes]:
    """Give zips of 10 GiB of zeros: one that says so, and one that says 1,000 bytes."""
    size = 10 * 2**30
    return {"honest": bomb("a.CSV", size, size), "lying": bomb("a.CSV", size, 1000)}


@pytest.mark.parametrize("kind", ["honest", "lying"])
def test_a_zip_that_would_unpack_to_10_gigabytes(
    tmp_path: Path, huge: dict[str, bytes], kind: str
) -> None:
    assert len(huge[kind]) < 12e6
    with serve(Gdelt({NAME: huge[kind]})) as served:
        start = time.process_time()
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
        assert time.process_time() - start < 5
    said = {"honest": "would unpack to 10,737,418,240 bytes", "lying": "not a good zip file"}
    assert said[kind] in found.missing[0]
    assert not (found.path / NAME).exists()


def archive(*members: tuple[str, bytes]) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content)
    return into.getvalue()


def link() -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as file:
        info = zipfile.ZipInfo("a.CSV")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc/passwd")
    return into.getvalue()


ZIPS = {
    "up": (archive(("../../a.CSV", b"x")), "leads elsewhere"),
    "absolute": (archive(("/a.CSV", b"x")), "leads elsewhere"),
    "in a folder": (archive(("b/a.CSV", b"x")), "leads elsewhere"),
    "of Windows": (archive(("..\\a.CSV", b"x")), "leads elsewhere"),
    "on a drive": (archive(("C:a.CSV", b"x")), "leads elsewhere"),
    "with a null": (archive(("a.CSV", b"x")).replace(b"a.CSV", b"a\0CSV"), "leads elsewhere"),
    "a link": (link(), "is a link"),
    "two files": (archive(("a.CSV", b"x"), ("b.CSV", b"x")), "wanted one file inside the zip"),
    "empty": (archive(), "wanted one file inside the zip, got 0"),
    "no zip": (b"<html>sorry</html>", "not a good zip file"),
    "damaged": (zipped("a.CSV", bytes(range(256)) * 9).replace(b"\x10", b"\x11"), "not a good zip"),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_a_zip_that_is_not_as_it_must_be_is_not_kept(tmp_path: Path, kind: str) -> None:
    body, said = ZIPS[kind]
    with serve(Gdelt({NAME: body})) as served:
        found = GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)
    assert said in found.missing[0]
    assert NAME in found.missing[0]
    assert sorted(path.name for path in found.path.iterdir()) == [
        ".lists",
        ".lock",
        "manifest.json",
    ]


def test_the_limit_after_unpacking_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped("a.CSV", b"line\n" * 200))
    assert check_zip(path) == (1000, 200)
    with pytest.raises(ArchiveError, match="would unpack to 1,000 bytes, more than 999"):
        check_zip(path, 999)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"generation": 3}, "generation must be 1 or 2"),
        ({"generation": 1, "translated": True}, "translated goes with generation 2"),
        ({"largest": 0}, "largest must be positive"),
        ({"end": date(2020, 1, 2)}, "start must be before end"),
    ],
)
def test_a_wrong_request_is_told_before_it_is_made(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(FetchError, match=said):
        GdeltRequest(**{"start": DAY[0], "end": DAY[1], **wanted})  # type: ignore[arg-type]


def test_a_base_without_lists(tmp_path: Path) -> None:
    with serve(lambda asked: Reply(b"", 404)) as served:
        with pytest.raises(AnswerError, match="is the base that of GDELT's files"):
            GdeltRequest(*DAY, base=served.base).fetch(tmp_path / "gdelt", policy=QUICK)


@pytest.mark.parametrize("where", ["a file", "no folder"])
def test_an_output_that_cannot_be_is_told_first(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("x")
    folder = tmp_path / ("file" if where == "a file" else "none/gdelt")
    with serve(Gdelt({})) as served:
        with pytest.raises(FetchError, match=r"is a file|no folder"):
            GdeltRequest(*DAY, base=served.base).fetch(folder, policy=QUICK)
    assert not served.asked


@pytest.mark.parametrize("generation", [1, 2])
def test_the_reader_reads_what_was_fetched(tmp_path: Path, generation: int) -> None:
    from escalation.sources import SOURCES, read
    from escalation.window import Window

    if "gdelt" not in SOURCES:
        pytest.skip("there is no reader of GDELT's files")
    if generation == 2:
        files = quarters(4)
    else:
        rows = "".join(gdelt_row(number, 58) + "\n" for number in range(12))
        files = {"20200102.export.CSV.zip": zipped("20200102.export.CSV", rows.encode())}
    with serve(Gdelt(files, generation=generation)) as served:
        request = GdeltRequest(*DAY, generation=generation, base=served.base)
        folder = request.fetch(tmp_path / "gdelt", policy=QUICK).path
    incidents = read(str(folder / "*.zip"), Window(*DAY), source="gdelt")
    assert incidents.provenance.rows_read == 12
    assert len(incidents.table) == 12
