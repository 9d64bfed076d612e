# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one exception that a user's mistake raises, and how to know one that exhausted memory raises."""


class LircDepthError(Exception):
    """Something that was given to the package is wrong: the text names it and says what was expected.

    Command-line programs print the text and exit with status 2; the node counts and reports it.
    """


def is_opencv_out_of_memory(error):
    """Whether an exception is OpenCV's own for exhausted memory."""
    # Its type and its constant Error::StsNoMem (-4) would need OpenCV, which not everybody who asks has imported.
    return type(error).__module__ == "cv2" and getattr(error, "code", None) == -4
