# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One frame through the worker: it is published or dropped, and counted once, whatever happens around it."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the node needs rclpy")
from sensor_msgs.msg import CameraInfo, Image

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros.depth_node.frames import Frame
from lircdepth_ros.depth_node.job import Job, JobProcessor
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.outputs import DepthOutputs
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.messages.depth import depth_of
from rig import INTRINSICS, header, picture


class Middleware:
    """Stands for a publisher of rclpy: everybody listens, and one topic does not take anything."""

    def __init__(self, topic, refuses):
        self.topic, self.refuses, self.published = topic, refuses, []

    def get_subscription_count(self):
        return 1

    def publish(self, message):
        if self.topic.endswith(self.refuses):
            raise RuntimeError("no room")
        self.published.append(message)


class Log:
    def __init__(self):
        self.lines = []

    def error(self, text):
        self.lines.append(text)

    warning = error


@dataclass
class Camera:
    settings: Settings
    outputs: DepthOutputs


@pytest.fixture(scope="module")
def pipeline():
    return DepthPipeline.from_weights("tiny", device="cpu", backend="eager")


@pytest.fixture
def run(pipeline):
    """Process one image; return (statistics, log, messages by topic)."""

    def run(refuses="nothing", wanted=True, stopping=False):
        made, log = {}, Log()

        def create(kind, topic):
            made[topic] = Middleware(topic, refuses)
            return made[topic]

        pixels = picture()
        image = Image(header=header(10**9, "CAM_FRONT"), height=96, width=160, encoding="rgb8", step=480)
        image.data = pixels.tobytes()
        info = CameraInfo(width=160, height=96, k=INTRINSICS.ravel())
        settings, journal = Settings(), Journal(log)
        journal.statistics.count("frames_in")
        journal.statistics.hand_over()
        job = Job(Frame(image, info, [], 0.0), 0.0, Camera(settings, DepthOutputs(create, settings)), journal)
        JobProcessor(pipeline, lambda job: nullcontext(wanted), lambda: 0, lambda: stopping)([job])
        return journal.statistics, log, {topic: publisher.published for topic, publisher in made.items()}

    return run


def test_of_a_batch_each_job_is_published_or_dropped_for_its_own_cause(pipeline):
    """Frames of one size are computed together; another size and a damaged image do not touch the others."""
    made, journals, jobs = {}, {}, []
    cameras = {"a": (160, "rgb8"), "b": (160, "rgb8"), "wide": (192, "rgb8"), "damaged": (160, "none")}
    for name, (width, encoding) in cameras.items():

        def create(kind, topic, name=name):
            made[name, topic] = Middleware(topic, "nothing")
            return made[name, topic]

        image = Image(header=header(10**9, name), height=96, width=width, encoding=encoding, step=3 * width)
        image.data = picture(seed=len(jobs), width=width).tobytes()
        info = CameraInfo(width=width, height=96, k=INTRINSICS.ravel())
        settings, journals[name] = Settings(), Journal(Log())
        journals[name].statistics.count("frames_in")
        journals[name].statistics.hand_over()
        camera = Camera(settings, DepthOutputs(create, settings))
        jobs.append(Job(Frame(image, info, [], 0.0), 0.0, camera, journals[name]))
    JobProcessor(pipeline, lambda job: nullcontext(True), lambda: 0, lambda: False, batch=2)(jobs)
    values = {name: journal.statistics.values() for name, journal in journals.items()}
    outcomes = {name: (each["frames_out"], each["dropped"]) for name, each in values.items()}
    assert outcomes == {"a": (1, 0), "b": (1, 0), "wide": (1, 0), "damaged": (0, 1)}
    assert values["damaged"]["dropped_bad_input"] == 1
    assert all(journal.statistics.unaccounted(0) == 0 for journal in journals.values())
    for job in jobs[:3]:
        pixels = np.frombuffer(job.frame.image.data, np.uint8).reshape(96, -1, 3)
        (message,) = made[job.frame.image.header.frame_id, "CAM_FRONT/depth/image"].published
        np.testing.assert_allclose(depth_of(message), pipeline(pixels, INTRINSICS).depth, rtol=1e-5)


@pytest.mark.parametrize(
    "view", ["radar_overlay", "color", "points", "radar_arrows", "compressedDepth", "pipeline_latency_ms"]
)
def test_depth_whose_view_cannot_be_published_is_published_and_not_dropped(run, view):
    statistics, log, published = run(refuses=view)
    values = statistics.values()
    assert len(published["CAM_FRONT/depth/image"]) == 1
    assert (values["frames_out"], values["dropped"], values["frames_waiting"], values["views_failed"]) == (1, 0, 0, 1)
    assert statistics.unaccounted(0) == 0
    assert len(log.lines) == 1
    assert "RuntimeError: no room" in log.lines[0]


def test_compressed_depth_is_the_depth_in_millimetres(run):
    """compressedDepth is for a thin link: what comes out of it must be the depth that is published beside it."""
    _, _, published = run()
    (depth,), (compressed,) = (published[f"CAM_FRONT/depth/image{name}"] for name in ("", "/compressedDepth"))
    assert compressed.format == "16UC1; compressedDepth png"
    assert compressed.header == depth.header
    metres, back = depth_of(depth), depth_of(compressed)
    fits = metres <= 65.535
    assert fits.sum() > 1000
    np.testing.assert_allclose(back[fits], metres[fits], atol=0.00051)
    assert np.isnan(back[~fits]).all()


def test_a_view_that_fails_because_the_process_is_told_to_stop_is_no_error(run):
    """The signal ends DDS under the worker, between depth and its views."""
    statistics, log, published = run(refuses="pipeline_latency_ms", stopping=True)
    assert len(published["CAM_FRONT/depth/image"]) == 1
    assert not log.lines
    assert "views_failed" not in statistics.values()


def test_a_frame_of_a_node_that_was_deactivated_is_dropped_and_counted(run):
    statistics, _, published = run(wanted=False)
    values = statistics.values()
    assert not any(published.values())
    assert (values["frames_out"], values["dropped"], values["dropped_deactivated"]) == (0, 1, 1)
    assert (values["frames_waiting"], statistics.unaccounted(0)) == (0, 0)
