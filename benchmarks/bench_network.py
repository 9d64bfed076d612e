# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network on the CPU: every backend and precision beside the plain network, with and without tuned malloc.

    python benchmarks/bench_network.py [--sizes 352x704 ...] [--threads 2] [--rounds 5] [--compiled]
        [--weights FILE] [--frames FILE [--calibration FILE]] [--json FILE] [--plot FILE.png]

Each variant has a process of its own, since how malloc behaves is a process's property. In each round one after the
other computes a few frames: what else the machine does meets all alike. A ratio is the median over the rounds of
(reference's time / variant's time). Peak memory is the process's, PyTorch's own share included. With --frames
(packed frames that were not trained on) depth errors stand beside: mean absolute difference from the plain
network in float32, and AbsRel against the frames' exact depth, or else one lidar scan; --plot draws time against it.
float16 is for GPUs: computed here, it shows its rounding alone. --sizes with no size measures errors only.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the node has it
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.data.frame import prepare
from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import depth_errors, mean_errors
from lircdepth_core.inference.backends.opening import PRECISIONS, open_backend
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.device import cpu_name, keep_freed_memory
from lircdepth_core.inference.graph.rewriting import rewritten
from lircdepth_core.models import checkpoints

_FRAMES = 3  # that a process computes in a round; the least counts
REFERENCES = ("plain eager", "plain eager, tuned malloc")
ROUNDED = ("eager", "float16")  # no variant of a CPU's: slow, but rounded as on a GPU


class Plain:
    """The network as it is written, run as PyTorch runs it by default."""

    def __init__(self, network, tuned):
        if tuned:
            keep_freed_memory()
        self._network = network

    @torch.inference_mode()
    def infer(self, image, radar):
        return self._network(image, radar).depth


