# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a scheduler bears: tasks that only sleep, given to 1, 10, 100 and 1,000 workers through lircdepth_core.work.

Scheduler, client and each hundred workers are a process of their own; workers of one process are objects with a TCP
connection each, since 1,000 processes do not fit into a machine. How much of a core each part took says what it would
bear with a core of its own, whatever else runs here.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lircdepth_core import work

WORKERS_A_PROCESS = 100
QUIET = {  # of many workers in one process, which has no core for each one's statistics
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "60s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "60s",
    "DASK_DISTRIBUTED__ADMIN__TICK__CYCLE": "60s",
    "DASK_DISTRIBUTED__WORKER__USE_FILE_LOCKING": "false",  # each would try the locks of all others
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "120s",
}


def nap(seconds, _advance):
    """Take the time of an item, and nothing else."""
    time.sleep(seconds)


async def serve(address, count):
    """Be so many workers of one thread each until this process is ended."""
    import distributed

    workers = [
        distributed.Worker(address, nthreads=1, memory_limit=0, dashboard=False, local_directory="/tmp")
        for _ in range(count)
    ]
    for worker in workers:
        await worker
    await asyncio.gather(*(worker.finished() for worker in workers))


@contextlib.contextmanager
def started(workers):
    """Yield (address, scheduler's process, processes of workers)."""
    import distributed
    from distributed.utils import open_port

    address = f"tcp://127.0.0.1:{open_port()}"
    environment = os.environ | QUIET | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard", "--no-show"]
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, **quiet)]
    try:
        for first in range(0, workers, WORKERS_A_PROCESS):
            count = str(min(WORKERS_A_PROCESS, workers - first))
            processes.append(subprocess.Popen([sys.executable, __file__, "--serve", address, count], **quiet))
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=1200)
        yield address, processes[0], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def cpu_seconds(processes):
    """Return the time that cores have worked for processes."""
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


def measure(address, scheduler, others, workers, seconds, rounds):
    """Return a row of the table: ``rounds`` tasks of ``seconds`` for each worker."""
    who, tasks = work.Workers(cluster=address), workers * rounds
    parts = {"scheduler": lambda: cpu_seconds([scheduler]), "client": time.process_time,
             "workers": lambda: cpu_seconds(others)}  # fmt: skip
    before = {name: read() for name, read in parts.items()}
    began = time.monotonic()
    work.run(nap, [seconds] * tasks, who)
    took = time.monotonic() - began
    cost = {f"{name} [ms a task]": 1000 * (read() - before[name]) / tasks for name, read in parts.items()}
    return {
        "workers": workers, "tasks": tasks, "seconds a task": seconds, "took [s]": took,
        "of the ideal": rounds * seconds / took, "tasks a second": tasks / took,
    } | cost  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 30.0], help="that a task sleeps")
    parser.add_argument("--rounds", type=int, default=3, help="tasks for each worker")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/bench/cluster.json"))
    parser.add_argument("--serve", nargs=2, metavar=("ADDRESS", "N"), help="be N workers; for this program itself")
    arguments = parser.parse_args()
    if arguments.serve:
        return asyncio.run(serve(arguments.serve[0], int(arguments.serve[1])))
    rows = []
    for workers in arguments.workers:
        with started(workers) as (address, scheduler, others):
            for seconds in arguments.seconds:
                rows.append(measure(address, scheduler, others, workers, seconds, arguments.rounds))
                print(rows[-1], flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(tabulate(rows, headers="keys", floatfmt=".2f", tablefmt="github"))


if __name__ == "__main__":
    main()
