# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A value from a user becomes an option's value, or an error that names the option and what it expects."""

import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import Option, nearest_text

RATE = Option("rate", 1.0, "", minimum=0.5, maximum=8.0)
COUNT = Option("count", 4, "", minimum=1, maximum=64)
TOPICS = Option("topics", ("a",), "")
ONLY = Option("only", (), "")
KIND = Option("kind", "raw", "", choices=("raw", "jpeg"))
FRAME = Option("frame", "odom", "")
FILE = Option("file", "", "")
LOOP = Option("loop", False, "")


@pytest.mark.parametrize(
    ("option", "given", "taken"),
    [
        (RATE, 2, 2.0),
        (RATE, 0.5, 0.5),
        (COUNT, 64, 64),
        (TOPICS, "b", ("b",)),
        (TOPICS, ["b", "c"], ("b", "c")),
        (ONLY, [], ()),
        (ONLY, [""], ()),
        (KIND, "jpeg", "jpeg"),
        (FILE, "", ""),
        (LOOP, True, True),
    ],
)
def test_a_value_that_means_the_right_thing_is_taken_in_the_options_type(option, given, taken):
    value = option.fitted(given)
    assert value == taken
    assert type(value) is type(option.default)


@pytest.mark.parametrize(
    ("option", "given", "words"),
    [
        (RATE, "2", "rate is '2', expected a number from 0.5 to 8"),
        (RATE, True, "rate is True, expected a number"),
        (RATE, float("nan"), "rate is nan, expected a number"),
        (RATE, 9, "rate is 9.0, expected a number from 0.5 to 8"),
        (COUNT, 2.0, "count is 2.0, expected a whole number from 1 to 64"),
        (COUNT, True, "count is True, expected a whole number"),
        (TOPICS, [], "topics is [], expected a list of one or more texts"),
        (TOPICS, [1], "topics is [1], expected a list"),
        (KIND, "png", "kind is 'png', expected one of raw, jpeg"),
        (FRAME, "", "frame is '', expected a text that is not empty"),
        (FILE, 3, "file is 3, expected a text"),
        (LOOP, 1, "loop is 1, expected true or false"),
    ],
)
def test_a_value_that_cannot_work_is_named_with_what_is_expected(option, given, words):
    with pytest.raises(LircDepthError) as refusal:
        option.fitted(given)
    assert words in str(refusal.value)


def test_the_nearest_name_is_told_and_a_far_one_is_not():
    assert nearest_text("max_wiat", ["max_wait", "max_range"]) == "; did you mean 'max_wait'?"
    assert nearest_text("zzz", ["max_wait", "max_range"]) == ""
