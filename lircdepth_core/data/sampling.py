# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The order of training samples: which ones a step sees depends on seed, epoch and step alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from lircdepth_core.data.frame import TRAINING_TRUTHS, Frame, FrameSource
from lircdepth_core.errors import LircDepthError


class TrainingSet(Dataset[Frame]):
    """Augmented samples of a source of frames; a sample depends on seed, epoch and index alone.

    augmentation: makes the training sample of a raw frame, see data.augmentation. repeat: so many augmentations of each
    frame, over and over; None: a new one in each epoch. A frame whose crop has no ground truth at all is skipped: the
    next one takes its place, and "skipped" counts them.
    """

    def __init__(
        self,
        frames: FrameSource,
        augmentation: Callable[[Frame, torch.Generator], Frame],
        seed: int,
        repeat: int | None = None,
    ) -> None:
        self.frames, self.augmentation, self.seed, self.repeat = frames, augmentation, seed, repeat

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: tuple[int, int]) -> Frame:
        """Return the training sample (see data.frame) of (epoch, index) with "skipped", int64 scalar.

        Raises LircDepthError when no frame has ground truth.
        """
        epoch, index = place
        generator = seeded(self.seed, epoch % self.repeat if self.repeat else epoch, index)
        for skipped in range(len(self)):
            sample = self.augmentation(self.frames.frame((index + skipped) % len(self)), generator)
            if any(bool((sample[name] > 0).any()) for name in TRAINING_TRUTHS if name in sample):
                return sample | {"skipped": torch.tensor(skipped)}
        raise LircDepthError(f"{self.frames.description}: no frame has any ground truth")


def batches_in(length: int, batch_size: int, world: int = 1) -> int:
    """Return how many batches an epoch over ``length`` frames has on each of ``world`` ranks.

    The last batch is left out when it is incomplete. Raises LircDepthError when no batch is complete.
    """
    count = length // (batch_size * world)
    if not count:
        raise LircDepthError(f"{length} frames do not fill one batch of {batch_size} on each of {world} processes")
    return count


@dataclass(frozen=True)
class Shares:
    """How much of an epoch each of several sets has.

    lengths: frames of each, one set after the other. weights: of any sum; an epoch has as many frames as all sets
    together, and of each set its share of them, some of them several times or not at all where that is not its length.
    """

    lengths: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise LircDepthError for weights that do not fit."""
        if len(self.weights) != len(self.lengths) or not all(weight >= 0 for weight in self.weights):
            raise LircDepthError(
                f"weights {list(self.weights)} of {len(self.lengths)} sets: expected a number of 0 or more for each"
            )
        if not sum(self.weights) > 0:
            raise LircDepthError("the weights of all sets are 0")

    def order(self, generator: torch.Generator) -> list[int]:
        """Return the indices of an epoch, shuffled."""
        total = sum(self.lengths)
        ends = [round(total * end / sum(self.weights)) for end in itertools.accumulate(self.weights)]
        drawn: list[int] = []
        first = 0
        for length, begin, end in zip(self.lengths, [0, *ends], ends, strict=False):
            rounds = -(-(end - begin) // length)
            passes = [first + torch.randperm(length, generator=generator) for _ in range(rounds)]
            drawn += torch.cat(passes)[: end - begin].tolist() if passes else []
            first += length
        return [drawn[place] for place in torch.randperm(total, generator=generator).tolist()]


@dataclass(frozen=True)
class Windows:
    """Frames that lie in files, of which so many (``window``) are read at a time. lengths: frames of each file."""

    lengths: tuple[int, ...]
    window: int

    def order(self, seed: int, epoch: int, first: int, count: int) -> Iterator[int]:
        """Yield ``count`` frames of an epoch's order from the place ``first`` on.

        Files are shuffled, and the frames of each ``window`` of files that follow each other. What is yielded depends
        on the arguments alone, and windows before ``first`` are passed over, not made.
        """
        starts = [0, *itertools.accumulate(self.lengths)]
        files = torch.randperm(len(self.lengths), generator=seeded(seed, epoch)).tolist()
        for number in range(0, len(files), self.window):
            held = files[number : number + self.window]
            length = sum(self.lengths[file] for file in held)
            if first < length and count:
                frames = torch.cat([torch.arange(starts[file], starts[file + 1]) for file in held])
                order = frames[torch.randperm(length, generator=seeded(seed, epoch, number))]
                taken = order[first : first + count].tolist()
                yield from taken
                count -= len(taken)
            first = max(0, first - length)


class EpochBatches:
    """Batches of (epoch, index), shuffled by seed and epoch; each of ``world`` ranks gets its share.

    shares: of several sets whose frames together are the ``length``; None: each frame once. windows: the frames' files;
    then a rank gets files of its own, but for those at the ends of its share. Raises LircDepthError as ``batches_in``.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        shares: Shares | None = None,
        windows: Windows | None = None,
    ) -> None:
        self._length, self._batch_size, self._seed = length, batch_size, seed
        self._rank, self._world, self._shares, self._windows = rank, world, shares, windows
        self._count = batches_in(length, batch_size, world)
        self._epoch = 0

    @property
    def sampler(self) -> EpochBatches:
        """This object itself: Lightning tells the epoch to the sampler of a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch from now on."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        if self._windows is not None:
            own = self._count * self._batch_size
            frames = self._windows.order(self._seed, self._epoch, self._rank * own, own)
            for _ in range(self._count):
                yield [(self._epoch, index) for index in itertools.islice(frames, self._batch_size)]
            return
        generator = seeded(self._seed, self._epoch)
        order: list[int]
        if self._shares is None:
            order = torch.randperm(self._length, generator=generator).tolist()
        else:
            order = self._shares.order(generator)
        for batch in range(self._count):
            first = (batch * self._world + self._rank) * self._batch_size
            yield [(self._epoch, index) for index in order[first : first + self._batch_size]]


def spread(length: int, limit: int | None) -> list[int]:
    """Return so many indices, spread over a set of ``length``, that a few frames are of many scenes; None: all."""
    count = length if limit is None else min(limit, length)
    return [i * length // count for i in range(count)]


def seeded(*key: int) -> torch.Generator:
    """Return a CPU generator that depends on a tuple of integers."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]) >> 1)
