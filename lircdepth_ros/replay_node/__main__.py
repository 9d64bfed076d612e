# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`python -m lircdepth_ros.replay_node`, and the executable replay_node."""

from __future__ import annotations

from typing import NoReturn

from lircdepth_ros import early_stop

_DESCRIPTION = "Publishes a bag as it was recorded, or a nuScenes scene."


def main() -> NoReturn:
    """Run the node; end the process with its exit status."""
    early_stop.install()
    # Late, so that a stop signal is obeyed meanwhile.
    from lircdepth_ros.node_arguments import run_node
    from lircdepth_ros.replay_node.settings import PARAMETERS

    early_stop.end_process(run_node("lircdepth_ros.replay_node.node", _DESCRIPTION, PARAMETERS))


if __name__ == "__main__":
    main()
