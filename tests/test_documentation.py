"""The Python in README and documentation runs as it is written."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


#: What takes long to compile, or to run: times known to the day, paths integrated out, backtests.
SLOW = {"README-2", "early_warning-1", "hawkes-1", "hawkes-3", "hawkes-7", "latent-1"}
EXAMPLES = [
    pytest.param(block, id=name, marks=pytest.mark.slow if name in SLOW else ())
    for page in PAGES
    for number, block in enumerate(blocks(page), start=1)
    for name in [f"{page.stem}-{number}"]
]


def test_there_are_examples() -> None:
    assert blocks(ROOT / "README.md")


@pytest.mark.parametrize("block", EXAMPLES)
def test_an_example_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block, "example", "exec"), {"__name__": "example"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https://)([^)#]+)\)", page.read_text("utf-8"))
    missing = [
        target
        for target in targets
        if not (page.parent / target).exists() and not (page.parent / f"{target}.md").exists()
    ]
    assert missing == []
