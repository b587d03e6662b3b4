"""The APIs of UCDP, ACLED and GDELT as a local server plays them; every row is invented."""

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs

from served import Asked, Reply, as_json

UCDP_TOKEN = "tok/en+UCDP=5f1c&77aa9e"
"""With characters that URLs, forms and JSON write in other ways."""

USER, PASSWORD = "reader@example.org", "pass word%41/+&=é5512"
ACCESS, REFRESH = "access-9d2c41aa77", "refresh-0b55e1f3"


def ucdp_row(number: int) -> dict[str, Any]:
    """A row in the form of one that the API gave and that a public script keeps (event 175957):
    whole numbers as numbers, old ids as text, midnight behind each day."""
    day = f"{date(2020, 1, 1) + timedelta(days=number)}T00:00:00"
    return {
        "id": 500000 + number, "relid": f"AAA-2020-1-10-{number}", "year": 2020,
        "active_year": True, "code_status": "Clear", "type_of_violence": 1 + number % 3,
        "conflict_dset_id": "7", "conflict_new_id": 7, "conflict_name": "A: Government",
        "dyad_dset_id": "10", "dyad_new_id": 10, "dyad_name": "Government of A - B",
        "side_a_dset_id": "1", "side_a_new_id": 1,
        "side_a": "Government of A", "side_b_dset_id": "2", "side_b_new_id": 2, "side_b": "B",
        "number_of_sources": 1, "source_headline": 'An "old" mill;a ford', "where_prec": 1,
        "where_coordinates": 'Mill, the "old"\none', "adm_1": "North province", "adm_2": "",
        "latitude": 30.500000, "longitude": 70.250000, "geom_wkt": "POINT (70.250000 30.500000)",
        "country": "A", "country_id": 770,
        "region": "Asia", "event_clarity": 1, "date_prec": 1, "date_start": day,
        "date_end": day, "deaths_a": 0, "deaths_b": 1, "deaths_civilians": 0,
        "deaths_unknown": 0, "best": 1, "high": 2, "low": 0, "gwnoa": "770", "gwnob": None,
    }  # fmt: skip


@dataclass
class Ucdp:
    """Pages of events; `first` is the number of the first page.

    The help page of UCDP's test server says "Zero based. Defaults to 0"; some public programs
    begin with 1.
    """

    rows: list[dict[str, Any]]
    first: int = 0
    etags: bool = False
    token: str = UCDP_TOKEN
    meddle: Callable[[Asked], Reply | None] = lambda asked: None

    def __call__(self, asked: Asked) -> Reply:
        if asked.headers.get("x-ucdp-access-token") != self.token:
            return Reply(b"API token required. Add header: x-ucdp-access-token", 401)
        if (reply := self.meddle(asked)) is not None:
            return reply
        size = int(asked.query["pagesize"])
        index = int(asked.page or self.first) - self.first
        last = -(-len(self.rows) // size)
        link = "https://ucdpapi.pcr.uu.se" + asked.path + f"?pagesize={size}&page="
        content = {
            "TotalCount": len(self.rows),
            "TotalPages": last,
            "PreviousPageUrl": f"{link}{index + self.first - 1}" if index else "",
            "NextPageUrl": f"{link}{index + self.first + 1}" if index + 1 < last else "",
            "Result": self.rows[index * size : (index + 1) * size],
        }
        reply = as_json(content)
        return tagged(asked, reply) if self.etags else reply


def tagged(asked: Asked, reply: Reply) -> Reply:
    """Give an ETag, and 304 to whom has it."""
    etag = f'"{hashlib.sha256(reply.body).hexdigest()[:12]}"'
    if asked.headers.get("if-none-match") == etag:
        return Reply(status=304, headers={"ETag": etag})
    reply.headers["ETag"] = etag
    return reply


def acled_row(number: int, country: str = "Northland") -> dict[str, Any]:
    return {
        "event_id_cnty": f"{country[:3].upper()}{number}",
        "event_date": (date(2024, 12, 31) - timedelta(days=number)).isoformat(),
        "year": "2024", "time_precision": "1", "disorder_type": "Political violence",
        "event_type": "Battles", "sub_event_type": "Armed clash", "actor1": "Rebels",
        "assoc_actor_1": "", "inter1": "Rebel group", "actor2": "Army", "assoc_actor_2": "",
        "inter2": "State forces", "interaction": "State forces-Rebel group",
        "civilian_targeting": "", "iso": "999", "region": "Nowhere", "country": country,
        "admin1": "North", "admin2": "", "admin3": "", "location": "Ford", "latitude": "30.5000",
        "longitude": "70.2500", "geo_precision": "1", "source": "Gazette",
        "source_scale": "National", "notes": "An invented\nevent; \"quoted\".", "fatalities": "2",
        "tags": "", "timestamp": "1735689600",
    }  # fmt: skip


def row_cursor(row: int) -> str:
    """The cursor of the page that begins with this row; it is no number of a page or row."""
    return str(48213 * row)


def cursor_row(cursor: str) -> int:
    return int(cursor) // 48213


@dataclass
class Acled:
    """The token endpoint, and pages of events that each name the cursor of the next.

    Words of refusals as the server gave them on 9 October 2026 (a public test file that notes
    what it observed), restrictions as on 5 May 2026 (another); cursors and totals as ACLED
    documents them ("Elements of ACLED's API") and other public clients follow them: see
    docs/fetch.md. A cursor need not be the number of a row.
    """

    rows: dict[str, list[dict[str, Any]]]
    tokens: list[str] = field(default_factory=lambda: [ACCESS])
    last_day: str = ""
    meddle: Callable[[Asked], Reply | None] = lambda asked: None
    valid: set[str] = field(default_factory=set)
    grants: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        if (reply := self.meddle(asked)) is not None:
            return reply
        if asked.path == "/oauth/token":
            return self._token(asked)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            return as_json({"message": "Access denied"}, status=403)
        if token not in self.valid:
            words = "The resource owner or authorization server denied the request."
            return as_json({"message": words}, status=401)
        rows = self.rows[asked.query.get("country", "")]
        size, first = int(asked.query["limit"]), cursor_row(asked.query["cursor"])
        following = first + size
        data = rows[first:following]
        limits: dict[str, Any] = {"countries": [], "event_types": [], "regions": [], "history": []}
        if self.last_day:
            limits["date_recency"] = {
                "quantity": 12, "unit": "Months", "description": "12 Months old",
                "timestamp": 1746493801, "date": self.last_day,
            }  # fmt: skip
        return as_json(
            {
                "status": 200,
                "success": True,
                "last_update": 3,
                "count": len(data),
                "total_count": len(rows),
                "messages": [],
                "data": data,
                "filename": "",
                "data_query_restrictions": limits,
                "next_cursor": int(row_cursor(following)) if following < len(rows) else None,
            }
        )

    def _token(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.body).items()}
        good = {
            "password": form.get("username") == USER and form.get("password") == PASSWORD,
            "refresh_token": form.get("refresh_token") == REFRESH,
        }
        self.grants.append(form.get("grant_type", ""))
        if form.get("client_id") != "acled" or not good.get(form.get("grant_type", "")):
            words = "The user credentials were incorrect."
            said = {"error": "invalid_grant", "error_description": words, "got": form}
            return as_json(said, status=400)
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        self.valid = {token}
        return as_json(
            {
                "token_type": "Bearer",
                "expires_in": 86400,
                "access_token": token,
                "refresh_token": REFRESH,
            }
        )


