"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, how: Callable[[str], object]) -> None:
    """Write a file under a temporary name beside it, and give it its own when it is done.

    Parameters
    ----------
    path : Path
    how : callable
        Writes the file of the name that it is given.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".draft")
    os.close(handle)
    try:
        how(draft)
        # mkstemp makes the file private; this one has the rights of any other new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(draft, 0o666 & ~mask)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
