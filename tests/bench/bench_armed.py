"""What recording adds to a call of an empty function: wall and CPU time, totals and folding included.

Five variants of the same calls take turns on one core, so that what disturbs the machine disturbs all of them:

    dormant     decorated, nobody records
    no-op hook  the hook that the recorder uses, with nothing in it (yardstick/yardstick.c)
    clock hook  the same with nothing in it but the two clock reads
    recorded    a session runs
    cProfile

A clock read costs more in the middle of other work than in a loop of clock reads: the processor cannot overlap it with
what comes before and after. So there are two measures of "two clock reads": in a loop, and what `clock hook` adds to
`no-op hook`. Of what recording adds to the no-op hook, the latter part is the clock.

What a variant adds is paired: its time less that of `dormant` in the same round. Shown are medians of rounds with their
95 % intervals. A block of calls is several times as long as the ring, so it pays for the folding of what it records.

    bench_armed.py [ROUNDS]
"""
import cProfile
import gc
import sys
import time

import support

support.pin_to_one_core()
support.use_private_directory()

import timestamp_capture

yardstick = support.load_yardstick()
CALLEES = (1, 100, 10_000)
CALLS = 60_000  # in a block
CLOCK_READS = 100_000
CPROFILE_SHARE = 0.65 if sys.version_info[:2] == (3, 12) else 0.5  # 3.12's empty callbacks alone cost half of cProfile
CLOCK_MULTIPLE = 2.0
CLOCKS = ("wall", "cpu")


def make_functions(count):
    """Empty functions of one module, with a code object each."""
    module = {"timestamp": timestamp_capture.timestamp}
    exec("".join(f"@timestamp\ndef callee_{i}(): pass\n" for i in range(count)), module)
    return [module[f"callee_{i}"] for i in range(count)]


