"""Children: each has its own segment, the parent's numbers stay its own, and nobody warns about threads."""
import os
import sys

import pytest

from reading import dump, tscap

FORKED = """
    import os, sys, timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def parent_only(): pass

    @timestamp
    def both(): pass

    @timestamp
    def child_only(): pass

    def in_child():
        # a child begins dormant, whatever the parent did
        state = timestamp_capture.status()
        both()
        timestamp_capture.start()
        for _ in range(7): child_only()
        for _ in range(3): both()
        checkpoint(pid=os.getpid(), running=state["running"], available=state["available"])
        timestamp_capture.stop()
"""


def check_child(pid, parent):
    profile = dump(pid).check()
    assert profile["process"]["parent_pid"] == parent
    assert profile.counts() == {"child_only": 7, "both": 3}


def check_parent(pid):
    assert dump(pid).check().counts() == {"parent_only": 5, "both": 4}


@pytest.mark.parametrize("running", [True, False], ids=["armed", "dormant"])
def test_fork(program, run_directory, running):
    p = program(
        FORKED
        + f"""
    timestamp_capture.start()
    for _ in range(5): parent_only()
    for _ in range(2): both()
    if not {running}: timestamp_capture.stop()
    pid = os.fork()
    if pid == 0:
        in_child()
        sys.exit(0)
    if not {running}: timestamp_capture.start()
    for _ in range(2): both()
    os.waitpid(pid, 0)
    checkpoint(running=timestamp_capture.is_running())
    """,
        options=["-W", "error::DeprecationWarning"],
    )
    child = p.wait()
    assert child["running"] is False and child["available"] is True
    check_child(child["pid"], p.pid)
    p.go()
    assert p.wait()["running"] is True
    check_parent(p.pid)
    assert len([name for name in os.listdir(run_directory) if name.endswith(".tscap")]) == 1, "the child ended cleanly"
    p.finish()
    assert os.listdir(run_directory) == []


def record_child(p):
    """It has been made, and says its number; it calls f 11 times."""
    child = p.wait()["pid"]
    tscap("start", child)
    p.go()
    p.wait()
    assert dump(child).check().counts() == {"f": 11}


def finish_with_orders(p):
    """The parent obeys, too."""
    p.go()
    p.wait()
    tscap("start", p.pid)
    tscap("stop", p.pid)
    p.finish()


def test_child_can_be_recorded_from_outside(program):
    p = program(
        """
        import os, sys, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        pid = os.fork()
        if pid == 0:
            checkpoint(pid=os.getpid())
            for _ in range(11): f()
            checkpoint()
            sys.exit()
        os.waitpid(pid, 0)
        checkpoint()
        """
    )
    record_child(p)
    assert p.dump().counts() == {}
    finish_with_orders(p)


def test_fork_in_the_middle_of_recorded_calls(program):
    """The child returns through frames that its parent recorded."""
    p = program(
        """
        import os, sys, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def inner():
            global pid
            pid = os.fork()
            if pid == 0: timestamp_capture.start()

        @timestamp
        def outer():
            inner()
            leaf()

        @timestamp
        def leaf(): pass

        @timestamp
        def numbers():
            yield 1
            yield 2

        timestamp_capture.start()
        g = numbers(); next(g)
        outer()
        list(g)
        if pid == 0:
            leaf()
            checkpoint(pid=os.getpid())
            os._exit(0)
        os.waitpid(pid, 0)
        checkpoint()
        """
    )
    child = dump(p.wait()["pid"])
    child.check_sums()
    assert child.counts() == {"leaf": 2}
    assert not child["losses"]["mismatched"]
    p.go()
    p.wait()
    assert p.dump().check().counts() == {"outer": 1, "inner": 1, "leaf": 1, "numbers": 1}
    p.finish()


