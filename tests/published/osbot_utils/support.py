"""What the published tests import besides the package under test, as far as they use it."""
import contextlib
import io
import json
from types import SimpleNamespace

import timestamp_capture
from timestamp_capture import *  # noqa: F403  the package under test, by the names the tests use

COLLECTOR_VAR_NAME = timestamp_capture.COLLECTOR_VAR_NAME


class Type_Safe:
    """A base class of classes in the tests."""


def base_classes(thing):
    return list(type(thing).__mro__[1:])


def json_to_str(value):
    return json.dumps(value)


class Stdout(contextlib.redirect_stdout):
    def __init__(self):
        self.text = io.StringIO()
        super().__init__(self.text)

    def __enter__(self):
        super().__enter__()
        return self

    def value(self):
        return self.text.getvalue()


# ---- nothing is left out for where it runs ----


def skip__if_not__in_github_actions():
    pass


def skip_if_in_github_action():
    pass


def skip_pytest(reason=""):
    pass


def in_github_action():
    return True


class pytest:
    """The benchmark among the tests skips itself by this."""

    @staticmethod
    def skip(reason):
        pass


# ---- namespaces that are compared by markers ----

__SKIP__ = object()


def __LESS_THAN__(limit):
    return lambda value: value < limit


def __BETWEEN__(low, high):
    return lambda value: low <= value <= high


class __(SimpleNamespace):
    def __eq__(self, other):
        mine, theirs = vars(self), vars(other)
        return set(mine) == set(theirs) and all(matches(wanted, theirs[name]) for name, wanted in mine.items())


def matches(wanted, value):
    return wanted is __SKIP__ or (wanted(value) if callable(wanted) else wanted == value)
