# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A file appears under its name when it is complete."""

import os

import pytest

from lircdepth_core.files import written_whole


def write(path, text, interrupted=False):
    with written_whole(path) as partial:
        assert partial.suffix == path.suffix
        partial.write_text(text)
        if interrupted:
            raise KeyboardInterrupt
        assert not path.exists()


def test_a_file_appears_when_it_is_complete_and_a_failed_one_leaves_the_old_and_nothing_else(tmp_path):
    path = tmp_path / "depth.png"
    write(path, "first")
    with pytest.raises(KeyboardInterrupt):
        write(path, "half of the sec", interrupted=True)
    assert os.listdir(tmp_path) == ["depth.png"]
    assert path.read_text() == "first"
