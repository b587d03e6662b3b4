"""Settings and fixtures of the whole test run."""

import os
from pathlib import Path

# Before NumPy loads: one thread a process, so that parallel test workers do not fight for cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

settings.register_profile("escalation", deadline=None, derandomize=True, database=None)
settings.load_profile("escalation")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed ones hold the second they were packed in.

    Two workers that collect in different seconds would else not agree on the tests.
    """
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def rng() -> np.random.Generator:
    """Give the one source of randomness, seeded the same for every test."""
    return np.random.default_rng(20250101)


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of reference data beside the repository."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder of reference data beside the repository")
    return folder
