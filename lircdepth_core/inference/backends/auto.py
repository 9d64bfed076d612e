# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The fastest backend of this machine, found by measuring."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Backend
from lircdepth_core.inference.cache import Cache

_log = logging.getLogger(__name__)
_TIMED_FRAMES = 3  # the shortest time counts: other work on the machine disturbs it least
_BUSY_SHARE = 0.1  # of all cores' time, taken by other processes while it was measured
_BUSY_TRIES = 3  # starts at which a measurement on a busy machine is repeated; a machine may never be idle


@dataclasses.dataclass(frozen=True)
class _Measurement:
    """milliseconds: {backend: of a frame}. busy: whether other processes used the machine. tries: how often in all."""

    milliseconds: dict[str, float]
    busy: bool
    tries: int = 1

    def joined(self, earlier: _Measurement) -> _Measurement:
        """Return the shortest times of both."""
        times = {name: min(value, earlier.milliseconds.get(name, value)) for name, value in self.milliseconds.items()}
        return _Measurement(times, self.busy, self.tries + earlier.tries)


class _OtherWork:
    """What other processes do with this machine's cores, from when it is made. Unknown, 0, where there is no /proc."""

    def __init__(self) -> None:
        self._own, self._all = time.process_time(), _cpu_seconds()
        self._began = time.perf_counter()

    def share(self) -> float:
        """Return the share of all cores' time that other processes had."""
        elapsed = time.perf_counter() - self._began
        others = _cpu_seconds() - self._all - (time.process_time() - self._own)
        return max(others, 0.0) / (elapsed * (os.cpu_count() or 1))


def _cpu_seconds() -> float:
    """Return the seconds that all cores have worked since the machine started, or 0."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    user, nice, system, _idle, _wait, *interrupts = map(int, first[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


class AutoBackend(Backend):
    """Measures at the first size that it is warmed up for, unless the cache has the times, and keeps the fastest.

    Times that were measured while other processes used the machine are measured again at the next start, up to three
    times; of each backend the shortest one counts.

    candidates: {name: function that opens the backend}. key: all that the times depend on besides the size, as JSON
    can write it. load_network: loads the network, so that its errors are told from those of a candidate.
    """

    def __init__(
        self,
        device: torch.device,
        candidates: Mapping[str, Callable[[], Backend]],
        key: Mapping[str, object],
        cache: Cache,
        load_network: Callable[[], object],
    ) -> None:
        super().__init__(device)
        self._load_network = load_network
        self._candidates, self._key, self._cache = candidates, key, cache
        self._chosen: Backend | None = None
        self._evidence = ""
        self._sizes = 1

    def infer(self, image: Tensor, radar: Tensor) -> Tensor:
        """Return depth, see Backend.infer; the first call measures if ``warm_up`` was not called before."""
        return self._choose(image.shape[0], image.shape[2], image.shape[3]).infer(image, radar)

    def warm_up(self, height: int, width: int, batch: int = 1) -> None:
        """Measure the candidates at this size if none is chosen yet, and warm the chosen one up."""
        self._choose(batch, height, width).warm_up(height, width, batch)

    def keep_sizes(self, number: int) -> None:
        """Keep what is made for this many sizes, see Backend.keep_sizes."""
        self._sizes = number
        if self._chosen is not None:
            self._chosen.keep_sizes(number)

    def memory(self) -> int:
        """Return the bytes in use, see Backend.memory."""
        return super().memory() if self._chosen is None else self._chosen.memory()

    def release(self) -> None:
        """Free the chosen backend."""
        if self._chosen is not None:
            self._chosen.release()

    def describe(self) -> str:
        """Return one line for logs and diagnostics: the chosen backend, and the measured times."""
        if self._chosen is None:
            return f"auto, which measures {', '.join(self._candidates)} at the first frame"
        return f"{self._chosen.describe()} (auto: {self._evidence})"

    def _choose(self, batch: int, height: int, width: int) -> Backend:
        """Return the fastest backend, which is measured once, at the size of the first call."""
        if self._chosen is None:
            key = {**self._key, "size": [batch, height, width], "candidates": list(self._candidates)}
            milliseconds = self._milliseconds(key, batch, height, width)
            first, *others = sorted(milliseconds, key=milliseconds.__getitem__)
            self._chosen = self._candidates[first]()
            self._chosen.keep_sizes(self._sizes)
            slower = [f"{name} {milliseconds[name]:.0f} ms" for name in others]
            self._evidence = "; ".join([f"{milliseconds[first]:.0f} ms", *slower]) + f" at {height}x{width}"
        return self._chosen

    def _milliseconds(self, key: Mapping[str, object], batch: int, height: int, width: int) -> dict[str, float]:
        """Return {name: milliseconds a frame}, from the cache or measured."""
        before: list[_Measurement] = []
        is_new: list[bool] = []

        def measure() -> bytes:
            found = self._measurement(batch, height, width)
            for earlier in before:  # on a busy machine
                found = found.joined(earlier)
            is_new.append(True)
            return json.dumps(dataclasses.asdict(found), indent=1).encode()

        def load(content: bytes) -> _Measurement:
            found = _Measurement(**json.loads(content))
            if not found.milliseconds or not found.milliseconds.keys() <= self._candidates.keys():
                raise ValueError(f"measurements of {list(found.milliseconds)}")
            if found.busy and found.tries < _BUSY_TRIES and not is_new:
                before.append(found)
                raise ValueError("the machine was busy when it was measured")
            return found

        return self._cache.get("auto.json", key, measure, load).milliseconds

    def _measurement(self, batch: int, height: int, width: int) -> _Measurement:
        others = _OtherWork()
        milliseconds = self._measured(batch, height, width)
        return _Measurement(milliseconds, others.share() > _BUSY_SHARE)

    def _measured(self, batch: int, height: int, width: int) -> dict[str, float]:
        """Return {name: milliseconds a frame} of the candidates that run here."""
        self._load_network()
        image, radar = (torch.rand(batch, channels, height, width, device=self.device) for channels in (3, 4))
        times: dict[str, float] = {}
        failure: Exception | None = None
        for name, open_candidate in self._candidates.items():
            try:
                backend = open_candidate()
                backend.warm_up(height, width, batch)
                times[name] = 1e3 * min(self._seconds(backend, image, radar) for _ in range(_TIMED_FRAMES))
                backend.release()
            except Exception as error:  # each library has errors of its own; one that fails here is no candidate
                failure = error
                _log.warning("backend %s is left out: %s", name, str(error).strip().partition("\n")[0])
        if not times:
            raise failure or LircDepthError(f"no backend runs on {self.device}")
        return times

    def _seconds(self, backend: Backend, image: Tensor, radar: Tensor) -> float:
        began = time.perf_counter()
        backend.infer(image, radar)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - began
