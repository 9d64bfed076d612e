"""Fixtures that more than one test file uses."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nuscenes_real():
    """Data root of the one real nuScenes sample; it lies beside the repository and is not part of it."""
    path = Path(__file__).resolve().parents[2] / "shared" / "nuscenes_real"
    if not path.is_dir():
        pytest.skip(f"the real nuScenes sample is not at {path}")
    return path
