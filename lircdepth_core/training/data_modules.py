# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lightning data modules: batches to train and validate on.

Which samples a step sees depends on the seed, the epoch and the step alone, so that a resumed run sees what an
uninterrupted one would have seen, also when it was stopped within an epoch.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch.utils.data import DataLoader, Dataset

from lircdepth_core.data.augmentation import Augmentation
from lircdepth_core.data.frame import Frame, FrameSource, prepare, sha256_of
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.packed import JoinedFrames, open_packed
from lircdepth_core.data.photometric import Photometric
from lircdepth_core.data.sampling import EpochBatches, Shares, TrainingSet, Windows, batches_in, spread
from lircdepth_core.data.shards import ShardedFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.seed import seed_or_global


class _Prepared(Dataset[Frame]):
    """Whole frames for evaluation, every ``world``-th from ``rank`` on."""

    def __init__(self, frames: FrameSource, limit: int | None, rank: int, world: int) -> None:
        self.frames = frames
        self.indices = spread(len(frames), limit)[rank::world]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Frame:
        return prepare(self.frames.frame(self.indices[index]))


class DepthData(lightning.LightningDataModule):
    """What the data modules share; a subclass opens ``self.train_frames`` and ``self.val_sets`` in ``setup``.

    val_sets: {name: frames}. Checkpoints are selected on the first one, whose errors are logged as val/mae and so on;
    those of another one as val/NAME/mae. shares: see sampling.Shares.

    crop, flip, colour, drop_scan, drop_points, clutter, photometric: see Augmentation. seed: of order and augmentation;
    None: that of `seed_everything`. val_limit: validate on so many frames, spread over the split. repeat: so many
    augmentations of each frame, over and over; None: a new one in each epoch.
    """

    train_frames: FrameSource
    val_sets: dict[str, FrameSource]
    shares: Shares | None = None
    windows: Windows | None = None

    def __init__(
        self,
        batch_size: int,
        val_batch_size: int,
        crop: tuple[int, int],
        flip: float,
        colour: float,
        drop_scan: float,
        drop_points: float,
        seed: int | None,
        val_limit: int | None,
        repeat: int | None,
        workers: int = 0,
        clutter: float = 0.0,
        photometric: Photometric | None = None,
    ) -> None:
        super().__init__()
        self.batch_size, self.val_batch_size = batch_size, val_batch_size
        self.augmentation = Augmentation(
            (crop[0], crop[1]),
            flip,
            colour,
            drop_scan=drop_scan,
            drop_points=drop_points,
            clutter=clutter,
            photometric=photometric,
        )
        self.seed, self.workers, self.val_limit, self.repeat = seed_or_global(seed), workers, val_limit, repeat
        self._sha256: str | None = None

    @property
    def attached(self) -> lightning.Trainer:
        """The trainer that works with these data."""
        assert self.trainer is not None, "a trainer sets itself before it asks for data"
        return self.trainer

    @abstractmethod
    def setup(self, stage: str | None = None) -> None:
        """Open the frames."""

    def weights_header(self) -> dict[str, Any]:
        """Return what a weights file says about its training data: focal_length, input_size, trained_on."""
        frames = self.train_frames
        return {
            "focal_length": float(frames.focal_length),
            "focal_length_range": list(getattr(frames, "focal_length_range", ())),
            "input_size": list(frames.size),
            "trained_on": frames.description,
        }

    def sha256(self) -> str:
        """Return the SHA-256 that tells the training frames from others, see data.frame.sha256_of. It is made once."""
        if self._sha256 is None:
            self._sha256 = sha256_of(self.train_frames)
        return self._sha256

    def batches_per_epoch(self) -> int:
        """Return how many batches each rank sees in an epoch, the trainer's limit_train_batches applied."""
        count = batches_in(len(self.train_frames), self.batch_size, self.attached.world_size)
        limit = self.attached.limit_train_batches
        return min(count, limit) if isinstance(limit, int) else int(count * limit)

    def train_dataloader(self) -> DataLoader[Frame]:
        """Return the batches of this rank. The loader's state is in checkpoints: a run goes on within an epoch."""
        from torchdata.stateful_dataloader import StatefulDataLoader

        trainer = self.attached
        return StatefulDataLoader(
            TrainingSet(self.train_frames, self.augmentation, self.seed, self.repeat),
            batch_sampler=EpochBatches(
                len(self.train_frames),
                self.batch_size,
                self.seed,
                trainer.global_rank,
                trainer.world_size,
                self.shares,
                self.windows,
            ),
            num_workers=self.workers,
        )

    def val_dataloader(self) -> list[DataLoader[Frame]]:
        """Return this rank's share of the frames of each validation set."""
        return [self._validation_loader(frames) for frames in self.val_sets.values()]

    def _validation_loader(self, frames: FrameSource) -> DataLoader[Frame]:
        world = self.attached.world_size
        count = min(self.val_limit or len(frames), len(frames))
        if count < world:
            raise LircDepthError(f"{count} validation frames for {world} processes, expected at least one for each")
        prepared = _Prepared(frames, self.val_limit, self.attached.global_rank, world)
        return DataLoader(prepared, batch_size=self.val_batch_size, num_workers=self.workers)


