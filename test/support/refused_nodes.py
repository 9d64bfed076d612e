# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Run depth nodes that are expected to end at once, one after the other in one process: refused_nodes.py JSON.

The JSON is a list of [file for the output, arguments ...]. Prints {file: exit status} as JSON.
"""

import contextlib
import json
import os
import sys

from paths import REPOSITORY


@contextlib.contextmanager
def output_to(path):
    """Send what this process writes, rcl's logging included, to a file."""
    saved = os.dup(1), os.dup(2)
    with open(path, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in enumerate(saved, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)


def main():
    from lircdepth_ros.depth_node.node import main as run_node

    statuses = {}
    for path, *arguments in json.loads(sys.argv[1]):
        with output_to(path):
            statuses[path] = run_node(["depth_node", *arguments])
    print(json.dumps(statuses))


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    main()