def work(pipe, name, precision, arguments):
    """Serve a variant in its own process: ("time", size) gives seconds and bytes, ("depths", frames) depth maps."""
    torch.set_num_threads(arguments.threads)
    try:
        network, header = checkpoints.load(arguments.weights)
        if name in REFERENCES:
            backend = Plain(network, tuned=name == REFERENCES[1])
        elif (name, precision) == ROUNDED:
            backend = PyTorchBackend(rewritten(network), "cpu", precision)
        else:
            backend = open_backend(
                network, name=name, precision=precision, device="cpu", threads=arguments.threads,
                cache=arguments.cache, calibration=calibration_frames(arguments.calibration, header.focal_length),
            )  # fmt: skip
        pipe.send("ready")
        while (task := pipe.recv()) is not None:
            kind, value = task
            if kind == "time":
                inputs = [torch.rand(1, channels, *value) for channels in (3, 4)]
                backend.infer(*inputs)  # not counted: compiles
                seconds = []
                for _ in range(_FRAMES):
                    began = time.perf_counter()
                    backend.infer(*inputs)
                    seconds.append(time.perf_counter() - began)
                pipe.send((min(seconds), 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
            else:
                for sample in value:
                    pipe.send(backend.infer(sample["image"][None], sample["radar"][None])[0, 0].numpy())
    except Exception as error:  # a library that is missing, or that does not work here: a row without figures
        pipe.send(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")


class Variant:
    def __init__(self, name, precision, arguments):
        self.name, self.precision = name, precision
        self.pipe, other = multiprocessing.get_context("spawn").Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=work, args=(other, name, precision, arguments), daemon=True
        )
        self.process.start()
        other.close()
        self.failure = None
        self._receive()

    @property
    def label(self):
        return self.name if self.precision is None else f"{self.name} {self.precision}"

    def ask(self, *task):
        """Send a task; return its first answer, or None once the variant has failed."""
        if self.failure is None:
            self.pipe.send(task)
        return self._receive()

    def _receive(self):
        if self.failure is not None:
            return None
        try:
            answer = self.pipe.recv()
        except EOFError:
            answer = "its process has ended; perhaps the memory did not suffice"
        if isinstance(answer, str) and answer != "ready":
            self.failure = answer
            print(f"{self.label}: {answer}", file=sys.stderr)
            return None
        return answer

    def depths(self, samples):
        first = self.ask("depths", samples)
        rest = [self._receive() for _ in samples[1:]]
        return None if self.failure else [first, *rest]

    def stop(self):
        if self.failure is None:
            self.pipe.send(None)
        self.process.join()


def variants(arguments):
    yield from ((name, None) for name in REFERENCES)
    for name, devices in PRECISIONS.items():
        if name != "compiled" or arguments.compiled:
            yield from ((name, precision) for precision in devices["cpu"])


def measure(size, arguments):
    """Return {label: {seconds: [...], peak_bytes}} at a size."""
    results = {}
    for _ in range(arguments.rounds):
        for name, precision in variants(arguments):
            variant = Variant(name, precision, arguments)  # one at a time: all together need 10 GB and more
            answer = variant.ask("time", size)
            variant.stop()
            result = results.setdefault(variant.label, {"seconds": [], "peak_bytes": 0})
            if answer is None:
                result["failure"] = variant.failure
            else:
                result["seconds"].append(answer[0])
                result["peak_bytes"] = max(result["peak_bytes"], answer[1])
    return results


def errors(arguments):
    """Return {label: {mae_to_float32, abs_rel, abs_rel_change}} over held-out frames."""
    frames = PackedFrames(arguments.frames)
    chosen = np.linspace(0, len(frames) - 1, min(arguments.limit, len(frames))).astype(int)
    samples = [prepare(frames.frame(int(index))) for index in chosen]
    truth = next(name for name in ("exact", "single", "dense") if name in samples[0])
    found, reference = {}, None
    for name, precision in (*variants(arguments), ROUNDED):
        variant = Variant(name, precision, arguments)
        depths = variant.depths(samples)
        variant.stop()
        if depths is None:
            continue
        of_truth = mean_errors(depth_errors(d, s[truth][0].numpy()) for d, s in zip(depths, samples, strict=True))
        reference = reference or (depths, of_truth["abs_rel"])
        found[variant.label] = {
            "mae_to_float32": float(np.mean([np.abs(a - b).mean() for a, b in zip(depths, reference[0], strict=True)])),
            "abs_rel": of_truth["abs_rel"],
            "abs_rel_change": of_truth["abs_rel"] / reference[1] - 1,
        }
    return {"frames": frames.description, "count": len(samples), "truth": truth, "variants": found}


def table(timings, depth):
    """Return Markdown lines: one row for each size and variant."""
    head = ["size", "variant", "ms (least)", "against plain", "against tuned malloc", "peak MB"]
    if depth:
        head += ["MAE to float32 [m]", "AbsRel", "change of AbsRel"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    timed = set().union(*timings.values())
    untimed = {label: {} for label in (depth["variants"] if depth else ()) if label not in timed}
    for size, results in (timings | {"-": untimed}).items():
        for label, result in results.items():
            cells = [size, label]
            if not result.get("seconds"):
                cells += ["-"] * 4
            else:
                times = np.array(result["seconds"])
                cells.append(f"{1e3 * np.median(times):.0f} ({1e3 * times.min():.0f})")
                for reference in REFERENCES:
                    others = np.array(results[reference].get("seconds", []))
                    result[f"ratio to {reference}"] = ratio = (
                        float(np.median(others / times)) if len(others) == len(times) else None
                    )
                    cells.append("-" if ratio is None else f"{ratio:.2f}x")
                cells.append(f"{result['peak_bytes'] / 1e6:.0f}")
            if depth:
                row = depth["variants"].get(label)
                formats = {"mae_to_float32": "{:.4f}", "abs_rel": "{:.4f}", "abs_rel_change": "{:+.2%}"}
                cells += [text.format(row[name]) if row else "-" for name, text in formats.items()]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def plot(path, timings, depth):
    """Draw time, at the largest size, against the difference from float32, a point for each variant."""
    from matplotlib.figure import Figure

    size, results = list(timings.items())[-1]
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    for label, row in depth["variants"].items():
        if results.get(label, {}).get("seconds"):
            milliseconds = 1e3 * float(np.median(results[label]["seconds"]))
            error = max(row["mae_to_float32"], 1e-6)  # a logarithm shows no zero
            text = f"{label}: {milliseconds:.0f} ms, AbsRel {row['abs_rel']:.4f}"
            axes.plot(milliseconds, error, "os^v"[len(axes.lines) // 10], label=text)
    axes.set_xlabel(f"network at {size}, ms a frame")
    axes.set_ylabel("mean difference from plain float32 [m]")
    axes.set_title(f"Time against depth error, {depth['count']} frames: {depth['frames']}", fontsize=9)
    axes.grid(which="both", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def size_of(text):
    return tuple(int(part) for part in text.split("x"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", type=size_of, default=[(352, 704), (448, 800), (896, 1600)])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiled", action="store_true", help="torch.compile too: a minute for each size")
    parser.add_argument("--weights", default="street", help="weights file (default: the one that ships)")
    parser.add_argument("--frames", help="packed frames to measure depth errors on")
    parser.add_argument("--limit", type=int, default=32, help="frames of them (default: %(default)s)")
    parser.add_argument("--calibration", help="packed frames for int8 (default: rendered from the synthetic street)")
    parser.add_argument("--cache", help="folder of engines (default: that of the runtime)")
    parser.add_argument("--json", type=Path, default=Path("out/bench/network.json"), metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw time against depth error")
    arguments = parser.parse_args()
    if arguments.plot and not arguments.frames:
        parser.error("--plot needs --frames")
    try:
        depth = errors(arguments) if arguments.frames else None
    except LircDepthError as error:
        parser.error(str(error))
    timings = {f"{size[0]}x{size[1]}": measure(size, arguments) for size in arguments.sizes}
    lines = table(timings, depth)
    results = {
        "date": time.strftime("%Y-%m-%d %H:%M"), "cpu": cpu_name(), "threads": arguments.threads,
        "rounds": arguments.rounds, "python": platform.python_version(), "torch": torch.__version__,
        "load": os.getloadavg()[0], "weights": Path(arguments.weights).name,
        "timings": timings, "depth": depth,
    }  # fmt: skip
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.plot:
        plot(arguments.plot, timings, depth)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
