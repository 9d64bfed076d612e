# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one exception for a user's mistake, and OpenCV's exception for exhausted memory."""

import re

_OPENCV_NO_MEMORY = -4  # cv2.Error.StsNoMem


class LircDepthError(Exception):
    """A wrong input to the package: the text names it and says what was expected.

    Command-line programs print the text and exit with status 2; the node counts and reports it.
    """


def naming(name: str, text: str) -> str:
    """Return the text of an error with the name of the item that it is about before it, unless the text has it.

    A folder of that name on the way to a file does not count.
    """
    word = re.escape(name)
    has_it = re.search(rf"(?<![\w./-]){word}(?![\w.-])|(?<=/){word}(?![\w./-])", text)
    return text if has_it else f"{name}: {text}"


def is_opencv_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception is OpenCV's own for exhausted memory."""
    # Compared by name and number, since callers may run without OpenCV, which has the type and the constant.
    return type(error).__module__ == "cv2" and getattr(error, "code", None) == _OPENCV_NO_MEMORY
