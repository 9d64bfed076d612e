# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a scheduler bears: tasks that only sleep, given to 1, 10, 100 and 1,000 workers through lircdepth_core.work.

The workers are objects in this process, each with its own TCP connection to the scheduler, since 1,000 processes do not
fit into a machine. Scheduler, client and workers share its cores: real ones have more.
"""

import argparse
import json
import logging
import sys
import time
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lircdepth_core import work


def nap(seconds, _advance):
    """Take the time of an item, and nothing else."""
    time.sleep(seconds)


def measure(workers, seconds, rounds):
    """Return a row of the table: ``rounds`` tasks of ``seconds`` for each worker."""
    import distributed

    began = time.monotonic()
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None,
        silence_logs=logging.CRITICAL, memory_limit=0,
    ) as cluster:  # fmt: skip
        started = time.monotonic() - began
        who = work.Workers(cluster=cluster.scheduler_address)
        work.run(nap, [0.0] * workers, who)  # each has the function
        began = time.monotonic()
        work.run(nap, [seconds] * (workers * rounds), who)
        took = time.monotonic() - began
    return {
        "workers": workers, "tasks": workers * rounds, "seconds a task": seconds, "took [s]": took,
        "of the ideal": rounds * seconds / took, "tasks a second": workers * rounds / took, "start [s]": started,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 10.0], help="that a task sleeps")
    parser.add_argument("--rounds", type=int, default=3, help="tasks for each worker")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/bench/cluster.json"))
    arguments = parser.parse_args()
    rows = []
    for workers in arguments.workers:
        for seconds in arguments.seconds:
            rows.append(measure(workers, seconds, arguments.rounds))
            print(rows[-1], flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(tabulate(rows, headers="keys", floatfmt=".2f", tablefmt="github"))


if __name__ == "__main__":
    main()
