# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`python -m lircdepth_ros.depth_node`, and the executable depth_node."""

from __future__ import annotations

from typing import NoReturn

from lircdepth_ros import early_stop

_DESCRIPTION = "Publishes depth from a camera's images and radar returns. docs/node.md has its topics."


def main() -> NoReturn:
    """Run the node; end the process with its exit status."""
    early_stop.install()
    # Late, so that a stop signal is obeyed meanwhile.
    from lircdepth_ros.depth_node.settings import PARAMETERS
    from lircdepth_ros.node_arguments import run_node

    early_stop.end_process(run_node("lircdepth_ros.depth_node.node", _DESCRIPTION, PARAMETERS))


if __name__ == "__main__":
    main()
