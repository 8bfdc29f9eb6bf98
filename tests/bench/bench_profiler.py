"""What a Profiler costs, beside `with` on a lock, @timestamp, and stichotrope itself where STICHOTROPE names a checkout of it.

    block     `with profiler.block(0, "x"):` stopped and started, made anew each time and kept; ns beyond an empty loop
    track     a call of an empty tracked function, stopped and started; ns beyond the same call undecorated
    a ms      what a started block adds to a piece of work of 1 ms, in per cent
"""
import gc
import importlib
import os
import sys
import threading
import time

import support

LOOPS = 5_000
ROUNDS = 200
DORMANT_LIMIT = 1.15  # of `with lock`
RECORDED_LIMIT = 45  # ns beyond a dormant block


def empty(n):
    for _ in range(n):
        pass


def cost(loop, less=0.0):
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        loop(LOOPS)
        taken.append((time.perf_counter_ns() - begin) / LOOPS)
    return min(taken) - less  # whatever else runs on this core makes it longer only


def lock_loop(lock):
    def loop(n):
        for _ in range(n):
            with lock:
                pass

    return loop


def block_loop(profiler):
    def loop(n):
        for _ in range(n):
            with profiler.block(0, "x"):
                pass

    return loop


def call_loop(function):
    def loop(n):
        for _ in range(n):
            function()

    return loop


def nothing():
    pass


def also_nothing():
    pass


def report_blocks(name, profiler, base):
    lock = cost(lock_loop(threading.Lock()), base)
    profiler.stop()
    dormant, kept = cost(block_loop(profiler), base), cost(lock_loop(profiler.block(0, "x")), base) if name == "ours" else float("nan")
    profiler.start()
    recorded = cost(block_loop(profiler), base)
    print(f"  block   {name:<12} with lock {lock:6.1f}, dormant {dormant:6.1f} ({dormant / lock:.2f} x, kept {kept:.1f}), recorded {recorded:6.1f}")
    return dormant <= DORMANT_LIMIT * lock and recorded - dormant <= RECORDED_LIMIT


def report_calls(name, profiler):
    plain = cost(call_loop(nothing))
    tracked = profiler.track(0, "f")(also_nothing)
    profiler.stop()
    dormant = cost(call_loop(tracked), plain)
    profiler.start()
    print(f"  track   {name:<12} dormant {dormant:+6.1f}, recorded {cost(call_loop(tracked), plain):+6.1f}")
    profiler.stop()


def report_millisecond(name, profiler):
    """Per cent that a block adds to 1 ms: its cost by the length, for the work itself is not as steady as that."""
    profiler.start()
    spent = cost(block_loop(profiler), cost(empty))
    print(f"  a ms    {name:<12} {spent / 1e4:.4f} %")
    profiler.stop()
    return spent <= 10_000


def main():
    from timestamp_capture.stichotrope import Profiler

    support.pin_to_one_core()
    gc.disable()
    print(f"Python {support.python_version()}, one core, ns")
    base = cost(empty)
    profilers = [("ours", Profiler)]
    if os.environ.get("STICHOTROPE"):
        sys.path.insert(0, os.environ["STICHOTROPE"])
        profilers.append(("stichotrope", importlib.import_module("stichotrope").Profiler))
    good = True
    for name, make in profilers:
        within = report_blocks(name, make("blocks"), base)
        report_calls(name, make("calls"))
        within &= report_millisecond(name, make("milliseconds"))
        good &= within or name != "ours"
    print(f"verdict, Python {support.python_version()}: {'within its limits' if good else 'NOT WITHIN ITS LIMITS'}")
    return 0 if good else 1


if __name__ == "__main__":
    support.use_private_directory()
    sys.exit(main())
