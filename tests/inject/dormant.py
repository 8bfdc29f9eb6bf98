"""A program that attaches to itself and is detached from again, by the tscap of its environment; then it makes N calls.

    dormant.py plain|detached N HELPER   callgrind counts the instructions of these calls: see test_dormant.py

tscap cannot trace a program that valgrind runs: what it would have done to a thread is done here by hand.
"""
import ctypes
import itertools
import os
import subprocess
import sys
import time


def called():
    pass


def loop(n):
    for _ in itertools.repeat(None, n):
        called()


def warm():
    """3.8 to 3.10 give a function caches of its own when it has been called 1024 times (Python/ceval.c, OPCACHE_MIN_RUNS)."""
    for _ in range(1200):
        loop(20)


def bring_extension():
    """What attaching makes a thread of the program do, and what comes of it: see inject/load.h, ext/entry.c."""
    library = os.environ["TSCAP_TEST_LIBRARY"]
    argument = "directory=%s\n" % os.environ["TSCAP_DIR"]
    ctypes.CDLL(library).tscap_attach(argument.encode())
    while not segments():
        time.sleep(0.001)


def segments():
    return [name for name in os.listdir(os.environ["TSCAP_DIR"]) if name.startswith("%d-" % os.getpid())]


def tscap(*arguments):
    subprocess.run([os.environ["TSCAP"], *arguments, str(os.getpid()), "--timeout", "60"], check=True, stderr=subprocess.DEVNULL)


def attach_and_detach():
    bring_extension()
    tscap("attach")
    warm()
    tscap("detach")
    while segments() or len(os.listdir("/proc/self/task")) > 1:
        loop(1000)
        time.sleep(0.001)


warm()
if sys.argv[1] == "detached":
    attach_and_detach()
warm()
helper = ctypes.PyDLL(sys.argv[3])
helper.measured(ctypes.PYFUNCTYPE(None)(lambda: loop(int(sys.argv[2]))))
