"""What a user who only asks for help does not wait for; the modules are counted, never the time."""

import subprocess
import sys

import pytest

HEAVY = ("scipy.stats", "scipy.optimize", "numba", "pymc", "pytensor", "matplotlib", "statsmodels")


def loaded(statement: str) -> set[str]:
    """List the modules that a fresh interpreter holds after one statement."""
    script = f"import sys\n{statement}\nprint('\\nLOADED', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.rsplit("LOADED", 1)[1].split())


def test_importing_the_package_loads_nothing() -> None:
    modules = loaded("import escalation")
    assert "escalation" in modules
    assert not modules & {*HEAVY, "numpy", "polars", "scipy", "typer"}


def test_listing_the_public_nouns_loads_nothing() -> None:
    assert not loaded("import escalation; dir(escalation); escalation.__all__") & set(HEAVY)


@pytest.mark.parametrize("noun", ["Window", "Incidents", "Stream", "CountSeries", "Study"])
def test_a_light_noun_loads_nothing_heavy(noun: str) -> None:
    assert not loaded(f"from escalation import {noun}") & set(HEAVY)


def test_the_command_line_loads_only_typer() -> None:
    modules = loaded(
        "import contextlib, io\n"
        "from escalation.cli import main\n"
        "sys.argv = ['escalation', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()"
    )
    assert "typer" in modules
    assert not modules & {*HEAVY, "numpy", "polars", "scipy"}
