# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The fastest backend of this machine, found by measuring."""

import json
import logging
import time

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Backend

_log = logging.getLogger(__name__)
_FRAMES = 3  # that are timed; the least counts, which other work on the machine disturbs least


class AutoBackend(Backend):
    """Measures at the first size that it is warmed up for, unless the cache knows the answer, and keeps the winner.

    candidates: {name: function that opens the backend}. key: what the answer depends on besides the size. network:
    function that returns the network, whose errors are not those of a candidate.
    """

    def __init__(self, device, candidates, key, cache, network):
        super().__init__(device)
        self._network = network
        self._candidates, self._key, self._cache = candidates, key, cache
        self._chosen, self._evidence = None, ""

    def infer(self, image, radar):
        if self._chosen is None:
            self._choose(image.shape[0], *image.shape[2:])
        return self._chosen.infer(image, radar)

    def warm_up(self, height, width, batch=1):
        if self._chosen is None:
            self._choose(batch, height, width)
        self._chosen.warm_up(height, width, batch)

    def memory(self):
        return super().memory() if self._chosen is None else self._chosen.memory()

    def release(self):
        if self._chosen is not None:
            self._chosen.release()

    def describe(self):
        if self._chosen is None:
            return f"auto, which measures {', '.join(self._candidates)} at the first frame"
        return f"{self._chosen.describe()} (auto: {self._evidence})"

    def _choose(self, batch, height, width):
        def load(content):
            times = json.loads(content)
            if not times or not times.keys() <= self._candidates.keys():
                raise ValueError(f"measurements of {list(times)}")
            return {name: float(value) for name, value in times.items()}

        key = {**self._key, "size": [batch, height, width], "candidates": list(self._candidates)}
        times = self._cache.get(
            "auto.json", key, lambda: json.dumps(self._measured(batch, height, width), indent=1).encode(), load
        )
        first, *others = sorted(times, key=times.get)
        self._chosen = self._candidates[first]()
        others = [f"{name} {times[name]:.0f} ms" for name in others]
        self._evidence = "; ".join([f"{times[first]:.0f} ms", *others]) + f" at {height}x{width}"

    def _measured(self, batch, height, width):
        """Return {name: milliseconds a frame} of the candidates that run here."""
        self._network()
        image, radar = (torch.rand(batch, channels, height, width, device=self.device) for channels in (3, 4))
        times, failure = {}, None
        for name, open_candidate in self._candidates.items():
            try:
                backend = open_candidate()
                backend.warm_up(height, width, batch)
                times[name] = 1e3 * min(self._seconds(backend, image, radar) for _ in range(_FRAMES))
                backend.release()
            except Exception as error:  # of whichever library: one that does not work here is no candidate
                failure = error
                _log.warning("backend %s is left out: %s", name, str(error).strip().partition("\n")[0])
        if not times:
            raise failure or LircDepthError(f"no backend runs on {self.device}")
        return times

    def _seconds(self, backend, image, radar):
        began = time.perf_counter()
        backend.infer(image, radar)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - began
