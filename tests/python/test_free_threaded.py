"""On a free-threaded build, where nothing is recorded: everything can be imported, used, and says so."""
import os
import sys

import pytest

import timestamp_capture
from reading import tscap
from timestamp_capture import Timestamp_Collector, timestamp, timestamp_block


def test_import_leaves_the_lock_off():
    assert not sys._is_gil_enabled()


def test_status_says_why():
    status = timestamp_capture.status()
    assert not status["available"]
    assert "free-threaded" in status["problem"]


def test_decorators_and_blocks_do_nothing():
    def f(n):
        with timestamp_block("block"):
            return n + 1

    code = f.__code__
    assert timestamp(f) is f and f.__code__ is code
    assert f(1) == 2
    assert timestamp_capture.status()["functions"] == 0


def test_start_and_collectors_say_why():
    with pytest.raises(RuntimeError, match="free-threaded"):
        timestamp_capture.start()
    with pytest.raises(RuntimeError, match="free-threaded"):
        Timestamp_Collector().__enter__()
    assert not timestamp_capture.is_running()


def test_the_command_says_why():
    done = tscap("start", os.getpid(), check=False)
    assert done.returncode == 5
    assert "free-threaded" in done.stderr