def zipped(name: str, content: bytes) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return into.getvalue()


def gdelt_row(number: int, fields: int = 61) -> str:
    """One line of events, in the places of the codebook that matter to a reader."""
    cells = [""] * fields
    cells[0:5] = [str(number), "20200102", "202001", "2020", "2020.0055"]
    cells[5:8], cells[15:18] = ["AAA", "NORTHLAND", "AAA"], ["BBB", "SOUTHLAND", "BBB"]
    cells[25:35] = ["1", "190", "190", "19", "4", "-10.0", "2", "1", "2", "-3.5"]
    if fields == 61:
        cells[51:60] = ["4", "Ford", "AF", "AF00", "", "30.5", "70.25", "1", "20200102001500"]
        cells[60] = "https://example.org/a"
    else:
        cells[49:57] = ["4", "Ford", "AF", "AF00", "30.5", "70.25", "1", "20200102"]
    return "\t".join(cells)


@dataclass
class Gdelt:
    """Lists and files."""

    files: dict[str, bytes]
    generation: int = 2
    lines: list[str] = field(default_factory=list)
    meddle: Callable[[Asked], Reply | None] = lambda asked: None

    def __call__(self, asked: Asked) -> Reply:
        if (reply := self.meddle(asked)) is not None:
            return reply
        name = asked.path.rpartition("/")[2]
        if name in self.files:
            return Reply(self.files[name], headers={"ETag": f'"{name}"'})
        text = self.lists().get(name)
        if text is None:
            return Reply(b"<html>no such file</html>", 404)
        return tagged(asked, Reply(text.encode()))

    def lists(self) -> dict[str, str]:
        sums = {name: hashlib.md5(body).hexdigest() for name, body in self.files.items()}
        if self.generation == 1:
            return {
                "md5sums": "".join(f"{sums[n]}  {n}\n" for n in self.files),
                "filesizes": "".join(f"{len(b)} {n}\n" for n, b in self.files.items()),
            }
        at = "http://data.gdeltproject.org/gdeltv2/"
        lines = [f"{len(body)} {sums[name]} {at}{name}" for name, body in self.files.items()]
        return {"masterfilelist.txt": "\n".join([*lines, *self.lines]) + "\n"}


def quarters(count: int, first: str = "202001020") -> dict[str, bytes]:
    """So many files of three events each."""
    names = [f"{first}{hour:01}{minute:02}00" for hour in range(9) for minute in (0, 15, 30, 45)]
    return {
        f"{stamp}.export.CSV.zip": zipped(
            f"{stamp}.export.CSV",
            "".join(gdelt_row(10 * number + each) + "\n" for each in range(3)).encode(),
        )
        for number, stamp in enumerate(names[:count])
    }


def bomb(name: str, size: int, told: int) -> bytes:
    """A zip whose one file unpacks to `size` zeros (a multiple of 4 MiB), and says `told`."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = press.compress(bytes(2**22)) + press.flush(zlib.Z_FULL_FLUSH)
    data = block * (size // 2**22) + press.flush()
    raw = name.encode()
    wide = struct.pack("<HHQQ", 1, 16, told, len(data))
    fixed = (20, 0, 8, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(raw), len(wide))
    local = struct.pack("<4s5H3I2H", b"PK\3\4", *fixed) + raw + wide
    tail = (0, 0, 0, 0, 0)
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 45, *fixed, *tail) + raw + wide
    offset = len(local) + len(data)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), offset, 0)
    return local + data + entry + end
