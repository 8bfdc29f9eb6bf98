"""Threads, tasks, generators, exceptions and collectors, all busy, under start, stop and reset from their midst.

Functions of a family call only each other, in one order: whoever else appears as a caller had returned."""
import asyncio
import random
import sys
import threading
import time
from collections import Counter

from timestamp_capture import Timestamp_Collector, reset, start, status, stop, timestamp

FAMILIES = 4
seed = int(sys.argv[1])
over = threading.Event()
lock = threading.Lock()
truth, edges, wrong = Counter(), set(), []
numbers = {"orders": 0, "collected": 0}


def family(n):
    """first -> second -> third; numbers -> third; raises -> third; coroutine -> third; a request encloses them."""
    first, second, third = f"first {n}", f"second {n}", f"third {n}"
    request, items, failing, coroutine = f"request {n}", f"numbers {n}", f"raises {n}", f"coroutine {n}"

    @timestamp(third)
    def third_():
        mine[third] += 1

    @timestamp(second)
    def second_():
        mine[second] += 1
        third_()

    @timestamp(first)
    def first_(depth):
        mine[first] += 1
        second_()
        if depth:
            first_(depth - 1)

    @timestamp(items)
    def items_():
        mine[items] += 1
        try:
            for _ in range(3):
                third_()
                yield
        finally:
            third_()

    @timestamp(failing)
    def failing_():
        mine[failing] += 1
        third_()
        raise KeyError

    @timestamp(coroutine)
    async def coroutine_():
        mine[coroutine] += 1
        third_()
        await asyncio.sleep(0)
        third_()

    def plain_round():
        first_(3)
        for _ in items_():
            pass
        next(items_())  # collected where it waits
        try:
            failing_()
        except KeyError:
            pass

    async def task():
        await coroutine_()
        with Timestamp_Collector(request) as c:
            mine[request] += 1
            await coroutine_()
            second_()
        note(c, {coroutine: 1, third: 3, second: 1})

    async def tasks():
        await asyncio.gather(*[task() for _ in range(4)])

    def collected_round():
        with Timestamp_Collector(request) as c:
            mine[request] += 1
            first_(2)
        note(c, {first: 3, second: 3, third: 3})

    def held_round():
        _timestamp_collector_ = Timestamp_Collector(request)
        second_()
        note(_timestamp_collector_, {second: 1, third: 1})

    def work():
        chance = random.Random(seed + n)
        while not over.is_set():
            chance.choice([plain_round, collected_round, held_round, lambda: asyncio.run(tasks())])()
        with lock:
            truth.update(mine)

    mine = Counter()
    edges.update({(first, first), (first, second), (second, third), (items, third), (failing, third), (coroutine, third)})
    edges.update({(request, first), (request, second), (request, coroutine)})
    return work


def note(collector, expected):
    """A reset may fall into an open call; the collector then says so. Calls are counted even so."""
    found = {name: n for name, n, *_ in collector.timings()}
    numbers["collected"] += collector.complete
    if collector.complete and found != expected:
        wrong.append([found, expected])


def orders():
    """At least a hundred, however little of the CPU is left for them."""
    chance = random.Random(seed)
    while numbers["orders"] < 100 or not over.is_set():
        chance.choice([start, start, stop, reset])()
        numbers["orders"] += 1
        time.sleep(chance.random() * 0.003)


def short_threads(work):
    """Threads that come and go meanwhile, with a round of a family's or two each."""
    while not over.is_set():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


sys.setswitchinterval(1e-4)
works = [family(n) for n in range(FAMILIES)]
mine_of_short, short_name = Counter(), f"short {seed}"


@timestamp(short_name)
def short():
    mine_of_short[short_name] += 1


threads = [threading.Thread(target=work) for work in works]
threads += [threading.Thread(target=orders), threading.Thread(target=short_threads, args=(short,))]
for thread in threads:
    thread.start()
checkpoint(edges=sorted(edges))
over.set()
for thread in threads:
    thread.join()
truth.update(mine_of_short)
stop()
checkpoint(truth=truth, wrong=wrong[:10], **numbers)
called = 0
for work in (short,) * 1000:
    work()
    called += 1
checkpoint(armed=status()["armed"], called=called)
