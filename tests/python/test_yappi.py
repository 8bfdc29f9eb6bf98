"""yappi's session: what is counted, from when to when, of whom, and by which clock. What statistics can do: test_yappi_stats.py."""
import asyncio
import gc
import os
import random
import re
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

import scarce
from reading import FROM_OUTSIDE
from timestamp_capture import Timestamp_Collector, timestamp, yappi

pytestmark = pytest.mark.skipif(not FROM_OUTSIDE, reason="the recorder in pure Python has no sessions")
MAIN = 0


@pytest.fixture(autouse=True)
def fresh():
    yappi.stop()
    yappi.clear_stats()
    yappi.set_clock_type("cpu")
    yield
    yappi.stop()
    yappi.clear_stats()
    yappi.set_clock_type("cpu")


HELPERS = ("ours", "ours.<locals>.<dictcomp>", "counts", "pairs", "in_thread", "run_loop", "<dictcomp>", "fresh")


def ours(stats=None):
    """name -> row, of the functions of this file but for those that only help the tests."""
    stats = yappi.get_func_stats() if stats is None else stats
    return {stat.name: stat for stat in stats if stat.builtin or (stat.module == __file__ and stat.name not in HELPERS)}


def counts(stats=None):
    return {name: (stat.ncall, stat.nactualcall) for name, stat in ours(stats).items() if not stat.builtin}


def pairs():
    return {(name, child.name): (child.ncall, child.nactualcall) for name, stat in ours().items() if not stat.builtin for child in stat.children if not child.builtin}


def leaf():
    pass


def inner():
    leaf()
    leaf()


def outer():
    inner()
    leaf()


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


# ---- what is counted ----


def test_functions_and_what_they_called():
    yappi.start()
    outer()
    fib(10)
    yappi.stop()
    outer()
    assert counts() == {"outer": (1, 1), "inner": (1, 1), "leaf": (3, 3), "fib": (177, 1)}
    assert pairs() == {("outer", "inner"): (1, 1), ("outer", "leaf"): (1, 1), ("inner", "leaf"): (2, 2), ("fib", "fib"): (176, 0)}


def test_times_add_up():
    yappi.set_clock_type("wall")
    yappi.start()
    for _ in range(100):
        outer()
    yappi.stop()
    rows = ours()
    assert sum(row.tsub for row in rows.values()) == pytest.approx(rows["outer"].ttot, abs=1e-8)  # each is rounded to a nanosecond
    assert rows["outer"].tsub + sum(child.ttot for child in rows["outer"].children) == pytest.approx(rows["outer"].ttot, abs=1e-8)
    assert rows["leaf"].tavg * rows["leaf"].ncall == pytest.approx(rows["leaf"].ttot)


class Base:
    def method(self):
        pass


class First(Base):
    pass


class Second(Base):
    def method(self):
        super().method()


def test_names():
    def local():
        pass

    class Local:
        def method(self):
            pass

    yappi.start()
    First().method()
    Second().method()
    local()
    (lambda: None)()
    Local().method()
    yappi.stop()
    rows = ours()
    assert {name: row.ncall for name, row in rows.items()} == {"Base.method": 2, "Second.method": 1, "local": 1, "<lambda>": 1, "Local.method": 1}
    code = local.__code__
    assert rows["local"].full_name == f"{code.co_filename}:{code.co_firstlineno} local"


def test_no_code_of_the_program_runs_for_a_name():
    class Watched:
        @property
        def __class__(self):
            asked.append(self)
            return int

        def method(self):
            pass

    asked = []
    yappi.start()
    Watched().method()
    yappi.stop()
    assert counts()["Watched.method"] == (1, 1) and not asked


