# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The order of training samples is shuffled by seed and epoch, and can be entered at any batch."""

import pytest
import torch

from lircdepth_core.data.augmentation import Augmentation
from lircdepth_core.data.sampling import EpochBatches, TrainingSet
from lircdepth_core.errors import LircDepthError


class Listed:
    """Frames of given depth maps, for tests that depend on ground truth alone."""

    focal_length, size, description = 100.0, (32, 32), "listed"

    def __init__(self, depths):
        self.depths = depths

    def __len__(self):
        return len(self.depths)

    def frame(self, index):
        depth = torch.full((1, 32, 32), self.depths[index])
        image = torch.full((3, 32, 32), index, dtype=torch.uint8)
        return {"image": image, "radar": torch.zeros(4, 32, 32), "dense": depth, "single": torch.zeros(1, 32, 32)}


def test_a_frame_without_ground_truth_is_skipped_and_counted():
    source = TrainingSet(Listed([5.0, 0.0, 0.0, 7.0]), Augmentation((32, 32), flip=0, colour=0), seed=0)
    found = [(float(source[0, i]["dense"].max()), int(source[0, i]["skipped"])) for i in range(4)]
    assert found == [(5.0, 0), (7.0, 2), (7.0, 1), (7.0, 0)]
    empty = TrainingSet(Listed([0.0, 0.0]), Augmentation((32, 32)), seed=0)
    with pytest.raises(LircDepthError, match="no frame has any ground truth"):
        empty[0, 0]


def batches(length, batch_size, epoch, rank=0, world=1):
    """The batches of an epoch, as frames' indices."""
    sampler = EpochBatches(length, batch_size, 1, rank, world)
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    assert {place[0] for batch in found for place in batch} == {epoch}
    return [[index for _, index in batch] for batch in found]


def test_an_epoch_has_its_own_order_and_ranks_share_it():
    whole = batches(23, 4, epoch=2)
    assert len(whole) == 5
    assert len({i for batch in whole for i in batch}) == 20
    assert batches(23, 4, epoch=2) == whole
    assert batches(23, 4, epoch=3) != whole
    ranks = [batches(23, 2, 2, rank, world=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*ranks, strict=True)] == whole  # together, one process with twice the batch
    with pytest.raises(LircDepthError, match="3 frames do not fill one batch of 4"):
        EpochBatches(3, 4, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_at_any_batch_without_reading_the_frames_before(workers, tmp_path):
    """What is read is noted in a file, since workers are processes of their own."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    class Noted(Listed):
        def frame(self, index):
            with open(tmp_path / "read", "a") as file:
                file.write(f"{index}\n")
            return super().frame(index)

    def loader():
        sampler = EpochBatches(23, 4, 1)
        sampler.set_epoch(2)
        source = TrainingSet(Noted([5.0] * 23), Augmentation((32, 32)), seed=0)
        return stateful.StatefulDataLoader(source, batch_sampler=sampler, num_workers=workers)

    first, whole = loader(), []
    for number, batch in enumerate(first):
        whole.append(batch["image"])
        if number == 2:
            state = first.state_dict()
    (tmp_path / "read").unlink()
    second = loader()
    second.load_state_dict(state)
    rest = [batch["image"] for batch in second]
    assert len(rest) == 2
    assert all(torch.equal(a, b) for a, b in zip(rest, whole[3:], strict=True))
    read = [int(line) for line in (tmp_path / "read").read_text().split()]
    assert sorted(read) == sorted(index for batch in batches(23, 4, epoch=2)[3:] for index in batch)


def test_sets_are_drawn_by_their_weights_whatever_their_length():
    from lircdepth_core.data.sampling import Shares

    shares = Shares((4, 12, 2), (1.0, 2.0, 1.0))
    batches = EpochBatches(18, 2, seed=3, shares=shares)
    batches.set_epoch(5)
    order = [index for batch in batches for _, index in batch]
    counts = [order.count(index) for index in range(18)]
    assert len(order) == 18
    assert [sum(counts[:4]), sum(counts[4:16]), sum(counts[16:])] == [4, 10, 4] or [
        sum(counts[:4]), sum(counts[4:16]), sum(counts[16:])] == [4, 9, 5]  # fmt: skip
    assert max(counts[:4]) - min(counts[:4]) <= 1  # a frame comes again when all of its set have come
    assert max(counts[16:]) - min(counts[16:]) <= 1
    again = EpochBatches(18, 2, seed=3, shares=shares)
    again.set_epoch(5)
    assert [index for batch in again for _, index in batch] == order
    again.set_epoch(6)
    assert [index for batch in again for _, index in batch] != order
    for weights in ((1.0, 2.0), (1.0, -1.0, 1.0), (0.0, 0.0, 0.0)):
        with pytest.raises(LircDepthError, match="weights"):
            Shares((4, 12, 2), weights)
