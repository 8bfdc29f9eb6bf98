"""How calls, threads and processes end: by exceptions, deep in recursion, by signals, all at once."""
import asyncio
import gc
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest

from processes import await_work
from reading import dump, tscap
from timestamp_capture import timestamp

# ---- calls ----


def test_exception_through_recorded_frames(recording):
    @timestamp("bottom")
    def bottom():
        raise KeyError

    @timestamp("middle")
    def middle():
        bottom()

    @timestamp("catches")
    def catches():
        try:
            middle()
        except KeyError:
            pass

    @timestamp("raises again")
    def raises_again():
        try:
            middle()
        except KeyError as error:
            raise ValueError from error

    @timestamp("finally")
    def has_finally():
        try:
            middle()
        finally:
            catches()

    with recording:
        for _ in range(10):
            catches()
            for function, error in ((raises_again, ValueError), (has_finally, KeyError)):
                with pytest.raises(error):
                    function()
    profile = recording.profile.check()
    assert profile.counts("calls", "raised", "open") == {
        "bottom": (40, 40, 0),
        "middle": (40, 40, 0),
        "catches": (20, 0, 0),
        "raises again": (10, 10, 0),
        "finally": (10, 10, 0),
    }


def test_recursion_error(recording):
    @timestamp("endless")
    def endless(n):
        return endless(n + 1)

    with recording:
        with pytest.raises(RecursionError):
            endless(0)
        with pytest.raises(RecursionError):
            endless(0)
    site = recording.profile.site("endless")
    assert site["calls"] == site["raised"] > 200
    assert (site["open"], site["primitive_calls"]) == (0, 2)
    recording.profile.check_sums()


def test_recursion_limit_is_what_it_was(recording):
    def depth(n=0):
        try:
            return depth(n + 1)
        except RecursionError:
            return n

    dormant = depth()
    with recording:
        assert depth() == dormant


def test_interrupt(program):
    p = program(
        """
        import signal, timestamp_capture
        from timestamp_capture import timestamp
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have had it ignored

        @timestamp
        def interrupted(): checkpoint()

        @timestamp
        def outer():
            try: interrupted()
            except KeyboardInterrupt: pass

        timestamp_capture.start()
        outer()
        checkpoint()
        """
    )
    p.wait()
    p.child.send_signal(signal.SIGINT)  # instead of an order
    p.wait()
    profile = p.dump().check()
    assert profile.counts("calls", "raised") == {"interrupted": (1, 1), "outer": (1, 0)}
    p.finish()


def test_system_exit_through_recorded_frames(program, run_directory):
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def leaves(): raise SystemExit(3)

        timestamp_capture.start()
        try: leaves()
        except SystemExit: checkpoint()
        leaves()
        """
    )
    p.wait()
    assert p.dump().check().counts("calls", "raised") == {"leaves": (1, 1)}
    p.go()
    assert p.end() == (3, "", "")
    assert os.listdir(run_directory) == []


def test_exception_through_three_hundred_functions(recording):
    def level(i, below):
        def at_level():
            below()

        return timestamp(f"level {i}")(at_level)

    @timestamp("raises")
    def raises():
        raise KeyError

    @timestamp("catches")
    def catches():
        with pytest.raises(KeyError):
            top()

    top = raises
    for i in range(300):
        top = level(i, top)
    with recording:
        catches()
        catches()
    profile = recording.profile.check()
    names = [f"level {i}" for i in range(299, -1, -1)] + ["raises"]
    assert profile.counts("calls", "raised", "open") == {"catches": (2, 0, 0), **{name: (2, 2, 0) for name in names}}
    assert profile.pairs() == {pair: (2, 2) for pair in zip([None, "catches", *names], ["catches", *names])}


# ---- calls that are open when a program ends, in whatever way, and what callers they had ----

ENDING = """
    import os, signal, sys, threading, time
    import timestamp_capture
    from timestamp_capture import timestamp
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it

    @timestamp
    def leaf(): pass

    @timestamp
    def inner(how):
        leaf()
        how()

    @timestamp
    def outer(how):
        inner(how)
        leaf()

    def returns(): pass
    def raises(): raise KeyError
    def leaves(): sys.exit(3)
    def leaves_at_once(): os._exit(4)
    def aborts(): os.abort()
    def is_interrupted(): signal.raise_signal(signal.SIGINT)
    def is_killed(): os.kill(os.getpid(), signal.SIGKILL)
    def stays():
        here.set()
        while True: time.sleep(0.001)

    here = threading.Event()
    def on_a_thread(daemon):
        threading.Thread(target=outer, args=[stays if daemon else returns], daemon=daemon).start()
        if daemon: here.wait()
        outer(returns)

    timestamp_capture.start()
    {ends}
