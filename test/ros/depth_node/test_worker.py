# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The thread of the network: of each camera the newest image, the cameras in turns."""

import threading

import pytest

pytest.importorskip("rclpy", reason="the node needs rclpy")
from lircdepth_ros.depth_node.worker import Worker

CAMERAS = "abcdef"


class Held:
    """A worker whose network takes as long as a test wants: ``step`` lets one run end."""

    def __init__(self, batch=1):
        self.runs, self.ahead = [], []
        self._began, self._go = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = Worker(self._run, batch, self.ahead.append)
        self.worker.start()

    def _run(self, jobs):
        self.runs.append(jobs)
        self._began.release()
        self._go.acquire()

    def wait(self):
        assert self._began.acquire(timeout=120)

    def step(self):
        self._go.release()
        self.wait()

    def stop(self):
        self._go.release(1000)
        assert self.worker.stop(timeout=120)


@pytest.fixture
def held():
    made = []

    def make(batch=1):
        made.append(Held(batch))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_camera_that_sends_more_gets_no_more(held):
    """Each round camera a sends ten images, the others one: each of them is served once in six, with its newest."""
    one = held()
    one.worker.submit("first", "f")
    one.wait()
    replaced = 0
    for lap in range(30):
        for camera in CAMERAS:
            for i in range(10 if camera == "a" else 1):
                replaced += one.worker.submit(f"{camera} {lap} {i}", camera) is not None
        one.step()
    served = [job.split() for (job,) in one.runs[1:]]
    counts = {camera: sum(words[0] == camera for words in served) for camera in CAMERAS}
    assert counts == dict.fromkeys(CAMERAS, 5)
    assert [words[0] for words in served[:12]] == list("abcdef" * 2)
    assert all(int(words[1]) == lap for lap, words in enumerate(served)), "the newest of its camera"
    assert len(one.runs) + replaced + len(one.worker.discard()) == 1 + 30 * 15, "each is run, replaced or waits"


def test_a_camera_that_fires_just_after_its_turn_gets_no_more(held):
    """The new image of a is there at once, when those of e and f, whose turns were before, are still on their way."""
    one = held()
    one.worker.submit("f", "f")
    one.wait()
    for camera in "abcd":
        one.worker.submit(camera, camera)
    one.step()
    for camera in "aef":
        one.worker.submit(camera, camera)
    for _ in range(6):
        one.step()
    assert "".join(camera for (camera,) in one.runs) == "fabcdefa"


def test_as_many_as_wait_are_handed_over_together_and_the_next_are_told_before(held):
    one = held(batch=2)
    one.worker.submit("first", "f")
    one.wait()
    assert one.worker.comes_next("a")
    for camera in "abc":
        one.worker.submit(camera, camera)
    assert not one.worker.comes_next("d"), "two come before it"
    assert not one.worker.comes_next("a"), "it would replace one"
    one.step()
    assert one.runs[1:] == [["a", "b"]]
    assert one.ahead == ["c"]
    one.step()
    assert one.runs[2:] == [["c"]]


def test_a_call_comes_before_jobs_that_wait(held):
    one = held()
    one.worker.submit("first")
    one.wait()
    one.worker.submit("second")
    call = one.worker.call(lambda: list(one.runs))
    one.step()
    assert call.result(timeout=120) == [["first"]]
