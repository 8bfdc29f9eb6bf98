"""The error of yappi's interface."""


class YappiError(Exception):
    """What was asked for cannot be done; the message says why."""
