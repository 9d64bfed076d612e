# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights and inputs that anyone can regenerate, for checking a model against parity/*.npz.

Every tensor is drawn from a NumPy generator seeded by its own key, so no weight file is needed:

    state = {key: seeded_tensor(key, shape) for key, shape in keys_from("student_keys.tsv")}

Only NumPy is needed. The values are float32 (int64 for ``num_batches_tracked``).
"""

import zlib

import numpy as np


def keys_from(path):
    """Yield (key, shape) from a table with one `key<TAB>d0,d1,...` a line; an empty shape is a scalar."""
    with open(path, encoding="utf-8") as table:
        for line in table:
            key, _, dims = line.rstrip("\n").partition("\t")
            yield key, tuple(int(d) for d in dims.split(",") if d)


def seeded_tensor(key, shape, gain=1.4):
    """Return the value of one entry of the state dict (float32 array, or int64 for counters).

    ``gain`` scales the variance of convolution weights; the arrays here were made with 1.4.
    """
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    if key.endswith("num_batches_tracked"):
        return np.asarray(1, dtype=np.int64)
    if key.endswith("sparsity.weight"):
        return np.ones(shape, dtype=np.float32)  # a fixed box filter, not learned
    noise = rng.standard_normal(shape)
    if key.endswith("running_var"):
        return (1.0 + 0.2 * np.abs(noise)).astype(np.float32)
    if len(shape) >= 2:  # convolution, transposed convolution or linear weight
        fan_in = int(np.prod(shape[1:]))
        return (noise * np.sqrt(gain / fan_in)).astype(np.float32)
    if key.endswith("weight"):  # batch-norm scale
        return (1.0 + 0.1 * noise).astype(np.float32)
    return (0.1 * noise).astype(np.float32)  # biases, running means


def seeded_inputs(batch, height, width, returns=40, seed=7):
    """Return (image [N,3,H,W] float32, already normalised; radar [N,4,H,W] float32: depth m, RCS, vx, vy)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    image = rng.standard_normal((batch, 3, height, width)).astype(np.float32)
    radar = np.zeros((batch, 4, height, width), dtype=np.float32)
    for n in range(batch):
        rows = rng.integers(0, height, returns)
        columns = rng.integers(0, width, returns)
        radar[n, 0, rows, columns] = rng.uniform(1.0, 80.0, returns)
        radar[n, 1, rows, columns] = rng.uniform(-5.0, 25.0, returns)
        radar[n, 2:, rows, columns] = rng.normal(0.0, 3.0, (returns, 2))
    return image, radar
