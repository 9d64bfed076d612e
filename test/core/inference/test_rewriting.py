# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rewritten network is the plain one: to 1e-9 m in float64, with fewer multiplications and no full hidden map."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lircdepth_core.inference.graph import rewriting
from lircdepth_core.models import checkpoints


def trained_like(name, seed):
    """A network whose batch norms have statistics and scales of all sizes, as training leaves them."""
    network, _ = checkpoints.random_weights(name, seed)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.3, generator=generator)
    for parameter in network.parameters():  # large enough that depth varies over its whole range
        if parameter.dim() > 1:
            parameter.data *= 1.3
    return network


def inputs(count, height, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    radar = torch.rand(count, 4, height, width, generator=generator) * 60
    radar = radar * (torch.rand(count, 1, height, width, generator=generator) < 0.05)
    return torch.randn(count, 3, height, width, generator=generator).to(dtype), radar.to(dtype)


@pytest.mark.parametrize(
    ("weights", "strip", "size"),
    [
        ("like trained", 1, (1, 32, 32)),  # a row at a time
        ("like trained", 20_000, (1, 64, 32)),  # a few rows
        ("like trained", 2**40, (2, 32, 32)),  # all at once
        ("street", 20_000, (1, 64, 96)),
    ],
)
@torch.inference_mode()
def test_the_rewritten_network_agrees_to_a_nanometre(weights, strip, size, monkeypatch):
    monkeypatch.setattr(rewriting, "_STRIP_NUMBERS", strip)
    network = checkpoints.load(weights)[0] if weights == "street" else trained_like("lircdepth", seed=3)
    network = network.double()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    image, radar = inputs(*size)
    expected = network(image, radar).depth
    assert expected.std() > 1
    for memory_format in (torch.contiguous_format, torch.channels_last):
        deployed = rewriting.rewritten(network).to(memory_format=memory_format)
        found = deployed(*(x.contiguous(memory_format=memory_format) for x in (image, radar)))
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < 1e-9
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@torch.inference_mode()
def test_a_graph_of_it_agrees_too():
    network = trained_like("lircdepth", seed=4).double()
    image, radar = inputs(1, 32, 64)
    graph = torch.export.export(rewriting.rewritten(network), (image, radar)).module()
    assert (graph(image, radar) - network(image, radar).depth).abs().max() < 1e-9


@pytest.mark.parametrize("name", ["tiny", "cafnet"])
@torch.inference_mode()
def test_other_networks_only_lose_their_other_outputs(name):
    network = trained_like(name, seed=5)
    image, radar = inputs(1, 64, 96, torch.float32)
    assert torch.equal(rewriting.rewritten(network)(image, radar), network(image, radar).depth)


@torch.inference_mode()
def test_it_multiplies_less_and_holds_no_hidden_map_in_full(monkeypatch):
    network, _ = checkpoints.random_weights("lircdepth")
    deployed = rewriting.rewritten(network)
    image, radar = inputs(1, 128, 192, torch.float32)
    count = {}
    for name, module in (("plain", network), ("rewritten", deployed)):
        with FlopCounterMode(display=False) as counter:
            module(image, radar)
        count[name] = counter.get_total_flops()
    assert count["rewritten"] < 0.93 * count["plain"]
    largest = {}
    monkeypatch.setattr(rewriting, "_STRIP_NUMBERS", 100_000)
    for name, module in (("plain", network), ("rewritten", deployed)):
        sizes = []
        handles = [
            part.register_forward_hook(lambda _, inputs, output, sizes=sizes: sizes.append(output.numel()))
            for part in module.modules()
            if isinstance(part, torch.nn.Conv2d)
        ]
        module(image, radar)
        largest[name] = max(sizes)
        for handle in handles:
            handle.remove()
    assert largest["plain"] == 1152 * 32 * 48
    assert largest["rewritten"] < largest["plain"] / 2


def test_a_size_that_is_no_multiple_of_32_is_refused():
    deployed = rewriting.rewritten(checkpoints.random_weights("lircdepth")[0])
    with pytest.raises(ValueError, match="multiples of 32"):
        deployed(*inputs(1, 60, 96, torch.float32))
