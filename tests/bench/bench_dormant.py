"""What a decorated function costs while nobody records: it must be nothing.

Two measures, each for functions that are warm: never recorded, recorded before (start, stop), and in a collector before.

    time          an empty function, decorated against undecorated, in pairs of blocks on one core, the order in each pair
                  drawn; the 95 % interval of the median of the ratios must lie inside 0.99 ... 1.01. Where an interpreter
                  loop happens to lie in memory makes up to 20 % (with equal instructions), so each kind has 24 copies of
                  loop and function, and each pair draws two of them
    instructions  of a call, counted by callgrind in processes of their own; must be equal within 1 %

A planted regression of 5 ns a call (a C function called as well) must be flagged, or the bench could not see one.

    bench_dormant.py [PAIRS]
"""
import gc
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import time

import support

BLOCK = 10_000
COPIES = 24
LOOP = "def loop(f, n, repeat):\n    for _ in repeat(None, n):\n        f()\n"
BAND = (0.99, 1.01)
INSTRUCTION_SHARE = 0.01
KINDS = ("undecorated", "decorated", "recorded before", "collected before")


def make(kind):
    """A loop with a function of its own, so that inline caches are not shared; warm."""
    import timestamp_capture

    space = {}
    exec(LOOP + "def f(): pass\n", space)
    f, loop = space["f"], space["loop"]
    if kind != "undecorated":
        f = timestamp_capture.timestamp(f)
    warm(loop, f)
    if kind == "recorded before":
        timestamp_capture.start()
        warm(loop, f)
        timestamp_capture.stop()
    if kind == "collected before":
        with timestamp_capture.Timestamp_Collector():
            warm(loop, f)
        while timestamp_capture.status()["armed"]:  # from 3.12 on for two seconds: how many calls it would take varies
            time.sleep(0.1)
    warm(loop, f)
    return lambda n: loop(f, n, itertools.repeat)


def warm(loop, f):
    """Enough entries and iterations for every version's specialising interpreter to have made up its mind."""
    for _ in range(50):
        loop(f, 500, itertools.repeat)


def make_slower():
    """What 5 ns more look like: the same call, and every few calls something in C."""
    space = {}
    exec("def loop(f, n, repeat, c):\n    for _ in repeat(None, n // 8):\n        f(); f(); f(); f(); f(); f(); f(); f(); c()\n\ndef f(): pass\n", space)
    f, loop = space["f"], space["loop"]
    loop(f, 5000, itertools.repeat, dict)
    return lambda n: loop(f, n, itertools.repeat, dict)


def make_unrolled():
    space = {}
    exec("def loop(f, n, repeat):\n    for _ in repeat(None, n // 8):\n        f(); f(); f(); f(); f(); f(); f(); f()\n\ndef f(): pass\n", space)
    f, loop = space["f"], space["loop"]
    loop(f, 5000, itertools.repeat)
    return lambda n: loop(f, n, itertools.repeat)


def time_of(loop):
    begin = time.perf_counter_ns()
    loop(BLOCK)
    return (time.perf_counter_ns() - begin) / BLOCK


def ratios(bases, others, pairs, chance):
    """Of one of each in turn, in drawn order; and the median cost of the base in ns a call."""
    found, costs = [], []
    for _ in range(pairs):
        base, other = chance.choice(bases), chance.choice(others)
        first_is_base = chance.random() < 0.5
        a, b = (time_of(base), time_of(other)) if first_is_base else (time_of(other), time_of(base))[::-1]
        found.append(b / a)
        costs.append(a)
    return found, sorted(costs)[len(costs) // 2]


def report_time(name, base, other, pairs, chance):
    found, cost = ratios(base, other, pairs, chance)
    middle, low, high = support.median_interval(found)
    inside = BAND[0] <= low and high <= BAND[1]
    print(f"  time          {name:<34}{cost:7.1f} ns a call {(middle - 1) * cost:+6.2f}, ratio {middle:.4f} [{low:.4f} {high:.4f}]"
          f"  {'inside' if inside else 'OUTSIDE'}")
    return inside


def instructions(kind):
    """Of one call: the difference of two counts, so that all that comes before cancels out."""
    counts = []
    for calls in (10_000, 60_000):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__, "--count", kind, str(calls)]
        output = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, PYTHONHASHSEED="0")).stderr
        counts.append(int(re.search(r"Collected : (\d+)", output).group(1)))
    return (counts[1] - counts[0]) / 50_000


def report_instructions():
    if not shutil.which("valgrind"):
        print("  instructions  not counted: valgrind is not installed")
        return True
    counted = {kind: instructions(kind) for kind in KINDS}
    base = counted["undecorated"]
    equal = all(abs(n - base) <= INSTRUCTION_SHARE * base for n in counted.values())
    print("  instructions  " + ", ".join(f"{kind} {n:.1f}" for kind, n in counted.items()) + f"  {'equal' if equal else 'DIFFERENT'}")
    return equal


def main(pairs):
    support.pin_to_one_core()
    chance = random.Random(1)
    gc.disable()
    print(f"Python {support.python_version()}, {pairs} pairs of {BLOCK} calls, one core")
    loops = {kind: [] for kind in (*KINDS, "control")}
    for _ in range(COPIES):
        for kind in chance.sample(list(loops), len(loops)):
            loops[kind].append(make("undecorated" if kind == "control" else kind))
    good = report_time("undecorated against undecorated", loops["undecorated"], loops["control"], pairs, chance)
    for kind in KINDS[1:]:
        good &= report_time(kind, loops["undecorated"], loops[kind], pairs, chance)
    print("  a planted regression:")
    slower, faster = ([make_one() for _ in range(COPIES)] for make_one in (make_slower, make_unrolled))
    flagged = not report_time("a call in C for every eighth call", faster, slower, pairs, chance)
    good &= report_instructions()
    print(f"verdict, Python {support.python_version()}: dormant cost {'nothing that can be measured' if good else 'IS VISIBLE'}; "
          f"the planted regression is {'flagged' if flagged else 'NOT FLAGGED'}")


if __name__ == "__main__":
    support.use_private_directory()
    if sys.argv[1:2] == ["--count"]:
        make(sys.argv[2])(int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
