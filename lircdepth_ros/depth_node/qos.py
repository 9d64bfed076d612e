# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions whose QoS the user can override, and the reasons why no message comes.

ROS's own mechanism is used: parameters such as ``qos_overrides./RADAR_FRONT/points.subscription.reliability``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.subscription import Subscription

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.depth_node.statistics import Statistics

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble has them in another module
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_NO_PUBLISHER_AFTER_S = 5.0
_POLICIES = (QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY, QoSPolicyKind.DEPTH)

_Created = TypeVar("_Created")


def create_subscription(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[Any], None],
    report: Callable[[str, str], None],
    depth: int = 10,
) -> Subscription[Any]:
    """Subscribe with a QoS that accepts every publisher (best effort, volatile), unless the user overrides it.

    An incompatible publisher is told to ``report(topic, text)``. Raises LircDepthError when an override is not a valid
    QoS setting.
    """

    def incompatible(event: Any) -> None:
        problem = f"a publisher on {topic} offers a QoS that is not accepted"
        report(topic, _with_remedy(problem, topic, event, "subscription"))

    events = SubscriptionEventCallbacks(incompatible_qos=incompatible)
    quality = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    return _overridable(topic, node.create_subscription, kind, topic, callback, quality, event_callbacks=events)


def create_publisher(node: Node, kind: type, topic: str, report: Callable[[str, str], None]) -> Publisher[Any]:
    """Offer a QoS that suits every volatile subscription (reliable), unless the user overrides it.

    An incompatible subscription is told to ``report(topic, text)``. Raises LircDepthError when an override is not a
    valid QoS setting.
    """

    def incompatible(event: Any) -> None:
        problem = f"a subscription to {topic} asks for a QoS that is not offered"
        report(topic, _with_remedy(problem, topic, event, "publisher"))

    events = PublisherEventCallbacks(incompatible_qos=incompatible)
    return _overridable(topic, node.create_publisher, kind, topic, QoSProfile(depth=5), event_callbacks=events)


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
    except (ParameterException, InvalidQosOverridesError, ValueError, KeyError) as error:
        raise LircDepthError(f"qos_overrides.{topic}: {error}") from error


def type_name(kind: type) -> str:
    """Return a message class's ROS name, such as sensor_msgs/msg/Image."""
    package, folder, *_ = kind.__module__.split(".")
    return f"{package}/{folder}/{kind.__name__}"


def silent_topics(node: Node, statistics: Statistics, topics: Mapping[str, str], image_topic: str) -> list[str]:
    """Return the reasons why messages do not come, one text for each silent topic, the image's first.

    topics: {name: type that is read}.
    """
    if statistics.seconds_active() < _NO_PUBLISHER_AFTER_S:
        return []
    published = {topic: {info.topic_type for info in node.get_publishers_info_by_topic(topic)} for topic in topics}
    reasons = [
        f"no publisher on {topic}: start the driver, or compare `ros2 topic list` and remap"
        for topic, types in published.items()
        if not types
    ]
    reasons += [
        f"{topic} is published as {', '.join(sorted(types))}, expected {topics[topic]}"
        for topic, types in published.items()
        if types and topics[topic] not in types
    ]
    if topics[image_topic] in published[image_topic] and statistics.age("frames_in") > _NO_PUBLISHER_AFTER_S:
        reasons.insert(
            0,
            f"{image_topic} has a publisher, but no image arrives: where large images are published, Fast DDS needs "
            "config/fastdds_profile.xml (see docs/node.md)",
        )
    return reasons
