# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions whose QoS the user can override, and the reasons why no message comes.

ROS's own mechanism is used: parameters such as ``qos_overrides./RADAR_FRONT/points.subscription.reliability``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.subscription import Subscription

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import nearest_text
from lircdepth_ros.depth_node.statistics import Statistics
from lircdepth_ros.node_parameters import QOS_PREFIX, overrides

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble has them in another module
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_NO_PUBLISHER_AFTER_S = 5.0
_POLICIES = (QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY, QoSPolicyKind.DEPTH)
_ENUMERATIONS = {"reliability": ReliabilityPolicy, "durability": DurabilityPolicy}
_OF_RCLPY = f"{QOS_PREFIX}/clock."  # rclpy declares these itself, with use_sim_time

_Created = TypeVar("_Created")


class TopicJournal(Protocol):
    """The part of Journal and SharedJournal that a subscription tells what happens to it."""

    def report_qos(self, topic: str, text: str) -> None:
        """Count, keep and log that the publisher of a topic has a QoS that does not fit."""

    def count_lost(self, topic: str, number: int) -> None:
        """Count messages of a topic that were published and did not come."""


class SequenceGaps:
    """Finds the messages that never came by the numbers that their publisher gave them: 1, 2, 3 ...

    No event of the middleware tells of them all: Fast DDS 3 tells (message_lost) of a message of which parts were lost
    on the way, but not of one that newer ones pushed out of a full queue.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def before(self, number: int | None) -> int:
        """Return how many messages are missing between the one before and this one.

        number: None where the middleware has no numbers. One that goes back is of a publisher that was started again.
        """
        last, self._last = self._last, number
        return 0 if last is None or number is None else max(number - last - 1, 0)


def check_overrides(node: Node, subscriptions: Iterable[str], publishers: Iterable[str]) -> None:
    """Log each QoS override of a topic or policy that a node does not have. The topics' names are resolved.

    Raises LircDepthError for a value that is no QoS setting.
    """
    known = {
        f"{QOS_PREFIX}{topic}.{side}.{policy.name.lower()}": policy.name.lower()
        for side, topics in (("subscription", subscriptions), ("publisher", publishers))
        for topic in topics
        for policy in _POLICIES
    }
    for name, value in overrides(node).items():
        if name in known:
            _check_override(name, known[name], value)
        elif name.startswith(QOS_PREFIX) and not name.startswith(_OF_RCLPY):
            nearest = nearest_text(name, known) or "."
            node.get_logger().warning(f"no topic of this node has the QoS '{name}'{nearest} It is ignored.")


def _check_override(name: str, policy: str, value: object) -> None:
    if policy == "depth":
        if type(value) is not int or value < 0:
            raise LircDepthError(f"{name} is {value!r}, expected a whole number, 0 or more")
        return
    allowed = [member.name.lower() for member in _ENUMERATIONS[policy] if member.name != "UNKNOWN"]
    if not isinstance(value, str) or value.lower() not in allowed:
        raise LircDepthError(f"{name} is {value!r}, expected {', '.join(allowed)}{nearest_text(str(value), allowed)}")


def create_subscription(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[Any], None],
    journal: TopicJournal,
    depth: int = 10,
) -> Subscription[Any]:
    """Subscribe with a QoS that accepts every publisher (best effort, volatile), unless the user overrides it.

    The journal is told of an incompatible publisher, and of messages that were lost before ``callback`` could take
    them. Raises LircDepthError when an override is not a valid QoS setting.
    """

    def incompatible(event: Any) -> None:
        problem = f"a publisher on {name} offers a QoS that is not accepted"
        journal.report_qos(name, _with_remedy(problem, name, event, "subscription"))

    def received(message: Any, info: Mapping[str, Any]) -> None:
        missing = gaps.before(info.get("publication_sequence_number"))
        if missing and node.count_publishers(name) == 1:  # several would number their messages each by itself
            journal.count_lost(name, missing)
        callback(message)

    gaps = SequenceGaps()
    name = node.resolve_topic_name(topic)
    events = SubscriptionEventCallbacks(incompatible_qos=incompatible)
    quality = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    return _overridable(name, node.create_subscription, kind, topic, received, quality, event_callbacks=events)


def create_latched_subscription(
    node: Node, kind: type, topic: str, callback: Callable[[Any], None]
) -> Subscription[Any] | None:
    """Subscribe to what was published before, if a publisher keeps it for late joiners; else return None.

    A subscription that asks for it would get nothing of publishers that keep nothing, so it is made beside the other.
    """
    published = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
    if not any(info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for info in published):
        return None
    quality = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return node.create_subscription(kind, topic, callback, quality)


def create_publisher(node: Node, kind: type, topic: str, report: Callable[[str, str], None]) -> Publisher[Any]:
    """Offer a QoS that suits every volatile subscription (reliable), unless the user overrides it.

    An incompatible subscription is told to ``report(topic, text)``. Raises LircDepthError when an override is not a
    valid QoS setting.
    """

    def incompatible(event: Any) -> None:
        problem = f"a subscription to {name} asks for a QoS that is not offered"
        report(name, _with_remedy(problem, name, event, "publisher"))

    name = node.resolve_topic_name(topic)
    events = PublisherEventCallbacks(incompatible_qos=incompatible)
    return _overridable(name, node.create_publisher, kind, topic, QoSProfile(depth=5), event_callbacks=events)


def _with_remedy(problem: str, topic: str, event: Any, side: str) -> str:
    """Return a text that names the policy of an incompatible-QoS event, and what to change."""
    try:
        policy = QoSPolicyKind(event.last_policy_kind).name.lower()
    except ValueError:
        policy = "unknown policy"
    return f"{problem} ({policy}): change qos_overrides.{topic}.{side}.{policy}, or the other side"


def _overridable(topic: str, create: Callable[..., _Created], *arguments: Any, **options: Any) -> _Created:
    try:
        return create(*arguments, qos_overriding_options=QoSOverridingOptions(_POLICIES), **options)
    except (ParameterException, InvalidQosOverridesError, ValueError) as error:
        raise LircDepthError(f"qos_overrides.{topic}: {error}") from error


def type_name(kind: type) -> str:
    """Return a message class's ROS name, such as sensor_msgs/msg/Image."""
    package, folder, *_ = kind.__module__.split(".")
    return f"{package}/{folder}/{kind.__name__}"


