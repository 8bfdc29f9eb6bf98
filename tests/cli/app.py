"""A program to be recorded: runs the statements it reads from stdin, a line each, and answers "done"."""
import ctypes
import os
import sys
import threading
import time

from timestamp_capture import timestamp, timestamp_block


@timestamp
def leaf():
    pass


@timestamp
def parent(calls):
    for _ in range(calls):
        leaf()


@timestamp
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@timestamp("chosen name")
def renamed():
    pass


@timestamp
def fails():
    raise ValueError


@timestamp
def never():
    pass


class Worker:
    @timestamp
    def run(self):
        parent(3)
        with timestamp_block("database"):
            time.sleep(0.002)


def fail(times):
    for _ in range(times):
        try:
            fails()
        except ValueError:
            pass


def in_thread(name, function, *arguments):
    thread = threading.Thread(target=function, name=name, args=arguments)
    thread.start()
    thread.join()
    while os.path.exists(f"/proc/self/task/{thread.native_id}"):  # join() returns before the system's thread has ended
        time.sleep(0.001)


def spin(ns):
    """Of CPU time."""
    end = time.thread_time_ns() + ns
    while time.thread_time_ns() < end:
        pass


def in_background(function):
    def repeat():
        while True:
            function()

    threading.Thread(target=repeat, name="background", daemon=True).start()


def hold_the_interpreter(path):
    """Without giving up the interpreter's lock, as some C extensions do: until somebody has written to this FIFO."""
    fifo = os.open(path, os.O_RDWR)
    print("holding", flush=True)
    ctypes.PyDLL(None).read(fifo, ctypes.create_string_buffer(1), 1)
    os.close(fifo)


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        exec(line, globals())
        print("done", flush=True)


main()
