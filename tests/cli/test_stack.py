"""stack: what each thread is doing, compared with the program's own account, on every Python there is."""
import json
import os
import signal
import subprocess
import sys
import time

import jsonschema
import pytest

from conftest import HERE, LIMIT, ROOT, schema
from processes import await_sleep, of_threads, thread_states

PROGRAM = str(HERE / "parked.py")


def all_pythons():
    found = subprocess.run([str(ROOT / "scripts" / "find-pythons")], capture_output=True, text=True, timeout=LIMIT)
    return [line.split("\t")[0] for line in found.stdout.splitlines() if line.strip()] or [sys.executable]


@pytest.fixture(params=all_pythons())
def parked(request, start_program):
    program = start_program(request.param, PROGRAM)
    program.account = {int(tid): stack for tid, stack in json.loads(program.process.stdout.readline()).items()}
    await_sleep(program.pid)
    return program


def python_frames(thread):
    return [[frame["function"], frame["file"], frame["line"]] for frame in thread["frames"] if frame["kind"] == "python"]


def check_against_account(program, threads):
    by_tid = {thread["tid"]: thread for thread in threads}
    assert set(program.account) <= set(by_tid)
    for tid, stack in program.account.items():
        found = python_frames(by_tid[tid])
        if tid == program.pid:
            assert [frame[0] for frame in found] == ["main", "<module>"]
        else:
            assert found == stack


def test_as_the_program_says_itself(tscap, parked):
    result = tscap("stack", parked.pid, "--json")
    assert result.code == 0, result
    jsonschema.validate(result.json, schema("stack"))
    assert result.json["pause_ns"] is None and result.json["complete"]
    assert all(thread["consistent"] and thread["whole"] for thread in result.json["threads"])
    check_against_account(parked, result.json["threads"])
    text = tscap("stack", parked.pid)
    assert text.code == 0 and "über (" in text.out and "read while they ran" in text.out


def test_with_native_frames(tscap, parked):
    """Each C frame of the interpreter's main function has become the Python functions it runs."""
    result = tscap("stack", parked.pid, "--native", "--json")
    assert result.code == 0, result
    jsonschema.validate(result.json, schema("stack"))
    assert result.json["pause_ns"] > 0
    check_against_account(parked, result.json["threads"])
    for thread in result.json["threads"]:
        names = [frame["function"] or "" for frame in thread["frames"] if frame["kind"] == "native"]
        assert thread["whole"], thread
        assert not [name for name in names if name.startswith("_PyEval_EvalFrameDefault")]
        if thread["python"]:
            assert thread["frames"][0]["kind"] == "native", "each waits in a system call"
    (sorting,) = [t for t in result.json["threads"] if any("in_c_function" == f["function"] for f in t["frames"])]
    kinds = [frame["kind"] for frame in sorting["frames"]]
    names = [(frame["function"] or "").split(".")[-1] for frame in sorting["frames"]]
    assert names.index("über") < names.index("__lt__") < names.index("in_c_function")
    assert "native" in kinds[names.index("__lt__") : names.index("in_c_function")], "sorted() is a C function"
    assert parked.end() == 0, "it goes on as if nothing had been"


@pytest.mark.parametrize("options", [[], ["--builtins"]])
def test_while_it_is_recorded(tscap, start_program, options):
    """With our hooks in it, and threads that were within their calls when those came."""
    program = start_program(sys.executable, PROGRAM)
    program.account = {int(tid): stack for tid, stack in json.loads(program.process.stdout.readline()).items()}
    await_sleep(program.pid)
    attached = tscap("attach", program.pid, "--all", *options)
    if attached.code == 4:
        pytest.skip(attached.what)
    assert attached.code == 0, attached
    await_sleep(program.pid)
    result = tscap("stack", program.pid, "--native", "--json")
    assert result.code == 0, result
    check_against_account(program, result.json["threads"])
    assert all(thread["whole"] for thread in result.json["threads"])
    assert any(thread["name"] == "tscap" for thread in result.json["threads"])


def test_it_goes_on(tscap, start_program):
    """While it is busy, many times; nothing is lost on the way."""
    code = "import sys\nn = 0\nprint('ready', flush=True)\nwhile n < 3000000: n += 1\nprint(n, flush=True)"
    program = start_program(sys.executable, "-c", code)
    program.expect("ready")
    codes = {tscap("stack", program.pid, "--native").code for _ in range(5)}
    assert codes <= {0, 3, 5, 6}
    program.expect("3000000")


BUSY = "import threading\ndef spin():\n    while True: pass\n"
BUSY += "for _ in range(2): threading.Thread(target=spin, daemon=True).start()\nprint('ready', flush=True)\ninput()"


def test_at_most_one_holds_the_lock(tscap, start_program):
    program = start_program(sys.executable, "-c", BUSY)
    program.expect("ready")
    held, looks, deadline = 0, 0, time.monotonic() + LIMIT
    while looks < 10 or not held:  # nobody does while the one that shall have it next waits for a processor
        assert time.monotonic() < deadline, "nobody ever holds it"
        holders = [t for t in tscap("stack", program.pid, "--native", "--json").json["threads"] if t["holds_gil"]]
        assert len(holders) <= 1
        assert all(thread["frames"] for thread in holders)
        held += len(holders)
        looks += 1


def test_a_stopped_process_stays_stopped(tscap, parked):
    parked.signal(signal.SIGSTOP)
    result = tscap("stack", parked.pid, "--native", "--json")
    assert result.code == 0, result
    check_against_account(parked, result.json["threads"])
    parked.await_stop()  # when its tracer goes, a thread runs a few instructions of the kernel's before it stops again
    parked.signal(signal.SIGCONT)
    assert parked.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_ends_us_leaves_it_running(start_program, number):
    program = start_program(sys.executable, "-c", BUSY)
    program.expect("ready")
    for delay in (0, 0.002, 0.01, 0.02):
        stack = subprocess.Popen([os.environ["TSCAP"], "stack", str(program.pid), "--native"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        stack.send_signal(number)
        stack.wait(LIMIT)
    deadline = time.monotonic() + LIMIT
    while any("TracerPid:\t0\n" not in status for status in of_threads(program.pid, "status")) or {"t", "T"} & set(thread_states(program.pid)):
        assert time.monotonic() < deadline
    program.process.stdin.write("\n")
    assert program.end() == 0


def test_what_cannot_be_looked_at(tscap, start_program):
    program = start_program("sleep", "60")
    tscap("stack", program.pid).is_error(5)
    program.kill()
    tscap("stack", program.pid).is_error(3)
    tscap("stack", "auto").is_error(2)
    tscap("stack", 0).is_error(2)
