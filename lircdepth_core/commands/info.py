# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth info`: size and cost of a network, by part."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError


def _size(text):
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not HEIGHTxWIDTH, such as 896x1600")
    return int(height), int(width)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--model", choices=models.NAMES, default="lircdepth")
    parser.add_argument("--weights", metavar="FILE.safetensors", help="print this file's header too")
    parser.add_argument("--size", type=_size, default=(896, 1600), metavar="HEIGHTxWIDTH", help="default 896x1600")
    parser.add_argument("--json", action="store_true", help="print it for machines")


def count_macs(network, height, width):
    """Return multiply-accumulates of one forward pass of a network on the meta device, {module path: MACs}.

    Only convolutions and matrix products are counted; "" is the whole network.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, height, width, device="meta"), torch.empty(1, 4, height, width, device="meta"))
    root = type(network).__name__
    return {
        path.removeprefix(root).removeprefix("."): sum(flops.values()) // 2
        for path, flops in counter.get_flop_counts().items()
        if path != "Global"
    }


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    import torch

    from lircdepth_core.models import checkpoints

    model, config = arguments.model, {}
    found: dict[str, Any] = {}
    if arguments.weights:
        header = checkpoints.read_header(arguments.weights)
        model, config = header.model, header.config
        found["header"] = vars(header)
    with torch.device("meta"):
        network = models.build(model, **config).eval()
    try:
        macs = count_macs(network, *arguments.size)
    except ValueError as error:
        raise LircDepthError(str(error)) from error
    found |= {"model": model, "size": arguments.size, "parts": {}}
    for path, module in network.named_modules():
        if path.count(".") <= 1 and path in macs:
            parameters = sum(parameter.numel() for parameter in module.parameters())
            found["parts"][path or "all"] = {"parameters": parameters, "macs": macs[path]}
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for name, value in found.get("header", {}).items():
        yield f"{name:14} {value}"
    height, width = found["size"]
    yield f"{found['model']} at {height}x{width}"
    yield f"{'part':24}{'parameters':>14}{'GMAC':>10}"
    for path, part in found["parts"].items():
        yield f"{'  ' * path.count('.') + path:24}{part['parameters']:>14,}{part['macs'] / 1e9:>10.2f}"
