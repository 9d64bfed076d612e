# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files that appear under their name when they are complete."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def written_whole(path):
    """Yield a Path beside ``path``, of the same suffix, to write to.

    It takes the name ``path`` when the block ends, and is removed when that fails or the block raises.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
