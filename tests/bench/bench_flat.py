"""The extension's own instructions of a recorded call and its return, whatever the number of functions that one caller calls.

Counted by callgrind, in the extension alone: those of twice the calls less those of the calls. Fails where many callees cost over 5 %
more than the fewest.

    bench_flat.py [CALLEES ...]
"""
import glob
import os
import re
import subprocess
import sys

import support

CALLEES = (10, 100, 1_000, 10_000)
CALLS = 100_000
LIMIT = 1.05
PROGRAM = """
import sys
import timestamp_capture.yappi as yappi
callees, calls = map(int, sys.argv[1:])
space = {"__name__": "callees"}
exec(compile("\\n".join(f"def f{i}(): pass" for i in range(callees)), "callees.py", "exec"), space)
functions = [space[f"f{i}"] for i in range(callees)]
def caller(rounds):
    for _ in range(rounds):
        for function in functions:
            function()
yappi.start()
caller(max(1, 20_000 // callees))
caller(calls // callees)
"""


def instructions(callees, calls):
    out = os.path.join(os.environ["TSCAP_DIR"], "callgrind.out")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable, "-S", "-c", PROGRAM, str(callees), str(calls)]
    subprocess.run(command, env={**os.environ, "TSCAP_CPU": "wall", "PYTHONHASHSEED": "0"}, stderr=subprocess.DEVNULL, check=True)
    listed = subprocess.run(["callgrind_annotate", "--threshold=100", out], stdout=subprocess.PIPE, check=True, text=True).stdout
    for file in glob.glob(out + "*"):
        os.unlink(file)
    ours = [line for line in listed.splitlines() if "/_core." in line]
    return sum(int(re.match(r" *([0-9,]+)", line).group(1).replace(",", "")) for line in ours)


def main():
    numbers = [int(word) for word in sys.argv[1:]] or CALLEES
    support.use_private_directory()
    print(f"CPython {support.python_version()}: the extension's instructions of a call and its return, by the callees of its caller")
    costs = []
    for callees in numbers:
        costs.append((instructions(callees, 2 * CALLS) - instructions(callees, CALLS)) / CALLS)
        print(f"{callees:8} {costs[-1]:8.1f}", flush=True)
    if max(costs) > LIMIT * costs[0]:
        raise SystemExit("over the limit")


if __name__ == "__main__":
    main()
