# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node: camera image, camera info and radar point clouds in, depth images out.

A managed node (lifecycle) that configures and activates itself by default. Callbacks convert and hand over; the
network runs in one worker thread, on the newest frame that is complete.
"""

import os
import signal
import sys
import time
import traceback
from concurrent import futures
from functools import partial

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.assembler import FrameAssembler
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros.depth_node import diagnostics, parameters, qos
from lircdepth_ros.depth_node.diagnostics import Reporter, Statistics
from lircdepth_ros.depth_node.job import Job, process
from lircdepth_ros.depth_node.outputs import DepthOutputs
from lircdepth_ros.depth_node.transforms import make_transforms, radar_inputs
from lircdepth_ros.depth_node.worker import Worker
from lircdepth_ros.messages.clouds import cloud_to_radar_scan
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import stamp_to_ns

_POLL_PERIOD = 0.005  # seconds between looks at a frame that waits
_ASSESS_PERIOD = 0.1  # seconds between looks at the node's health; a change of level is published at once
_CLOCK_STALL = 2.0  # seconds of wall time after which no frame waits for a simulated clock that stands still
_JUMP_TOLERANCE = 500_000_000  # nanoseconds by which messages may run ahead of /clock without being of another lap


class DepthNode(LifecycleNode):
    """See the README for topics and parameters."""

    def __init__(self):
        super().__init__("depth_node")
        self._settings = None  # parameters as they were read; None while unconfigured
        self.add_on_set_parameters_callback(self._on_parameters)
        parameters.declare(self)
        self._worker = self._decoder = self._pipeline = self._transforms = None
        self._outputs = self._diagnostics_publisher = None
        self._assembler = None
        self._inputs, self._timers_made = [], []
        self._lap = 0  # counts activations: a frame of an earlier one is not published
        self._active = False
        self._said = set()
        self.interrupted = False  # while the network was being prepared: the worker still is at it
        self.statistics = Statistics()
        # Wall time: a simulated clock that stands still must not silence the node.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)

    # --- lifecycle ---------------------------------------------------------------------------------------------

    def on_configure(self, _state):
        """Load the weights and warm the network up in the worker thread, and find the transforms."""
        return self._transition(self._configure, self._release)

    def on_activate(self, state):
        """Subscribe to the sensors."""
        result = self._transition(self._activate, self._stop_listening)
        return super().on_activate(state) if result == TransitionCallbackReturn.SUCCESS else result

    def on_deactivate(self, state):
        """Stop at once: a frame that is being computed is not published. Model and memory stay."""
        self._stop_listening()
        return super().on_deactivate(state)

    def on_cleanup(self, _state):
        """Free the model and its memory."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, _state):
        """Stop; the worker finishes the frame that it computes."""
        self._stop_listening()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, _state):
        """After a fault of ours in a transition: free everything and be unconfigured."""
        self._stop_listening()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _transition(self, step, undo):
        """Run a transition's step. A wrong setting fails it, and the node stays in the state that it was in."""
        try:
            step()
        except (LircDepthError, MemoryError) as error:
            self.get_logger().error(str(error))
            undo()
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow it without a word
            self.get_logger().fatal(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _configure(self):
        self.get_logger().debug("configuring")
        settings = parameters.read(self)
        self._transforms = make_transforms(self, settings)  # first: a mistake there is found without loading anything
        self._worker = Worker(self._process)
        self._worker.start()
        self._pipeline = self._in_worker(self._load_pipeline, settings)
        if self._in_worker(self._pipeline.backend.leaves_a_core):
            self._decoder = futures.ThreadPoolExecutor(1, "decoder")
            self._decoder.submit(time.perf_counter)  # has its thread started now, not on the way
        self._warm_up()
        self._outputs = DepthOutputs(partial(qos.create_publisher, self), settings)
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._settings = settings
        backend, digest = self._pipeline.backend.describe(), self._pipeline.weights_sha256 or "none"
        self.get_logger().info(f"weights {settings['weights']} (sha256 {digest}); {backend}")
        self.get_logger().info(
            f"transforms from {self._transforms.describe()}; inference_scale {settings['inference_scale']}"
        )
        if self._pipeline.header.caution:
            self.get_logger().warning(f"{self._pipeline.header.caution} (parameter weights)")

    @staticmethod
    def _load_pipeline(settings):
        names = ("device", "threads", "backend", "precision", "inference_scale", "max_range", "upsampling")
        return DepthPipeline.from_weights(settings["weights"], **{name: settings[name] for name in names})

    def _warm_up(self):
        plan = self._pipeline.nominal_plan()
        self.get_logger().info(
            f"preparing the network for {plan.crop_width}x{plan.crop_height}; the first time on a machine this may "
            "take minutes, then it is cached"
        )
        self._in_worker(self._pipeline.warm_up)

    def _in_worker(self, function, *arguments):
        """Return what a function returns in the worker's thread, unless the process is told to stop meanwhile."""
        future = self._worker.call(function, *arguments)
        while not futures.wait([future], timeout=0.1).done:
            if not self.context.ok():  # a signal ended it
                raise KeyboardInterrupt  # which no caller takes for a failed transition
        return future.result()

    def _activate(self):
        settings = self._settings
        self.statistics = Statistics()
        self._said.clear()
        self._camera_info = None
        self._reporter = Reporter()
        self._clock_seen = (None, 0.0)  # the node's time when it last advanced, and the wall time then
        self._assembler = FrameAssembler(settings["radar_topics"], ready=self._is_ready)
        self._apply_live_settings()
        compressed = settings["image_transport"] == "compressed"
        image_topic = settings["image_topic"] + ("/compressed" if compressed else "")
        wanted = [
            (CompressedImage if compressed else Image, image_topic, self._on_image),
            (CameraInfo, settings["camera_info_topic"], self._on_camera_info),
            *((PointCloud2, topic, partial(self._on_radar, topic)) for topic in settings["radar_topics"]),
        ]
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True),
            post_callback=self._on_time_jump,
        )
        # Set before the first subscription, so that no callback finds half of an activation.
        self._lap += 1
        self._active = True
        self._transforms.start()
        for subscription in wanted:
            self._inputs.append(qos.create_subscription(self, *subscription))
        self._poll_timer = self.create_timer(_POLL_PERIOD, self.match_frames, clock=self._steady)
        self._poll_timer.cancel()  # runs only while a frame waits
        self._timers_made = [
            self._poll_timer,
            self.create_timer(_ASSESS_PERIOD, self._publish_diagnostics, clock=self._steady),
        ]
        self.get_logger().info(
            f"active: {image_topic} + {', '.join(settings['radar_topics'])} -> {self._outputs.depth.topic_name}"
        )

    def _stop_listening(self):
        if not self._active:
            return
        self._active = False
        self._jump_handle.unregister()
        self._transforms.stop()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        for timer in self._timers_made:
            self.destroy_timer(timer)
        self._inputs, self._timers_made = [], []
        self._worker.discard()

    def _release(self):
        if self._worker is not None and not self._worker.stop():
            self.interrupted = True
            return
        if self._decoder is not None:
            self._decoder.shutdown()
        if self._pipeline is not None:
            self._pipeline.backend.release()
        if self._outputs is not None:
            for publisher in (*self._outputs.publishers, self._diagnostics_publisher):
                self.destroy_publisher(publisher)
        self._worker = self._decoder = self._pipeline = self._transforms = self._outputs = self._settings = None

    # --- parameters --------------------------------------------------------------------------------------------

    def _on_parameters(self, changes):
        for parameter in changes:
            reason = parameters.refuse(parameter, configured=self._settings is not None)
            if reason is not None:
                return SetParametersResult(successful=False, reason=reason)
        if self._settings is not None:
            known = {parameter.name: parameter.value for parameter in changes if parameter.name in self._settings}
            self._settings.update(known)
            self._apply_live_settings()
        return SetParametersResult(successful=True)

    def _apply_live_settings(self):
        self._pipeline.max_range = self._settings["max_range"]
        self._pipeline.upsampling = self._settings["upsampling"]
        if self._assembler is not None:
            self._assembler.window = round(self._settings["sync_window"] * 1e9)
            self._assembler.max_wait = round(self._settings["max_wait"] * 1e9)
            self._assembler.past_sweeps = self._settings["accumulate_sweeps"]

    # --- messages in, in the executor's thread -----------------------------------------------------------------

    def _on_image(self, message):
        arrived = time.perf_counter()
        statistics = self.statistics
        statistics.count("frames_in")
        stamp = stamp_to_ns(message.header.stamp)
        if stamp == 0:
            self._drop(
                "zero_stamp", "an image has stamp 0: it cannot be matched to a radar scan; set the driver's clock"
            )
            return
        now = self._now()
        self._assembler.add_image(stamp, (message, arrived), now or stamp)  # before the first /clock now is 0
        self.match_frames()
        statistics.sample(
            {"image_age_ms": (now - stamp) / 1e6, "image_callback_ms": (time.perf_counter() - arrived) * 1e3}
        )

    def _on_camera_info(self, message):
        self._camera_info = message
        self.match_frames()

    def _on_radar(self, topic, message):
        arrived = time.perf_counter()
        self.statistics.count(f"scans_in {topic}")
        stamp = stamp_to_ns(message.header.stamp)
        try:
            if stamp == 0:
                raise LircDepthError("a scan has stamp 0: it cannot be matched to an image; set the driver's clock")
            scan = cloud_to_radar_scan(message, self._settings["radar_fields"].split())
        except LircDepthError as error:
            self._leave_scan_out("scans_refused", topic, error)
            return
        self._assembler.add_scan(topic, stamp, (scan, message.header.frame_id))
        self.match_frames()
        self.statistics.sample({"radar_callback_ms": (time.perf_counter() - arrived) * 1e3})

    def match_frames(self):
        """Hand the frames that are complete to the worker; keep looking while one waits."""
        if not self._active:
            return
        for match in self._assembler.poll(self._deadline_time()):
            self._release_frame(match)
        if self._assembler.pending:
            self._poll_timer.reset()
        else:
            self._poll_timer.cancel()

    def _now(self):
        return self.get_clock().now().nanoseconds

    def _deadline_time(self):
        """The node's time, or the end of time where a simulated clock has stood still for too long."""
        now, wall = self._now(), time.perf_counter()
        if now != self._clock_seen[0]:
            self._clock_seen = (now, wall)
        return now if wall - self._clock_seen[1] < _CLOCK_STALL else sys.maxsize

    def _on_time_jump(self, _jump):
        """The clock went back, or changed its source: what is later than now is of another lap."""
        self.statistics.count("clock_jumps")
        self._assembler.forget_after(self._now() + _JUMP_TOLERANCE)
        self._transforms.forget_after(self._now() + _JUMP_TOLERANCE)

    def _is_ready(self, match):
        message, _ = match.image
        return self._camera_info is not None and all(
            self._transforms.ready(message.header.frame_id, match.stamp, scan.data[1], scan.stamp)
            for scan in match.scans.values()
        )

    def _release_frame(self, match):
        message, arrived = match.image
        if self._camera_info is None:
            self._drop("no_camera_info", f"no camera_info on {self._settings['camera_info_topic']} yet")
            return
        radars, standing = radar_inputs(
            match,
            message.header.frame_id,
            self._transforms,
            self._settings["velocity_compensation"],
            lambda topic, error: self._leave_scan_out("scans_without_transform", topic, error),
        )
        if standing:
            self.statistics.count("without_ego_motion")
            self.say_once("ego_motion", "no ego motion between radar and camera stamps: the vehicle is taken to stand")
        offsets = [(scan.stamp - match.stamp) / 1e6 for scan in match.scans.values()]
        for offset in offsets:
            self.statistics.sample({"sync_offset_ms": offset})
        # An image that waits for the network is decoded meanwhile, by a core that the network leaves. Those that come
        # after it and replace it are not: their like are replaced, too.
        ahead = self._decoder is not None and self._worker.next_is_free()
        decoded = self._decoder.submit(any_image_to_rgb, message) if ahead else None
        job = Job(message, self._camera_info, radars, arrived, time.perf_counter(), self._lap, decoded)
        if self._worker.submit(job) is not None:
            self.statistics.drop("busy")

    # --- the worker's thread -----------------------------------------------------------------------------------

    def _process(self, job):
        """Compute and publish one frame; whatever goes wrong is counted, and the thread lives on for the next."""
        try:
            process(job, self._pipeline, self._outputs, self._settings, self.statistics, self._still_wanted, self._now)
        except LircDepthError as error:
            self._drop("bad_input", str(error))
        except MemoryError as error:
            self._drop("out_of_memory", str(error) or "out of memory")
        except Exception as error:
            if not self.context.ok():
                return  # the process was asked to stop while the network ran
            self.get_logger().error(traceback.format_exc())
            self._drop("internal_error", f"{type(error).__name__}: {error}")

    def _still_wanted(self, job):
        return self._active and job.lap == self._lap

    # --- what the node says ------------------------------------------------------------------------------------

    def say_once(self, key, text, error=False):
        """Log a text the first time that its key comes up in an activation; the counters tell the rest."""
        if key not in self._said:
            self._said.add(key)
            logger = self.get_logger()
            # Two calls on two lines: rclpy ties a severity to the line that logs.
            if error:
                logger.error(f"{text} (said once; see /diagnostics)")
            else:
                logger.warning(f"{text} (said once; see /diagnostics)")

    def _drop(self, cause, reason):
        self.statistics.drop(cause, reason)
        self.say_once(cause, f"image left out: {reason}", error=True)

    def _leave_scan_out(self, counter, topic, error):
        self.statistics.count(counter)
        self.statistics.error(f"{topic}: {error}")
        self.say_once(f"{counter} {topic}", f"{topic}: scan left out: {error}", error=True)

    def _publish_diagnostics(self):
        statistics = self.statistics
        topics = [subscription.topic_name for subscription in self._inputs]
        problems, silent = list(statistics.problems.values()), qos.silent_topics(self, topics, topics[0])
        remarks = list(problems)
        if statistics.recent("scans_refused") or statistics.recent("scans_without_transform"):
            remarks.append(f"radar scans are left out: {statistics.recent_error()}")
        if statistics.recent("without_ego_motion"):
            remarks.append("no ego motion between radar and camera stamps: the vehicle is taken to stand")
        remarks += silent
        if self._pipeline.header.random:
            remarks.append(self._pipeline.header.caution)
        level, message = diagnostics.assess(statistics, self._settings, remarks, [*problems, *silent])
        if not self._reporter.is_due(level):
            return
        values = statistics.values()
        values.update(
            time_jumps=self._assembler.time_jumps,
            last_error=statistics.last_error,
            weights=self._settings["weights"],
            weights_sha256=self._pipeline.weights_sha256,
            model=self._pipeline.header.model,
            caution=self._pipeline.header.caution,
            backend=self._pipeline.backend.describe(),
            device_memory_mb=round(self._pipeline.backend.memory() / 2**20, 1),
        )
        stamp = self.get_clock().now().to_msg()
        name = f"{self.get_fully_qualified_name()}: depth"
        self._diagnostics_publisher.publish(diagnostics.diagnostic_array(stamp, name, level, message, values))


def main(argv=None):
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
            node.on_shutdown(None)
            node.destroy_node()
        rclpy.try_shutdown()
        if node is not None and node.interrupted:
            sys.stdout.flush()
            os._exit(0)  # an interpreter that ends under a thread in a compiler crashes
    return 0