def silent_topics(
    statistics: Statistics,
    topics: Mapping[str, str],
    image_topic: str,
    published: Mapping[str, Mapping[str, list[str]]],
) -> list[str]:
    """Return the reasons why messages do not come, one text for each silent topic, the image's first.

    topics: {name: type that is read}. published: {name: publishers_by_type}.
    """
    if statistics.seconds_active() < _NO_PUBLISHER_AFTER_S:
        return []
    reasons = []
    for topic in topics:
        types = published[topic]
        if not types:
            reasons.append(f"no publisher on {topic}: start the driver, or compare `ros2 topic list` and remap")
        reasons += [
            f"{topic} is published as {other} by {', '.join(nodes)}, expected {topics[topic]}"
            for other, nodes in types.items()
            if other != topics[topic]
        ]
    if topics[image_topic] in published[image_topic] and statistics.age("frames_in") > _NO_PUBLISHER_AFTER_S:
        reasons.insert(
            0,
            f"{image_topic} has a publisher, but no image arrives: where large images are published, Fast DDS needs "
            "config/fastdds_profile.xml (see docs/node.md)",
        )
    return reasons


def publishers_by_type(node: Node, topic: str) -> dict[str, list[str]]:
    """Return {type: names of the nodes that publish it} of a topic."""
    published: dict[str, list[str]] = {}
    for info in sorted(node.get_publishers_info_by_topic(topic), key=lambda info: info.node_name):
        name = f"{info.node_namespace.rstrip('/')}/{info.node_name}"
        published.setdefault(info.topic_type, []).append(name)
    return published
