# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node: camera image, camera info and radar point clouds in, depth images out.

A managed node (lifecycle) that configures and activates itself by default. This module is its lifecycle and wiring:
callbacks check and match messages (frames.py) in the executor's thread, and hand complete frames over to the one thread
in which the network runs (worker.py, job.py), which works on the newest.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from lircdepth_core.errors import LircDepthError
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.version import version
from lircdepth_ros.depth_node import parameters, qos
from lircdepth_ros.depth_node.clock import NodeClock
from lircdepth_ros.depth_node.frames import Frame, FrameMatching
from lircdepth_ros.depth_node.job import DEACTIVATED, Job, process
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.outputs import DepthOutputs
from lircdepth_ros.depth_node.poses import NodePoses, make_poses
from lircdepth_ros.depth_node.reporting import Reporter
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.depth_node.worker import Worker
from lircdepth_ros.messages.images import any_image_to_rgb

if TYPE_CHECKING:
    from rclpy.clock import JumpHandle
    from rclpy.lifecycle import LifecycleState

_POLL_PERIOD_S = 0.005  # between looks at a frame that waits
_ASSESS_PERIOD_S = 0.1  # between looks at the node's health; a change of level is published at once
_STOP_CHECK_PERIOD_S = 0.1  # between looks for a stop signal while the network is prepared
_DIAGNOSTICS_QUEUE_DEPTH = 10

ResultT = TypeVar("ResultT")


@dataclass
class Configured:
    """Everything that the node holds from its configuration to its clean-up.

    settings: a changed copy replaces them when a live parameter changes. decoder: one thread that decodes images ahead;
    None where the network leaves no core for it. resources: frees everything except the worker, which has to stop
    before.
    """

    settings: Settings
    poses: NodePoses
    worker: Worker[Job]
    pipeline: DepthPipeline
    decoder: futures.ThreadPoolExecutor | None
    outputs: DepthOutputs
    diagnostics: Publisher[DiagnosticArray]
    resources: ExitStack


@dataclass
class Active:
    """Everything that the node holds from its activation to its deactivation. A job remembers the one it belongs to."""

    journal: Journal
    frames: FrameMatching
    jumps: JumpHandle
    poll_timer: Timer  # runs only while a frame waits
    timers: list[Timer]
    subscriptions: list[Subscription[Any]] = field(default_factory=list)


