# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Messages with other values, for tests of what is refused."""


def changed(message, **changes):
    """Return the message with some attributes set."""
    for name, value in changes.items():
        setattr(message, name, value)
    return message