class NuScenesData(DepthData):
    """nuScenes, as published: train and val of v1.0-trainval, dense maps of `lircdepth ground-truth` in ``dense``.

    Validation is on the single lidar scan, so that only the training split needs dense maps.
    labels: make the teacher's confidence labels from boxes (needs annotations). scale: see NuScenesFrames.
    """

    def __init__(
        self,
        dataroot: str,
        dense: str | None = None,
        version: str = "v1.0-trainval",
        train_split: str = "train",
        val_split: str = "val",
        scale: float = 1.0,
        labels: bool = False,
        batch_size: int = 6,
        val_batch_size: int = 1,
        crop: tuple[int, int] = (352, 704),
        flip: float = 0.5,
        colour: float = 0.5,
        drop_scan: float = 0.0,
        drop_points: float = 0.0,
        seed: int | None = None,
        workers: int = 8,
        val_limit: int | None = None,
        repeat: int | None = None,
        clutter: float = 0.0,
        photometric: Photometric | None = None,
    ) -> None:
        super().__init__(
            batch_size, val_batch_size, crop, flip, colour, drop_scan, drop_points, seed, val_limit, repeat, workers,
            clutter, photometric,
        )  # fmt: skip
        self._common: dict[str, Any] = {"dataroot": dataroot, "version": version, "dense": dense, "scale": scale}
        self._splits, self._labels = (train_split, val_split), labels

    def setup(self, stage: str | None = None) -> None:
        """Open the data root."""
        self.train_frames = NuScenesFrames(split=self._splits[0], labels=self._labels, **self._common)
        validated = NuScenesFrames(split=self._splits[1], **self._common | {"dense": None})
        self.val_sets = {self._splits[1]: validated}


class PackedData(DepthData):
    """Frames of files that `lircdepth pack` wrote, kept on the training device.

    train, val: a file each, a folder with files, or several of them; val may be {name: any of these}, for several sets,
    each with its own errors: the first one selects. mapped: frames are not kept, but read from their files each time;
    ``window`` files are open at a time, and the frames of so many files are shuffled together (see sampling.Windows).
    For URLs of an object store it is always so, and ``cache`` is the folder of this machine for its files. workers:
    processes that read mapped frames. train_weights: of each of ``train``, how often its frames are drawn
    (see sampling.Shares); None: every frame once an epoch.
    """

    def __init__(
        self,
        train: str | list[str],
        val: str | list[str] | dict[str, str | list[str]],
        batch_size: int = 8,
        val_batch_size: int = 8,
        crop: tuple[int, int] = (352, 704),
        flip: float = 0.5,
        colour: float = 0.5,
        drop_scan: float = 0.0,
        drop_points: float = 0.0,
        seed: int | None = None,
        val_limit: int | None = None,
        repeat: int | None = None,
        clutter: float = 0.0,
        photometric: Photometric | None = None,
        train_weights: list[float] | None = None,
        mapped: bool = False,
        window: int = 8,
        cache: str | None = None,
        workers: int = 0,
    ) -> None:
        super().__init__(
            batch_size, val_batch_size, crop, flip, colour, drop_scan, drop_points, seed, val_limit, repeat, workers,
            clutter=clutter, photometric=photometric,
        )  # fmt: skip
        self._window, self._cache = window, cache
        self._train = [train] if isinstance(train, str) else train
        self._val = val if isinstance(val, dict) else {"val": val}
        self._train_weights = train_weights
        given = [*self._train, *(path for paths in self._val.values() for path in _listed(paths))]
        self._mapped = mapped or any("://" in path for path in given)
        if self._mapped and train_weights is not None:
            raise LircDepthError("train_weights goes with frames in memory, not with mapped ones")
        if workers and not self._mapped:
            raise LircDepthError("workers goes with mapped frames: those in memory are read without")

    def setup(self, stage: str | None = None) -> None:
        """Read the files onto the device, or those that are mapped when their frames are used."""
        if self._mapped:
            self.val_sets = {
                name: ShardedFrames(_listed(paths), self._window, self._cache) for name, paths in self._val.items()
            }
            self.train_frames = frames = ShardedFrames(self._train, self._window, self._cache)
            self.windows = Windows(frames.lengths, frames.window)
            return
        device = self.attached.strategy.root_device
        self.val_sets = {name: open_packed(paths, device) for name, paths in self._val.items()}
        if self._train_weights is None:
            self.train_frames = open_packed(self._train, device)
            return
        sources = [open_packed(path, device) for path in self._train]
        self.train_frames = JoinedFrames(sources)
        self.shares = Shares(tuple(map(len, sources)), tuple(self._train_weights))


def _listed(paths: str | list[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else paths
