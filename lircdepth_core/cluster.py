# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Work on the workers of a Dask cluster: as processes.run, on many machines.

Dask's `distributed` is imported only here, and only when a cluster is asked for. Workers need this package in the same
version, one thread each, and the same paths.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import logging
import pickle
import signal
import socket
import sys
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple, TypeAlias, TypeVar

from lircdepth_core.errors import LircDepthError, naming
from lircdepth_core.packages import import_package
from lircdepth_core.processes import interrupts_held
from lircdepth_core.version import version

_CONNECT_TIMEOUT_S = 10.0
_RETURN_TIMEOUT_S = 60.0  # how long a scheduler that went away may take to come back
_WORKERS_PERIOD_S = 5.0  # between two looks at how many workers there are
_BATCH_SYSTEMS = {"slurm": "SLURMCluster", "pbs": "PBSCluster"}

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_Advance: TypeAlias = Callable[[int], object]


class _Outcome(NamedTuple):
    """What comes back from a worker: a result, or the text of an error, and the counts of progress."""

    result: Any
    error: str | None
    counted: int


class _SchedulerLostError(Exception):
    pass


def check(where: str) -> None:
    """Raise LircDepthError where a package is missing, or no scheduler answers; called before any work."""
    import_package("distributed")
    if where in _BATCH_SYSTEMS:
        _jobqueue()
    elif where != "local":
        _require_answer(where)


def run(
    function: Callable[[_Task, _Advance], _Result],
    tasks: Sequence[_Task],
    where: str,
    jobs: int,
    advance: _Advance,
    start: Callable[[], object] | None,
    finished: Callable[[int, _Result], object],
) -> list[_Result]:
    """Return ``function(task, advance)`` of every task, in the order of the tasks.

    where: address of a scheduler, "local" for a cluster of ``jobs`` workers on this machine, or the name of a batch
    system. Other arguments: as of processes.run. Where a scheduler at an address goes away and comes back, what was not
    reported is given to it again. Raises LircDepthError for the first task that fails, and where the cluster cannot be
    used.
    """
    results: dict[int, _Result] = {}
    payload = pickle.dumps((_versions(), pickle.dumps((function, start))))
    while len(results) < len(tasks):
        missing = {number: task for number, task in enumerate(tasks) if number not in results}
        try:
            with _connected(where, jobs) as client:
                for number, outcome in _outcomes(client, payload, missing):
                    if outcome.error is not None:
                        raise LircDepthError(outcome.error)
                    advance(outcome.counted)
                    results[number] = outcome.result
                    finished(number, outcome.result)
        except _SchedulerLostError:
            if ":" not in where:
                raise LircDepthError(f"the scheduler of --cluster {where} ended before its work was done") from None
            _wait_for_return(where)
    return [results[number] for number in range(len(tasks))]


class _Queue:
    """The tasks that wait: as many are at work as there are workers, so that the scheduler never holds more.

    What was at work on workers that ended, or only waited there, is tried again while nothing else is at work: that
    tells which task it is that ends its worker.
    """

    def __init__(self, client: Any, numbers: Collection[int]) -> None:
        self._client = client
        self._waiting = deque(numbers)
        self._suspects: deque[int] = deque()
        self._alone = set(numbers) if len(numbers) == 1 else set()
        self._looked, self._workers = -_WORKERS_PERIOD_S, 1

    def take(self, at_work: int) -> list[int]:
        """Return the numbers of the tasks to give to the cluster, where so many are at work."""
        if self._suspects:
            if at_work:
                return []
            self._alone.add(self._suspects[0])
            return [self._suspects.popleft()]
        if time.monotonic() - self._looked > _WORKERS_PERIOD_S:
            self._looked, self._workers = time.monotonic(), max(1, len(self._client.nthreads()))
        free = max(0, self._workers - at_work)
        return [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]

    def try_alone(self, number: int) -> bool:
        """Keep a task whose workers ended for another try; return False where it was alone already."""
        if number in self._alone:
            return False
        self._suspects.append(number)
        return True


def _outcomes(client: Any, payload: bytes, tasks: dict[int, _Task]) -> Iterator[tuple[int, _Outcome]]:
    """Yield the number and the outcome of each task, as they come."""
    import distributed

    if not tasks:
        return
    _require_one_thread(client)
    # Kept by the scheduler, and fetched once by each worker. Not as a result that tasks depend on: the scheduler gives
    # such tasks to workers that have the result, and most of the others stay idle.
    function = f"lircdepth-{uuid.uuid4().hex}"
    client.set_metadata(function, payload)
    queue, tries = _Queue(client, tasks), itertools.count()
    numbers: dict[Any, int] = {}
    coming = distributed.as_completed(loop=client.loop)
    while True:
        given = queue.take(len(numbers))
        if given:  # together: each message to the scheduler costs as much as several tasks in it
            arguments = [function] * len(given), [tasks[number] for number in given]
            keys = [f"{function}-{next(tries)}" for _ in given]
            futures = client.map(_call, *arguments, key=keys, pure=False)
            numbers |= dict(zip(futures, given, strict=True))
            coming.update(futures)
        if not numbers:
            client.set_metadata(function, None)
            return
        came = coming.next_batch()
        done = [future for future in came if future.status == "finished"]
        with _explained(numbers, tasks):  # fetched together: one after the other they came at 22 a second
            outcomes = client.gather(done)
        for future, outcome in zip(done, outcomes, strict=True):
            yield numbers.pop(future), outcome
        for future in came:
            if future.status == "lost" and client.status == "running":  # with its worker: it is done again
                coming.add(future)
            elif future in numbers:
                with _explained(numbers, tasks):
                    if _killed(future) and queue.try_alone(numbers[future]):
                        del numbers[future]
                    else:
                        future.result()


