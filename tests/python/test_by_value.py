"""Functions pickled by value are other functions where they arrive; they are recorded as those that were decorated."""
import functools
import gc
import pickle
import subprocess
import sys
import types

import pytest

import by_value
import timestamp_capture
from processes import environment_without_us
from timestamp_capture import timestamp


@timestamp
def work(n):
    return n + offset


offset = 2


@timestamp("chosen")
def named():
    pass


@timestamp
def numbers(n):
    yield from range(n)


class Shop:
    @timestamp
    def total(self):
        return 7


def around(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


wrapped = around(work)


@timestamp
def factorial(n):
    return n * factorial(n - 1) if n else 1


@pytest.mark.parametrize(
    "function, call, name, calls",
    [
        (work, lambda f: f(1) == 3, "work", 1),
        (named, lambda f: f() is None, "chosen", 1),
        (numbers, lambda f: list(f(3)) == [0, 1, 2], "numbers", 1),
        (Shop.total, lambda f: f(None) == 7, "Shop.total", 1),
        (factorial, lambda f: f(4) == 24, "factorial", 5),
        (wrapped, lambda f: f(1) == 3, "work", 1),
    ],
    ids=["function", "name", "generator", "method", "recursion", "wrapped"],
)
@pytest.mark.parametrize("when", ["dormant", "armed"])
def test_a_copy_is_recorded(recording, function, call, name, calls, when):
    early = by_value.copy(function)
    with recording:
        copy = by_value.copy(function) if when == "armed" else early
        assert copy is not function and copy.__code__ is not function.__code__
        assert call(copy)
        assert call(by_value.copy(copy)), "sent on by who got it"
    assert recording.profile.counts() == {name: 2 * calls}


def test_it_is_what_it_would_be_without_us():
    copy = by_value.copy(work)
    assert (copy.__name__, copy.__qualname__, copy.__module__, copy.__doc__) == ("work", "work", __name__, None)
    assert copy.__code__ == work.__code__


def test_what_is_around_it_stays_unrecorded(recording):
    @around
    @timestamp
    def inside():
        pass

    copy = by_value.copy(inside)
    with recording:
        copy()
    assert recording.profile.counts() == {"test_what_is_around_it_stays_unrecorded.<locals>.inside": 1}


def test_copies_are_forgotten():
    def functions():
        gc.collect()
        return timestamp_capture.status()["functions"]

    before = functions()
    copies = [by_value.copy(work) for _ in range(10)]
    assert functions() == before + 10
    del copies
    assert functions() == before


class Wrapper:
    """As many decorators are written: an object gets the attributes of what it wraps."""

    def __init__(self, function):
        functools.update_wrapper(self, function)


def test_pickled_by_name_nothing_is_new():
    wrapper = pickle.loads(pickle.dumps(Wrapper(work)))
    assert wrapper.__wrapped__ is work


def test_a_function_that_is_no_more():
    def gone():
        pass

    wrapper = Wrapper(timestamp(gone))
    del wrapper.__wrapped__, gone
    assert vars(pickle.loads(pickle.dumps(wrapper)))["__name__"] == "gone"


def test_while_another_thread_loads_it(monkeypatch):
    """The module is there and empty yet."""
    module = sys.modules["timestamp_capture._by_value"]
    monkeypatch.setitem(sys.modules, module.__name__, types.ModuleType(module.__name__))
    assert by_value.copy(work)(1) == 3


def test_a_worker_that_does_not_have_the_package(tmp_path):
    command = [sys.executable, by_value.__file__]
    done = subprocess.run(command, input=by_value.dumps(work), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_without_us(), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"20 False\n", b"")
