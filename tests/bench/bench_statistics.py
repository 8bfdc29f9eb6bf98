"""Statistics of 10,000 functions, each row looked at: how long it takes, of that on the processor, and how long another thread that wants the
interpreter's lock waits at most while they are made. The first reading learns the names, too. Medians of rounds, a process each.

    bench_statistics.py [FUNCTIONS [ROUNDS]]
"""
import statistics
import subprocess
import sys
import threading
import time

import support

FUNCTIONS, ROUNDS = 10_000, 15
READINGS = 4
NAP = 0.0003
TAKES_MS, WAITS_MS = 30, 5


def many(functions):
    space = {"__name__": "many"}
    exec(compile("\n".join(f"def f{i}(): pass" for i in range(functions)), "many.py", "exec"), space)
    return [space[f"f{i}"] for i in range(functions)]


class Waiter(threading.Thread):
    """Sleeps, and then wants the lock, again and again."""

    def __init__(self):
        super().__init__(daemon=True)
        self.done, self.got = False, []

    def run(self):
        while not self.done:
            time.sleep(NAP)
            self.got.append(time.perf_counter())

    def longest(self, begin, end):
        """ms between two instants at which it had the lock, less its sleep."""
        within = [begin, *(at for at in self.got if begin < at < end), end]
        return (max(b - a for a, b in zip(within, within[1:])) - NAP) * 1e3


def look(stats):
    return [(stat.name, stat.module, stat.ncall, stat.ttot, stat.tsub) for stat in stats]


def measure(functions):
    """Prints a line a reading."""
    import timestamp_capture.yappi as yappi

    called = many(functions)
    yappi.start()
    for function in called:
        function()
    yappi.stop()
    waiter = Waiter()
    waiter.start()
    for _ in range(READINGS):
        cpu, begin = time.thread_time(), time.perf_counter()
        stats = yappi.get_func_stats()
        made = time.perf_counter()
        rows = look(stats)
        end, cpu = time.perf_counter(), time.thread_time() - cpu
        assert len(rows) >= functions
        print((end - begin) * 1e3, cpu * 1e3, waiter.longest(begin, made))
    waiter.done = True
    waiter.join()


def measured(functions):
    result = subprocess.run([sys.executable, __file__, "--measure", str(functions)], stdout=subprocess.PIPE, check=True, text=True)
    return [tuple(map(float, line.split())) for line in result.stdout.splitlines()]


def main():
    functions, rounds = (int(word) if word else usual for word, usual in zip(sys.argv[1:] + ["", ""], (FUNCTIONS, ROUNDS)))
    support.use_private_directory()
    found = [measured(functions) for _ in range(rounds)]
    print(f"CPython {support.python_version()}: {functions} functions: ms; at most {TAKES_MS} of the processor and {WAITS_MS} of waiting")
    within = True
    for what, readings in (("first", [all[0] for all in found]), ("later", [one for all in found for one in all[1:]])):
        took, cpu, waited = (statistics.median(column) for column in zip(*readings))
        print(f"{what:6} reading: {took:6.1f}, on the processor {cpu:6.1f}; another waits at most {waited:6.2f}", flush=True)
        within = within and cpu <= TAKES_MS and waited <= WAITS_MS
    if not within:
        raise SystemExit("over the limit")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(int(sys.argv[2]))
    else:
        main()
