# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one thread in which the network is loaded, warmed up and run; CUDA graphs demand that it is the same."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from typing import Any, Generic, TypeVar

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


class _Running(Enum):
    NOTHING = auto()
    CALL = auto()
    JOB = auto()


class Worker(threading.Thread, Generic[JobT]):
    """Runs calls in order and, between them, the jobs that wait: of each source the newest, the sources in turns.

    A job replaces an older one of its source that still waits. The source whose last turn is longest ago comes first:
    neither whoever sends more than can be done, nor whoever sends just after its turn, gets more than the others. The
    sources are cameras.
    run_jobs: is called in the thread with 1 to ``batch`` jobs, of different sources, and must not raise. look_ahead: is
    called in the thread with each job that will come next, before others are run.
    """

    def __init__(
        self,
        run_jobs: Callable[[list[JobT]], None],
        batch: int = 1,
        look_ahead: Callable[[JobT], None] = lambda job: None,
    ) -> None:
        super().__init__(name="inference", daemon=True)
        self._run_jobs = run_jobs
        self._batch = batch
        self._look_ahead = look_ahead
        self._condition = threading.Condition()
        self._calls: deque[Callable[[], Callable[[], None]]] = deque()
        self._waiting: dict[str, JobT] = {}
        self._last_turn: dict[str, int] = {}  # of a source, counted in jobs
        self._turns = 0
        self._stopped = False
        self._running = _Running.NOTHING

    def call(self, function: Callable[..., ResultT], *arguments: Any) -> Future[ResultT]:
        """Run a function in the thread; return its Future."""
        future: Future[ResultT] = Future()

        def compute() -> Callable[[], None]:
            try:
                result = function(*arguments)
            except Exception as error:
                failure = error
                return lambda: future.set_exception(failure)
            return lambda: future.set_result(result)

        with self._condition:
            self._calls.append(compute)
            self._condition.notify()
        return future

    def submit(self, job: JobT, source: str = "") -> JobT | None:
        """Hand over a job; return the job that it replaces because it was still waiting, or None."""
        with self._condition:
            replaced = self._waiting.get(source)
            self._waiting[source] = job
            self._condition.notify()
        return replaced

    def comes_next(self, source: str = "") -> bool:
        """Return whether a job that is submitted now would wait for those that run, replace none, and come next."""
        with self._condition:
            free = source not in self._waiting and len(self._waiting) < self._batch
            return self._running is _Running.JOB and free

    def discard(self) -> list[JobT]:
        """Forget the jobs that wait; return them."""
        with self._condition:
            waiting, self._waiting = list(self._waiting.values()), {}
        return waiting

    def stop(self, timeout: float | None = None) -> bool:
        """Forget everything that waits and end the thread; return when a job that already runs has finished.

        timeout: seconds that the job has. A call may take minutes: one that runs is not waited for. Returns whether
        the thread has ended.
        """
        with self._condition:
            self._stopped = True
            self._condition.notify()
            calling = self._running is _Running.CALL
        if not calling:
            self.join(timeout)
        return not self.is_alive()

    def run(self) -> None:
        """Work until ``stop``."""
        while True:
            with self._condition:
                self._running = _Running.NOTHING
                self._condition.wait_for(lambda: self._stopped or self._calls or self._waiting)
                if self._stopped:
                    return
                call = self._calls.popleft() if self._calls else None
                jobs = [] if call is not None else self._take()
                upcoming = [] if call is not None else [self._waiting[source] for source in self._next_sources()]
                self._running = _Running.JOB if call is None else _Running.CALL
            if call is None:
                for job in upcoming:
                    self._look_ahead(job)
                self._run_jobs(jobs)
                continue
            announce = call()
            with self._condition:
                # Before the result is announced: whoever waits for it may stop the thread at once.
                self._running = _Running.NOTHING
            announce()

    def _next_sources(self) -> list[str]:
        """Return the sources whose turn it is; of those that had none yet, whoever came first."""
        return sorted(self._waiting, key=lambda source: self._last_turn.get(source, 0))[: self._batch]

    def _take(self) -> list[JobT]:
        """Take the jobs whose turn it is."""
        sources = self._next_sources()
        for source in sources:
            self._turns += 1
            self._last_turn[source] = self._turns
        return [self._waiting.pop(source) for source in sources]
