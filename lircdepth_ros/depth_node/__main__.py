# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`python -m lircdepth_ros.depth_node`, and the executable depth_node."""

from __future__ import annotations

import sys

from lircdepth_ros import early_stop

_DESCRIPTION = "Publishes depth from a camera's images and radar returns. docs/node.md has its topics."


def main() -> int:
    """Run the node; return its exit status."""
    early_stop.install()
    # Late, so that a stop signal is obeyed meanwhile, and so that --help need not wait for the node.
    from lircdepth_ros.depth_node.settings import PARAMETERS
    from lircdepth_ros.node_arguments import parse_node_arguments

    parse_node_arguments("depth_node", _DESCRIPTION, PARAMETERS)
    from lircdepth_ros.depth_node.node import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
