# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one thread in which the network lives: loaded, warmed up and run in it, since CUDA graphs demand that."""

import threading
from collections import deque
from concurrent.futures import Future


class Worker(threading.Thread):
    """Runs calls in order and, between them, the newest submitted job; an older job that still waits is replaced."""

    def __init__(self, run_job):
        super().__init__(name="inference", daemon=True)
        self._run_job = run_job
        self._condition = threading.Condition()
        self._calls = deque()
        self._job = None
        self._stopped = False
        self._running = None  # "call" or "job" while there is one

    def call(self, function, *arguments):
        """Run a function in the thread; return its Future."""
        future = Future()
        with self._condition:
            self._calls.append((future, function, arguments))
            self._condition.notify()
        return future

    def submit(self, job):
        """Hand over a job; return the job that it replaces because it was still waiting, or None."""
        with self._condition:
            replaced, self._job = self._job, job
            self._condition.notify()
        return replaced

    def next_is_free(self):
        """Whether a job that is submitted now will wait for the one that runs, and replaces none."""
        with self._condition:
            return self._running == "job" and self._job is None

    def discard(self):
        """Forget the job that waits; return it or None."""
        with self._condition:
            waiting, self._job = self._job, None
        return waiting

    def stop(self):
        """Forget what waits and end the thread; returns when a job that already runs has finished.

        A call may take minutes: one that runs is not waited for. Returns whether the thread has ended.
        """
        with self._condition:
            self._stopped = True
            self._condition.notify()
            calling = self._running == "call"
        if not calling:
            self.join()
        return not calling

    def run(self):
        while True:
            with self._condition:
                self._running = None
                self._condition.wait_for(lambda: self._stopped or self._calls or self._job is not None)
                if self._stopped:
                    return
                call = self._calls.popleft() if self._calls else None
                if call is None:
                    job, self._job = self._job, None
                self._running = "job" if call is None else "call"
            if call is None:
                self._run_job(job)
                continue
            future, function, arguments = call
            try:
                tell, outcome = future.set_result, function(*arguments)
            except Exception as error:
                tell, outcome = future.set_exception, error
            with self._condition:
                self._running = None  # before anybody hears of it, and may stop the thread
            tell(outcome)
