"""The one exception that a user's mistake raises."""


class LircDepthError(Exception):
    """Something that was given to the package is wrong: the text names it and says what was expected.

    Command-line programs print the text and exit with status 2; the node counts and reports it.
    """
