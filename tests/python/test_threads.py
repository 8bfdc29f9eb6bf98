"""Threads: names, many at once, many in turn, before and after recording begins, ended while others record."""
import os
import sys
import threading
import time

import timestamp_capture
from reading import dump, tscap
from timestamp_capture import timestamp


@timestamp
def work(n=1):
    for _ in range(n):
        inner()


@timestamp
def inner():
    pass


def run(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_names(recording):
    names = ["plain", "größe", "with spaces", "x" * 200, "control\nname"]
    with recording:
        work()
        run(*[threading.Thread(target=work, name=name) for name in names])
    seen = {thread["name"] for thread in recording.profile["threads"] if thread["roots"]}
    assert {"MainThread", "plain", "größe", "with spaces"} <= seen
    assert any(name.startswith("xxxx") and len(name) < 200 for name in seen)
    assert not any("\n" in name for name in seen)
    assert len(seen) == 6


def test_each_thread_has_its_own_tree(recording):
    with recording:
        run(*[threading.Thread(target=work, args=(i,), name=f"thread {i}") for i in range(5)])
    profile = recording.profile.check()
    for thread in profile["threads"]:
        if thread["roots"]:
            (root,) = thread["roots"]
            assert profile.name(root["site"]) == "work"
            assert sum(child["calls"] for child in root["children"]) == int(thread["name"].split()[1])


def test_threads_that_ended_are_shown_so(recording):
    """join() returns a little before the system's thread is gone."""
    with recording:
        work()
        run(threading.Thread(target=work, name="ended"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            alive = {thread["name"]: thread["alive"] for thread in recording.profile["threads"] if thread["roots"]}
            if not alive["ended"]:
                break
    assert alive == {"MainThread": True, "ended": False}



def test_threads_that_run_before_recording_begins(recording):
    ready, go = threading.Barrier(4), threading.Event()

    def waits():
        ready.wait()
        go.wait()
        work(10)

    threads = [threading.Thread(target=waits) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    with recording:
        go.set()
        for thread in threads:
            thread.join()
    assert recording.profile.check().counts() == {"work": 3, "inner": 30}


def test_500_at_once(program):
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def leaf(): pass

        @timestamp
        def work():
            for _ in range(100): leaf()
            inside.wait()
            outside.wait()

        inside, outside = threading.Barrier(501), threading.Barrier(501)
        threading.stack_size(256 << 10)
        timestamp_capture.start()
        threads = [threading.Thread(target=work, name=f"t{i}") for i in range(500)]
        for t in threads: t.start()
        inside.wait()
        checkpoint()
        outside.wait()
        for t in threads: t.join()
        checkpoint()
        """
    )
    p.wait()
    profile = p.dump().check()
    assert profile.counts("calls", "open") == {"leaf": (50_000, 0), "work": (500, 500)}
    assert {f"t{i}" for i in range(500)} <= {thread["name"] for thread in profile["threads"]}
    p.go()
    p.wait()
    profile = p.dump().check()
    assert profile.counts("calls", "open") == {"leaf": (50_000, 0), "work": (500, 0)}
    p.finish()


def test_many_short_ones(program):
    """They come and go; their numbers stay, their memory does not."""
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def leaf(): pass

        @timestamp
        def work():
            for _ in range(5): leaf()

        def batch(n):
            for _ in range(n // 10):
                threads = [threading.Thread(target=work) for _ in range(10)]
                for t in threads: t.start()
                for t in threads: t.join()

        timestamp_capture.start()
        batch(1000)
        checkpoint()
        batch(9000)
        checkpoint()
        """
    )
    p.wait()
    first = p.dump().check()
    size = memory_of(p.pid)
    p.go()
    p.wait()
    profile = p.dump().check()
    p.finish()
    assert first.counts() == {"leaf": 5000, "work": 1000}
    assert profile.counts() == {"leaf": 50_000, "work": 10_000}
    assert sum(thread["merged"] for thread in profile["threads"]) == 1, "those that ended first share a row"
    assert len(profile["threads"]) < 300
    assert profile.paths() == {("work",): 10_000, ("work", "leaf"): 50_000}
    assert memory_of(p.pid, size) <= 2 * size


def memory_of(pid, otherwise=0):
    """Bytes of the segment."""
    directory = os.environ["TSCAP_DIR"]
    for name in os.listdir(directory):
        if name.startswith(f"{pid}-") and name.endswith(".tscap"):
            return os.stat(os.path.join(directory, name)).st_blocks * 512
    return otherwise


def test_reset_forgets_threads_that_did_nothing_since(program):
    """A thread that ends after a reset, without an event in between, must not bring its old numbers along."""
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def work(): pass

        def thread():
            work(); done.wait(); go.wait()

        done, go = threading.Barrier(301), threading.Event()
        threading.stack_size(256 << 10)
        timestamp_capture.start()
        threads = [threading.Thread(target=thread) for i in range(300)]
        for t in threads: t.start()
        done.wait()
        checkpoint()
        timestamp_capture.reset()
        go.set()
        for t in threads: t.join()
        checkpoint()
        """
    )
    p.wait()
    assert p.dump().check().counts() == {"work": 300}
    p.go()
    p.wait()
    assert p.dump().check().counts() == {}
    p.finish()


def test_threads_of_low_level(recording):
    """Threads without a threading.Thread."""
    import _thread

    done = threading.Semaphore(0)

    def run_one():
        work(3)
        done.release()

    with recording:
        for _ in range(4):
            _thread.start_new_thread(run_one, ())
        for _ in range(4):
            done.acquire()
    assert recording.profile.check().counts() == {"work": 4, "inner": 12}


def test_thread_local_data_of_the_program_in_destructors(program):
    """Recorded code that runs while its thread ends."""
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp

        class Local:
            @timestamp
            def __del__(self): helper()

        @timestamp
        def helper(): pass

        local = threading.local()

        def work():
            local.value = Local()

        timestamp_capture.start()
        for _ in range(50):
            t = threading.Thread(target=work); t.start(); t.join()
        checkpoint()
        """
    )
    p.wait()
    assert p.dump().check().counts() == {"Local.__del__": 50, "helper": 50}
    p.finish()


def test_dump_from_a_recorded_thread(recording):
    """The command reads a process that waits for it."""

    @timestamp("dumps itself")
    def dumps_itself():
        inner()
        return dump(os.getpid())

    with recording:
        profile = dumps_itself()
    assert profile.counts("calls", "open") == {"inner": (1, 0), "dumps itself": (1, 1)}


def test_table_of_threads(recording):
    with recording:
        run(threading.Thread(target=work, name="shown"))
        table = tscap("dump", os.getpid(), "--threads").stdout
    assert "shown" in table


def test_switching_threads_all_the_time(recording):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with recording:
            run(*[threading.Thread(target=work, args=(5000,)) for _ in range(4)])
    finally:
        sys.setswitchinterval(interval)
    assert recording.profile.check().counts() == {"work": 4, "inner": 20_000}


def test_start_while_threads_begin_and_end(program):
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp, start, stop

        @timestamp
        def work(): pass

        over = threading.Event()
        made = 0
        def spawn():
            global made
            while not over.is_set():
                t = threading.Thread(target=work); t.start(); t.join(); made += 1

        spawner = threading.Thread(target=spawn)
        spawner.start()
        for _ in range(300): start(); stop()
        over.set()
        spawner.join()
        checkpoint(made=made)
        """
    )
    made = p.wait()["made"]
    profile = p.dump()
    profile.check_sums()
    assert profile["lost"] == 0 and profile.calls("work") <= made
    p.finish()


def test_native_ids(recording):
    """The system's, of threads of every kind; those of threads that run are as /proc has them."""
    import _thread

    ids, done, go = {}, threading.Semaphore(0), threading.Event()

    def run_one(key):
        work()
        ids[key] = threading.get_native_id()
        done.release()
        go.wait()

    with recording:
        threads = [threading.Thread(target=run_one, args=(f"named {i}",), name=f"named {i}") for i in range(3)]
        for thread in threads:
            thread.start()
        _thread.start_new_thread(run_one, ("low level",))
        for _ in range(4):
            done.acquire()
        profile = recording.profile
    by_id = {thread["tid"]: thread["name"] for thread in profile["threads"]}
    assert set(ids.values()) <= set(by_id)
    assert {by_id[ids[f"named {i}"]] for i in range(3)} == {f"named {i}" for i in range(3)}
    assert all(os.path.exists(f"/proc/self/task/{tid}") for tid in ids.values())
    go.set()
    for thread in threads:
        thread.join()


def test_threads_of_c_that_call_into_python(program):
    """A pthread that Python has not made: it calls in again and again, and others of its kind come and go."""
    p = program(
        """
        import ctypes, threading, timestamp_capture
        from timestamp_capture import Timestamp_Collector, timestamp

        c = ctypes.CDLL(None)
        ROUTINE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        c.pthread_create.argtypes = [ctypes.POINTER(ctypes.c_ulong), ctypes.c_void_p, ROUTINE, ctypes.c_void_p]
        c.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
        BACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

        @timestamp
        def leaf(): pass

        @timestamp
        def called_back(a, b):
            leaf()
            return 0

        @timestamp
        def routine(unused):
            array = (ctypes.c_int * 8)(*range(8, 0, -1))
            c.qsort(array, 2, 4, BACK(called_back))  # one comparison: through C again
            leaf()
            with Timestamp_Collector() as collector: leaf()
            found.append([row[:2] for row in collector.timings()])
            return 0

        found = []
        native = ROUTINE(routine)
        timestamp_capture.start()
        for _ in range(20):
            ids = [ctypes.c_ulong() for _ in range(5)]
            for one in ids: assert c.pthread_create(ctypes.byref(one), None, native, None) == 0
            for one in ids: c.pthread_join(one, None)
        checkpoint(found=found)
        """
    )
    assert p.wait()["found"] == [[["leaf", 1]]] * 100
    profile = p.dump().check()
    assert profile.counts() == {"routine": 100, "called_back": 100, "leaf": 300, "default": 100}
    assert profile.pairs()["routine", "called_back"] == profile.pairs()["called_back", "leaf"] == (100, 100)
    p.finish()


def test_a_name_given_later(recording):
    """Before its first recorded call, or later: then from its first call after the next start or reset on."""
    again, go = threading.Barrier(2), threading.Barrier(2)

    def names_itself():
        threading.current_thread().name = "ünlü"
        for _ in range(3):
            work()
            again.wait()
            go.wait()

    def names():
        return {thread["name"] for thread in recording.profile["threads"] if thread["roots"]}

    with recording:
        thread = threading.Thread(target=names_itself, name="first name")
        thread.start()
        again.wait()
        assert names() == {"ünlü"}
        thread.name = "later"
        timestamp_capture.reset()
        go.wait()
        again.wait()
        assert names() == {"later"}
        thread.name = "last"
    timestamp_capture.start()
    go.wait()
    again.wait()
    timestamp_capture.stop()
    assert names() == {"last"}
    go.wait()
    thread.join()
