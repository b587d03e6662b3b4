"""Set the results of a study as a tagged PDF: sections make blocks, Typst sets them."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typst

from escalation.plots.style import FONT_FOLDER, legible, style, svg
from escalation.report.sections import SECTIONS
from escalation.report.sections.base import Block, Figure, Note, Section, Table, Text
from escalation.report.wording import last_day, short_day

if TYPE_CHECKING:
    from escalation.results import Results


LONG_WORD = re.compile(r"\S{25,}")
CHECKSUM = re.compile(r"[0-9a-f]{64}")
ZERO_WIDTH_SPACE = "\u200b"


def write_report(
    results: Results, path: str | Path, *, sections: Sequence[Section] | None = None
) -> Path:
    """Write the report of ``results`` as a PDF, whole or not at all.

    Parameters
    ----------
    results : Results
    path : str or Path
        File to write; its folder must exist. An older file is replaced only by a finished one.
    sections : sequence of Section, optional
        Sections to set, all of them by default.

    Returns
    -------
    Path
        The file written, tagged after PDF/UA-1. Same results, same pins: the same bytes.
    """
    path = Path(path)
    pdf = compile_pdf(document(results, sections))
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pdf)
        # mkstemp makes the file private; a report has the rights of any other new file.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def document(results: Results, sections: Sequence[Section] | None = None) -> dict[str, Any]:
    """Everything the template prints, as plain text, numbers and SVG."""
    run, study = results.run, results.study
    span = f"{short_day(study.window.start)} to {short_day(last_day(study.window.end))}"
    with style():
        parts = [
            {"title": section.title, "blocks": [_plain(block) for block in blocks]}
            for section in (SECTIONS if sections is None else sections)
            if (blocks := section.blocks(results))
        ]
    return {
        "title": study.title,
        "subtitle": f"Recorded incidents from {span}, and what to expect next",
        "simulated": study.data.simulated,
        "footer": f"escalation {run.version} · data {run.data_hash[:8]} · seed {run.seed}",
        "sections": parts,
    }


def compile_pdf(content: dict[str, Any]) -> bytes:
    """Compile a `document` with the package's template."""
    template = files("escalation.report") / "templates" / "report.typ"
    # The template reads no file; a root with nothing else in it makes sure that it could not.
    with tempfile.TemporaryDirectory() as root:
        copy = Path(root) / "report.typ"
        copy.write_bytes(template.read_bytes())
        pdf = typst.compile(
            str(copy),
            root=root,
            format="pdf",
            sys_inputs={"report": json.dumps(printable(content), ensure_ascii=False)},
            font_paths=[str(FONT_FOLDER)],
            ignore_system_fonts=True,
            pdf_standards="ua-1",
            timestamp=0,
        )
    return pdf


def printable(value: Any) -> Any:
    """Make all texts of a tree `legible`, and let very long words break (not in drawings)."""
    if isinstance(value, str):
        return LONG_WORD.sub(_breakable, legible(value))
    if isinstance(value, dict):
        return {
            key: legible(item) if key == "svg" else printable(item) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [printable(item) for item in value]
    return value


def _breakable(word: re.Match[str]) -> str:
    """A word with a place to break after every 12 characters; a checksum stays whole."""
    found = word.group()
    if CHECKSUM.fullmatch(found):
        return found
    return ZERO_WIDTH_SPACE.join(found[n : n + 12] for n in range(0, len(found), 12))


def _plain(block: Block) -> dict[str, Any]:
    match block:
        case Figure():
            return {
                "kind": "figure",
                "caption": block.caption,
                "alternative": block.alternative,
                "source": block.source,
                "svg": svg(block.drawing),
            }
        case Table():
            fields = ("caption", "header", "rows", "widths", "align", "source")
            marks = block.marks or ("",) * len(block.rows)
            firsts = [at for at, row in enumerate(block.rows) if row[0]] + [len(block.rows)]
            length = {at: end - at for at, end in pairwise(firsts)}
            spans = [length.get(at, 1) for at in range(len(block.rows))]
            return {
                "kind": "table",
                "marks": marks,
                "spans": spans,
                **{f: getattr(block, f) for f in fields},
            }
        case Text():
            return {
                "kind": "text",
                "paragraphs": block.paragraphs,
                "heading": block.heading,
                "small": block.small,
            }
        case Note():
            return {"kind": block.kind, "text": block.text, "figures": block.figures}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