def test_c_functions_when_asked():
    def sleeps():
        time.sleep(0.05)

    yappi.set_clock_type("wall")
    yappi.start(builtins=True)
    sleeps()
    yappi.stop()
    rows = ours()
    sleep = rows["sleep"]
    assert (sleep.full_name, sleep.module, sleep.ncall, sleep.builtin) == ("time.sleep", "time", 1, True)
    assert rows["sleeps"].children[sleep].ttot == sleep.ttot >= 0.05 > rows["sleeps"].tsub
    assert [stat.name for stat in yappi.get_func_stats(filter={"module": "time"})] == ["sleep"]
    assert yappi.get_func_stats(filter_callback=lambda stat: yappi.func_matches(stat, [time.sleep]))[0:9] == [sleep]


def test_without_them_their_time_is_their_callers():
    def sleeps():
        time.sleep(0.05)

    yappi.set_clock_type("wall")
    yappi.start()
    sleeps()
    yappi.stop()
    assert ours()["sleeps"].tsub >= 0.05 and not any(stat.builtin for stat in yappi.get_func_stats())


def test_a_function_defined_later():
    yappi.start()
    space = {"__name__": "later"}
    exec(compile("def young(): return 1\nyoung()", "later.py", "exec"), space)
    space["young"]()
    yappi.stop()
    assert [stat.ncall for stat in yappi.get_func_stats() if stat.module == "later.py" and stat.name == "young"] == [2]


def test_functions_of_the_recorder_are_not_there():
    yappi.start()
    leaf()
    yappi.get_func_stats().print_all(open(os.devnull, "w"))
    yappi.get_thread_stats()
    yappi.stop()
    assert not [stat for stat in yappi.get_func_stats() if "timestamp_capture" in os.path.dirname(stat.module)]


# ---- from when to when ----


def test_on_and_off():
    assert not yappi.is_running()
    yappi.start()
    assert yappi.is_running()
    yappi.start(builtins=True)  # it runs: nothing changes
    leaf()
    yappi.stop()
    assert not yappi.is_running()
    yappi.stop()
    leaf()
    yappi.start()
    leaf()
    yappi.stop()
    assert counts() == {"leaf": (2, 2)}
    yappi.clear_stats()
    assert yappi.get_func_stats().empty()
    yappi.clear_stats()


def test_cleared_while_it_runs():
    yappi.start()
    leaf()
    yappi.clear_stats()
    assert yappi.is_running()
    leaf()
    assert counts() == {"leaf": (1, 1)}


def test_what_is_open_when_it_is_cleared_does_not_count():
    def clears():
        yappi.clear_stats()
        leaf()

    yappi.start()
    clears()
    yappi.stop()
    assert counts() == {"leaf": (1, 1)}


def test_what_began_before_is_nobodys_caller():
    def starts():
        yappi.start()
        leaf()

    starts()
    leaf()
    yappi.stop()
    assert counts() == {"leaf": (2, 2)} and not pairs()


def test_what_was_open_at_the_stop_is_nobodys_caller():
    """yappi shows it as the caller of all that follows."""

    def stops():
        yappi.stop()

    yappi.start()
    stops()
    yappi.start()
    inner()
    yappi.stop()
    assert pairs() == {("inner", "leaf"): (2, 2)}
    assert counts()["stops"] == (1, 1)


def test_a_call_that_is_open_has_its_time_so_far():
    def waits():
        time.sleep(0.05)
        return ours()["waits"]

    yappi.set_clock_type("wall")
    yappi.start()
    now = waits()
    later = ours()["waits"]
    assert (now.ncall, now.nactualcall) == (1, 1) and 0.05 <= now.tsub <= now.ttot <= later.ttot


def test_run():
    with yappi.run():
        leaf()
        with yappi.run(builtins=True):
            leaf()
        leaf()  # the inner one has stopped it
    assert counts() == {"leaf": (2, 2)}
    with pytest.raises(ZeroDivisionError), yappi.run():
        1 / 0
    assert not yappi.is_running()


# ---- clocks ----


