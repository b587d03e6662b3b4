"""Where results are kept, and under which key."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

from escalation.results import RunInfo
from escalation.study import Study

PACKAGES = (
    "numpy", "scipy", "numba", "polars", "pymc", "pytensor", "nutpie", "arviz", "statsmodels",
    "matplotlib", "typst",
)  # fmt: skip


def default_cache() -> Path:
    """Folder of saved results: ``ESCALATION_CACHE``, or the platform's cache folder."""
    chosen = os.environ.get("ESCALATION_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("escalation", appauthor=False))


def run_info(study: Study, data_hash: str, incidents_path: str | Path | None) -> RunInfo:
    """Say how the run can be repeated."""
    command = f"escalation report {study.path or 'STUDY'}"
    if incidents_path is not None:
        command += f" --incidents {incidents_path}"
    return RunInfo(
        version=version("escalation"),
        versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        seed=study.seed,
        data_hash=data_hash,
        study_hash=study.hash(),
        command=command,
    )


def cache_key(info: RunInfo) -> str:
    """Name of the cache entry: data, study, versions and this package's own source."""
    digest = hashlib.sha256()
    for part in (
        info.data_hash, info.study_hash, info.version, *sorted(info.versions.items()),
        *sorted(info.files.items()),
    ):  # fmt: skip
        digest.update(repr(part).encode())
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:32]
