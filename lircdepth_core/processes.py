# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Work shared among processes.

Only the parent process handles SIGINT; workers ignore it. A worker that is killed is an error, and no worker outlives
its parent.
"""

import contextlib
import ctypes
import multiprocessing.connection
import os
import signal
import sys
from collections import deque

from lircdepth_core.errors import LircDepthError

_PROGRESS_PERIOD = 0.2  # seconds


def run(function, tasks, jobs, advance, method="fork", start=None):
    """Return ``function(task, advance)`` of every task, in the order of the tasks.

    jobs: processes that work at once; below two, or with one task, all is done in this one. advance: called here with
    the counts that ``function`` calls its own with, which may come from another process. method: "fork" shares what
    ``function`` holds without a copy, "spawn" pickles it. start: called first in each process.
    What a task raises ends all processes and is raised here. Raises LircDepthError when a process ends before
    its work is done.
    """
    tasks = list(tasks)
    if jobs < 2 or len(tasks) < 2:
        return [function(task, advance) for task in tasks]
    context = multiprocessing.get_context(method)
    done, shown = context.Value("q", 0), 0
    # Not concurrent.futures: its one pipe for all results hangs when a process is ended while it writes to it.
    workers, busy, waiting, results = {}, {}, deque(range(len(tasks))), [None] * len(tasks)
    try:
        with _interrupts_held():  # a worker inherits the blocked signal
            for _ in range(min(jobs, len(tasks))):
                connection, end = context.Pipe()
                process = context.Process(target=_work, args=(end, function, done, os.getpid(), start))
                process.start()
                workers[connection] = process
                end.close()
        free = list(workers)
        while waiting or busy:
            for connection in free:
                if waiting:
                    busy[connection] = waiting.popleft()
                    with _explained(workers[connection]):
                        connection.send(tasks[busy[connection]])
            free = multiprocessing.connection.wait(busy, _PROGRESS_PERIOD)
            for connection in free:
                with _explained(workers[connection]):
                    result, error = connection.recv()
                if error is not None:
                    raise error
                results[busy.pop(connection)] = result
            count = done.get_obj().value  # without its lock, which a killed process may hold
            advance(count - shown)
            shown = count
    finally:
        for process in workers.values():
            process.terminate()
        for process in workers.values():
            process.join()
    return results


def _work(connection, function, done, parent, start):
    """Run tasks in a worker process. An exception that is a fault of this package ends it with a traceback."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if start is not None:
        start()

    def advance(count):
        with done.get_lock():
            done.value += count

    while True:
        task = connection.recv()
        try:
            connection.send((function(task, advance), None))
        except (LircDepthError, OSError, MemoryError) as error:
            connection.send((None, error))


@contextlib.contextmanager
def _explained(process):
    """Raise LircDepthError where the pipe to a process is broken."""
    try:
        yield
    except (EOFError, ConnectionError):
        process.join()
        status = process.exitcode
        why = "killed, for want of memory perhaps" if status == -signal.SIGKILL else f"status {status}"
        raise LircDepthError(f"a process ended before its work was done: {why}") from None


@contextlib.contextmanager
def _interrupts_held():
    """Deliver SIGINT only when the block is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