def test_both_clocks_are_always_there():
    def sleeps():
        time.sleep(0.1)

    yappi.start()
    sleeps()
    yappi.stop()
    cpu = ours()["sleeps"]
    yappi.set_clock_type("WALL")
    wall = ours()["sleeps"]
    assert cpu.ttot < 0.1 <= wall.ttot and cpu.ncall == wall.ncall == 1
    assert yappi.get_clock_type() == "wall"


def test_clock_functions():
    for kind in ("cpu", "wall"):
        yappi.set_clock_type(kind)
        info = yappi.get_clock_info()
        assert set(info) == {"api", "resolution"} and "clock_gettime" in info["api"]
        before = yappi.get_clock_time()
        time.sleep(0.02)
        assert (yappi.get_clock_time() - before >= 0.02) == (kind == "wall")
    with pytest.raises(yappi.YappiError, match="sundial.*cpu, wall"):
        yappi.set_clock_type("sundial")


# ---- coroutines and generators ----


async def naps(seconds):
    await asyncio.sleep(seconds)


async def naps_twice(seconds):
    await naps(seconds)
    await naps(seconds)


def run_loop(coroutine):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def test_a_coroutine_is_one_call_and_by_the_wall_clock_lasts_while_it_waits():
    async def several():
        await asyncio.gather(naps_twice(0.04), naps_twice(0.04), naps(0.04))

    yappi.start()
    run_loop(several())
    yappi.stop()
    assert counts()["naps"] == (5, 5) or counts()["naps"][0] == 5
    assert counts()["naps_twice"][0] == 2 and counts()["several"] == (1, 1)
    assert pairs()["naps_twice", "naps"][0] == 4
    cpu = ours()
    yappi.set_clock_type("wall")
    wall = ours()
    assert wall["naps"].ttot >= 5 * 0.04 and wall["naps_twice"].ttot >= 4 * 0.04 and wall["several"].ttot >= 0.08
    assert cpu["naps_twice"].ttot < 0.04
    assert wall["naps"].tsub < wall["naps"].ttot - 0.1  # it waits for nearly all of that


def test_a_cancelled_coroutine_ends():
    async def cancels():
        task = asyncio.ensure_future(naps(60))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    yappi.set_clock_type("wall")
    with yappi.run():
        run_loop(cancels())
    assert counts()["naps"] == (1, 1) and ours()["naps"].ttot < 60