"""

# calls, of them raised, open, suspended
RETURNED, THROUGH, OPEN = (1, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0)
PROGRAM_ENDS = {
    "returns": ("outer(returns)", 0, RETURNED, 2),
    "raises": ("outer(raises)", 1, THROUGH, 1),
    "sys.exit": ("outer(leaves)", 3, THROUGH, 1),
    "KeyboardInterrupt": ("outer(is_interrupted)", -signal.SIGINT, THROUGH, 1),
    "os._exit": ("outer(leaves_at_once)", 4, OPEN, 1),
    "abort": ("outer(aborts)", -signal.SIGABRT, OPEN, 1),
    "kill -9": ("outer(is_killed)", -signal.SIGKILL, OPEN, 1),
    "a daemon thread": ("on_a_thread(True)", 0, (2, 0, 1, 0), 3),
    "a thread": ("on_a_thread(False)", 0, (2, 0, 0, 0), 4),
}


@pytest.mark.parametrize("ends, status, calls, leaves", PROGRAM_ENDS.values(), ids=PROGRAM_ENDS.keys())
def test_end_of_a_program(program, ends, status, calls, leaves):
    p = program(ENDING.replace("{ends}", ends), environment={"TSCAP_KEEP": "1"})
    assert p.end()[0] == status
    profile = p.dump().check()
    assert profile["process"]["alive"] is False
    assert profile.counts("calls", "raised", "open", "suspended") == {"outer": calls, "inner": calls, "leaf": (leaves, 0, 0, 0)}
    times, after = (calls[0],) * 2, leaves - calls[0]
    expected = {(None, "outer"): times, ("outer", "inner"): times, ("inner", "leaf"): times, ("outer", "leaf"): (after, after)}
    assert profile.pairs() == {pair: count for pair, count in expected.items() if count[0]}
    assert len([thread for thread in profile["threads"] if thread["roots"]]) == calls[0]


def test_recursion_error_is_counted_where_it_is_raised(recording):
    """Call by call: a body that began was called, and what the limit kept from beginning is at most the last one."""
    began = 0

    @timestamp("endless")
    def endless():
        nonlocal began
        began += 1
        endless()

    @timestamp("catches")
    def catches():
        with pytest.raises(RecursionError):
            endless()

    with recording:
        for _ in range(3):
            catches()
    profile = recording.profile
    profile.check_sums()
    assert profile["lost"] == profile["losses"]["mismatched"] == 0  # more levels than the tree has are given up
    calls, raised, still_open = profile.counts("calls", "raised", "open")["endless"]
    assert began <= calls == raised <= began + 3 and still_open == 0 and began > 600
    assert profile.pairs() == {(None, "catches"): (3, 3), ("catches", "endless"): (3, 3), ("endless", "endless"): (calls - 3, 0)}


# ---- generators that end otherwise than by running out ----


def closes(made):
    made.pop().close()


def throws(made):
    with pytest.raises(ValueError):
        made.pop().throw(ValueError)


def cancels(made):
    """What a task does that is cancelled."""
    with pytest.raises(asyncio.CancelledError):
        made.pop().throw(asyncio.CancelledError())


def collects(made):
    cycle = [made.pop()]
    cycle.append(cycle)
    del cycle
    gc.collect()


@pytest.mark.parametrize("end", [closes, throws, cancels, collects])
def test_end_of_a_generator(recording, end):
    """Its last stretch runs below who ends it; it is called by who began it, and what it calls on the way out by it."""

    @timestamp("leaf")
    def leaf():
        pass

    @timestamp("inner")
    def inner():
        try:
            yield
        finally:
            leaf()

    @timestamp("generator")
    def generator():
        try:
            yield from inner()
        finally:
            leaf()

    @types.coroutine
    def waits():
        yield

    @timestamp("inner")
    async def awaited():
        try:
            await waits()
        finally:
            leaf()

    @timestamp("generator")
    async def coroutine():
        try:
            await awaited()
        finally:
            leaf()

    @timestamp("begins")
    def begins():
        made = coroutine() if end is cancels else generator()
        made.send(None)
        return [made]

    @timestamp("ends")
    def ends(made):
        end(made)

    with recording:
        made = begins()
        assert recording.profile.counts("calls", "raised", "open", "suspended") == {"begins": RETURNED, "generator": (1, 0, 1, 1), "inner": (1, 0, 1, 1)}
        ends(made)
    profile = recording.profile.check()
    assert profile.counts("calls", "raised", "open", "suspended") == {
        "begins": RETURNED,
        "ends": RETURNED,
        "generator": THROUGH,
        "inner": THROUGH,
        "leaf": (2, 0, 0, 0),
    }
    assert profile.pairs() == {pair: (1, 1) for pair in [(None, "begins"), (None, "ends"), ("begins", "generator"), ("generator", "inner"), ("generator", "leaf"), ("inner", "leaf")]}
    # closed and thrown into, the innermost is entered at once, and the outer one only when the exception gets there
    above = {path[:-2] for path in profile.paths() if path[-1] == "leaf"}
    assert above and all(path[0] == "ends" for path in above), above


# ---- recursion that is deep ----

DEEP = """
    import sys, threading, timestamp_capture
    from timestamp_capture import timestamp
    sys.setrecursionlimit(1_000_000)
    depth = int(sys.argv[1])

    @timestamp
    def deep(n):
        if n: deep(n - 1)

    def plain(n):
        if n: plain(n - 1)
        else: deep(10)

    def run():
        timestamp_capture.start()
        deep(depth)
        plain(depth)
        timestamp_capture.stop()
        checkpoint(paused=timestamp_capture.status()["paused"])

    if len(sys.argv) > 2: threading.stack_size(int(sys.argv[2]))
    t = threading.Thread(target=run)
    t.start()
    t.join()
