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
    """Runs calls in order and, between them, the newest submitted job; an older job that still waits is replaced.

    run_job: is called in the thread with each job, and must not raise.
    """

    def __init__(self, run_job: Callable[[JobT], None]) -> None:
        super().__init__(name="inference", daemon=True)
        self._run_job = run_job
        self._condition = threading.Condition()
        self._calls: deque[Callable[[], Callable[[], None]]] = deque()
        self._job: JobT | None = None
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

    def submit(self, job: JobT) -> JobT | None:
        """Hand over a job; return the job that it replaces because it was still waiting, or None."""
        with self._condition:
            replaced, self._job = self._job, job
            self._condition.notify()
        return replaced

    def next_is_free(self) -> bool:
        """Return whether a job that is submitted now will wait for the one that runs, and replaces none."""
        with self._condition:
            return self._running is _Running.JOB and self._job is None

    def discard(self) -> JobT | None:
        """Forget the job that waits; return it or None."""
        with self._condition:
            waiting, self._job = self._job, None
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
                self._condition.wait_for(lambda: self._stopped or self._calls or self._job is not None)
                if self._stopped:
                    return
                call = self._calls.popleft() if self._calls else None
                job = None
                if call is None:
                    job, self._job = self._job, None
                self._running = _Running.JOB if call is None else _Running.CALL
            if call is None:
                assert job is not None
                self._run_job(job)
                continue
            announce = call()
            with self._condition:
                # Before the result is announced: whoever waits for it may stop the thread at once.
                self._running = _Running.NOTHING
            announce()
