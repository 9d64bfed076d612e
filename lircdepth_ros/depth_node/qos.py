# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions whose QoS the user can override, and what is wrong when no message comes.

ROS's own mechanism is used: parameters such as ``qos_overrides./RADAR_FRONT/points.subscription.reliability``.
"""

from rclpy.exceptions import ParameterException
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions

from lircdepth_core.errors import LircDepthError

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble's name for it
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_NO_PUBLISHER_AFTER = 5.0  # seconds
_POLICIES = (QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY, QoSPolicyKind.DEPTH)


def create_subscription(node, kind, topic, callback, depth=10):
    """Subscribe with a QoS that accepts every publisher (best effort, volatile), unless overridden.

    An incompatible publisher is a problem of the node's statistics. Raises LircDepthError for an override that is none.
    """
    events = SubscriptionEventCallbacks(
        incompatible_qos=lambda event: _report(
            node, topic, f"a publisher on {topic} offers a QoS that is not accepted", event, "subscription"
        )
    )
    quality = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    return _overridable(topic, node.create_subscription, kind, topic, callback, quality, event_callbacks=events)


def create_publisher(node, kind, topic):
    """Offer a QoS that suits every volatile subscription (reliable), unless overridden. Else as for subscriptions."""
    events = PublisherEventCallbacks(
        incompatible_qos=lambda event: _report(
            node, topic, f"a subscription to {topic} asks for a QoS that is not offered", event, "publisher"
        )
    )
    return _overridable(topic, node.create_publisher, kind, topic, QoSProfile(depth=5), event_callbacks=events)


def _report(node, topic, what, event, side):
    try:
        policy = QoSPolicyKind(event.last_policy_kind).name.lower()
    except ValueError:
        policy = "unknown policy"
    text = f"{what} ({policy}): change qos_overrides.{topic}.{side}.{policy}, or the other side"
    node.statistics.count("incompatible_qos")
    node.statistics.problems[f"qos {topic}"] = text
    node.say_once(f"qos {topic}", text)


def _overridable(topic, create, *arguments, **options):
    try:
        return create(*arguments, qos_overriding_options=QoSOverridingOptions(_POLICIES), **options)
    except (ParameterException, InvalidQosOverridesError, ValueError, KeyError) as error:
        raise LircDepthError(f"qos_overrides.{topic}: {error}") from error


def silent_topics(node, topics, image_topic):
    """Return why messages do not come, one text for each topic that is silent, the image's first."""
    if node.statistics.seconds_active() < _NO_PUBLISHER_AFTER:
        return []
    reasons = [
        f"no publisher on {topic}: start the driver, or compare `ros2 topic list` and remap"
        for topic in topics
        if node.count_publishers(topic) == 0
    ]
    if node.count_publishers(image_topic) and node.statistics.age("frames_in") > _NO_PUBLISHER_AFTER:
        reasons.insert(
            0,
            f"{image_topic} has a publisher, but no image arrives: where large images are published, Fast DDS needs "
            "config/fastdds_profile.xml (see the README)",
        )
    return reasons
