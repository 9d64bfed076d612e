# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A real Dask cluster of processes on this machine, whose parts can be killed; functions that its workers run."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lircdepth_core.errors import LircDepthError
from paths import REPOSITORY

_START_TIMEOUT_S = 180


class Cluster:
    """A scheduler and workers with a nanny each, which starts a worker again that was killed.

    inside: words before a worker's command, such as those that run it in a network namespace.
    """

    def __init__(self, workers, host="127.0.0.1", inside=lambda number: (), path=(), memory_limit="0", threads=1):
        with socket.socket() as free:
            free.bind((host, 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://{host}:{self._port}"
        self._host, self._inside, self._path, self._memory_limit = host, inside, path, memory_limit
        self._threads = threads
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (*path, REPOSITORY, REPOSITORY / "test/support"))),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
            "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "50ms",
        }
        self._processes = []
        self.start_scheduler()
        self.start_workers(workers)

    def _start(self, *words):
        process = subprocess.Popen(
            [*words],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def start_scheduler(self):
        self._scheduler = self._start(
            sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", self._host, "--port", str(self._port),
            "--no-dashboard", "--no-show",
        )  # fmt: skip
        self.wait(self._answers)

    def _answers(self):
        with contextlib.suppress(OSError), socket.create_connection((self._host, self._port), 1):
            return True
        return False

    def start_workers(self, count):
        for number in range(count):
            self._start(
                *self._inside(number), sys.executable, "-m", "distributed.cli.dask_worker", self.address,
                "--nthreads", str(self._threads), "--no-dashboard",
                "--memory-limit", self._memory_limit, "--death-timeout", "180",
            )  # fmt: skip
        self.wait(lambda: len(self.workers()) >= count)  # more where those of a lost scheduler found the new one

    def wait(self, condition):
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline, "the cluster does not come up"
            time.sleep(0.05)

    def workers(self):
        """{address: pid} of the workers that the scheduler knows."""
        import distributed

        with distributed.Client(self.address, set_as_default=False) as client:
            return client.run(os.getpid, on_error="ignore")  # of one that is just ending

    def kill_scheduler(self):
        self._scheduler.kill()
        self._scheduler.wait()

    def close(self):
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def double(item, advance):
    advance(item)
    return 2 * item, os.getpid()


def fail_at_three(item, advance):
    if item == 3:
        raise LircDepthError("it is wrong")


def miss_a_file_at_three(item, advance):
    if item == 3:
        Path("/nowhere/file").read_bytes()


def die_at_three(item, advance):
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)


class DieInCompany:
    """Says which process works on an item, waits for a file "go", and kills its process where the item is 0."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, item, advance):
        (self.folder / f"pid-{item}-{os.getpid()}").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.02)
        if item == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / f"done-{item}").touch()


def fill_memory(item, advance):
    kept = []
    for _ in range(1000):
        kept.append(bytearray(os.urandom(1)) * 4_000_000)
        time.sleep(0.01)


class Note:
    """Writes a line of an item into a folder, slowly; fails at first where a file "trouble" is there."""

    def __init__(self, folder, seconds=0.0):
        self.folder, self.seconds = folder, seconds

    def __call__(self, item, advance):
        from lircdepth_core.files import written_whole
        from lircdepth_core.manifest import entry_of

        trouble = self.folder / "trouble"
        with contextlib.suppress(FileNotFoundError):  # nobody's trouble, or another worker's, which removed it first
            trouble.unlink()
            raise OSError(5, "Input/output error", str(trouble))
        time.sleep(self.seconds)
        path = self.folder / f"{item}.txt"
        with written_whole(path) as partial, partial.open("w") as file:
            file.write(f"{item}\n")
            file.flush()
            time.sleep(self.seconds)
        advance(1)
        return entry_of(self.folder, str(item), [path])


class CountsLoads:
    """Counts in a folder how often it was loaded."""

    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.__dict__ |= state
        (self.folder / f"loaded-{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, item, advance):
        return item
