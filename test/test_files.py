"""Files that are written whole."""

import os

import pytest

from lircdepth_core.files import written_whole


def test_a_file_appears_when_it_is_complete_and_a_failed_one_leaves_the_old_and_nothing_else(tmp_path):
    path = tmp_path / "depth.png"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert partial.suffix == ".png"
        assert not path.exists()
    with pytest.raises(IsADirectoryError), written_whole(path) as partial:  # fails in the block
        tmp_path.write_text(partial.write_text("half of the sec"))
    assert os.listdir(tmp_path) == ["depth.png"]
    assert path.read_text() == "first"