class DepthNode(LifecycleNode):
    """See docs/node.md for topics and parameters."""

    def __init__(self) -> None:
        super().__init__("depth_node")
        self._configured: Configured | None = None
        self._active: Active | None = None
        self._publishing = threading.Lock()  # a frame is published, or the node is deactivated: not both at a time
        self._journal = Journal(self.get_logger())
        # Wall time: a simulated clock that stands still must not silence the node.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.interrupted = False  # while the network was being prepared: the worker is still at it
        self.add_on_set_parameters_callback(self._on_parameters)
        parameters.declare(self)

    # --- lifecycle ---------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the weights and warm the network up in the worker thread, and find the poses."""
        return self._transition(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the sensors."""
        result = self._transition(self._activate)
        return super().on_activate(state) if result == TransitionCallbackReturn.SUCCESS else result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop at once: a frame that is being computed is not published. Model and memory stay."""
        self._stop_listening()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and its memory."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop; the worker finishes the frame that it computes."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything after an error of the node's own in a transition; the node is unconfigured then."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> None:
        """Stop listening and free everything, in whichever state the node is."""
        self._stop_listening()
        self._release()

    def _transition(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        """Run a transition's step. A wrong setting fails it, and the node stays in the state that it was in."""
        try:
            step()
        except (LircDepthError, MemoryError) as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow it without a word
            self.get_logger().fatal(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        self.get_logger().debug("configuring")
        settings = parameters.read(self)
        poses = make_poses(self, settings)  # first: a mistake there is found without loading anything
        worker: Worker[Job] = Worker(self._process)
        worker.start()
        resources = ExitStack()
        try:
            configured = self._prepare(settings, poses, worker, resources)
        except BaseException:  # a stop signal as well
            self._free(worker, resources)
            raise
        self._configured = configured
        pipeline = configured.pipeline
        digest = pipeline.weights_sha256 or "none"
        network = f"weights {settings.weights} (sha256 {digest}); {pipeline.backend.describe()}"
        self.get_logger().info(f"lircdepth {version()}: {network}")
        self.get_logger().info(f"transforms from {poses.describe()}; inference_scale {settings.inference_scale}")
        if pipeline.header.caution:
            self.get_logger().warning(f"{pipeline.header.caution} (parameter weights)")

    def _prepare(self, settings: Settings, poses: NodePoses, worker: Worker[Job], resources: ExitStack) -> Configured:
        """Load the network and warm it up, and make the publishers. What is made is added to ``resources`` at once."""
        pipeline = self._in_worker(worker, _load_pipeline, settings)
        resources.callback(pipeline.backend.release)
        decoder = None
        if self._in_worker(worker, pipeline.backend.leaves_a_core):
            decoder = futures.ThreadPoolExecutor(1, "decoder")
            resources.callback(decoder.shutdown)
            decoder.submit(time.perf_counter)  # has its thread started now, not on the way
        plan = pipeline.nominal_plan()
        self.get_logger().info(
            f"preparing the network for {plan.crop_width}x{plan.crop_height}; the first time on a machine this may "
            "take minutes, then it is cached"
        )
        self._in_worker(worker, pipeline.warm_up)

        def create_output(kind: type, topic: str) -> Publisher[Any]:
            publisher = qos.create_publisher(self, kind, topic, self._report_qos)
            resources.callback(self.destroy_publisher, publisher)
            return publisher

        outputs = DepthOutputs(create_output, settings)
        reports = self.create_publisher(DiagnosticArray, "/diagnostics", _DIAGNOSTICS_QUEUE_DEPTH)
        resources.callback(self.destroy_publisher, reports)
        return Configured(settings, poses, worker, pipeline, decoder, outputs, reports, resources)

    def _in_worker(self, worker: Worker[Job], function: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Return what a function returns in the worker's thread, unless the process is told to stop meanwhile."""
        future = worker.call(function, *arguments)
        while not futures.wait([future], timeout=_STOP_CHECK_PERIOD_S).done:
            if not self.context.ok():  # a signal ended it
                raise KeyboardInterrupt  # which no caller takes for a failed transition
        return future.result()

    def _activate(self) -> None:
        configured = self._configured
        assert configured is not None, "the lifecycle activates only a configured node"
        settings, poses = configured.settings, configured.poses
        self._journal = journal = Journal(self.get_logger())
        clock = NodeClock(self.get_clock())
        frames = FrameMatching(settings, poses, clock, journal, self._hand_over, self._keep_polling)
        poll_timer = self.create_timer(_POLL_PERIOD_S, frames.match, clock=self._steady)
        poll_timer.cancel()

        def on_jump(stamp: int) -> None:
            journal.statistics.count("clock_jumps")
            frames.forget_after(stamp)
            poses.forget_after(stamp)

        # Set before the first subscription, so that no callback finds half of an activation.
        self._active = active = Active(journal, frames, clock.watch_jumps(on_jump), poll_timer, [poll_timer])
        try:
            poses.start(journal, frames.match)
            for kind, topic, callback in _inputs(settings, frames):
                active.subscriptions.append(qos.create_subscription(self, kind, topic, callback, self._report_qos))
        except BaseException:
            self._stop_listening()
            raise
        topics = {
            subscription.topic_name: qos.type_name(kind)
            for subscription, (kind, _, _) in zip(active.subscriptions, _inputs(settings, frames), strict=True)
        }
        reporter = Reporter(self, configured.diagnostics, configured.pipeline, journal, frames, poses, topics)
        active.timers.append(
            self.create_timer(_ASSESS_PERIOD_S, lambda: reporter.report(configured.settings), clock=self._steady)
        )
        image_topic, radar_topics = _image_topic(settings), ", ".join(settings.radar_topics)
        self.get_logger().info(f"active: {image_topic} + {radar_topics} -> {configured.outputs.depth.topic_name}")

    def _stop_listening(self) -> None:
        with self._publishing:  # a frame that is being published comes out before, and none comes out afterwards
            active, self._active = self._active, None
        if active is None:
            return
        assert self._configured is not None, "an active node is configured"
        active.frames.stop()
        active.jumps.unregister()
        self._configured.poses.stop()
        for subscription in active.subscriptions:
            self.destroy_subscription(subscription)
        for timer in active.timers:
            self.destroy_timer(timer)
        if self._configured.worker.discard() is not None:
            active.journal.statistics.drop(DEACTIVATED, under_way=True)

    def _release(self) -> None:
        configured, self._configured = self._configured, None
        if configured is not None:
            self._free(configured.worker, configured.resources)

    def _free(self, worker: Worker[Job], resources: ExitStack) -> None:
        """Stop the worker, then free the rest. A worker in a call that may take minutes goes on, and keeps it all."""
        if worker.stop():
            resources.close()
        else:
            self.interrupted = True

    # --- parameters --------------------------------------------------------------------------------------------

    def _on_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        configured = self._configured
        for parameter in changes:
            reason = parameters.refuse(parameter, configured=configured is not None)
            if reason is not None:
                return SetParametersResult(successful=False, reason=reason)
        if configured is not None:
            configured.settings = settings = parameters.changed(configured.settings, changes)
            configured.pipeline.max_range = settings.max_range
            configured.pipeline.upsampling = settings.upsampling
            if self._active is not None:
                self._active.frames.apply(settings)
        return SetParametersResult(successful=True)

    # --- frames, in the executor's thread ----------------------------------------------------------------------

    def _keep_polling(self, waiting: bool) -> None:
        if self._active is not None:
            if waiting:
                self._active.poll_timer.reset()
            else:
                self._active.poll_timer.cancel()

    def _hand_over(self, frame: Frame) -> None:
        configured = self._configured
        assert configured is not None, "an active node is configured"
        worker, decoder = configured.worker, configured.decoder
        # An image that waits for the network is decoded meanwhile, by a core that the network leaves. Later images
        # replace each other while they wait, so they are not decoded ahead.
        ahead = decoder is not None and worker.next_is_free()
        decoded = decoder.submit(any_image_to_rgb, frame.image) if decoder is not None and ahead else None
        active = self._active
        assert active is not None, "frames are matched by an active node"
        active.journal.statistics.hand_over()
        replaced = worker.submit(Job(frame, time.perf_counter(), active, decoded))
        if replaced is not None:
            replaced.activation.journal.statistics.drop("busy", under_way=True)

    def _report_qos(self, topic: str, text: str) -> None:
        self._journal.report_qos(topic, text)

    # --- jobs, in the worker's thread --------------------------------------------------------------------------

    def _process(self, job: Job) -> None:
        """Compute and publish one frame; every error is counted, and the thread lives on for the next frame."""
        configured, journal = self._configured, job.activation.journal
        assert configured is not None, "the worker stops before the configuration is gone"
        try:
            process(
                job,
                configured.pipeline,
                configured.outputs,
                configured.settings,
                self._publish,
                lambda: self.get_clock().now().nanoseconds,
                lambda: not self.context.ok(),
            )
        except LircDepthError as error:
            journal.drop("bad_input", str(error), under_way=True)
        except MemoryError as error:
            journal.drop("out_of_memory", str(error) or "out of memory", under_way=True)
        except Exception as error:
            if not self.context.ok():
                return  # the process was asked to stop while the network ran
            self.get_logger().error(traceback.format_exc())
            journal.drop("internal_error", f"{type(error).__name__}: {error}", under_way=True)

    @contextmanager
    def _publish(self, job: Job) -> Iterator[bool]:
        """Give whether a job's activation still is the node's, and keep it so for as long as the block runs."""
        with self._publishing:
            yield job.activation is self._active


def _load_pipeline(settings: Settings) -> DepthPipeline:
    names = ("device", "threads", "backend", "precision", "inference_scale", "max_range", "upsampling")
    pipeline: DepthPipeline = DepthPipeline.from_weights(
        settings.weights, **{name: getattr(settings, name) for name in names}
    )
    return pipeline


def _image_topic(settings: Settings) -> str:
    return settings.image_topic + ("/compressed" if settings.compressed_images else "")


def _inputs(settings: Settings, frames: FrameMatching) -> list[tuple[type, str, Callable[[Any], None]]]:
    """Return (type, topic, callback) of each subscription, the image's first."""
    return [
        (CompressedImage if settings.compressed_images else Image, _image_topic(settings), frames.on_image),
        (CameraInfo, settings.camera_info_topic, frames.on_camera_info),
        *((PointCloud2, topic, partial(frames.on_radar, topic)) for topic in settings.radar_topics),
    ]


def main(argv: list[str] | None = None) -> int:
    """Run the node; return 0, or 2 when it could not be configured."""
    # rclpy's own handler ends the context, and spin with it. A KeyboardInterrupt beside it may land inside a message's
    # conversion in C++, which makes a RuntimeError of it.
    signal.signal(signal.SIGINT, lambda *_: None)
    rclpy.init(args=argv)
    node = None
    try:
        node = DepthNode()
        if node.get_parameter("autostart").value:
            for transition in (node.trigger_configure, node.trigger_activate):
                if transition() != TransitionCallbackReturn.SUCCESS:
                    return 2
        rclpy.spin(node)
    except ParameterException as error:
        print(f"depth_node: error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():
            raise
        # A signal ended DDS under a callback that was about to use it: that is how the node was asked to stop.
    finally:
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
        if node is not None and node.interrupted:
            sys.stdout.flush()
            os._exit(0)  # an interpreter that ends under a thread in a compiler crashes
    return 0
