"""Imports point left in the order of the layers; heavy libraries stay where they belong."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "escalation"

LAYERS = (
    "window scores agreement codes actors incidents sources fetch coding cleaning merging streams "
    "series tally priors parameters kernels background likelihood engines dynamics forecast fit "
    "hawkes counts redating trend_choice severity nowcast own_history baselines backtest vintages "
    "ensemble early_warning checks study results run plots report cli"
).split()

# Which layers may import a heavy library; elsewhere it is a fault.
OWNERS = {
    "pymc": {"engines"},
    "pytensor": {"engines"},
    "nutpie": {"engines"},
    "arviz": {"engines"},
    "matplotlib": {"plots", "report"},
    "typst": {"report"},
    "statsmodels": {"baselines", "checks"},
    "distributed": {"backtest"},
    "urllib3": {"fetch"},
    "fastexcel": {"sources"},
    "pyarrow": {"sources"},
}


@dataclass(frozen=True)
class Import:
    """One imported module, as written in one line of one file."""

    module: str  # the importing module, e.g. "escalation.series"
    line: int
    target: str  # the imported module, e.g. "escalation.window"; "." for a relative import

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}, imports {self.target}"


def layer(module: str) -> str | None:
    """Name the layer of a module of the package; the package itself has none."""
    parts = module.split(".")
    return parts[1] if parts[0] == "escalation" and len(parts) > 1 else None


def imports(source: str, module: str) -> Iterator[Import]:
    """Read every import, those inside functions too, but for blocks under TYPE_CHECKING."""
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            nodes.extend(node.orelse)
            continue
        nodes.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield Import(module, node.lineno, "." if node.level else str(node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield Import(module, node.lineno, str(node.args[0].value))


def faults(found: Import) -> list[str]:
    """Say what is wrong with one import; nothing for a good one."""
    own, other = layer(found.module), layer(found.target)
    top = found.target.split(".")[0]
    wrong = []
    if found.target == ".":
        wrong.append("write the whole name of the module")
    if found.target == "escalation" and own is not None:
        wrong.append("import from the module that defines it, not from escalation")
    if own and other and own != other and LAYERS.index(other) > LAYERS.index(own):
        wrong.append(f"imports point left, and {other} is right of {own}")
    if own and top in OWNERS and own not in OWNERS[top]:
        wrong.append(f"{top} belongs to {' and '.join(sorted(OWNERS[top]))}")
    return [f"{found}: {reason}" for reason in wrong]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(PACKAGE.rglob("*.py"))


def everything() -> list[Import]:
    return [each for path in FILES for each in imports(path.read_text("utf-8"), name_of(path))]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_left(path: Path) -> None:
    found = imports(path.read_text("utf-8"), name_of(path))
    assert [fault for each in found for fault in faults(each)] == []


def test_every_module_has_a_layer() -> None:
    found = {layer(name_of(path)) for path in FILES} - {None}
    assert found - {"__main__"} <= set(LAYERS)


def test_no_cycle() -> None:
    """Between modules of one layer too, where the order of the layers does not reach."""
    modules = {name_of(path) for path in FILES}
    arrows = {name: set[str]() for name in modules}
    for each in everything():
        if each.target in modules and each.module != "escalation":
            arrows[each.module].add(each.target)
    while free := {name for name, targets in arrows.items() if not targets & arrows.keys()}:
        arrows = {name: targets for name, targets in arrows.items() if name not in free}
    assert not arrows, f"import cycle among {sorted(arrows)}"


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("window", "from escalation.series import CountSeries", "series is right of window"),
        ("window", "def f():\n    import escalation.cli", "cli is right of window"),
        ("fit", "from escalation import Window", "not from escalation"),
        ("fit", "import escalation", "not from escalation"),
        ("fit", "from . import window", "whole name"),
        ("fit", "def f():\n    import pymc as pm", "pymc belongs to engines"),
        ("fit", "from matplotlib.figure import Figure", "matplotlib belongs to plots and report"),
        ("fit", "importlib.import_module('typst')", "typst belongs to report"),
        ("plots", "import statsmodels.api", "statsmodels belongs to baselines and checks"),
    ],
)
def test_a_fault_is_found(module: str, source: str, fault: str) -> None:
    said = [line for each in imports(source, f"escalation.{module}") for line in faults(each)]
    assert len(said) == 1
    assert fault in said[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fit", "from escalation.window import Window"),
        ("kernels.exponential", "from escalation.kernels.base import Kernel"),
        ("window", "if TYPE_CHECKING:\n    from escalation.series import CountSeries"),
        ("engines.nuts", "def f():\n    import nutpie"),
    ],
)
def test_a_good_import_is_let_through(module: str, source: str) -> None:
    found = list(imports(source, f"escalation.{module}"))
    assert [fault for each in found for fault in faults(each)] == []
