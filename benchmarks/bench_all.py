# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every benchmark that runs on a CPU, at settings for two cores: `make bench`.

    python benchmarks/bench_all.py [--weights FILE] [--frames FILE] [--only network node ...]

Prints each one's table, and writes out/bench/results.json: the machine, and for each benchmark its figures where it
writes them as JSON, and what it printed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lircdepth_core.errors import LircDepthError  # noqa: E402
from lircdepth_core.inference.device import cpu_name  # noqa: E402
from lircdepth_core.models import checkpoints  # noqa: E402

FOLDER = Path("out/bench")
# name: (program's name, arguments, whether it takes --json FILE)
BENCHMARKS = {
    "network": ("network", ["--rounds", "3", "--plot", str(FOLDER / "network.png")], True),
    "node": ("node", ["--backends", "plain", "auto", "--seconds", "20"], True),
    "node at full size": ("node", ["--weights", "random", "--backends", "plain", "auto", "--seconds", "20"], True),
    "start": ("start", ["--runs", "2"], True),
    "transport": ("transport", ["--seconds", "5"], True),
    "upsampling": ("upsampling", ["--frames", "3"], True),
    "ground truth": ("ground_truth", [], False),
    "losses": ("losses", ["--limit-gb", "3"], False),
    "bags": ("bags", ["--seconds", "5", "--repeats", "2", "--replay"], False),
    "synthetic": ("synthetic", ["--samples", "4"], False),
}


def packed_test_frames(header):
    """Render 32 test frames of the street for a camera of a Header's focal length; return their file."""
    from lircdepth_core.data.packed import pack
    from lircdepth_core.data.street import StreetFrames
    from lircdepth_core.synthetic.sensors.rig import CameraModel

    path = FOLDER / "test.safetensors"
    pack(StreetFrames("test", 32, CameraModel().scale_for(header.focal_length)), path, jobs=os.cpu_count())
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="street", help="weights of the network's depth errors and times")
    parser.add_argument("--frames", help="packed frames to measure depth errors on (default: rendered)")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    arguments = parser.parse_args()
    try:
        header = checkpoints.read_header(arguments.weights)
    except LircDepthError as error:
        sys.exit(f"bench: {error}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = {"date": time.strftime("%Y-%m-%d %H:%M"), "cpu": cpu_name(), "cores": os.cpu_count(), "benchmarks": {}}
    failed = []
    for name in arguments.only:
        program, options, writes_json = BENCHMARKS[name]
        figures = FOLDER / f"{name.replace(' ', '_')}.json"
        if writes_json:
            figures.unlink(missing_ok=True)
            options = [*options, "--json", str(figures)]
        if name == "network":
            frames = arguments.frames or packed_test_frames(header)
            options = [*options, "--weights", arguments.weights, "--frames", str(frames)]
        print(f"\n## {name}\n", flush=True)
        load, began = os.getloadavg()[0], time.monotonic()
        # The project's folder on the path: some of the benchmarks are started so by hand.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / f"bench_{program}.py"), *options],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
        if process.wait():
            failed.append(name)
        results["benchmarks"][name] = {
            "status": process.returncode, "seconds": time.monotonic() - began, "load_before": load,
            "figures": json.loads(figures.read_text()) if writes_json and figures.is_file() else None,
            "printed": lines,
        }  # fmt: skip
        (FOLDER / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwrote {FOLDER / 'results.json'}")
    if failed:
        sys.exit(f"bench: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
