"""What `tscap run` adds to a program: at its start, and while it runs, there beside cProfile in the same run.

    start-up      of `python -c pass`, bare and below `tscap run`, in pairs whose order is drawn: what the first process takes
                  longer until tscap has printed its table and ended, and with -s each further process that the program starts;
                  the median of the differences by the real clock and in CPU time of all processes, and instructions by callgrind
    fib ... flask the programs of bench_yappi.py: what one run of each takes longer below `tscap run`, as a share of what
                  cProfile(builtins=False) adds; with -a, and with -a --builtins as a share of what cProfile adds

    bench_run.py [PAIRS [ROUNDS]]
"""
import glob
import importlib.util
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import support

PAIRS, ROUNDS = 40, 7
CHILDREN = 5
FIRST_MS, FURTHER_MS = 60, 30
LIMIT = 1.0  # of what cProfile adds
TSCAP = os.environ.get("TSCAP") or os.path.join(support.BUILD, "tscap")
PASS = [sys.executable, "-c", "pass"]
STARTS = "import subprocess, sys\nfor _ in range(int(sys.argv[1])): subprocess.run([sys.executable, '-c', 'pass'], check=True)\n"


def environment():
    """As a user has it: the package is found by tscap alone."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TSCAP_BUILD")}


def below(command, *options):
    return [TSCAP, "run", *options, "--", *command]


# ---- start-up ----


def spent(command):
    """Seconds by the real clock, and of CPU in it and all that it started."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return end - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def instructions(command):
    """In it and all that it started; None: there is no valgrind."""
    if not shutil.which("valgrind"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=%s/%%p" % folder]
        subprocess.run([*valgrind, *command], check=True, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        texts = [open(path).read() for path in glob.glob(folder + "/*")]
    return sum(int(re.search(r"^(?:summary|totals): ([0-9]+)", text, re.M)[1]) for text in texts)


def longer(bare, recorded, pairs):
    """(median, low, high) of the differences in ms: of the real clock, and of CPU time."""
    clock, cpu = [], []
    for _ in range(pairs):
        order = [(0, bare), (1, recorded)]
        random.shuffle(order)
        found = {which: spent(command) for which, command in order}
        clock.append((found[1][0] - found[0][0]) * 1e3)
        cpu.append((found[1][1] - found[0][1]) * 1e3)
    return support.median_interval(clock), support.median_interval(cpu)


def start_up(what, bare, recorded, pairs, limit, share=1):
    """`share`: of how many processes it is."""
    clock, cpu = longer(bare, recorded, pairs)
    mine, theirs = instructions(recorded), instructions(bare)
    counted = "-" if mine is None else "%.1f" % ((mine - theirs) / share / 1e6)
    clock, cpu = ([value / share for value in each] for each in (clock, cpu))
    print("%-24s %6.1f (%.1f to %.1f) ms, at most %d; CPU %5.1f ms; %s million instructions" % (what, *clock, limit, cpu[0], counted), flush=True)
    return clock[1] <= limit


def check_start_up(pairs):
    some = [sys.executable, "-c", STARTS, str(CHILDREN)]
    first = start_up("the first process", PASS, below(PASS), pairs, FIRST_MS)
    # Bare children against recorded ones: the first process is below tscap in both.
    further = start_up("each further one, -s", below(some), below(some, "-s"), max(pairs // 2, 1), FURTHER_MS, CHILDREN)
    return first and further


# ---- while it runs ----


def measured(program, way, *options):
    command = [sys.executable, os.path.join(support.HERE, "bench_yappi.py"), "--measure", program, way]
    command = command if options == () else below(command, *options)
    result = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), cwd=tempfile.gettempdir())
    return float(result.stdout)


WAYS = {
    "none": ("none",),
    "cProfile": ("cProfile",),
    "cProfile, builtins": ("cProfile, builtins",),
    "run": ("none", "-n", "10"),
    "run -a": ("none", "-a"),
    "run -a --builtins": ("none", "-a", "--builtins"),
}
BESIDE = {"run": "cProfile", "run -a": "cProfile", "run -a --builtins": "cProfile, builtins"}


def row(program, rounds):
    times = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, arguments in WAYS.items():
            times[way].append(measured(program, *arguments))
    added = {way: [taken - base for taken, base in zip(times[way], times["none"])] for way in WAYS}
    cells = ["%-8s %8.2f" % (program, statistics.median(times["none"]) * 1e3)]
    cells += ["%8.2f" % (statistics.median(added[way]) * 1e3) for way in list(WAYS)[1:]]
    within = True
    for way, theirs in BESIDE.items():
        share, low, high = support.median_interval([mine / yours for mine, yours in zip(added[way], added[theirs])])
        cells.append("%6.2f (%.2f to %.2f)" % (share, low, high))
        within = within and low <= LIMIT
    print(" ".join(cells), flush=True)
    return within


def check_programs(rounds):
    programs = [name for name in ("fib", "json", "asyncio", "flask") if name != "flask" or importlib.util.find_spec("flask")]
    print("ms of a run, and what it takes longer: %s; then the share of cProfile's of each of ours" % ", ".join(WAYS))
    return all([row(program, rounds) for program in programs])


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    print("CPython %s below tscap run" % support.python_version())
    support.use_private_directory()
    os.chdir(os.environ["TSCAP_DIR"])  # for the files that it leaves
    started = check_start_up(pairs)
    support.pin_to_one_core()
    if not (check_programs(rounds) and started):
        raise SystemExit("over the limit")


if __name__ == "__main__":
    main()
