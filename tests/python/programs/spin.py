"""Functions with a known split of their time: they spin by the thread's CPU clock, sleep, and wait for a lock.

Each call is bracketed twice by the thread's CPU clock: from its first statement to its last, and around it by its caller.
What is recorded as its own lies between: at least what the first says less what the second says of its callees, at most
the other way round. Between the two brackets a thread may hand over the interpreter's lock, and waits for it at any length."""
import threading
import time

import timestamp_capture
from timestamp_capture import timestamp

cpu = time.thread_time_ns
least = []  # (name, CPU time), appended to by all threads
most = []
contended = threading.Lock()


def spin(ns):
    end = cpu() + ns
    while cpu() < end:
        pass


def bracketed(function, *arguments):
    """From outside: `function` was called. The CPU time of its callees is what it returns: at least, at most."""
    begin = cpu()
    inside, callees_least, callees_most = function(*arguments)
    outside = cpu() - begin
    name = function.__name__
    least.append((name, inside - callees_most))
    most.append((name, outside - callees_least))
    return inside, outside


@timestamp("leaf")
def leaf(ns):
    begin = cpu()
    spin(ns)
    return cpu() - begin, 0, 0


@timestamp("parent")
def parent(own, leaves):
    begin = cpu()
    spin(own)
    brackets = [bracketed(leaf, ns) for ns in leaves]
    callees = [sum(bracket) for bracket in zip(*brackets)]
    return cpu() - begin, *callees


@timestamp("sleeper")
def sleeper(ns):
    begin = cpu()
    time.sleep(0.02)
    spin(ns)
    time.sleep(0.02)
    return cpu() - begin, 0, 0


@timestamp("locker")
def locker(ns):
    begin = cpu()
    with contended:
        spin(ns)
        time.sleep(0.005)  # others wait for the lock
    return cpu() - begin, 0, 0


STRETCH = 4_000_000


def work():
    for _ in range(6):
        bracketed(parent, STRETCH, [STRETCH, STRETCH])
        bracketed(locker, STRETCH)
        bracketed(sleeper, STRETCH)


def sums(brackets):
    total = {}
    for name, ns in brackets:
        total[name] = total.get(name, 0) + ns
    return total


timestamp_capture.start()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
timestamp_capture.stop()
checkpoint(least=sums(least), most=sums(most))
