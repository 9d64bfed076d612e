# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A file or a folder appears under its name when it is complete, whoever is killed while it is written."""

import os
import subprocess
import sys

import pytest

from lircdepth_core import work
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import claimed, folder_written_whole, written_whole
from lircdepth_core.work import Workers
from paths import REPOSITORY


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


def test_a_folder_appears_when_it_is_complete_and_does_not_replace_one(tmp_path):
    for text in ("first", "second"):
        try:
            with folder_written_whole(tmp_path / "made/bag") as folder:
                folder.mkdir()
                (folder / "bag.mcap").write_text(text)
                assert ("bag" in os.listdir(tmp_path / "made")) == (text == "second")
        except OSError:
            assert text == "second"
    assert os.listdir(tmp_path / "made") == ["bag"]
    assert (tmp_path / "made/bag/bag.mcap").read_text() == "first"


WRITER = """
import sys, time
from pathlib import Path
from lircdepth_core.files import folder_written_whole, item_lock, written_whole

folder = Path(sys.argv[1])
bag = folder / "bag"
with item_lock(bag), written_whole(folder / "depth.png") as file, folder_written_whole(bag) as made:
    file.write_text("half")
    made.mkdir()
    (made / "bag.mcap").write_text("half")
    print("writing", flush=True)
    sys.stdin.readline()
"""


class Writer:
    """A process that writes a file and a folder until it is told to end, or killed."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], cwd=REPOSITORY, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout.readline() == "writing\n"

    def end(self, how):
        getattr(self._process, how)()
        self._process.communicate()


def note(item, advance):
    return item


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    def hidden():
        return sorted(name for name in os.listdir(tmp_path) if name[0] == ".")

    killed = Writer(tmp_path)
    killed.end("kill")
    left = hidden()
    assert len(left) == 3  # a file, a folder and a lock
    living = Writer(tmp_path)  # writes the same, and so removes what was left of it on this machine
    being_written = hidden()
    assert len(being_written) == 3
    assert {name for name in left if "partial" in name}.isdisjoint(being_written)

    (tmp_path / ".depth.another-machine-7.partial.png").write_text("half")
    (tmp_path / ".sub.another-machine-7.partial").mkdir()
    (tmp_path / ".hidden").write_text("of the user")
    work.run(note, [1, 2], Workers(), output=tmp_path)  # the next run into the folder
    assert hidden() == sorted([".hidden", *being_written])
    living.end("terminate")
    work.run(note, [1], Workers(), output=tmp_path)
    assert os.listdir(tmp_path) == [".hidden"]


def test_two_commands_do_not_work_on_one_output(tmp_path):
    for output in (tmp_path, tmp_path / "file.safetensors"):
        with claimed(output), pytest.raises(LircDepthError, match=f"another process is writing {output}"):
            work.run(note, [1], Workers(), output=output)
        assert os.listdir(tmp_path) == []
