# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the depth node makes of parameters, names and namespaces, in a process of its own over real DDS."""

import pytest

pytest.importorskip("rclpy", reason="the node needs rclpy")
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters

from lircdepth_ros.depth_node import settings
from lircdepth_ros.depth_node.settings import PARAMETERS

FLOAT, INTEGER, TEXT = 3, 2, 4  # rcl_interfaces/msg/ParameterType


def call(rig, kind, service, **fields):
    """Call a service; return the response."""
    client = rig.node.create_client(kind, service)
    rig.wait(client.service_is_ready, service)
    future = client.call_async(kind.Request(**fields))
    rig.wait(future.done, f"answer of {service}")
    return future.result()


def lines_to(process, text):
    """Return a node's output up to the line with a text."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"ended without '{text}': {lines}")


def test_what_is_misspelled_is_named_and_what_fits_is_taken_and_the_nodes_own_dump_loads(rig, depth_node, tmp_path):
    """A misspelled name must not pass in silence, and a value that means the right thing must not be refused."""
    (tmp_path / "other.yaml").write_text("/dept_node:\n  ros__parameters:\n    max_wait: 0.02\n")
    process = depth_node(
        **{
            "max_wiat": 0.01,
            "sync_window": 1,
            "radar_topics": "/RADAR_FRONT/points",
            "qos_overrides./RADAR_FRONT/point.subscription.reliability": "reliable",
            "qos_overrides./RADAR_FRONT/points.subscription.depth": 7,
            "--params-file": tmp_path / "other.yaml",
        }
    )
    log = "".join(lines_to(process, "active: "))
    assert "/depth_node has no parameter 'max_wiat'; did you mean 'max_wait'? It is ignored." in log
    assert "did you mean 'qos_overrides./RADAR_FRONT/points.subscription.reliability'? It is ignored." in log
    assert "sets nothing of /depth_node: it is for /dept_node; did you mean '/dept_node'?" in log
    assert "active: /CAM_FRONT/image_rect/compressed + /RADAR_FRONT/points -> /CAM_FRONT/depth/image" in log
    assert len([line for line in log.splitlines() if "[WARN]" in line]) == 4, "the three, and the untrained weights"

    names = call(rig, ListParameters, "/depth_node/list_parameters").result.names
    assert {parameter.name for parameter in PARAMETERS} <= set(names)
    values = call(rig, GetParameters, "/depth_node/get_parameters", names=names).values
    dump = [Parameter(name=name, value=value) for name, value in zip(names, values, strict=True)]
    by_name = {parameter.name: parameter.value for parameter in dump}
    assert (by_name["sync_window"].type, by_name["sync_window"].double_value) == (FLOAT, 1.0)
    assert by_name["radar_topics"].string_array_value == ["/RADAR_FRONT/points"]
    assert by_name["qos_overrides./RADAR_FRONT/points.subscription.depth"].integer_value == 7
    results = call(rig, SetParameters, "/depth_node/set_parameters", parameters=dump).results
    assert [(one.name, result.reason) for one, result in zip(dump, results, strict=True) if not result.successful] == []

    changes = [
        Parameter(name="max_range", value=ParameterValue(type=INTEGER, integer_value=80)),
        Parameter(name="weights", value=ParameterValue(type=TEXT, string_value="street")),
        Parameter(name="max_rang", value=ParameterValue(type=FLOAT, double_value=80.0)),
        Parameter(name="max_range", value=ParameterValue(type=FLOAT, double_value=0.5)),
    ]
    results = call(rig, SetParameters, "/depth_node/set_parameters", parameters=changes).results
    assert [result.reason for result in results] == [
        "",
        "weights is read when the node is configured: clean up the node first",
        "/depth_node has no parameter 'max_rang'; did you mean 'max_range'?",
        "max_range is 0.5, expected a number from 1 to 100000",
    ]


def test_two_nodes_for_two_cameras_share_no_topic_and_a_namespace_moves_all_topics(rig, depth_node):
    """The second takes no more than its name, namespace and image topic; with a shared topic both would publish it."""
    depth_node()
    depth_node(ready=False, image_topic="CAM_BACK/image_rect", **{"-r": "__ns:=/ego"})
    own = ("/diagnostics", "/parameter_events", "/rosout")

    def published(node, namespace):
        found = rig.node.get_publisher_names_and_types_by_node(node, namespace)
        return {topic for topic, _ in found if topic not in own}

    rig.wait(
        lambda: (
            ("depth_node", "/ego") in rig.node.get_node_names_and_namespaces()
            and "/ego/CAM_BACK/radar_overlay" in published("depth_node", "/ego")
        ),
        "topics of the second node",
    )
    first, second = published("depth_node", "/"), published("depth_node", "/ego")
    assert "/CAM_FRONT/radar_overlay" in first
    assert {topic.partition("/depth_node")[0] for topic in second} >= {"/ego/CAM_BACK/depth/image", "/ego"}
    assert all(topic.startswith("/ego/") for topic in second)
    declared = settings.published_topics(settings.Settings())
    found = {f"/{topic.replace('~', 'depth_node')}": kind for topic, kind in declared.items()}
    first_types = rig.node.get_publisher_names_and_types_by_node("depth_node", "/")
    types = {topic: kinds for topic, kinds in first_types if topic in found}
    assert types == {topic: [kind] for topic, kind in found.items()}
    assert not first & second
    for topic in ("CAM_BACK/image_rect/compressed", "CAM_BACK/camera_info", "RADAR_FRONT/points"):
        rig.wait(lambda t=topic: rig.node.count_subscribers(f"/ego/{t}") == 1, f"subscription to {topic}")


def test_a_node_that_is_being_configured_answers_and_tells_so(rig, depth_node):
    """An engine may take minutes to build; a node that is deaf meanwhile looks dead to its lifecycle manager."""
    depth_node(ready=False, autostart=False, weights="random", backend="plain", inference_scale=0.6)
    client = rig.node.create_client(ChangeState, "/depth_node/change_state")
    rig.wait(client.service_is_ready, "lifecycle service")
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    configuring = client.call_async(request)
    rig.wait(lambda: "the network is being prepared" in rig.message or configuring.done(), "progress")
    assert call(rig, GetState, "/depth_node/get_state").current_state.label == "unconfigured"
    assert not call(rig, ChangeState, "/depth_node/change_state", transition=request.transition).success
    assert call(rig, GetParameters, "/depth_node/get_parameters", names=["weights"]).values[0].string_value == "random"
    assert not configuring.done(), "all that was answered while the network was prepared"
    rig.wait(configuring.done, "configured node")
    assert configuring.result().success
    assert call(rig, GetState, "/depth_node/get_state").current_state.label == "inactive"
