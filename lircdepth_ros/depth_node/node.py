# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node: camera image, camera info and radar point clouds in, depth images out.

A managed node (lifecycle) that configures and activates itself by default. This module is its lifecycle and wiring:
callbacks check and match messages (frames.py) in the executor's thread, and hand complete frames over to the one thread
in which the network runs (worker.py, job.py), which works on the newest.
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
from functools import partial
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
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lircdepth_core.errors import LircDepthError
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_core.version import version
from lircdepth_ros import early_stop, node_parameters
from lircdepth_ros.depth_node import diagnostics, qos
from lircdepth_ros.depth_node.clock import NodeClock
from lircdepth_ros.depth_node.frames import Frame, FrameMatching, Topics
from lircdepth_ros.depth_node.job import DEACTIVATED, Job, process
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.outputs import DepthOutputs
from lircdepth_ros.depth_node.poses import NodePoses, make_poses
from lircdepth_ros.depth_node.preparation import Preparation
from lircdepth_ros.depth_node.reporting import Reporter
from lircdepth_ros.depth_node.settings import LIVE, PARAMETERS, Settings, published_topics
from lircdepth_ros.depth_node.worker import Worker
from lircdepth_ros.messages.images import any_image_to_rgb

if TYPE_CHECKING:
    from rclpy.clock import JumpHandle
    from rclpy.lifecycle import LifecycleState

_POLL_PERIOD_S = 0.005  # between looks at a frame that waits
_ASSESS_PERIOD_S = 0.1  # between looks at the node's health; a change of level is published at once
_LATCHED_LOOK_PERIOD_S = 1.0  # between looks for a camera_info that was published before
_PROGRESS_LOOK_S = 0.1  # between looks at a preparation
_DIAGNOSTICS_QUEUE_DEPTH = 10
_STOP_TIMEOUT_S = 1.0  # that a frame has to end when the process is told to stop


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
    latched_camera_info: Subscription[CameraInfo] | None = None


class DepthNode(LifecycleNodeMixin, node_parameters.DeclaringNode):
    """See docs/node.md for topics and parameters. Raises LircDepthError for a parameter that cannot work."""

    def __init__(self) -> None:
        node_parameters.DeclaringNode.__init__(self, "depth_node", PARAMETERS)
        # So that the state can be asked for while a transition is awaited.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self._preparation: Preparation | None = None
        self._configured: Configured | None = None
        self._active: Active | None = None
        self._publishing = threading.Lock()  # a frame is published, or the node is deactivated: not both at a time
        self._journal = Journal(self.get_logger())
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
        settings = Settings(**self.option_values())
        self._check_topics(settings)
        poses = make_poses(self, settings)  # before anything is loaded: a mistake there is found at once
        for reader in settings.radar_readers.values():
            radar_message_class(reader.field_map)  # so, too, is a package that is missing
        worker: Worker[Job] = Worker(self._process)
        worker.start()
        return Preparation(settings, poses, worker, self.get_logger(), self._report_progress)

    def _report_progress(self, text: str) -> None:
        name, now = diagnostics.status_name(self), self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics.diagnostic_array(now, name, diagnostics.WARN, text, {}))

    def _check_topics(self, settings: Settings) -> None:
        """Raise LircDepthError for two radars of one topic and for QoS that cannot be; log QoS of unknown topics."""
        topics = self._topics(settings)
        if len(set(topics.radars)) < len(topics.radars):
            raise LircDepthError(f"radar_topics are {', '.join(topics.radars)}, expected different ones")
        received = (topics.image, topics.camera_info, *topics.radars, self.resolve_topic_name(settings.odometry_topic))
        published = [self.resolve_topic_name(topic) for topic in published_topics(settings)]
        qos.check_overrides(self, received, published)

    def _topics(self, settings: Settings) -> Topics:
        """Return the resolved names of the inputs."""
        resolve = self.resolve_topic_name
        radars = tuple(map(resolve, settings.radar_topics))
        return Topics(resolve(settings.received_image_topic), resolve(settings.camera_info_topic), radars)

    def _completed(self, preparation: Preparation, pipeline: DepthPipeline, resources: ExitStack) -> Configured:
        """Make what else a configured node has. What is made is added to ``resources`` at once."""
        decoder = None
        if preparation.worker.call(pipeline.backend.leaves_a_core).result():
            decoder = futures.ThreadPoolExecutor(1, "decoder")
            resources.callback(decoder.shutdown)
            decoder.submit(time.perf_counter)  # has its thread started now, not on the way

        def create_output(kind: type, topic: str) -> Publisher[Any]:
            publisher = qos.create_publisher(self, kind, topic, self._report_qos)
            resources.callback(self.destroy_publisher, publisher)
            return publisher

        settings = preparation.settings
        pipeline.max_range, pipeline.upsampling = settings.max_range, settings.upsampling  # may have changed meanwhile
        made = DepthOutputs(create_output, settings)
        return Configured(settings, preparation.poses, preparation.worker, pipeline, decoder, made, resources)

    def _activate(self) -> None:
        configured = self._configured
        assert configured is not None, "the lifecycle activates only a configured node"
        settings, poses = configured.settings, configured.poses
        self._journal = journal = Journal(self.get_logger())
        clock = NodeClock(self.get_clock())
        topics = self._topics(settings)
        frames = FrameMatching(settings, topics, poses, clock, journal, self._hand_over, self._keep_polling)
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
            inputs = _inputs(settings, topics, frames)
            for kind, topic, callback in inputs:
                active.subscriptions.append(qos.create_subscription(self, kind, topic, callback, self._report_qos))
        except BaseException:
            self._stop_listening()
            raise
        types = {
            subscription.topic_name: qos.type_name(kind)
            for subscription, (kind, _, _) in zip(active.subscriptions, inputs, strict=True)
        }
        reporter = Reporter(self, self._diagnostics, configured.pipeline, journal, frames, poses, types)
        active.timers.append(
            self.create_timer(_ASSESS_PERIOD_S, lambda: reporter.report(configured.settings), clock=self._steady)
        )
        look = partial(self._look_for_latched_camera_info, active, settings)
        active.timers.append(self.create_timer(_LATCHED_LOOK_PERIOD_S, look, clock=self._steady))
        radars, depth = ", ".join(topics.radars), configured.outputs.depth.topic_name
        self.get_logger().info(f"active: {topics.image} + {radars} -> {depth}")

    def _look_for_latched_camera_info(self, active: Active, settings: Settings) -> None:
        """Subscribe to a camera_info that was published once, before this node was there."""
        if active.latched_camera_info is None and not active.frames.has_camera_info:
            active.latched_camera_info = latched = qos.create_latched_subscription(
                self, CameraInfo, settings.camera_info_topic, active.frames.on_camera_info
            )
            if latched is not None:
                active.subscriptions.append(latched)
                self.get_logger().info(f"{latched.topic_name} is latched: what was published before is read, too")

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


def _inputs(settings: Settings, topics: Topics, frames: FrameMatching) -> list[tuple[type, str, Callable[[Any], None]]]:
    """Return (type, topic, callback) of each subscription, the image's first."""
    kinds = [radar_message_class(reader.field_map) for reader in settings.radar_readers.values()]
    radars = zip(kinds, settings.radar_topics, topics.radars, strict=True)
    return [
        (CompressedImage if settings.compressed_images else Image, settings.received_image_topic, frames.on_image),
        (CameraInfo, settings.camera_info_topic, frames.on_camera_info),
        *((kind, topic, partial(frames.on_radar, name)) for kind, topic, name in radars),
    ]


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