"""


def test_recursion_200_000_deep(program):
    stack = 1 << 30 if sys.version_info < (3, 11) else 256 << 20
    p = program(DEEP, arguments=["200000", str(stack)])
    paused = p.wait()["paused"]
    profile = p.dump()
    profile.check_sums()
    site = profile.site("deep")
    if paused:  # 3.11: the C stack ran low and the hook got out of the way, which is said
        assert sys.version_info[:2] == (3, 11) and profile["losses"]["paused"] == paused
        assert 0 < site["calls"] < 200_012
    else:
        assert (site["calls"], site["primitive_calls"], site["open"]) == (200_012, 2, 0)
    assert profile["lost"] == 0
    p.finish()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python calls take C stack before 3.11: it overflows without us, too")
def test_deep_recursion_on_the_usual_stack(program):
    """Dormant, 3.11 and later need no C stack for it; nor may they while armed."""
    p = program(DEEP, arguments=["50000"])
    paused = p.wait()["paused"]
    profile = p.dump()
    profile.check_sums()
    site = profile.site("deep")
    if sys.version_info >= (3, 12):
        assert paused == 0 and site["calls"] == 50_012
    else:
        assert paused > 0 and 0 < site["calls"] <= 50_012
    assert site["open"] == 0
    p.finish()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python calls take C stack before 3.11")
def test_small_stacks(program):
    smallest = 128 << 10 if hasattr(sys, "gettotalrefcount") else 64 << 10  # debug builds refuse less since 3.14
    p = program(DEEP, arguments=["900", str(smallest)])
    p.wait()
    profile = p.dump()
    profile.check_sums()
    assert 0 < profile.site("deep")["calls"] <= 912
    p.finish()


def test_recording_goes_on_after_a_pause(program):
    """Whatever the deep recursion cost, what comes after it is exact."""
    p = program(
        """
        import sys, threading, timestamp_capture
        from timestamp_capture import timestamp
        sys.setrecursionlimit(1_000_000)

        @timestamp
        def deep(n):
            if n: deep(n - 1)

        @timestamp
        def after(): pass

        def run():
            for _ in range(3):
                deep(20_000)
                for _ in range(1000): after()

        threading.stack_size(8 << 20 if sys.version_info >= (3, 11) else 64 << 20)
        timestamp_capture.start()
        for _ in range(2):
            t = threading.Thread(target=run)
            t.start(); t.join()
        checkpoint()
        """
    )
    p.wait()
    profile = p.dump()
    profile.check_sums()
    assert profile.calls("after") == 6000
    p.finish()


# ---- processes ----

RUNNING = """
    import threading, timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def leaf(): pass

    @timestamp
    def parent():
        for _ in range(100): leaf()

    def work():
        while True: parent()

    timestamp_capture.start()
    for _ in range(3): threading.Thread(target=work, daemon=True).start()
    for _ in range(100): parent()
    checkpoint()
    work()
