"""Functions with a known split of their time: they spin by the thread's CPU clock, sleep, and wait for a lock.

Each brackets itself from its first statement to its last, and notes the CPU time between as its own, less its callees'."""
import threading
import time

import timestamp_capture
from timestamp_capture import timestamp

cpu = time.thread_time_ns
spent = []  # (name, CPU time), appended to by all threads
contended = threading.Lock()


def spin(ns):
    end = cpu() + ns
    while cpu() < end:
        pass


@timestamp("leaf")
def leaf(ns):
    begin = cpu()
    spin(ns)
    spent.append(("leaf", cpu() - begin))


@timestamp("parent")
def parent(own, leaves):
    begin, inner = cpu(), 0
    spin(own)
    for ns in leaves:
        before = cpu()
        leaf(ns)
        inner += cpu() - before
    spent.append(("parent", cpu() - begin - inner))


@timestamp("sleeper")
def sleeper(ns):
    begin = cpu()
    time.sleep(0.02)
    spin(ns)
    time.sleep(0.02)
    spent.append(("sleeper", cpu() - begin))


@timestamp("locker")
def locker(ns):
    begin = cpu()
    with contended:
        spin(ns)
        time.sleep(0.005)  # others wait for the lock
    spent.append(("locker", cpu() - begin))


STRETCH = 20_000_000  # so long that a handover of the interpreter's lock before the first statement is no per cent of it


def work():
    for _ in range(6):
        parent(STRETCH, [STRETCH, STRETCH])
        locker(STRETCH)
        sleeper(STRETCH)


timestamp_capture.start()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
timestamp_capture.stop()
truth = {}
for name, ns in spent:
    truth[name] = truth.get(name, 0) + ns
checkpoint(truth=truth)
