# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network on a GPU: eager, compiled and as a CUDA graph, in each precision, beside what the hardware allows.

    python benchmarks/bench_gpu.py [--size 896x1600] [--batches 1 6] [--frames 100] [--weights FILE] [--json FILE]

Needs torch and torchvision alone; a variant that needs more, or does not run here, is a row that says so. Times are
between CUDA events around each frame, inputs on the device already; the cold start is the wall time from the network to
its first depth, compilation included. Two floors: the multiply-accumulates of the rewritten network at the rate that a
large matrix product reaches here, and what its convolutions read and write, each once and with nothing fused but
activations, at the rate of a large copy. Fusing convolutions may beat the second, never the first.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn

from lircdepth_core.commands.info import count_macs
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.compiled import captured
from lircdepth_core.inference.backends.opening import open_backend
from lircdepth_core.inference.graph.precision import reduced
from lircdepth_core.inference.graph.rewriting import rewritten
from lircdepth_core.models import checkpoints

PRECISIONS = ("float32", "bfloat16", "float16")


def made(network, name, precision, inputs):
    """Return a function of the inputs, for a variant's name."""
    if name == "onnxruntime":
        return open_backend(network, name=name, precision=precision, device=str(inputs[0].device)).infer
    if name == "plain":
        network = network.to(inputs[0].device, memory_format=torch.channels_last)
        return lambda image, radar: network(image, radar).depth
    function = reduced(rewritten(network), precision).to(inputs[0].device, memory_format=torch.channels_last)
    if name.startswith("compiled"):
        function = torch.compile(torch.export.export(function, tuple(inputs)).module(), dynamic=False)
    return captured(function, [value.clone() for value in inputs]) if name.endswith("graph") else function


def timed(function, count):
    """Return the milliseconds of ``count`` calls, each between two CUDA events."""
    for _ in range(5):
        function()
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)]
    for begin, end in events:
        begin.record()
        function()
        end.record()
    torch.cuda.synchronize()
    return np.array([begin.elapsed_time(end) for begin, end in events])


def rates(precision):
    """Return (multiply-accumulates, bytes) a second that a large matrix product and a large copy reach here."""
    n = 8192
    a = torch.randn(n, n, device="cuda", dtype=getattr(torch, precision))
    product = n**3 / (1e-3 * np.median(timed(lambda: a @ a, 20)))
    data = torch.empty(2**30, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(data)
    return product, 2 * data.numel() / (1e-3 * np.median(timed(lambda: target.copy_(data), 20)))


def traffic(network, size):
    """Return the numbers that the convolutions of a module read and write, maps and weights, at a size (H, W)."""
    network, total = network.to("meta"), 0

    def count(layer, inputs, output):
        nonlocal total
        total += inputs[0].numel() + output.numel() + layer.weight.numel()

    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.register_forward_hook(count)
    network(*(torch.empty(1, channels, *size, device="meta") for channels in (3, 4)))
    return total


def floors(network, size):
    """Return {precision: (milliseconds of arithmetic, milliseconds of traffic)} of one image."""
    small = rewritten(network)
    macs, numbers = count_macs(rewritten(network).to("meta"), *size)[""], traffic(small, size)
    found = {}
    for precision in PRECISIONS:
        per_second, bandwidth = rates(precision)
        width = torch.finfo(getattr(torch, precision)).bits // 8
        found[precision] = (1e3 * macs / per_second, 1e3 * numbers * width / bandwidth)
    return macs, found


def variants():
    yield "plain", "float32"
    for precision in PRECISIONS:
        for name in ("eager", "eager, CUDA graph", "compiled", "compiled, CUDA graph"):
            yield name, precision
    yield "onnxruntime", "float32"
    yield "onnxruntime", "float16"


def measure(network, name, precision, inputs, expected, count):
    """Return a variant's figures, or why there are none."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        with torch.inference_mode():
            began = time.perf_counter()
            function = made(network, name, precision, inputs)
            depth = function(*inputs).float()
            torch.cuda.synchronize()
            cold = time.perf_counter() - began
            times = timed(lambda: function(*inputs), count)
    except Exception as error:  # of whichever library is missing or does not run here
        return {"failure": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"}
    difference = None if expected is None else float((depth - expected).abs().mean())
    return {
        "p50_ms": float(np.median(times)), "p99_ms": float(np.quantile(times, 0.99)), "cold_s": cold,
        "peak_bytes": torch.cuda.max_memory_allocated(), "mae_to_plain": difference,
    }  # fmt: skip


def size_of(text):
    return tuple(int(part) for part in text.split("x"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=size_of, default=(896, 1600))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 6])
    parser.add_argument("--frames", type=int, default=100, help="that are timed (default: %(default)s)")
    parser.add_argument("--weights", default="random", help="weights (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=Path("out/bench/gpu.json"), metavar="FILE")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(f"bench_gpu: PyTorch {torch.__version__} sees no GPU on this machine")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True  # as in cuDNN's convolutions by default
    try:
        network, _ = checkpoints.load(arguments.weights)
    except (ImportError, LircDepthError) as error:
        sys.exit(f"bench_gpu: {error}")
    macs, floor = floors(network, arguments.size)
    rows = []
    for batch in arguments.batches:
        generator = torch.Generator().manual_seed(0)
        inputs = [
            torch.rand(batch, channels, *arguments.size, generator=generator)
            .cuda()
            .contiguous(memory_format=torch.channels_last)
            for channels in (3, 4)
        ]
        with torch.inference_mode():
            expected = network.cuda()(*inputs).depth
        network.cpu()
        for name, precision in variants():
            row = measure(network, name, precision, inputs, expected, arguments.frames)
            network.cpu()
            rows.append({"batch": batch, "name": name, "precision": precision} | row)
            print(f"{batch} x {name} {precision}: {row.get('p50_ms', row.get('failure'))}", file=sys.stderr, flush=True)
    plain = {row["batch"]: row.get("p50_ms") for row in rows if row["name"] == "plain"}
    title = f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, {arguments.size[0]}x{arguments.size[1]}"
    print(f"{title}, {macs / 1e9:.2f} GMAC an image after rewriting\n")
    head = ["batch", "variant", "p50 ms", "p99 ms", "against plain", "cold start s", "peak MB", "MAE to plain [m]",
            "floor: arithmetic ms", "floor: traffic ms"]  # fmt: skip
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        label = f"{row['name']} {row['precision'].replace('float32', 'float32 (TF32)')}"
        cells = [str(row["batch"]), label]
        if "failure" in row:
            cells += [row["failure"], *["-"] * 7]
        else:
            ratio = f"{plain[row['batch']] / row['p50_ms']:.2f}x" if plain[row["batch"]] else "-"
            cells += [f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}", ratio, f"{row['cold_s']:.1f}",
                      f"{row['peak_bytes'] / 1e6:.0f}", f"{row['mae_to_plain']:.5f}"]  # fmt: skip
            cells += [f"{row['batch'] * milliseconds:.2f}" for milliseconds in floor[row["precision"]]]
        print("| " + " | ".join(cells) + " |")
    results = {
        "date": time.strftime("%Y-%m-%d %H:%M"), "gpu": torch.cuda.get_device_name(), "torch": torch.__version__,
        "cuda": torch.version.cuda, "size": arguments.size, "macs": macs, "floor_ms": floor, "rows": rows,
    }  # fmt: skip
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
