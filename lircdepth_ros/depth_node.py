"""The depth node: camera image, camera info and radar point clouds in, depth images out.

A managed node (lifecycle) that configures and activates itself by default. Callbacks convert and hand over; the
network runs in one worker thread, on the newest frame that is complete.
"""

import sys
import time
import traceback
from dataclasses import dataclass
from functools import partial

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidHandle, ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from lircdepth_core.errors import LircDepthError
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.sync import FrameAssembler
from lircdepth_ros import conversions, parameters
from lircdepth_ros.diagnostics import Statistics, diagnostic_array
from lircdepth_ros.transforms import make_transforms
from lircdepth_ros.worker import Worker

_POLL_PERIOD = 0.005  # seconds between looks at a frame that waits
_CLOCK_STALL = 2.0  # seconds of wall time after which no frame waits for a simulated clock that stands still
_RANDOM_WEIGHTS = "the weights are RANDOM: the published depth means nothing (parameter weights)"


@dataclass
class _Job:
    """A complete frame on its way to the worker. Times are time.perf_counter() seconds."""

    image: object
    camera_info: CameraInfo
    radars: list
    arrived: float
    released: float


class DepthNode(LifecycleNode):
    """See the README for topics and parameters."""

    def __init__(self):
        super().__init__("depth_node")
        self._settings = None  # parameters as they were read; None while unconfigured
        self.add_on_set_parameters_callback(self._check_parameters)
        parameters.declare(self)
        self._worker = None
        self._pipeline = None
        self._subscriptions_made = []
        self._active = False
        self._said = set()
        self.statistics = Statistics()

    # --- lifecycle ---------------------------------------------------------------------------------------------

    def on_configure(self, _state):
        """Load the weights and warm the network up in the worker thread, and find the transforms."""
        try:
            settings = parameters.read(self)
            self._worker = Worker(self._infer)
            self._worker.start()
            self._pipeline = self._worker.call(self._load_pipeline, settings).result()
            self._transforms = make_transforms(
                self,
                settings["transform_source"],
                settings["calibration_file"],
                settings["odometry_topic"],
                settings["fixed_frame"],
            )
        except LircDepthError as error:
            self.get_logger().error(str(error))
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._settings = settings
        self._depth_publisher = self.create_publisher(Image, settings["depth_topic"] + "/image", 5)
        self._info_publisher = self.create_publisher(CameraInfo, settings["depth_topic"] + "/camera_info", 5)
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.get_logger().info(
            f"{self._pipeline.backend.describe()}; transforms from {self._transforms.describe()}; "
            f"inference_scale {settings['inference_scale']}"
        )
        if self._pipeline.header.random:
            self.get_logger().warning(_RANDOM_WEIGHTS)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, _state):
        """Subscribe to the sensors."""
        settings = self._settings
        self.statistics = Statistics()
        self._camera_info = None
        self._clock_seen = (None, 0.0)  # the node's time when it last advanced, and the wall time then
        self._assembler = FrameAssembler(
            settings["radar_topics"],
            window=round(settings["sync_window"] * 1e9),
            max_wait=round(settings["max_wait"] * 1e9),
            ready=self._is_ready,
        )
        quality = QoSProfile(depth=10, reliability=ReliabilityPolicy[settings["input_reliability"].upper()])
        compressed = settings["image_transport"] == "compressed"
        image_topic = settings["image_topic"] + ("/compressed" if compressed else "")
        self._subscriptions_made = [
            self.create_subscription(CompressedImage if compressed else Image, image_topic, self._on_image, quality),
            self.create_subscription(CameraInfo, settings["camera_info_topic"], self._on_camera_info, quality),
            *(
                self.create_subscription(PointCloud2, topic, partial(self._on_radar, topic), quality)
                for topic in settings["radar_topics"]
            ),
        ]
        # Both count wall time: a simulated clock that stands still must not silence them.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._poll_timer = self.create_timer(_POLL_PERIOD, self.match_frames, clock=steady)
        self._poll_timer.cancel()  # runs only while a frame waits
        self._diagnostics_timer = self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        self._active = True
        self.get_logger().info(
            f"active: {image_topic} + {', '.join(settings['radar_topics'])} -> {self._depth_publisher.topic_name}"
        )
        return super().on_activate(_state)

    def on_deactivate(self, _state):
        """Stop at once: a frame that is being computed is not published. Model and memory stay."""
        self._active = False
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._subscriptions_made = []
        for timer in (self._poll_timer, self._diagnostics_timer):
            self.destroy_timer(timer)
        self._worker.discard()
        return super().on_deactivate(_state)

    def on_cleanup(self, _state):
        """Free the model."""
        self._transforms.destroy()
        for publisher in (self._depth_publisher, self._info_publisher, self._diagnostics_publisher):
            self.destroy_publisher(publisher)
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, _state):
        """Stop the worker; it finishes the frame that it computes."""
        self._active = False
        self._release()
        return TransitionCallbackReturn.SUCCESS

    @staticmethod
    def _load_pipeline(settings):
        pipeline = DepthPipeline.from_weights(
            settings["weights"],
            model=settings["model"],
            device=settings["device"],
            threads=settings["threads"],
            inference_scale=settings["inference_scale"],
            max_range=settings["max_range"],
        )
        pipeline.warm_up()
        return pipeline

    def _release(self):
        if self._worker is not None:
            self._worker.stop()
        self._worker = self._pipeline = self._settings = None

    def _check_parameters(self, changes):
        for parameter in changes:
            reason = parameters.invalid_choice(parameter)
            if reason is None and self._settings is not None and parameter.name in self._settings:
                reason = f"{parameter.name} is read when the node is configured: clean up the node first"
            if reason is not None:
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    # --- messages in, in the executor's thread -----------------------------------------------------------------

    def _on_image(self, message):
        self.statistics.count("frames_in")
        stamp = conversions.stamp_to_ns(message.header.stamp)
        if stamp == 0:
            self._drop("zero_stamp", "an image has stamp 0: it cannot be matched to a radar scan")
            return
        arrived = time.perf_counter()
        # Before the first /clock simulated time is 0; bag time at the image's arrival is its stamp.
        self._assembler.add_image(stamp, (message, arrived), self._now() or stamp)
        self.match_frames()

    def _on_camera_info(self, message):
        self._camera_info = message
        self.match_frames()

    def _on_radar(self, topic, message):
        stamp = conversions.stamp_to_ns(message.header.stamp)
        self.statistics.count("scans_in")
        try:
            if stamp == 0:
                raise LircDepthError("a scan has stamp 0: it cannot be matched to an image")
            scan = conversions.cloud_to_radar_scan(message, self._settings["radar_fields"].split())
        except LircDepthError as error:
            self.statistics.count("scans_refused")
            self.statistics.last_error = f"{topic}: {error}"
            self.say_once(topic, f"{topic}: scan left out: {error}")
            return
        self._assembler.add_scan(topic, stamp, (scan, message.header.frame_id))
        self.match_frames()

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
        radars = []
        for topic, scan in match.scans.items():
            radar_scan, radar_frame = scan.data
            try:
                transform, moved = self._transforms.camera_from_radar(
                    message.header.frame_id, match.stamp, radar_frame, scan.stamp
                )
            except LircDepthError as error:
                self.statistics.count("scans_without_transform")
                self.statistics.last_error = str(error)
                self.say_once("transform", f"{topic}: scan left out: {error}")
                continue
            if not moved:
                self.statistics.count("without_ego_motion")
                self.say_once(
                    "ego_motion", "no ego motion between radar and camera stamps: the vehicle is taken to stand"
                )
            radars.append((radar_scan, transform))
        job = _Job(message, self._camera_info, radars, arrived, time.perf_counter())
        if self._worker.submit(job) is not None:
            self.statistics.drop("busy")

    # --- inference, in the worker's thread ---------------------------------------------------------------------

    def _infer(self, job):
        try:
            self._publish_depth(job)
        except LircDepthError as error:
            self._drop("bad_input", str(error))
        except Exception as error:  # a fault of ours must not end the thread that all later frames need
            self.get_logger().error(traceback.format_exc())
            self._drop("internal_error", f"{type(error).__name__}: {error}")

    def _publish_depth(self, job):
        started = time.perf_counter()
        intrinsics, size = conversions.camera_matrix(job.camera_info)
        if isinstance(job.image, CompressedImage):
            image = conversions.compressed_image_to_rgb(job.image)
        else:
            image = conversions.image_to_rgb(job.image)
        if size != (image.shape[1], image.shape[0]):
            raise LircDepthError(
                f"camera_info is for {size[0]}x{size[1]}, the image is {image.shape[1]}x{image.shape[0]}"
            )
        decoded = time.perf_counter()
        frame = self._pipeline(image, intrinsics, job.radars)
        computed = time.perf_counter()
        depth = Image(header=job.image.header)
        unrepresented = conversions.fill_depth_image(depth, frame.depth, self._settings["depth_encoding"])
        info = CameraInfo(
            header=job.image.header,
            height=job.camera_info.height,
            width=job.camera_info.width,
            distortion_model=job.camera_info.distortion_model,
            d=job.camera_info.d,
            k=job.camera_info.k,
            r=job.camera_info.r,
            p=job.camera_info.p,
        )
        if not self._active:
            return
        try:
            self._depth_publisher.publish(depth)
            self._info_publisher.publish(info)
        except (rclpy_implementation.RCLError, InvalidHandle):
            if self.context.ok():
                raise
            return  # the process was asked to stop while the network ran
        published = time.perf_counter()
        statistics = self.statistics
        statistics.count("frames_out")
        statistics.count("fused" if frame.fused else "camera_only")
        statistics.count("returns_rejected", frame.rejected_returns)
        statistics.count("pixels_beyond_encoding", unrepresented)
        statistics.time(
            {
                "wait": job.released - job.arrived,
                "queue": started - job.released,
                "decode": decoded - started,
                **frame.seconds,
                "publish": published - computed,
                "total": published - job.arrived,
            }
        )

    # --- what the node says ------------------------------------------------------------------------------------

    def say_once(self, key, text):
        """Log a warning the first time that its key comes up; the counters tell the rest."""
        if key not in self._said:
            self._said.add(key)
            self.get_logger().warning(f"{text} (said once; see /diagnostics)")

    def _drop(self, cause, reason):
        self.statistics.drop(cause, reason)
        self.say_once(cause, f"image left out: {reason}")

    def _publish_diagnostics(self):
        values = self.statistics.values()
        values["time_jumps"] = self._assembler.time_jumps
        level, message = DiagnosticStatus.OK, "depth is published"
        if self._pipeline.header.random:
            level, message = DiagnosticStatus.WARN, _RANDOM_WEIGHTS
        if not values["frames_in"]:
            level, message = DiagnosticStatus.WARN, f"no image on {self._subscriptions_made[0].topic_name} yet"
        elif not values["frames_out"]:
            level, message = DiagnosticStatus.WARN, "no depth yet"
        values.update(
            last_error=self.statistics.last_error,
            weights=self._settings["weights"],
            backend=self._pipeline.backend.describe(),
        )
        stamp = self.get_clock().now().to_msg()
        name = f"{self.get_fully_qualified_name()}: depth"
        self._diagnostics_publisher.publish(diagnostic_array(stamp, name, level, message, values))


def main(argv=None):
    """Run the node; return 0, or 2 when it could not be configured."""
    rclpy.init(args=argv)
    node = None
    try:
        node = DepthNode()
        if node.get_parameter("autostart").value:
            if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
                return 2
            node.trigger_activate()
        rclpy.spin(node)
    except ParameterException as error:
        print(f"depth_node: error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if node is not None:
            node.on_shutdown(None)
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
