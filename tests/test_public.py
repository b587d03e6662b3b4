"""The public nouns: listed by hand, imported when first used."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import escalation


@pytest.mark.parametrize("noun", escalation.__all__)
def test_a_noun_resolves_and_says_what_it_is(noun: str) -> None:
    item = getattr(escalation, noun)
    assert inspect.isclass(item) or inspect.isfunction(item)
    text = inspect.getdoc(item) or ""
    assert text.splitlines()[0].endswith("."), f"{noun} has no docstring of a sentence"
    assert not text.startswith(f"{noun}("), f"{noun} has only the docstring of its dataclass"


@pytest.mark.parametrize("noun", escalation.__all__)
def test_a_noun_lives_where_the_list_says(noun: str) -> None:
    home = escalation._HOMES[noun].partition(":")[0]
    assert getattr(escalation, noun).__module__.startswith(home)


def test_type_checkers_see_the_same_nouns() -> None:
    tree = ast.parse(Path(escalation.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    names = set[str]()
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {ast.unparse(target) for target in node.targets}
    assert {name for name in names if not name.startswith("_")} == set(escalation.__all__)


def test_nouns_are_listed() -> None:
    assert set(escalation.__all__) <= set(dir(escalation))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Windows'"):
        escalation.Windows  # noqa: B018  # asking is the test


@pytest.mark.parametrize("noun", ["run_study", "check"])
def test_a_noun_is_not_hidden_by_a_module(noun: str) -> None:
    """A submodule, once imported, becomes an attribute of its package under its own name."""
    module = escalation._HOMES[noun].partition(":")[0]
    script = f"import {module}, escalation; assert callable(escalation.{noun})"
    subprocess.run([sys.executable, "-c", script], check=True)
