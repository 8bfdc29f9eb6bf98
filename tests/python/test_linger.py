"""Arming is counted. From 3.12 on it takes time with the number of functions, so when the last collector is left the
hooks stay for a while; below, they go at once."""
import os
import sys
import threading
import time

import pytest

import timestamp_capture
from processes import of_threads
from reading import dump, tscap
from timestamp_capture import Timestamp_Collector, start, status, stop, timestamp

LINGERS = sys.version_info >= (3, 12)
only_where_it_lingers = pytest.mark.skipif(not LINGERS, reason="arming is O(1): nothing lingers")


@timestamp
def leaf():
    pass


def armed():
    return status()["armed"]


def until_disarmed(action):
    deadline = time.monotonic() + 60
    while armed():
        assert time.monotonic() < deadline, "still armed"
        action()


@pytest.fixture(autouse=True)
def disarmed():
    stop()
    timestamp_capture.reset()
    assert not armed()
    yield
    stop()
    assert not armed() and status()["consumers"] == 0
    timestamp_capture.reset()


def test_stays_armed_when_the_last_collector_is_left():
    with Timestamp_Collector():
        assert armed() and status()["consumers"] == 1
    assert armed() is LINGERS and status()["consumers"] == 0


def test_nothing_is_recorded_meanwhile():
    with Timestamp_Collector() as c:
        leaf()
    for _ in range(100):
        leaf()
    assert [n for _, n, *_ in c.timings()] == [1]
    assert dump(os.getpid()).counts() == {"leaf": 1, "default": 1}


@only_where_it_lingers
def test_disarmed_by_calls_that_nobody_wants():
    """Arming these few hundred functions costs no more than some thousand calls; idleness would take seconds."""
    for _ in range(3):
        with Timestamp_Collector() as c:
            leaf()
        called = 0
        while armed() and called < 2_000_000:
            for _ in range(1000):
                leaf()
            called += 1000
        assert not armed() and [n for _, n, *_ in c.timings()] == [1]


@only_where_it_lingers
def test_disarmed_when_idle():
    with Timestamp_Collector():
        leaf()
    assert armed()
    until_disarmed(lambda: time.sleep(0.05))


@only_where_it_lingers
def test_disarmed_when_idle_though_the_main_thread_waits():
    over = threading.Event()

    def waits():
        with Timestamp_Collector():
            leaf()
        until_disarmed(lambda: time.sleep(0.05))
        over.set()

    threading.Thread(target=waits).start()
    assert over.wait(60)


def test_stop_disarms_at_once():
    for order in (stop, lambda: tscap("stop", os.getpid())):
        with Timestamp_Collector():
            leaf()
        order()
        assert not armed()


def test_a_session_while_it_lingers():
    with Timestamp_Collector():
        leaf()
    start()
    leaf()
    stop()
    assert not armed()
    assert dump(os.getpid()).check().counts() == {"leaf": 2, "default": 1}


def test_decorated_while_it_lingers():
    with Timestamp_Collector():
        pass

    @timestamp("later")
    def later():
        leaf()

    later()
    with Timestamp_Collector() as c:
        later()
    assert {name: n for name, n, *_ in c.timings()} == {"later": 1, "leaf": 1}


def test_code_replaced_while_it_lingers():
    """Seen when a session starts; by collectors, within a second."""

    def before():
        pass

    def after():
        leaf()

    @timestamp("replaced")
    def function():
        pass

    with Timestamp_Collector():
        function()
    function.__code__ = after.__code__
    start()
    function()
    stop()
    assert dump(os.getpid()).counts()["replaced"] == 2
    function.__code__ = before.__code__
    deadline = time.monotonic() + 60
    counted = {}
    while "replaced" not in counted:
        assert time.monotonic() < deadline
        with Timestamp_Collector() as c:
            function()
        counted = {name: n for name, n, *_ in c.timings()}
        time.sleep(0.02)


def test_fork_while_it_lingers():
    with Timestamp_Collector():
        leaf()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            was = armed()
            with Timestamp_Collector() as c:
                leaf()
            code = 0 if not was and [n for _, n, *_ in c.timings()] == [1] else 2
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_listener_sleeps_again(program):
    """It looks once a second while the hooks linger, and not at all afterwards."""
    p = program(
        """
        import time
        from timestamp_capture import Timestamp_Collector, status, timestamp
        with Timestamp_Collector(): pass
        while status()["armed"]: time.sleep(.05)
        checkpoint()
        """
    )
    p.wait()

    def switches():
        total = 0
        for lines_of in of_threads(p.pid, "status"):
            lines = dict(line.split(":", 1) for line in lines_of.splitlines())
            if lines["Name"].strip() == "tscap":
                total += int(lines["voluntary_ctxt_switches"])
        return total

    assert switches() > 0
    deadline = time.monotonic() + 60
    before = None
    while before is None or switches() > before: # while a collector lingers, it looks each second
        assert time.monotonic() < deadline, "it does not sleep for 2.5 s"
        before = switches()
        time.sleep(2.5)
    p.finish()


def test_many_threads_enter_while_it_is_disarmed():
    """Whatever the listener does meanwhile, each collector is exact."""
    wrong = []

    def work():
        for i in range(300):
            with Timestamp_Collector() as c:
                leaf()
            if [n for _, n, *_ in c.timings()] != [1] or not c.complete:
                wrong.append(i)
            for _ in range(200):
                leaf()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_many_threads_are_the_first(program):
    """What a call costs is measured before the first recording, and other threads run meanwhile: armed once all the same."""
    p = program(
        """
        import sys, threading
        from timestamp_capture import Timestamp_Collector, start, stop, status, timestamp

        @timestamp
        def leaf(): pass

        def begins():
            ready.wait()
            start()

        def collects():
            ready.wait()
            with Timestamp_Collector() as c:
                leaf(), leaf()
            found.append([row[:2] for row in c.timings()])

        found = []
        ready = threading.Barrier(8)
        sys.setswitchinterval(1e-6)
        threads = [threading.Thread(target=target) for target in (begins, collects) * 4]
        for t in threads: t.start()
        for t in threads: t.join()
        checkpoint(found=found, status=status())
        leaf()
        checkpoint()
        stop()
        checkpoint(status=status())
        """
    )
    facts = p.wait()
    assert facts["found"] == [[["leaf", 2]]] * 4
    assert facts["status"]["consumers"] == 1 and facts["status"]["running"]
    before = p.dump().calls("leaf")
    p.go()
    p.wait()
    assert p.dump().calls("leaf") == before + 1
    p.go()
    facts = p.wait()
    assert facts["status"]["consumers"] == 0 and not facts["status"]["armed"]
    p.finish()
