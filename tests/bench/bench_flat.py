"""What a recorded event costs, whatever the number of functions that one caller calls, and of coroutines that wait meanwhile.

    callees      a call and its return, of so many callees of one caller in turn
    coroutines   a coroutine goes on and waits again, of so many that live, in turn
    beside       a call and its return, of ten callees, while so many coroutines wait

Counted by callgrind, in the extension alone: instructions of twice the events less those of the events. Then the time of an event by the
processor's clock, and of that what recording adds; medians of rounds that alternate. Fails where the many cost over 5 % more instructions
than the fewest, or recorded events of the many take over twice the time.

    bench_flat.py [ROUNDS [CALLEES or COROUTINES ...]]
"""
import glob
import os
import re
import statistics
import subprocess
import sys

import support

KINDS = {"callees": (10, 100, 1_000, 10_000), "coroutines": (10, 1_000, 60_000), "beside": (10, 1_000, 60_000)}
EVENTS = 120_000
ROUNDS = 5
LIMIT, TIME_LIMIT = 1.05, 2.0
PROGRAM = """
import sys, time, types
kind, number, events, recorded = sys.argv[1], *map(int, sys.argv[2:])
if recorded:
    import timestamp_capture.yappi as yappi
callees = number if kind == "callees" else 10
space = {"__name__": "callees"}
exec(compile("\\n".join(f"def f{i}(): pass" for i in range(callees)), "callees.py", "exec"), space)
functions = [space[f"f{i}"] for i in range(callees)]
@types.coroutine
def wait():
    while True:
        yield
async def live():
    await wait()
def call(rounds):
    for _ in range(rounds):
        for function in functions:
            function()
def go_on(rounds):
    for _ in range(rounds):
        for coroutine in coroutines:
            coroutine.send(None)
if recorded:
    yappi.start()
coroutines = [] if kind == "callees" else [live() for _ in range(number)]
go_on(2)
run, each = (go_on, number) if kind == "coroutines" else (call, callees)
run(max(1, 20_000 // each))
begin = time.thread_time()
run(events // each)
print((time.thread_time() - begin) / (events // each * each) * 1e9)
"""


def command(kind, number, events, recorded=True):
    return [sys.executable, "-S", "-c", PROGRAM, kind, str(number), str(events), str(int(recorded))]


def instructions(kind, number, events):
    out = os.path.join(os.environ["TSCAP_DIR"], "callgrind.out")
    subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command(kind, number, events)],
        env={**os.environ, "TSCAP_CPU": "wall", "PYTHONHASHSEED": "0"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    listed = subprocess.run(["callgrind_annotate", "--threshold=100", out], stdout=subprocess.PIPE, check=True, text=True).stdout
    for file in glob.glob(out + "*"):
        os.unlink(file)
    ours = [line for line in listed.splitlines() if "/_core." in line]
    return sum(int(re.match(r" *([0-9,]+)", line).group(1).replace(",", "")) for line in ours)


def nanoseconds(kind, number, recorded):
    return float(subprocess.run(command(kind, number, EVENTS, recorded), stdout=subprocess.PIPE, check=True, text=True).stdout)


def time_of(kind, numbers, rounds):
    """By number: (ns of a recorded event, ns that recording adds)."""
    found = {number: [] for number in numbers}
    for _ in range(rounds):
        for number in numbers:
            bare, recorded = nanoseconds(kind, number, False), nanoseconds(kind, number, True)
            found[number].append((recorded, recorded - bare))
    return {number: tuple(map(statistics.median, zip(*pairs))) for number, pairs in found.items()}


def is_flat(kind, numbers, rounds):
    print(f"{kind:>12} instructions  ns recorded     ns more")
    times = time_of(kind, numbers, rounds)
    counted = {}
    for number in numbers:
        counted[number] = (instructions(kind, number, 2 * EVENTS) - instructions(kind, number, EVENTS)) / EVENTS
        print(f"{number:12} {counted[number]:12.1f} {times[number][0]:12.1f} {times[number][1]:11.1f}", flush=True)
    fewest = numbers[0]
    return max(counted.values()) <= LIMIT * counted[fewest] and max(time for time, _ in times.values()) <= TIME_LIMIT * times[fewest][0]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    numbers = [int(word) for word in sys.argv[2:]]
    support.pin_to_one_core()
    support.use_private_directory()
    print(f"CPython {support.python_version()}: the extension's instructions of an event, and its time")
    if not all([is_flat(kind, numbers or usual, rounds) for kind, usual in KINDS.items()]):
        raise SystemExit("over the limit")


if __name__ == "__main__":
    main()
