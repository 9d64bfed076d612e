# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the tests of inference open a backend, and how near to the plain network its depth must be."""

import pytest
import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.opening import open_backend

SIZE = (64, 96)
# Mean difference from the plain network [m], with the weights that ship, on streets of val; what it is on streets of
# test, benchmarks/RESULTS.md has.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5, "float16": 0.1, "int8": 1.5}


def example(batch=1, size=SIZE, seed=0):
    """Image and radar as the network takes them: normalised noise, and a return at every twentieth pixel."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(batch, 3, *size, generator=generator)
    values = torch.rand(batch, 4, *size, generator=generator) * torch.tensor([100.0, 20, 10, 10])[:, None, None]
    return image, values * (torch.rand(batch, 1, *size, generator=generator) < 0.05)


def plain_depth(network, inputs):
    with torch.inference_mode():
        return network(*inputs).depth


def assert_near(depth, expected, precision):
    assert depth.shape == expected.shape
    assert depth.dtype == torch.float32
    difference = (depth.cpu() - expected).abs()
    assert difference.mean() < TOLERANCE[precision]
    if precision == "float32":
        assert difference.max() < 100 * TOLERANCE[precision]


def opened(network, name, precision, cache, calibration=None):
    try:
        return open_backend(network, name=name, precision=precision, device="cpu", cache=cache, calibration=calibration)
    except LircDepthError as error:
        if "no instructions" in str(error) or "is needed" in str(error):
            pytest.skip(str(error))
        raise


def run(network, name, folder):
    backend = opened(network, name, "float32", folder)
    backend.warm_up(*SIZE)
    assert_near(backend.infer(*example()), plain_depth(network, example()), "float32")
    return backend
