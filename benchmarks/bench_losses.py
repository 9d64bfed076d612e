# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of the structure loss (Eq. 2, 3), forward and backward, beside the form with the pair matrix.

    python benchmarks/bench_losses.py [--device cuda] [--limit-gb 6]

Each row runs in a process of its own, whose peak memory above its start is reported. The pair form is skipped where
its matrices alone would exceed the limit.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.nn import functional

from lircdepth_core.losses.distillation import similarity_difference

# (pixels, channels): three sizes, then the decoder features of a 352x704 input, coarse to fine
CASES = ((1024, 64), (4096, 64), (16384, 64),
         (22 * 44, 512), (44 * 88, 128), (88 * 176, 128), (176 * 352, 64), (352 * 704, 32))  # fmt: skip
GB = 1e9


def pair_form(student, teacher):
    """Compute the definition, with both HW x HW matrices."""
    student, teacher = (functional.normalize(x.flatten(2), dim=1) for x in (student, teacher))
    return (student.mT @ student - teacher.mT @ teacher).square().mean()


def measure(form, pixels, channels, device, results):
    torch.manual_seed(0)
    student = torch.randn(1, channels, pixels, 1, device=device, requires_grad=True)
    teacher = torch.randn(1, channels, pixels, 1, device=device)
    loss = {"factored": similarity_difference, "pairs": pair_form}[form]
    loss(student[:, :, :64], teacher[:, :, :64]).backward()  # libraries start
    student.grad = None
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started = time.perf_counter()
    loss(student, teacher).backward()
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    results.put((seconds, torch.cuda.max_memory_allocated() if device == "cuda" else peak))


def run(form, pixels, channels, device):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measure, args=(form, pixels, channels, device, results))
    process.start()
    process.join()
    return None if process.exitcode else results.get()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--limit-gb", type=float, default=6.0)
    arguments = parser.parse_args()
    print(f"{'pixels':>8}{'channels':>10}{'factored':>22}{'pair matrix':>24}")
    for pixels, channels in CASES:
        row = f"{pixels:>8}{channels:>10}"
        one_matrix = 4 * pixels**2 / GB
        for form, width in (("factored", 22), ("pairs", 24)):
            if form == "pairs" and 4 * one_matrix > arguments.limit_gb:
                row += f"{f'one matrix: {one_matrix:.1f} GB':>{width}}"
                continue
            result = run(form, pixels, channels, arguments.device)
            text = "failed" if result is None else f"{result[0] * 1e3:.1f} ms, {result[1] / 1e6:.0f} MB"
            row += f"{text:>{width}}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
