# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Commands that serve until ^C, as processes."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from paths import REPOSITORY


@contextlib.contextmanager
def running(*words, marker):
    """Run `lircdepth` as a process until its output matches; give the match. It must obey SIGINT, and bear a second."""
    command = [sys.executable, "-u", "-m", "lircdepth_ros.cli", *map(str, words)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, start_new_session=True,
    )  # fmt: skip
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if found := re.search(marker, line):
                break
        else:
            pytest.fail("".join(lines))
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        told = next((line for line in process.stdout if "interrupted" in line), "")
        process.send_signal(signal.SIGINT)
        try:
            rest, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert told
    assert "Traceback" not in rest
    assert process.returncode == 130


def free_port():
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
