# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node: images, camera infos and radar point clouds of one or several cameras in, depth images out.

A managed node (lifecycle) that configures and activates itself by default. This module is its lifecycle and wiring:
callbacks check and match messages (camera.py, frames.py) in the executor's thread, and hand complete frames over to the
one thread in which the network runs (worker.py, job.py), which works on the newest of each camera, in turns.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNodeMixin, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import PointCloud2

from lircdepth_core.errors import LircDepthError
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_core.version import version
from lircdepth_ros import early_stop, node_parameters
from lircdepth_ros.depth_node import diagnostics, qos
from lircdepth_ros.depth_node.camera import Camera, topics_of
from lircdepth_ros.depth_node.clock import NodeClock
from lircdepth_ros.depth_node.frames import Frame
from lircdepth_ros.depth_node.job import DEACTIVATED, Job, JobProcessor
from lircdepth_ros.depth_node.journal import SharedJournal
from lircdepth_ros.depth_node.poses import NodePoses, make_poses
from lircdepth_ros.depth_node.preparation import Preparation
from lircdepth_ros.depth_node.radar_intake import RadarIntake
from lircdepth_ros.depth_node.reporting import Reporter
from lircdepth_ros.depth_node.settings import (
    LIVE,
    PARAMETERS,
    Settings,
    parameters_of_cameras,
    published_topics,
    settings_of,
)
from lircdepth_ros.depth_node.surround import SurroundCloud
from lircdepth_ros.depth_node.worker import Worker
from lircdepth_ros.messages.images import any_image_to_rgb

if TYPE_CHECKING:
    from rclpy.clock import JumpHandle
    from rclpy.lifecycle import LifecycleState

_ASSESS_PERIOD_S = 0.1  # between looks at the node's health; a change of level is published at once
_PROGRESS_LOOK_S = 0.1  # between looks at a preparation
_DIAGNOSTICS_QUEUE_DEPTH = 10
_STOP_TIMEOUT_S = 1.0  # that a frame has to end when the process is told to stop


@dataclass
class Configured:
    """Everything that the node holds from its configuration to its clean-up.

    settings: a changed copy replaces them when a live parameter changes. decoder: one thread that decodes images ahead;
    None where the network leaves no core for it. surround: the points of all cameras, where there are several.
    resources: frees everything except the worker, which has to stop before.
    """

    settings: Settings
    poses: NodePoses
    worker: Worker[Job]
    pipeline: DepthPipeline
    processor: JobProcessor
    decoder: futures.ThreadPoolExecutor | None
    cameras: list[Camera]
    surround: SurroundCloud | None
    resources: ExitStack


@dataclass
class Active:
    """Everything besides the cameras' own that the node holds from its activation to its deactivation."""

    journal: SharedJournal
    jumps: JumpHandle
    timers: list[Timer] = field(default_factory=list)
    radars: list[Subscription[Any]] = field(default_factory=list)


