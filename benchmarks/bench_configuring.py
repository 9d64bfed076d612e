# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How soon the depth node answers while it is configured, with an empty cache of engines.

    python benchmarks/bench_configuring.py [--backend auto] [--weights FILE]

While ~/change_state configures the node, ~/get_state and ~/get_parameters are called by turns, every 50 ms.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "support")]
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import rclpy  # noqa: E402  first: with wheels this starts Python once more
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402

_PERIOD_S = 0.05


def measure(node):
    """Configure the node that runs; return (whether it succeeded, seconds of it, seconds of each other answer)."""
    services = {"change_state": ChangeState, "get_state": GetState, "get_parameters": GetParameters}
    clients = {name: node.create_client(kind, f"/depth_node/{name}") for name, kind in services.items()}
    for client in clients.values():
        client.wait_for_service()
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    others = {"get_state": GetState.Request(), "get_parameters": GetParameters.Request(names=["weights"])}
    began, answers = time.perf_counter(), []
    configured = clients["change_state"].call_async(request)
    while not configured.done():
        for name, other in others.items():
            asked = time.perf_counter()
            rclpy.spin_until_future_complete(node, clients[name].call_async(other))
            answers.append(time.perf_counter() - asked)
        rclpy.spin_until_future_complete(node, configured, timeout_sec=_PERIOD_S)
    return configured.result().success, time.perf_counter() - began, sorted(answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--weights", default="street", help="as the node's parameter (default: %(default)s)")
    arguments = parser.parse_args()
    rclpy.init()
    from camera import Camera  # beside this file

    from rig import Rig

    node = rclpy.create_node("bench_configuring")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        settings = {"backend": arguments.backend, "weights": arguments.weights, "autostart": False}
        command = Camera(Rig(node)).command(folder, **settings)
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"XDG_CACHE_HOME": cache})
        try:
            success, seconds, answers = measure(node)
        finally:
            process.terminate()
            process.wait()
    p50, p99 = (1e3 * answers[int(share * (len(answers) - 1))] for share in (0.5, 0.99))
    figures = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, the slowest {1e3 * answers[-1]:.0f} ms"
    print(f"configured: {success}, in {seconds:.1f} s; {len(answers)} answers meanwhile, {figures}")
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