def test_fork_while_other_threads_record(program):
    p = program(
        """
        import os, threading, timestamp_capture, warnings
        from timestamp_capture import timestamp
        warnings.simplefilter("ignore", DeprecationWarning)  # this program does fork while its threads run
        over, made = threading.Event(), []

        @timestamp
        def leaf(): pass

        def work():
            n = 0
            while not over.is_set():
                leaf(); n += 1
            made.append(n)

        timestamp_capture.start()
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads: t.start()
        for i in range(20):
            pid = os.fork()
            if pid == 0:
                timestamp_capture.start()
                for _ in range(100): leaf()
                os._exit(0 if timestamp_capture.status()["available"] else 1)
            assert os.waitpid(pid, 0)[1] == 0
        over.set()
        for t in threads: t.join()
        checkpoint(made=sum(made))
        """
    )
    made = p.wait()["made"]
    assert p.dump().check().counts() == {"leaf": made}
    p.finish()


def test_no_warning_about_threads(program):
    """3.12 and later warn when a process with threads forks: ours must not be the reason."""
    p = program(
        """
        import os, subprocess, sys, timestamp_capture, multiprocessing, concurrent.futures
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        for running in (False, True):
            if running: timestamp_capture.start()
            for _ in range(3):
                pid = os.fork()
                if pid == 0: os._exit(0)
                os.waitpid(pid, 0)
            f()
            subprocess.run([sys.executable, "-c", ""], check=True, preexec_fn=f)
            context = multiprocessing.get_context("fork")
            child = context.Process(target=f); child.start(); child.join()
            assert child.exitcode == 0
        checkpoint(tasks=len(os.listdir("/proc/self/task")))
        """,
        options=["-W", "error::DeprecationWarning"],
    )
    assert p.wait()["tasks"] == 2, "the program's thread and the listener, which came back"
    assert p.dump().check().counts() == {"f": 1}
    p.tscap("stop")
    p.tscap("start")
    p.finish()


def test_imported_while_it_forks(program):
    """In the hook of somebody else, when it is too late for our own before this fork."""
    p = program(
        """
        import os, sys
        def bring():
            import timestamp_capture
            globals().update(vars(timestamp_capture))
        os.register_at_fork(before=bring)
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        @timestamp
        def f(): pass
        if pid == 0:
            checkpoint(pid=os.getpid())
            for _ in range(11): f()
            checkpoint()
            sys.exit()
        os.waitpid(pid, 0)
        checkpoint()
        """
    )
    record_child(p)
    finish_with_orders(p)


def test_fork_from_another_thread(program):
    p = program(
        FORKED
        + """
    import threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    def fork():
        pid = os.fork()
        if pid == 0:
            in_child()
            os._exit(0)
        os.waitpid(pid, 0)
    timestamp_capture.start()
    for _ in range(5): parent_only()
    t = threading.Thread(target=fork); t.start(); t.join()
    for _ in range(4): both()
    checkpoint()
    """
    )
    check_child(p.wait()["pid"], p.pid)
    p.go()
    p.wait()
    check_parent(p.pid)
    p.tscap("stop")
    p.finish()


def test_orders_while_it_forks(program):
    """The listening thread is away at each fork: who asks just then waits, and is not told that nobody listens."""
    p = program(
        """
        import os, threading, time, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        enough = []
        def wait():
            checkpoint()
            enough.append(True)
        threading.Thread(target=wait).start()
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        forks = 0
        while not enough:
            pid = os.fork()
            if pid == 0: os._exit(0)
            os.waitpid(pid, 0)
            forks += 1
            f()
        assert forks > 20
        """
    )
    p.wait()
    for _ in range(20):
        p.tscap("start")
        p.tscap("status")
        p.tscap("reset")
        p.tscap("stop")
    p.finish()


