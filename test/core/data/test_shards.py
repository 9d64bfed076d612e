# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames that are read from their files when they are used: the same frames, from any store, in constant memory."""

import itertools
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from test_packed import Levels

from lircdepth_core.data.packed import open_packed, pack_shards
from lircdepth_core.data.sampling import EpochBatches, Windows
from lircdepth_core.data.shards import ShardedFrames
from lircdepth_core.errors import LircDepthError
from paths import REPOSITORY, SUPPORT

pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven frames in files of three."""
    folder = tmp_path_factory.mktemp("shards")
    pack_shards(Levels(11), folder, 3)
    return folder


def assert_same(found, expected):
    assert (len(found), found.size, found.focal_length) == (len(expected), expected.size, expected.focal_length)
    for index in range(len(expected)):
        ours, theirs = found.frame(index), expected.frame(index)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), index


def test_mapped_frames_are_those_in_memory(folder):
    mapped, held = ShardedFrames([folder], window=1), open_packed(folder)
    assert_same(mapped, held)
    assert_same(pickle.loads(pickle.dumps(mapped)), held)
    assert (mapped.description, mapped.sha256()) == (held.description, held.sha256())


def test_each_frame_is_drawn_once_an_epoch_and_a_rank_stays_within_its_files():
    windows = Windows((3, 4, 5, 4, 4, 4), 2)
    for epoch, world in itertools.product((0, 1), (1, 2, 3)):
        ranks = [EpochBatches(24, 4, 7, rank, world, windows=windows) for rank in range(world)]
        drawn = []
        for batches in ranks:
            batches.set_epoch(epoch)
            own = [index for batch in batches for _, index in batch]
            assert own == [index for batch in batches for _, index in batch], "the same each time"
            for batch in range(0, len(own), 4):  # within a window, or at the border of two
                files = {sum(index >= end for end in (3, 7, 12, 16, 20)) for index in own[batch : batch + 4]}
                assert len(files) <= 4
            drawn += own
        assert sorted(drawn) == list(range(24))
    first, second = (EpochBatches(24, 4, 7, windows=windows) for _ in range(2))
    second.set_epoch(1)
    assert list(first) != list(second)


@pytest.fixture
def store(folder, tmp_path, monkeypatch):
    """A bucket of a real server that speaks S3 on this machine, with the files and their manifest in it."""
    moto, boto3 = pytest.importorskip("moto.server"), pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="frames")
    for path in folder.iterdir():
        client.upload_file(str(path), "frames", f"street/{path.name}")
    yield "s3://frames/street"
    server.stop()


def test_frames_of_an_object_store_are_those_of_the_disk_and_the_cache_is_bounded(store, folder, tmp_path):
    cache = tmp_path / "cache"
    frames = ShardedFrames([store], window=1, cache=cache)
    assert_same(frames, open_packed(folder))
    assert frames.sha256() == open_packed(folder).sha256()
    assert len(list(cache.glob("*.safetensors"))) == 4  # of each open file
    assert_same(
        ShardedFrames([f"{store}/frames-000003.safetensors"], 1, cache),
        open_packed(folder / "frames-000003.safetensors"),
    )
    with pytest.raises(LircDepthError, match=r"needs a folder on this machine: --data.cache FOLDER"):
        ShardedFrames([store])
    for wrong in ("s3://frames/nothing", "s3://absent/street", "nostore://frames"):
        with pytest.raises(LircDepthError, match=f"^{wrong.partition('://')[0]}://") as caught:
            ShardedFrames([wrong], cache=cache)
        assert "\n" not in str(caught.value)


def test_a_damaged_file_is_named(tmp_path):
    pack_shards(Levels(2), tmp_path, 2)
    path = tmp_path / "frames-000000.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(LircDepthError, match=r"frames-000000.*not a complete file of frames"):
        ShardedFrames([tmp_path])


MEMORY = """
import re, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from lircdepth_core.data.augmentation import Augmentation
from lircdepth_core.data.packed import pack_shards
from lircdepth_core.data.sampling import EpochBatches, TrainingSet, Windows
from lircdepth_core.data.shards import ShardedFrames
from test_packed import Levels

folder, count = Path(sys.argv[1]), int(sys.argv[2])
frames = ShardedFrames([folder])
samples = TrainingSet(frames, Augmentation((32, 64)), 0)
batches = EpochBatches(len(frames), 8, 0, windows=Windows(frames.lengths, frames.window))
for number, batch in enumerate(batches):
    for place in batch:
        samples[place]
assert number == count // 8 - 1
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak_kb(folder, count):
    here = [str(REPOSITORY), str(REPOSITORY / "test/core/data"), str(SUPPORT)]
    command = [sys.executable, "-c", MEMORY, str(folder), str(count), *here]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.full
def test_an_epoch_over_ten_thousand_frames_takes_the_memory_of_one_over_a_thousand(tmp_path):
    """Peak resident memory, with what is mapped; ten thousand frames are 130 MB."""
    peaks, folders = {}, {count: tmp_path / str(count) for count in (1_000, 10_000)}
    pack_shards(Levels(1_000), folders[1_000], 100)
    folders[10_000].mkdir()
    for path, number in itertools.product(folders[1_000].glob("*.safetensors"), range(10)):
        shutil.copy(path, folders[10_000] / f"{number}-{path.name}")
    for count, folder in folders.items():
        peaks[count] = peak_kb(folder, count)
    print(peaks)
    assert abs(peaks[10_000] - peaks[1_000]) < 30_000