def test_async_generators():
    async def counts_to(n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def adds():
        return sum([i async for i in counts_to(5)])

    with yappi.run():
        assert run_loop(adds()) == 10
    assert counts()["counts_to"] == (1, 1)


def test_a_generator_is_one_call():
    def numbers():
        yield from range(100)

    yappi.set_clock_type("wall")
    with yappi.run():
        for _ in numbers():
            pass
    assert counts()["numbers"] == (1, 1)


def test_a_finished_coroutine_is_not_kept():
    class Payload:
        pass

    async def carries(payload):
        await asyncio.sleep(0)

    payload = Payload()
    gone = weakref.ref(payload)
    yappi.start()
    run_loop(carries(payload))
    del payload
    gc.collect()
    assert gone() is None


def test_calls_leak_no_reference():
    """yappi's leave seven of each to the code object."""

    def called(argument):
        return argument

    def references():
        return [sys.getrefcount(thing) for thing in (called, called.__code__, argument, called.__code__.co_filename)]

    argument = object()
    with yappi.run(builtins=True):
        called(argument)
    before = references()
    with yappi.run(builtins=True):
        for _ in range(1000):
            called(argument)
    yappi.get_func_stats()
    assert references() == before


def test_code_that_is_gone_is_not_kept():
    space = {}
    exec("def passing(): pass", space)
    gone = weakref.ref(space["passing"].__code__)
    with yappi.run():
        space["passing"]()
    del space["passing"]
    gc.collect()
    assert gone() is None


# ---- threads ----


class Named(threading.Thread):
    pass


def in_thread(target, *args, kind=threading.Thread):
    thread = kind(target=target, args=args)
    thread.start()
    thread.join()
    return thread


def test_all_threads_or_one():
    yappi.start(profile_threads=False)
    in_thread(outer)
    leaf()
    yappi.stop()
    assert counts() == {"leaf": (1, 1)}
    yappi.clear_stats()
    yappi.start()
    in_thread(outer)
    leaf()
    yappi.stop()
    assert counts()["leaf"] == (4, 4)


def test_threads_are_contexts():
    yappi.start()
    for _ in range(3):
        in_thread(outer, kind=Named)
    leaf()
    yappi.stop()
    threads = {stat.id: stat for stat in yappi.get_thread_stats()}
    assert threads[MAIN].name == "_MainThread" and threads[MAIN].tid == threading.get_native_id()
    named = [stat for stat in threads.values() if stat.name == "Named"]
    assert len(named) == 3 and len({stat.tid for stat in threads.values()}) == len(threads)
    for stat in named:
        assert counts(yappi.get_func_stats(ctx_id=stat.id))["leaf"] == (3, 3)
    assert counts(yappi.get_func_stats(ctx_id=MAIN)) == {"leaf": (1, 1)}
    assert yappi.get_func_stats(ctx_id=999).empty()
    assert counts()["leaf"] == (10, 10)
    assert {stat.ctx_name for stat in yappi.get_func_stats(ctx_id=named[0].id)} == {"Named"}


def test_threads_that_threading_does_not_know():
    import _thread

    done = threading.Event()

    def works():
        leaf()
        done.set()

    yappi.start()
    _thread.start_new_thread(works, ())
    assert done.wait(60)
    yappi.stop()
    assert counts()["leaf"] == (1, 1)


def test_a_thread_that_calls_nothing_has_its_processor_time():
    """It compresses: one call, which began before."""
    import zlib

    go, data = threading.Event(), os.urandom(1 << 22)
    busy, stop = threading.Event(), threading.Event()

    def works():
        go.wait()
        while not stop.is_set():
            zlib.compress(data)
            busy.set()

    thread = Named(target=works)
    thread.start()
    yappi.start()
    go.set()
    assert busy.wait(60)
    (stat,) = [stat for stat in yappi.get_thread_stats() if stat.name == "Named"]
    stop.set()
    thread.join()
    yappi.stop()
    assert stat.ttot > 0.01 and stat.tid == thread.native_id and stat.sched_count >= 1


def test_statistics_can_be_read_while_others_call():
    """The original lost 40 to 90 % of the calls."""
    calls, stop = 20_000, threading.Event()

    def reads():
        while not stop.is_set():
            yappi.get_func_stats()
            yappi.get_thread_stats()

    def works():
        for _ in range(calls):
            inner()

    yappi.start()
    readers = [threading.Thread(target=reads) for _ in range(4)]
    workers = [threading.Thread(target=works) for _ in range(2)]
    for thread in readers + workers:
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    yappi.stop()
    assert counts()["inner"] == (2 * calls, 2 * calls) and counts()["leaf"] == (4 * calls, 4 * calls)
    assert pairs()["inner", "leaf"] == (4 * calls, 4 * calls)


MANY_THREADS = """
import threading
from timestamp_capture import yappi
threads, calls, all_called, go = {threads}, 50, threading.Semaphore(0), threading.Event()
def leaf(): pass
def works():
    for _ in range(calls):
        leaf()
    all_called.release()
    go.wait()
threading.stack_size(256 * 1024)
yappi.start()
for _ in range(threads):
    threading.Thread(target=works, daemon=True).start()
for _ in range(threads):
    all_called.acquire()
stats = yappi.get_func_stats()
print(stats.complete, {{stat.name: stat.ncall for stat in stats if stat.name in ("leaf", "works")}}, len(yappi.get_thread_stats()))
go.set()
"""


def count_in_many_threads(threads):
    """All live at a time, in a segment of the size that it has by itself."""
    done = subprocess.run([sys.executable, "-c", MANY_THREADS.format(threads=threads)], stdout=subprocess.PIPE, check=True, text=True)
    assert done.stdout == f"True {{'works': {threads}, 'leaf': {50 * threads}}} {threads + 1}\n"


def test_a_thousand_threads(run_directory):
    count_in_many_threads(1000)


def test_a_storm_of_starts_and_stops():
    """From four threads. Whatever is counted, has really called, and been called; and afterwards all is as before."""
    rounds = 300
    started = threading.Barrier(6)

    def storms(seed):
        choose = random.Random(seed)
        started.wait()
        for _ in range(rounds):
            choose.choice([yappi.start, yappi.stop, yappi.clear_stats, yappi.get_func_stats, lambda: yappi.start(builtins=True)])()

    def works():
        started.wait()
        for _ in range(5_000):
            outer()

    threads = [threading.Thread(target=storms, args=(seed,)) for seed in range(4)] + [threading.Thread(target=works) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    real = {("outer", "inner"), ("outer", "leaf"), ("inner", "leaf"), ("works", "outer")}
    assert {pair for pair in pairs() if pair[0] not in ("storms",)} <= real
    yappi.stop()
    yappi.clear_stats()
    with yappi.run():
        outer()
    assert counts() == {"outer": (1, 1), "inner": (1, 1), "leaf": (3, 3)}


# ---- an oracle ----


class Oracle:
    """A random tree of calls of a few functions, called and counted at the same time by the rules of the manual."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.open, self.ncall, self.nactual, self.pair, self.pair_actual = [], {}, {}, {}, {}
        self.functions = [self.make(f"f{seed % 97}_{i}") for i in range(6)]

    def make(self, name):
        space = {"oracle": self, "name": name}
        exec(compile(f"def {name}(depth):\n    oracle.enter(name)\n    oracle.body(depth)\n    oracle.leave()", "oracle.py", "exec"), space)
        return space[name]

    def enter(self, name):
        primitive = name not in self.open
        self.ncall[name] = self.ncall.get(name, 0) + 1
        self.nactual[name] = self.nactual.get(name, 0) + primitive
        if self.open:
            pair = self.open[-1], name
            self.pair[pair] = self.pair.get(pair, 0) + 1
            self.pair_actual[pair] = self.pair_actual.get(pair, 0) + primitive
        self.open.append(name)

    def leave(self):
        self.open.pop()

    def body(self, depth):
        if depth < 6:
            for _ in range(self.random.randrange(4)):
                self.random.choice(self.functions)(depth + 1)

    def run(self):
        for _ in range(20):
            self.random.choice(self.functions)(0)


def test_random_programs_of_several_threads():
    """What stands between two functions of the program, the oracle's own, is taken out by a filter: so its pairs are those of `body`."""
    oracles = [Oracle(seed) for seed in range(1, 9)]
    yappi.start()
    threads = [threading.Thread(target=oracle.run) for oracle in oracles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yappi.stop()
    rows = {stat.name: stat for stat in yappi.get_func_stats() if stat.module == "oracle.py"}
    for oracle in oracles:
        assert {name: rows[name].ncall for name in oracle.ncall} == oracle.ncall
        assert {name: rows[name].nactualcall for name in oracle.nactual} == oracle.nactual
    body = ours()["Oracle.body"]
    wanted = {name: calls for oracle in oracles for name, calls in oracle.ncall.items()}
    top = ours()["Oracle.run"]
    called = {}
    for caller in (body, top):
        for child in caller.children:
            if child.module == "oracle.py":
                called[child.name] = called.get(child.name, 0) + child.ncall
    assert called == wanted


# ---- others ----


def test_a_session_beside_others_has_its_own_zero(tmp_path):
    import timestamp_capture

    yappi.start()
    leaf()
    timestamp_capture.start()
    timestamp_capture.reset()
    with timestamp_capture.Profile(builtins=False) as profile:
        leaf()
    timestamp_capture.stop()
    leaf()
    yappi.stop()
    assert counts() == {"leaf": (3, 3)}
    profile.create_stats()
    assert [calls for (_, _, name), (_, calls, *_) in profile.stats.items() if name == "leaf"] == [1]


def test_another_profile_function_does_not_end_it():
    yappi.start()
    sys.setprofile(lambda *_: None)
    sys.setprofile(None)
    threading.setprofile(None)
    leaf()
    yappi.stop()
    assert counts()["leaf"] == (1, 1)


def test_it_leaves_others_profile_functions_alone():
    seen = []

    def theirs(frame, event, argument):
        seen.append(event)

    threading.setprofile(theirs)
    try:
        yappi.start()
        yappi.stop()
        in_thread(leaf)
    finally:
        threading.setprofile(None)
    assert "call" in seen


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12 and later")
def test_new_functions_do_not_bring_back_what_another_tool_has_disabled():
    """Programs that compile a template for each request make new code all the time: to restart all events each time is dear, and another
    tool, a coverage tool for one, would hear again of each line that it has seen."""
    monitoring, seen = sys.monitoring, []

    def disables(code, offset):
        seen.append(code)
        return monitoring.DISABLE

    tool = next(number for number in (1, 0, 2, 5) if monitoring.get_tool(number) is None)
    yappi.start()
    monitoring.use_tool_id(tool, "another")
    try:
        monitoring.register_callback(tool, monitoring.events.PY_START, disables)
        monitoring.set_local_events(tool, leaf.__code__, monitoring.events.PY_START)
        leaf()
        for i in range(10):
            space = {"__name__": "later"}
            exec(compile(f"def young(): return {i}\nyoung()", "later.py", "exec"), space)
            leaf()
    finally:
        monitoring.free_tool_id(tool)
    yappi.stop()
    assert [stat.ncall for stat in yappi.get_func_stats() if stat.name == "young"] == [10]
    assert counts()["leaf"] == (11, 11) and len(seen) == 1


def test_a_forked_child_starts_from_zero():
    read, write = os.pipe()
    yappi.start()
    leaf()
    pid = os.fork()
    if pid == 0:
        try:
            before = yappi.is_running(), len(yappi.get_func_stats())
            yappi.start()
            leaf()
            yappi.stop()
            os.write(write, repr((before, counts())).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        assert file.read() == repr(((False, 0), {"leaf": (1, 1)}))
    os.waitpid(pid, 0)
    leaf()
    yappi.stop()
    assert counts()["leaf"] == (2, 2)


@pytest.mark.parametrize("builtins", [False, True])
def test_a_forked_child_leaves_its_parents_names_alone(builtins):
    """What runs in it before our hook of fork, as threading's does, has no site in its parent's segment."""
    yappi.start(builtins=builtins)
    leaf()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    yappi.stop()

    @timestamp("later %s" % builtins)
    def later():
        pass

    with Timestamp_Collector() as collector:
        later()
    assert [name for name, *_ in collector.timings()] == ["later %s" % builtins]


def test_what_callbacks_cannot_be():
    for set_callback in (yappi.set_context_id_callback, yappi.set_context_name_callback, yappi.set_tag_callback):
        with pytest.raises(TypeError):
            set_callback(1)
        set_callback(None)
    with pytest.raises(yappi.YappiError, match="native_thread, greenlet"):
        yappi.set_context_backend("fibers")
    yappi.set_context_backend("native_thread")
    with pytest.raises(yappi.YappiError, match="native_thread"):
        yappi.get_greenlet_stats()


def test_memory():
    yappi.start()
    leaf()
    assert yappi.get_mem_usage() > 0


def test_what_has_no_room_is_told_and_the_program_sees_nothing(run_directory):
    """A segment of a few megabytes, and more functions than fit."""
    script = """
        import timestamp_capture.yappi as yappi
        source = "\\n".join(f"def {'f' * 1500}{i}(): return {i}" for i in range(3000))
        space = {}
        exec(source, space)
        yappi.start()
        assert [space[f"{'f' * 1500}{i}"]() for i in range(3000)] == list(range(3000))
        yappi.stop()
        stats = yappi.get_func_stats()
        print(stats.complete, 0 < len(stats) < 3000)
    """
    environment = {**os.environ, "TSCAP_MEMORY": "3"}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.stdout, done.stderr) == ("False True\n", "")


SCARCE_SESSION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "scarce_session.py")


def test_no_allocation_that_fails_is_noticed_by_the_program(run_directory, tmp_path):
    """Each of the extension's own in a session, in turn: the program's calls return what they return, start, statistics, file, clear and
    stop raise what is documented or nothing, what was not counted is told, and afterwards all is as before."""
    environment = {**os.environ, "LD_PRELOAD": str(scarce.build(tmp_path))}
    done = subprocess.run([sys.executable, SCARCE_SESSION, tmp_path], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wrong, failures = done.stdout.rsplit(" ", 1)
    assert wrong == "{}", done.stderr
    assert int(failures) > 50


def test_no_allocation_of_the_interpreter_that_fails_crashes_a_start():
    """Nothing is compiled when recording begins: CPython 3.13's compiler does not stand it."""
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "scarce_start.py")
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wrong, refused = done.stdout.rsplit(" ", 1)
    assert wrong == "{}", done.stderr
    assert int(refused) > 20


# ---- the decorator ----


def test_profile_decorator(capsys):
    @yappi.profile(clock_type="wall")
    def decorated(n):
        """Documented."""
        leaf()
        return decorated(n - 1) if n else 7

    assert decorated(2) == 7 and decorated.__name__ == "decorated" and decorated.__doc__ == "Documented."
    text = capsys.readouterr().out
    assert "WALL clock seconds" in text and "decorated" in text and " 3/1 " in text
    assert yappi.get_func_stats().empty() and not yappi.is_running()


def test_profile_decorator_with_a_callback():
    seen = []

    @yappi.profile(return_callback=lambda function, stats: seen.append((function.__name__, counts(stats))))
    def raises():
        leaf()
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            raises()
    assert seen == [("raises", {"raises": (1, 1), "leaf": (1, 1)})] * 2


# ---- the command ----


def test_command(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys, threading\nclass Fancy(threading.Thread): pass\ndef work(): pass\nt = Fancy(target=work)\nt.start()\nt.join()\n"
                      "stop = None\nassert __name__ == '__main__' and sys.argv[1:] == ['-o', 'x'] and __file__ == sys.argv[0]\nsys.exit(3)\n")  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "timestamp_capture.yappi", str(script), "-o", "x"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 3
    functions, threads = done.stdout.split("name           id     tid")
    assert "script.py:3 work" in functions and "Clock type: CPU" in functions and "Fancy" in threads and "_MainThread" in threads
    for kind in ("pstat", "callgrind", "ystat"):
        command = [sys.executable, "-m", "timestamp_capture.yappi", "-c", "wall", "-s", "-f", kind, "-o", "out", str(script), "-o", "x"]
        assert subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE).stdout == b""
        assert (tmp_path / "out").stat().st_size > 0
    assert not yappi.YFuncStats(tmp_path / "out").empty()
    done = subprocess.run([sys.executable, "-m", "timestamp_capture.yappi", "nowhere.py"], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "can't open file 'nowhere.py'" in done.stderr
    done = subprocess.run([*command[:3], "-o", "none/out", str(script), "-o", "x"], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 3 and re.fullmatch(".*timestamp_capture.yappi: cannot write the statistics: .*none/out'\n", done.stderr)