def test_grandchildren(program, run_directory):
    p = program(
        """
        import os, sys, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        timestamp_capture.start()
        for generation in range(4):
            for _ in range(generation + 1): f()
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                break
            timestamp_capture.start()
        checkpoint(pid=os.getpid(), generation=generation)
        """
    )
    seen = []
    for _ in range(5):
        report = p.wait()
        profile = dump(report["pid"]).check()
        seen.append((report["generation"], profile["process"]["parent_pid"], report["pid"], profile.calls("f")))
        p.go()
    p.finish()
    assert [calls for *_, calls in seen] == [0, 4, 3, 2, 1]
    for (_, parent, _, _), (_, _, pid, _) in zip(seen, seen[1:]):
        assert parent == pid
    assert os.listdir(run_directory) == []


MULTIPROCESSING = """
    import multiprocessing, os, sys
    import timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def square(n): return n * n

    def recorded(n):
        timestamp_capture.start()
        return square(n), os.getpid(), timestamp_capture.status()["segment"]

    if __name__ == "__main__":
        multiprocessing.set_start_method(sys.argv[1])
        timestamp_capture.start()
        square(1)
        with multiprocessing.Pool(2) as pool:
            results = pool.map(recorded, range(50))
            pids = {pid for _, pid, _ in results}
            print(len([1 for n, (square_, _, _) in enumerate(results) if n * n == square_]), flush=True)
            print(os.getpid(), *pids, flush=True)
            sys.stdin.readline()
        child = multiprocessing.Process(target=square, args=(3,))
        child.start(); child.join()
        print(child.exitcode)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run_directory, tmp_path, method):
    import subprocess
    import textwrap

    path = tmp_path / "pooled.py"
    path.write_text(textwrap.dedent(MULTIPROCESSING))
    p = subprocess.Popen([sys.executable, "-W", "error::DeprecationWarning", str(path), method], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "50\n", p.communicate()
    parent, *children = map(int, p.stdout.readline().split())
    assert sum(dump(child).check().calls("square") for child in children) == 50
    assert dump(parent).check().calls("square") == 1
    out, err = p.communicate("go\n", timeout=60)
    assert (p.returncode, out, err) == (0, "0\n", "")
    # Pool ends its workers by a signal, so their segments stay like those of any process that was killed
    tscap("gc")
    assert os.listdir(run_directory) == []


def test_process_of_multiprocessing_leaves_no_file(program, run_directory):
    p = program(
        """
        import multiprocessing, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        def work():
            timestamp_capture.start(); f()
        context = multiprocessing.get_context("fork")
        for _ in range(3):
            child = context.Process(target=work); child.start(); child.join()
            assert child.exitcode == 0
        checkpoint()
        """
    )
    p.wait()
    assert len(os.listdir(run_directory)) == 2, "the parent's segment and socket"
    p.finish()


def test_executor(program):
    p = program(
        """
        import concurrent.futures, multiprocessing, os, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def square(n): return n * n
        timestamp_capture.start()
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
            assert list(pool.map(square, range(20))) == [n * n for n in range(20)]
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            assert list(pool.map(square, range(20))) == [n * n for n in range(20)]
        checkpoint()
        """
    )
    p.wait()
    assert p.dump().check().counts() == {"square": 20}
    p.finish()


def test_fork_behind_pythons_back(program):
    """A child made by C code, which no hook of Python hears of, must not write into its parent's segment."""
    p = program(
        """
        import ctypes, os, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        timestamp_capture.start()
        for _ in range(10): f()
        pid = ctypes.CDLL(None).fork()
        if pid == 0:
            for _ in range(1000): f()
            os._exit(0)
        os.waitpid(pid, 0)
        for _ in range(10): f()
        checkpoint()
        """
    )
    p.wait()
    assert p.dump().check().counts() == {"f": 20}
    p.finish()


def test_daemon(program):
    """The double fork of daemons, with all descriptors closed."""
    p = program(
        """
        import os, sys, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        timestamp_capture.start()
        f()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                timestamp_capture.start()
                for _ in range(9): f()
                checkpoint(pid=os.getpid())
            os._exit(0)
        os.wait()
        sys.exit(0)
        """
    )
    pid = p.wait()["pid"]
    assert dump(pid).check().counts() == {"f": 9}
    assert tscap("stop", pid).returncode == 0
    p.go()
    p.finish()
