"""Every concrete member of a family is exported by its package, and a missing line is told."""

import importlib
import sys
from abc import ABC, abstractmethod
from types import ModuleType

import pytest

from discover import concrete

FAMILIES = [
    ("escalation.sources.base", "Source", "escalation.sources"),
    ("escalation.kernels.base", "Kernel", "escalation.kernels"),
    ("escalation.engines.base", "Engine", "escalation.engines"),
    ("escalation.fit", "Model", "escalation.counts"),
    ("escalation.fit", "Model", "escalation.hawkes"),
    ("escalation.report.sections.base", "Section", "escalation.report.sections"),
]


@pytest.mark.parametrize(("module", "name", "package"), FAMILIES)
def test_every_member_is_exported(module: str, name: str, package: str) -> None:
    base = getattr(importlib.import_module(module), name)
    assert concrete(base, importlib.import_module(package))


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


class Square(Shape):
    def area(self) -> float:
        return 1.0


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give a package without submodules that holds an abstract shape and a concrete one."""
    package = ModuleType("shapes")
    package.__path__ = []
    package.Shape, package.Square = Shape, Square
    for item in (Shape, Square):
        monkeypatch.setattr(item, "__module__", "shapes")
    monkeypatch.setitem(sys.modules, "shapes", package)
    return package


def test_an_exported_member_is_found(shapes: ModuleType) -> None:
    shapes.__all__ = ["Square"]
    assert concrete(Shape, shapes) == [Square]


def test_a_member_that_is_not_exported_fails_with_the_line_to_add(shapes: ModuleType) -> None:
    shapes.__all__ = []
    with pytest.raises(AssertionError, match=r"from shapes import Square"):
        concrete(Shape, shapes)
