"""A session that is started, stopped and cleared from several threads while others call, to the call.

A function of the program begins and ends with the lock held that each order takes, and lets it go in between: so calls are open
whenever an order comes, and yet it is known which calls began in the session, and who was open then."""
import random
import sys
import threading
from collections import Counter

import pytest

from reading import FROM_OUTSIDE
from timestamp_capture import yappi

pytestmark = pytest.mark.skipif(not FROM_OUTSIDE, reason="the recorder in pure Python has no sessions")

NAMES = ["first", "second", "third", "fourth"]
ORDERS = [*[yappi.start] * 6, *[yappi.stop] * 5, yappi.clear_stats]
DEPTH = 5
PATIENCE = 120  # seconds, for a call to begin: a caller that failed has said why

BODY = """
def {name}(worker, depth):
    worker.begins({name!r})
    for other in worker.choose(depth):
        worker.lock.acquire()
        other(worker, depth + 1)
        worker.lock.release()
    worker.lock.acquire()
    worker.ends()
"""


def make(name):
    space = {}
    exec(compile(BODY.format(name=name), __file__, "exec"), space)
    return space[name]


FUNCTIONS = [make(name) for name in NAMES]


class Oracle:
    """What the session must know: counts of calls that began while it ran, since it was cleared."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begun = threading.Semaphore(0)  # calls that nobody has waited for
        self.running, self.era, self.orders, self.compared = False, 0, 0, 0
        self.workers = []
        self.forget()

    def forget(self):
        self.calls, self.primitive, self.pairs, self.primitive_pairs = Counter(), Counter(), Counter(), Counter()

    def order(self, choose):
        while self.begun.acquire(blocking=False):
            pass
        for _ in range(choose.randrange(12)):  # calls, or hardly any would be there in between
            assert self.begun.acquire(timeout=PATIENCE), "nobody calls any more"
        with self.lock:
            command = choose.choice(ORDERS)
            command()
            self.orders += 1
            if command is yappi.clear_stats:
                self.forget()
            if command is yappi.clear_stats or (command is yappi.start) != self.running:
                self.era += 1  # what is open now is nobody's caller
            if command is not yappi.clear_stats:
                self.running = command is yappi.start
            assert yappi.is_running() == self.running
            if choose.random() < 0.05:
                self.compare()

    def compare(self):
        stats = yappi.get_func_stats()
        rows = {stat.name: stat for stat in stats if stat.module == __file__ and stat.name in NAMES}
        assert stats.complete
        assert {name: row.ncall for name, row in rows.items()} == self.calls
        assert {name: row.nactualcall for name, row in rows.items() if row.nactualcall} == self.primitive
        children = {(name, child.name): child for name, row in rows.items() for child in row.children if child.name in NAMES}
        assert {pair: child.ncall for pair, child in children.items()} == self.pairs
        assert {pair: child.nactualcall for pair, child in children.items() if child.nactualcall} == self.primitive_pairs
        for worker in self.workers:
            for name, era in worker.open:
                assert era != self.era or rows[name].ttot > 0, "a call that is open has its time so far"
        self.compared += sum(self.calls.values())


class Worker:
    def __init__(self, oracle, seed):
        self.oracle, self.lock, self.random = oracle, oracle.lock, random.Random(seed)
        self.open = []  # name, and the era that it began in if it counts

    def begins(self, name):
        oracle = self.oracle
        if oracle.running:
            seen = [other for other, era in self.open if era == oracle.era]
            primitive = name not in seen
            for counter, key, more in (
                (oracle.calls, name, 1), (oracle.primitive, name, primitive),
                *([(oracle.pairs, (seen[-1], name), 1), (oracle.primitive_pairs, (seen[-1], name), primitive)] if seen else []),
            ):  # fmt: skip
                if more:
                    counter[key] += 1
        self.open.append((name, oracle.era if oracle.running else None))
        oracle.begun.release()
        self.lock.release()

    def ends(self):
        self.open.pop()

    def choose(self, depth):
        return [self.random.choice(FUNCTIONS) for _ in range(self.random.randrange(3))] if depth < DEPTH else []

    def run(self, over, problems):
        try:
            while not over.is_set():
                with self.lock:
                    self.random.choice(FUNCTIONS)(self, 0)
        except BaseException as problem:
            problems.append(problem)


def storm(seed, orders, ordering=4, calling=3):
    """Returns how many calls were compared."""
    oracle, over, problems = Oracle(), threading.Event(), []
    oracle.workers = [Worker(oracle, 1000 * seed + i) for i in range(calling)]

    def gives_orders(choose):
        try:
            while oracle.orders < orders:
                oracle.order(choose)
        except BaseException as problem:
            problems.append(problem)
            oracle.orders = orders

    yappi.stop(), yappi.clear_stats()
    yappi.set_clock_type("wall")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    givers = [threading.Thread(target=gives_orders, args=(random.Random(1000 * seed + 500 + i),)) for i in range(ordering)]
    callers = [threading.Thread(target=worker.run, args=(over, problems)) for worker in oracle.workers]
    try:
        for thread in callers + givers:
            thread.start()
        for thread in givers:
            thread.join()
        over.set()
        for thread in callers:
            thread.join()
        if problems:
            raise problems[0]
        oracle.compare()
    finally:
        over.set()
        sys.setswitchinterval(interval)
        yappi.stop(), yappi.clear_stats()
        yappi.set_clock_type("cpu")
    return oracle.compared


@pytest.mark.parametrize("seed", range(2))
def test_counts_are_an_oracles_whoever_starts_and_stops(seed):
    assert storm(seed, 400) > 100