class DepthNode(LifecycleNodeMixin, node_parameters.DeclaringNode):
    """See docs/node.md for topics and parameters. Raises LircDepthError for a parameter that cannot work."""

    def __init__(self) -> None:
        node_parameters.DeclaringNode.__init__(self, "depth_node", PARAMETERS)
        self.declare_options(parameters_of_cameras(node_parameters.overrides(self)))
        # So that the state can be asked for while a transition is awaited.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self._preparation: Preparation | None = None
        self._configured: Configured | None = None
        self._active: Active | None = None
        self._publishing = threading.Lock()  # a frame is published, or the node is deactivated: not both at a time
        # Wall time: a simulated clock that stands still must not silence the node.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", _DIAGNOSTICS_QUEUE_DEPTH)
        self.interrupted = False  # while the network was being prepared: the worker is still at it
        self.add_on_set_parameters_callback(self._on_parameters)
        self._change_state = self._service_change_state.callback
        self._service_change_state.callback = self._on_change_state
        self.warn_of_unknown_parameters()

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
        self.get_logger().info("inactive: sensors are not listened to, the network stays loaded")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and its memory."""
        self._release()
        self.get_logger().info("unconfigured: the network and its memory are freed")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop; the worker finishes the frame that it computes."""
        self.stop()
        self.get_logger().info("finalized: everything is freed")
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything after an error of the node's own in a transition; the node is unconfigured then."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    async def start(self) -> bool:
        """Configure and activate the node, which meanwhile answers; return whether both succeeded."""
        await self._prepare()
        transitions = (self.trigger_configure, self.trigger_activate)
        return all(transition() == TransitionCallbackReturn.SUCCESS for transition in transitions)

    def stop(self) -> None:
        """Stop listening and free everything, in whichever state the node is."""
        self._stop_listening()
        self._release()

    async def _on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        """Answer ~/change_state. What takes long, a network, is prepared before the transition, which then is short."""
        label = request.transition.label
        asked = label == "configure" if label else request.transition.id == Transition.TRANSITION_CONFIGURE
        if asked and self._configured is None:
            if self._preparation is not None:
                self.get_logger().warning("the node is being configured already")
                return response
            await self._prepare()
        answer: ChangeState.Response = self._change_state(request, response)
        return answer

    async def _prepare(self) -> None:
        """Have the network prepared, and let the executor work meanwhile. What fails is told when it is configured."""
        with suppress(Exception):
            self._preparation = preparation = self._begin_preparation()
            # It also wakes the executor up, which looks at a waiting coroutine only when something happens.
            timer = self.create_timer(_PROGRESS_LOOK_S, preparation.tell_progress, clock=self._steady)
            await preparation.finished()
            self.destroy_timer(timer)

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
        if self._preparation is None:
            self._preparation = self._begin_preparation()
        preparation = self._preparation
        settings, resources = preparation.settings, ExitStack()
        try:
            pipeline = preparation.pipeline(lambda: not self.context.ok())
            resources.callback(pipeline.backend.release)
            self._configured = self._completed(preparation, pipeline, resources)
        except BaseException:  # a stop signal as well
            self._free(preparation.worker, resources)
            raise
        finally:
            self._preparation = None
        digest = pipeline.weights_sha256 or "none"
        self.get_logger().info(
            f"configured: lircdepth {version()}; weights {settings.weights} (sha256 {digest}); "
            f"{pipeline.backend.describe()}; inference_scale {settings.inference_scale}; "
            f"transforms from {preparation.poses.describe()}"
        )
        if pipeline.header.caution:
            self.get_logger().warning(f"{pipeline.header.caution} (parameter weights)")

    def _begin_preparation(self) -> Preparation:
        """Read the parameters and have the network prepared in the worker's thread. Raises LircDepthError."""
        self.get_logger().debug("configuring")
        settings = settings_of(self.option_values())
        self._check_topics(settings)
        poses = make_poses(self, settings)  # before anything is loaded: a mistake there is found at once
        for reader in settings.radar_readers.values():
            radar_message_class(reader.field_map)  # so, too, is a package that is missing
        worker: Worker[Job] = Worker(self._process, settings.batch, self._decode_ahead)
        worker.start()
        return Preparation(settings, poses, worker, self.get_logger(), self._report_progress)

    def _report_progress(self, text: str) -> None:
        now, preparation = self.get_clock().now().to_msg(), self._preparation
        cameras = [""] if preparation is None else list(preparation.settings.each_camera())
        names = [diagnostics.status_name(self, camera) for camera in cameras]
        statuses = [diagnostics.diagnostic_status(name, diagnostics.WARN, text, {}) for name in names]
        self._diagnostics.publish(diagnostics.diagnostic_array(now, statuses))

    def _check_topics(self, settings: Settings) -> None:
        """Raise LircDepthError for two radars of one topic and for QoS that cannot be; log QoS of unknown topics."""
        received, published = [self.resolve_topic_name(settings.odometry_topic)], []
        for of_camera in settings.each_camera().values():
            topics = topics_of(self, of_camera)
            if len(set(topics.radars)) < len(topics.radars):
                raise LircDepthError(f"radar_topics are {', '.join(topics.radars)}, expected different ones")
            received += [topics.image, topics.camera_info, *topics.radars]
            published += [self.resolve_topic_name(topic) for topic in published_topics(of_camera)]
        if settings.cameras:
            published.append(self.resolve_topic_name(settings.surround_topic))
        qos.check_overrides(self, received, published)

    def _completed(self, preparation: Preparation, pipeline: DepthPipeline, resources: ExitStack) -> Configured:
        """Make what else a configured node has. What is made is added to ``resources`` at once."""
        decoder = None
        if preparation.worker.call(pipeline.backend.leaves_a_core).result():
            decoder = futures.ThreadPoolExecutor(1, "decoder")
            resources.callback(decoder.shutdown)
            decoder.submit(time.perf_counter)  # has its thread started now, not on the way
        settings, poses = preparation.settings, preparation.poses
        pipeline.max_range, pipeline.upsampling = settings.max_range, settings.upsampling  # may have changed meanwhile
        surround = None
        if settings.cameras:
            publisher = qos.create_publisher(self, PointCloud2, settings.surround_topic, self._report_qos)
            resources.callback(self.destroy_publisher, publisher)
            surround = SurroundCloud(publisher, poses, settings.cameras)
        cameras = []
        for of_camera in settings.each_camera().values():
            cameras.append(Camera(self, of_camera, self._steady, surround))
            resources.callback(cameras[-1].release)
        processor = JobProcessor(
            pipeline,
            self._publish,
            lambda: self.get_clock().now().nanoseconds,
            lambda: not self.context.ok(),
            settings.batch,
        )
        return Configured(
            settings, poses, preparation.worker, pipeline, processor, decoder, cameras, surround, resources
        )

    def _activate(self) -> None:
        configured = self._configured
        assert configured is not None, "the lifecycle activates only a configured node"
        cameras, poses = configured.cameras, configured.poses
        clock = NodeClock(self.get_clock())
        if configured.surround is not None:
            configured.surround.clear()
        for camera in cameras:
            camera.begin(poses, clock, self._hand_over)
        journal = SharedJournal([camera.journal for camera in cameras], self.get_logger())

        def on_jump(stamp: int) -> None:
            journal.count("clock_jumps")
            for frames in all_frames:
                frames.forget_after(stamp)
            poses.forget_after(stamp)

        def match() -> None:
            for frames in all_frames:
                frames.match()

        all_frames = [camera.frames for camera in cameras if camera.frames is not None]
        # Set before the first subscription, so that no callback finds half of an activation.
        self._active = active = Active(journal, clock.watch_jumps(on_jump))
        try:
            poses.start(journal, match)
            for camera in cameras:
                camera.subscribe()
            radar_types = self._subscribe_to_radars(configured, active)
        except BaseException:
            self._stop_listening()
            raise
        reporter = Reporter(self, self._diagnostics, configured.pipeline, cameras, poses, radar_types)
        active.timers.append(self.create_timer(_ASSESS_PERIOD_S, reporter.report, clock=self._steady))
        for camera in cameras:
            radars, depth = ", ".join(camera.topics.radars), camera.outputs.depth.topic_name
            self.get_logger().info(f"active: {camera.topics.image} + {radars} -> {depth}")

    def _subscribe_to_radars(self, configured: Configured, active: Active) -> dict[str, str]:
        """Subscribe to each radar once for all cameras that use it; return {resolved topic: type}."""
        types = {}
        for topic, reader in configured.settings.radar_readers.items():
            name = self.resolve_topic_name(topic)
            frames = [camera.frames for camera in configured.cameras if name in camera.topics.radars and camera.frames]
            kind = radar_message_class(reader.field_map)
            intake = RadarIntake(name, reader, frames, active.journal)
            active.radars.append(qos.create_subscription(self, kind, topic, intake, active.journal))
            types[name] = qos.type_name(kind)
        return types

    def _stop_listening(self) -> None:
        with self._publishing:  # a frame that is being published comes out before, and none comes out afterwards
            active, self._active = self._active, None
        if active is None:
            return
        configured = self._configured
        assert configured is not None, "an active node is configured"
        for camera in configured.cameras:
            camera.end()
        active.jumps.unregister()
        configured.poses.stop()
        for subscription in active.radars:
            self.destroy_subscription(subscription)
        for timer in active.timers:
            self.destroy_timer(timer)
        for job in configured.worker.discard():
            job.journal.statistics.drop(DEACTIVATED, under_way=True)

    def _release(self) -> None:
        preparation, self._preparation = self._preparation, None
        if preparation is not None:
            self._free(preparation.worker, ExitStack())
        configured, self._configured = self._configured, None
        if configured is not None:
            self._free(configured.worker, configured.resources)

    def _free(self, worker: Worker[Job], resources: ExitStack) -> None:
        """Stop the worker, then free the rest. A worker in a call that may take minutes goes on, and keeps it all.

        So does one whose frame takes long when the process is told to stop.
        """
        if worker.stop(None if self.context.ok() else _STOP_TIMEOUT_S):
            resources.close()
        else:
            self.interrupted = True

    # --- parameters --------------------------------------------------------------------------------------------

    def _on_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        configured = self._configured
        if configured is None and self._preparation is None:
            return SetParametersResult(successful=True)
        declared = {change.name: change.value for change in changes if change.name in self._options}
        for name in declared.keys() - LIVE:
            reason = f"{name} is read when the node is configured: clean up the node first"
            return SetParametersResult(successful=False, reason=reason)
        holder = configured or self._preparation
        assert holder is not None
        holder.settings = settings = dataclasses.replace(holder.settings, **declared)
        if configured is not None:
            configured.pipeline.max_range = settings.max_range
            configured.pipeline.upsampling = settings.upsampling
            for camera in configured.cameras:
                camera.apply(declared)
        return SetParametersResult(successful=True)

    # --- frames, in the executor's thread ----------------------------------------------------------------------

    def _hand_over(self, camera: Camera, frame: Frame) -> None:
        configured = self._configured
        assert configured is not None, "an active node is configured"
        job = Job(frame, time.perf_counter(), camera, camera.journal)
        # An image that waits for the network is decoded meanwhile, by a core that the network leaves. Those that come
        # later may be replaced while they wait, so they are not decoded ahead.
        if configured.worker.comes_next(camera.name):
            self._decode_ahead(job)
        job.journal.statistics.hand_over()
        replaced = configured.worker.submit(job, camera.name)
        if replaced is not None:
            replaced.journal.statistics.drop("busy", under_way=True)

    def _decode_ahead(self, job: Job) -> None:
        """Have a job's image decoded, where the network leaves a core for it."""
        decoder = self._configured.decoder if self._configured is not None else None
        if decoder is not None and job.decoded is None:
            job.decoded = decoder.submit(any_image_to_rgb, job.frame.image)

    def _report_qos(self, topic: str, text: str) -> None:
        if self._active is not None:
            self._active.journal.report_qos(topic, text)

    # --- jobs, in the worker's thread --------------------------------------------------------------------------

    def _process(self, jobs: list[Job]) -> None:
        configured = self._configured
        assert configured is not None, "the worker stops before the configuration is gone"
        configured.processor(jobs)

    @contextmanager
    def _publish(self, job: Job) -> Iterator[bool]:
        """Give whether a job's activation still is the node's, and keep it so for as long as the block runs."""
        with self._publishing:
            yield self._active is not None and self._active.journal.has(job.journal)


def radar_message_class(field_map: FieldMap) -> type:
    """Return the class of a driver's messages. Raises LircDepthError where its package is not installed."""
    package, name = field_map.message.split("/")
    try:
        kind: type = getattr(importlib.import_module(f"{package}.msg"), name)
    except ImportError as error:
        raise LircDepthError(
            f"radar_driver '{field_map.name}' reads {field_map.message}: install the ROS package {package} ({error})"
        ) from error
    return kind


def main(argv: list[str] | None = None) -> int:
    """Run the node; return 0, or 2 when it could not be configured."""
    argv = sys.argv if argv is None else argv
    node = None
    try:
        # rclpy's own handler ends the context, and spin with it. A KeyboardInterrupt beside it may land inside a
        # message's conversion in C++, which makes a RuntimeError of it.
        early_stop.install()
        node_parameters.start_rclpy(argv)
        early_stop.leave_to_rclpy()
        node = DepthNode()
        node_parameters.warn_of_unmatched_files(node, argv)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.get_parameter("autostart").value:
            start = executor.create_task(node.start)
            executor.spin_until_future_complete(start)
            if start.done() and not start.result():
                return 2
        executor.spin()
    except (LircDepthError, ParameterException) as error:
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