"""


def check_running(profile):
    assert profile["complete"] and profile["lost"] == 0
    profile.check_sums()
    parents, leaves = profile.calls("parent"), profile.calls("leaf")
    assert parents >= 100
    assert 100 * (parents - 4) <= leaves <= 100 * parents


def test_killed(program, run_directory):
    """kill -9 in mid-run: everything recorded is still there to be read."""
    p = program(RUNNING)
    p.wait()
    p.go()
    await_work(p.pid)
    before = p.dump()
    p.kill()
    assert str(p.pid) in tscap("ps", "-a").stdout
    assert str(p.pid) not in tscap("ps").stdout
    profile = p.dump()
    assert profile["process"]["alive"] is False
    check_running(profile)
    assert profile.calls("leaf") >= before.calls("leaf")
    table = p.tscap("dump").stdout
    assert "leaf" in table and "parent" in table
    file = os.path.join(run_directory, next(name for name in os.listdir(run_directory) if name.endswith(".tscap")))
    assert dump(file).counts() == profile.counts()


def test_killed_many_times(program):
    """At whatever instant: within a push, within folding, while a lane is made."""
    for i in range(10):
        p = program(RUNNING, environment={"TSCAP_RING": "1"})
        p.wait()
        p.go()
        time.sleep(0.003 * i)
        p.kill()
        check_running(p.dump())


def test_stopped_by_a_signal(program):
    """A stopped target does not hold a reader up."""
    p = program(RUNNING)
    p.wait()
    p.go()
    for _ in range(10):
        time.sleep(0.01)
        p.child.send_signal(signal.SIGSTOP)
        one, two = p.dump(), p.dump()
        check_running(one)
        assert one.counts() == two.counts() or one.calls("leaf") <= two.calls("leaf")
        p.child.send_signal(signal.SIGCONT)
    p.kill()


def test_start_on_a_stopped_process_gives_up(program):
    p = program(RUNNING)
    p.wait()
    p.child.send_signal(signal.SIGSTOP)
    done = p.tscap("stop", "--timeout", "0.3", check=False)
    assert done.returncode == 124, done.stderr
    p.child.send_signal(signal.SIGCONT)
    p.tscap("stop")
    p.kill()


def test_os_exit_leaves_what_was_recorded(program, run_directory):
    p = program(
        """
        import os, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        timestamp_capture.start()
        for _ in range(1000): f()
        checkpoint()
        os._exit(7)
        """
    )
    p.wait()
    assert p.end() == (7, "", "")
    profile = p.dump()
    assert profile.check().counts() == {"f": 1000} and profile["process"]["alive"] is False
    tscap("gc")
    assert os.listdir(run_directory) == []


def test_abort(program):
    p = program(
        """
        import os, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def aborts(): os.abort()
        timestamp_capture.start()
        aborts()
        """
    )
    status, _, _ = p.end()
    assert status == -signal.SIGABRT
    profile = p.dump()
    assert profile.counts("calls", "open") == {"aborts": (1, 1)}


@pytest.mark.parametrize("how", ["pass", "raise SystemExit(0)", "raise KeyError", "threading.Thread(target=forever, daemon=True).start()", "import atexit; atexit.register(f)"])
def test_exit_leaves_no_file(program, run_directory, how):
    p = program(
        f"""
        import threading, time, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        def forever():
            while True: f()
        timestamp_capture.start()
        f()
        checkpoint()
        {how}
        """
    )
    p.wait()
    assert len(os.listdir(run_directory)) == 2, "a segment and a socket"
    p.go()
    status, _, _ = p.end()
    assert status == (1 if "KeyError" in how else 0)
    assert os.listdir(run_directory) == []


def test_exec_is_another_program(program, run_directory):
    """The process lives on, the program does not."""
    p = program(
        """
        import os, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        timestamp_capture.start()
        f()
        checkpoint()
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(1000)"])
        """.replace("import os, ", "import os, sys, ")
    )
    p.wait()
    p.go()
    deadline = time.monotonic() + 60
    while b"sleep" not in pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes() and time.monotonic() < deadline:
        time.sleep(0.01)
    done = p.tscap("start", check=False)
    assert done.returncode != 0 and done.stderr
    p.kill()


def test_finalisation_with_recorded_del(program):
    """Recorded code that runs while the interpreter ends."""
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp
        class Late:
            @timestamp
            def __del__(self): helper()
        @timestamp
        def helper(): pass
        timestamp_capture.start()
        late = Late()
        late.itself = late
        other = Late()
        """
    )
    p.finish()


def test_started_and_never_stopped_by_thousands(run_directory):
    """Short programs, one after the other: none leaves anything."""
    source = "import timestamp_capture as t\n@t.timestamp\ndef f(): pass\nt.start(); f()"
    for _ in range(5):
        subprocess.run([sys.executable, "-c", source], check=True)
    assert os.listdir(run_directory) == []