def _killed(future: Any) -> bool:
    """Return whether the scheduler gave a task up because its workers ended."""
    from distributed.scheduler import KilledWorker

    return isinstance(future.exception(), KilledWorker)


@contextlib.contextmanager
def _explained(numbers: dict[Any, int], tasks: Mapping[int, object]) -> Iterator[None]:
    """Raise LircDepthError where workers were killed or lack a package, and _SchedulerLostError where it is gone."""
    from distributed.scheduler import KilledWorker

    try:
        yield
    except KilledWorker as error:
        task = next(tasks[number] for future, number in numbers.items() if future.key == error.task)
        raise LircDepthError(
            f"{task}: {error.allowed_failures + 1} workers ended while they worked on it, the last one "
            f"{error.last_worker.address}: killed, perhaps because memory was exhausted"
        ) from None
    except ModuleNotFoundError as error:
        raise LircDepthError(f"a worker of the cluster does not have the package {error.name}") from error
    except (OSError, TimeoutError, concurrent.futures.CancelledError) as error:
        raise _SchedulerLostError from error


def _call(function: str, task: Any) -> _Outcome:
    """Do a task on a worker."""
    counted = 0

    def count(number: int) -> None:
        nonlocal counted
        counted += number

    try:
        return _Outcome(_function_of(function)(task, count), None, counted)
    except LircDepthError as error:
        from distributed import get_worker

        return _Outcome(None, f"{naming(str(task), str(error))} (worker {get_worker().address})", counted)


@functools.lru_cache(maxsize=1)
def _function_of(name: str) -> Callable[[Any, _Advance], Any]:
    """Return the function that the scheduler keeps; made once a worker. Raises LircDepthError where versions differ."""
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    sent, pickled = pickle.loads(sync(worker.loop, worker.scheduler.get_metadata, keys=[name]))
    own = _versions()
    different = [f"{name} {own[name]}, expected {sent[name]}" for name in sent if own[name] != sent[name]]
    if different:
        raise LircDepthError(f"this worker has {'; '.join(different)}: install the same as where the command runs")
    function: Callable[[Any, _Advance], Any]
    function, start = pickle.loads(pickled)
    if start is not None:
        start()
    return function


@functools.cache
def _versions() -> dict[str, str]:
    """Return what must be the same where a command runs and on its workers."""
    found = {name: metadata.version(name) for name in ("distributed", "numpy", "torch")}
    return {"lircdepth": version(), "Python": f"{sys.version_info.major}.{sys.version_info.minor}"} | found


def _require_one_thread(client: Any) -> None:
    """Raise LircDepthError where a worker has several threads, which would share what is not made for it."""
    for address, threads in client.nthreads().items():
        if threads != 1:
            raise LircDepthError(
                f"worker {address} has {threads} threads, expected 1: start it with --nthreads 1 --nworkers {threads}"
            )


@contextlib.contextmanager
def _connected(where: str, jobs: int) -> Iterator[Any]:
    """Yield a client of a cluster that has a worker; a cluster that is made here ends with the block."""
    import distributed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said here, in a line
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # of versions that differ: each task compares those that matter
        address: Any = where
        if where == "local" or where in _BATCH_SYSTEMS:
            with interrupts_held():  # the threads and processes of the cluster inherit the blocked signal
                address = stack.enter_context(_cluster(where, jobs))
        else:
            _require_answer(where)
        client = distributed.Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
        stack.callback(_closed, client)
        if not client.nthreads():
            print(f"--cluster {where}: no worker has joined yet: waiting", flush=True)
            client.wait_for_workers(1)
        yield client


def _require_answer(where: str) -> None:
    """Raise LircDepthError where nothing listens at the address of a scheduler, before a client is made in vain."""
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        socket.create_connection(parse_host_port(parse_address(where)[1]), _CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise LircDepthError(f"--cluster {where}: no scheduler answers there ({reason})") from error


def _closed(client: Any) -> None:
    """Close a client, whose tasks are given up with it; a scheduler that is gone does not keep it."""
    with contextlib.suppress(Exception):
        client.close(timeout=2)


def _jobqueue() -> Any:
    """Import dask-jobqueue, which handles SIGINT and SIGTERM from then on, unless they are given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return import_package("dask_jobqueue")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cluster(where: str, jobs: int) -> Any:
    import distributed

    if where == "local":
        return distributed.LocalCluster(
            n_workers=jobs, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        )
    import dask

    jobqueue = _jobqueue()

    cores = dask.config.get(f"jobqueue.{where}.cores", None) or 1
    try:
        made = getattr(jobqueue, _BATCH_SYSTEMS[where])(cores=cores, processes=cores)  # one thread a worker
        made.scale(jobs=jobs)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        told = "~/.config/dask/jobqueue.yaml describes the jobs"
        raise LircDepthError(f"--cluster {where}: {reason} ({told})") from error
    return made


def _wait_for_return(where: str) -> None:
    """Return when a scheduler answers again. Raises LircDepthError where it does not."""
    print(f"--cluster {where}: the scheduler went away: waiting for it", flush=True)
    deadline = time.monotonic() + _RETURN_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(LircDepthError):
            return _require_answer(where)
        time.sleep(0.5)
    raise LircDepthError(
        f"--cluster {where}: the scheduler went away and did not come back within {_RETURN_TIMEOUT_S:g} s: the same "
        "command goes on from what is done"
    )
