# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The definitions of ROS 2 messages that rosbags brings, and those of a bag, without a ROS installation.

They are those of Humble, the oldest supported distribution; the later ones have the same for every type that is used
here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

from lircdepth_core.packages import import_package

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

# rosbags generates its message classes at run time, so that no static type describes them.
Message: TypeAlias = Any


@functools.cache
def typestore() -> Typestore:
    """Return the message definitions. Raises LircDepthError when `rosbags` is not installed."""
    typesys = import_package("rosbags.typesys")
    store: Typestore = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
    return store


def learn_type(msgtype: str, definition: str) -> None:
    """Take the definition of a radar_msgs type from a bag, which has it, where it is not known yet."""
    if msgtype.startswith("radar_msgs/") and definition and msgtype not in typestore().types:
        from rosbags.typesys import get_types_from_msg

        typestore().register(get_types_from_msg(definition, msgtype))


def serialize(message: Message) -> memoryview:
    """Return a message's CDR bytes."""
    return typestore().serialize_cdr(message, message.__msgtype__)
