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
from collections.abc import Callable, Collection, Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Literal, TypeAlias, TypeVar

from lircdepth_core.errors import LircDepthError

_PROGRESS_PERIOD_S = 0.2
_PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent ends

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_Advance: TypeAlias = Callable[[int], object]


def run(
    function: Callable[[_Task, _Advance], _Result],
    tasks: Iterable[_Task],
    jobs: int,
    advance: _Advance,
    method: Literal["fork", "spawn"] = "fork",
    start: Callable[[], object] | None = None,
    finished: Callable[[int, _Result], object] = lambda number, result: None,
) -> list[_Result]:
    """Return ``function(task, advance)`` of every task, in the order of the tasks.

    jobs: processes that work at once; below two, or with one task, this process does all. advance: called in this
    process with the counts with which ``function`` calls its second argument, possibly in another process. method:
    "fork" shares the data of ``function`` without a copy, "spawn" pickles it. start: called first in each process.
    finished: called in this process with the number of a task and its result, as they come. The exception of a task
    ends all processes and is raised here. Raises LircDepthError, which names the task, when a process ends before its
    work is done.
    """
    all_tasks = list(tasks)
    if jobs < 2 or len(all_tasks) < 2:
        return _run_here(function, all_tasks, advance, finished)
    context = _context(method)
    done: Synchronized[int] = context.Value("q", 0)
    shown = 0
    # Not concurrent.futures: its one pipe for all results hangs when a process ends while it writes to the pipe.
    workers: dict[Connection, BaseProcess] = {}
    busy: dict[Connection, int] = {}  # the number of the task on which each process works
    waiting = deque(range(len(all_tasks)))
    results: dict[int, _Result] = {}
    try:
        with interrupts_held():  # a worker inherits the blocked signal
            for _ in range(min(jobs, len(all_tasks))):
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
                    with _explained(workers[connection], all_tasks[busy[connection]]):
                        connection.send(all_tasks[busy[connection]])
            ready = multiprocessing.connection.wait(busy, _PROGRESS_PERIOD_S)
            free = [connection for connection in busy if connection in ready]
            for connection in free:
                with _explained(workers[connection], all_tasks[busy[connection]]):
                    result, error = connection.recv()
                if error is not None:
                    raise error
                number = busy.pop(connection)
                results[number] = result
                finished(number, result)
            count = done.get_obj().value  # read without its lock, which a killed process may hold
            advance(count - shown)
            shown = count
    finally:
        _end(workers.values())
    return [results[number] for number in range(len(all_tasks))]


def _context(method: Literal["fork", "spawn"]) -> ForkContext | SpawnContext:
    return multiprocessing.get_context("fork") if method == "fork" else multiprocessing.get_context("spawn")


def _end(workers: Collection[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


def _run_here(
    function: Callable[[_Task, _Advance], _Result],
    tasks: list[_Task],
    advance: _Advance,
    finished: Callable[[int, _Result], object],
) -> list[_Result]:
    results = []
    for number, task in enumerate(tasks):
        results.append(function(task, advance))
        finished(number, results[-1])
    return results


def _work(
    connection: Connection,
    function: Callable[[_Task, _Advance], _Result],
    done: "Synchronized[int]",
    parent: int,
    start: Callable[[], object] | None,
) -> None:
    """Run tasks in a worker process. An exception that is a fault of this package ends it with a traceback."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if start is not None:
        start()

    def advance(count: int) -> None:
        with done.get_lock():
            done.value += count

    while True:
        task = connection.recv()
        try:
            connection.send((function(task, advance), None))
        except (LircDepthError, OSError, MemoryError) as error:
            connection.send((None, error))


@contextlib.contextmanager
def _explained(process: BaseProcess, task: object) -> Iterator[None]:
    """Raise LircDepthError, which names the task, where the pipe to a process is broken."""
    try:
        yield
    except (EOFError, ConnectionError):
        process.join()
        status = process.exitcode
        why = "killed, perhaps because memory was exhausted" if status == -signal.SIGKILL else f"status {status}"
        raise LircDepthError(f"{task}: a process ended before its work was done: {why}") from None


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Deliver SIGINT only when the block is left; threads and processes that are started in it never get it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
