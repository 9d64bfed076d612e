# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""lircdepth_core.processes: results, progress, failures, killed processes, interrupts and killed parents."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

from lircdepth_core import processes
from lircdepth_core.errors import LircDepthError


def double(task, advance):
    advance(task)
    return 2 * task, os.getpid()


@pytest.mark.parametrize(("jobs", "method"), [(0, "fork"), (1, "fork"), (3, "fork"), (2, "spawn")])
def test_results_come_in_order_and_progress_adds_up(jobs, method):
    counts = []
    results = processes.run(double, range(20), jobs, counts.append, method)
    assert [result for result, _ in results] == [2 * i for i in range(20)]
    assert sum(counts) == sum(range(20))
    assert (os.getpid() in {pid for _, pid in results}) == (jobs < 2)


def fail_at_three(task, advance):
    if task == 3:
        raise LircDepthError("task 3 is wrong")
    time.sleep(0.01 if task < 3 else 60)


def kill_itself(task, advance):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("function", "message"), [(fail_at_three, "task 3 is wrong"), (kill_itself, "done: killed")])
def test_what_a_task_raises_ends_all_and_a_killed_process_is_an_error(function, message):
    with pytest.raises(LircDepthError, match=message):
        processes.run(function, range(50), 2, lambda count: None)
    assert not multiprocessing.active_children()


def test_what_cannot_be_started_is_an_error_of_its_own():
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError), match=r"local object|pickle"):
        processes.run(lambda task, advance: None, range(4), 2, lambda count: None, "spawn")
    assert not multiprocessing.active_children()


SLEEPERS = """
import os, sys, time
from lircdepth_core import processes

def sleep(task, advance):
    print(os.getpid(), flush=True)
    time.sleep(120)

if __name__ == "__main__":
    try:
        processes.run(sleep, range(4), 2, lambda count: None, sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_their_parent_without_a_word(tmp_path, method, number):
    """An interrupt goes to the whole group, at any time after the first worker started; a kill to the parent alone."""
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    for delay in (0.0, 0.003, 0.01, 0.3) if number == signal.SIGINT else (0.3,):
        parent = subprocess.Popen(
            [sys.executable, script, method],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        children = [int(parent.stdout.readline())]  # the first worker works, the second one starts
        time.sleep(delay)
        (os.killpg if number == signal.SIGINT else os.kill)(parent.pid, number)
        output, error = parent.communicate(timeout=120)
        children += map(int, output.split())
        assert parent.returncode == (130 if number == signal.SIGINT else -number), error
        if (number, method) != (signal.SIGKILL, "spawn"):  # a killed parent's semaphores are cleaned up with a message
            assert error == ""
        deadline = time.monotonic() + 120  # a process closes its pipes a little before it has ended
        while any(map(is_running, children)):
            assert time.monotonic() < deadline, "a process outlives its parent"
            time.sleep(0.01)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"  # a zombie is a process that has ended
    except FileNotFoundError:
        return False