def make_driver(functions):
    calls = functions * (CALLS // len(functions))

    @timestamp_capture.timestamp(f"driver of {len(functions)}")
    def driver():
        for f in calls:
            f()

    return driver


# ---- variants: each a pair of functions, to begin and to end ----


class Dormant:
    def begin(self):
        pass

    end = begin


class Recorded:
    begin = staticmethod(timestamp_capture.start)
    end = staticmethod(timestamp_capture.stop)


class Profiled:
    def begin(self):
        self.profile = cProfile.Profile()
        self.profile.enable()

    def end(self):
        self.profile.disable()


if support.MONITORING:
    M, E = sys.monitoring, sys.monitoring.events
    TOOL = 5
    LOCAL = E.PY_START | E.PY_RETURN | E.PY_YIELD | E.PY_RESUME
    GLOBAL = E.PY_UNWIND | E.PY_THROW

    class NoOp:
        """The events that the recorder asks for, on the same code objects."""

        def __init__(self, functions, clock):
            self.codes = [f.__code__ for f in functions]
            self.clock = clock

        def begin(self):
            M.use_tool_id(TOOL, "yardstick")
            for event in (E.PY_START, E.PY_RETURN, E.PY_YIELD, E.PY_RESUME, E.PY_UNWIND, E.PY_THROW):
                M.register_callback(TOOL, event, yardstick.callback(self.clock))
            for code in self.codes:
                M.set_local_events(TOOL, code, LOCAL)
            M.set_events(TOOL, GLOBAL)

        def end(self):
            M.set_events(TOOL, 0)
            for code in self.codes:
                M.set_local_events(TOOL, code, 0)
            M.free_tool_id(TOOL)

else:

    class NoOp:
        def __init__(self, functions, clock):
            self.clock = clock
            for f in functions:
                yardstick.mark(f.__code__)

        def begin(self):
            yardstick.hook(True, self.clock)

        def end(self):
            yardstick.hook(False, self.clock)


# ---- measuring ----


def time_block(driver):
    """(wall, cpu) nanoseconds per call of the second of two blocks: the first finds all caches cold."""
    driver()
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    driver()
    cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
    return {"wall": wall / CALLS, "cpu": cpu / CALLS}


def time_variant(variant, driver):
    variant.begin()
    try:
        return time_block(driver)
    finally:
        variant.end()


def measure(callees, rounds):
    """Per round: variant -> clock -> ns per call, and the cost of two clock reads."""
    functions = make_functions(callees)
    driver = make_driver(functions)
    hooked = [*functions, driver]
    variants = {"dormant": Dormant(), "no-op hook": NoOp(hooked, False), "clock hook": NoOp(hooked, True), "recorded": Recorded(),
                "cProfile": Profiled()}
    names = list(variants)
    results = []
    for i in range(rounds + 1):
        turn = names[i % len(names) :] + names[: i % len(names)]
        result = {name: time_variant(variants[name], driver) for name in turn}
        result["two clocks"] = yardstick.clock_reads(CLOCK_READS) / CLOCK_READS * 2
        results.append(result)
    return results[1:]  # the first round warms up


# ---- what comes of it ----


class Figures:
    """Medians over the rounds of one run, for one clock."""

    def __init__(self, results, clock):
        def added(result, name):
            return result[name][clock] - result["dormant"][clock]

        self.dormant = support.median_interval([r["dormant"][clock] for r in results])
        self.noop = support.median_interval([added(r, "no-op hook") for r in results])
        self.recorded = support.median_interval([added(r, "recorded") for r in results])
        self.cprofile = support.median_interval([added(r, "cProfile") for r in results])
        self.clocks = support.median_interval([r["two clocks"] for r in results])
        self.net = support.median_interval([added(r, "recorded") - added(r, "no-op hook") for r in results])
        self.in_place = support.median_interval([added(r, "clock hook") - added(r, "no-op hook") for r in results])
        self.in_clocks = support.median_interval([(added(r, "recorded") - added(r, "no-op hook")) / r["two clocks"] for r in results])
        self.in_cprofile = support.median_interval([added(r, "recorded") / added(r, "cProfile") for r in results])


def show(callees, clock, f):
    print(f"{callees:>7} {clock:>5} {f.dormant[0]:>8.1f} {f.noop[0]:>+8.1f} {f.recorded[0]:>+9.1f} {f.cprofile[0]:>+9.1f}"
          f" {f.clocks[0]:>7.1f} {f.in_place[0]:>7.1f} {f.net[0]:>+8.1f}  {f.in_clocks[0]:>5.2f} [{f.in_clocks[1]:.2f} {f.in_clocks[2]:.2f}]"
          f"  {f.in_cprofile[0]:>5.2f} [{f.in_cprofile[1]:.2f} {f.in_cprofile[2]:.2f}]")


def verdict(figures):
    def holds(what, bound, value):
        worst = max(value(f) for f in figures.values())
        print(f"  {'holds' if worst <= bound else 'FAILS'}: {what} {worst:.2f}, at most {bound:.2f}")
        return worst <= bound

    print(f"verdict, Python {support.python_version()}: recorded calls, wall and CPU time, at {', '.join(map(str, CALLEES))} callees")
    good = [holds("(1) less the no-op hook, in times two clock reads:", CLOCK_MULTIPLE, lambda f: f.in_clocks[0]),
            holds("(2) as a share of what cProfile adds:", CPROFILE_SHARE, lambda f: f.in_cprofile[0])]
    worst = max(f.net[0] / f.in_place[0] for f in figures.values())
    print(f"  (1) in times two clock reads as they cost in the hook: {worst:.2f}")
    few, many = figures[CALLEES[0], "wall"].net[0], figures[CALLEES[-1], "wall"].net[0]
    print(f"  less the no-op hook: {few:.1f} ns at {CALLEES[0]} callee, {many:.1f} ns at {CALLEES[-1]}: {many / few:.2f} times")
    return all(good)


def main(rounds):
    gc.disable()
    print(f"Python {support.python_version()}, {rounds} rounds of {CALLS} calls, one core; ns per call, medians, 95 % intervals")
    print("                           added by                 two clocks    recorded   less no-op by        recorded by")
    print("callees clock  dormant    no-op  recorded  cProfile    loop    hook   -no-op   two clocks (1)       cProfile (2)")
    figures = {}
    for callees in CALLEES:
        results = measure(callees, rounds)
        for clock in CLOCKS:
            figures[callees, clock] = Figures(results, clock)
            show(callees, clock, figures[callees, clock])
    return verdict(figures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
