"""Several consumers, several threads, and an oracle that knows what each must see: `consumers.py SEED OPERATIONS [THREADS]`.

Threads go step by step, so that it is known what has begun when a consumer begins, ends, is cleared, selects, goes or comes; calls,
exceptions, generators and generators that go over to another thread are open meanwhile. With clocks that are set (tests/support/clocks.py) times
are compared to the nanosecond; with the real ones counts are, and that times add up.
"""
import os
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import timestamp_capture
from clocks import Clocks
from timestamp_capture import _core, timestamp

EXACT = "clocks.so" in os.environ.get("LD_PRELOAD", "")
CONSUMERS = 5


class Boom(Exception):
    pass


# ---- the program: what it calls next it is told ----


class Worker:
    def __init__(self, number):
        self.told, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.command, self.over = None, False
        self.cpu = 1_000_000 * (number + 1)
        self.thread = threading.Thread(target=self.run, name=f"worker {number}", daemon=True)
        self.thread.start()
        self.done.acquire()

    def run(self):
        self.tid = threading.get_native_id()
        obey(self)
        self.over = True
        self.done.release()

    def tell(self, *command):
        self.command = command
        self.told.release()
        self.done.acquire()


def obey(worker):
    """Until it is told to return, or to yield."""
    while True:
        worker.done.release()
        worker.told.acquire()
        what, argument = worker.command
        if what in ("return", "yield"):
            return what
        if what == "raise":
            raise Boom
        try:
            if what == "call":
                FUNCTIONS[argument](worker)
            else:
                argument.worker = worker
                next(argument.generator)
        except (Boom, StopIteration):
            pass


def plain(worker):
    obey(worker)


def generator(activation):
    while obey(activation.worker) == "yield":
        yield


def copy_of(function, name):
    made = type(function)(function.__code__.replace(co_name=name), function.__globals__, name)
    made.__qualname__ = name
    return made


PLAIN, GENERATORS = 6, 2
FUNCTIONS = [copy_of(plain, f"plain{i}") for i in range(PLAIN)] + [copy_of(generator, f"generator{i}") for i in range(GENERATORS)]
DECORATED = FUNCTIONS[::2]
for one in DECORATED:
    timestamp(one)


class Activation:
    """Of a generator: it is kept, so that nothing else gets its place in memory."""

    def __init__(self, site):
        self.site, self.worker, self.running, self.over = site, None, False, False
        self.generator = FUNCTIONS[site](self)


# ---- the oracle: time is handed out as it passes ----


class Call:
    def __init__(self, site, key=None):
        self.site, self.key = site, key
        self.seen = set()  # by which views
        self.foreign = False
        self.begin = self.ran = self.since = 0


class Sums:
    FIELDS = "calls", "primitive", "open", "suspended", "raised", "inclusive", "exclusive", "cpu", "exclusive_cpu", "waited", "elapsed"

    def __init__(self, other=None):
        for field in self.FIELDS:
            setattr(self, field, getattr(other, field) if other else 0)
        self.durations = list(other.durations) if other else []


class View:
    """One consumer, and what it must see."""

    def __init__(self):
        self.running, self.selected, self.sums = False, set(), {}
        self.ruled = set()  # selected by rules, not by number
        self.has_records = False  # maybe: it has run since it was made or cleared

    def wants(self, site):
        return self.running and site in self.selected

    def of(self, site):
        return self.sums.setdefault(site, Sums())

    def copy(self):
        other = View()
        other.sums = {site: Sums(sums) for site, sums in self.sums.items()}
        return other


class Oracle:
    def __init__(self, workers):
        self.now, self.views = 0, []
        self.stacks = {worker: [] for worker in workers}
        self.last = {worker: (0, worker.cpu) for worker in workers}  # time and CPU time of its last event
        self.waiting = {}  # (activation, thread) -> call; one that was counted when it began is found from any: thread None
        self.session = False
        self.armed = set()

    # time

    def hand_out(self, stack, ticks, cpu, views=None):
        for view in views or self.views:
            seen = [call for call in stack if view in call.seen]
            sites = set()
            for call in seen:
                sums = view.of(call.site)
                if call.site not in sites:
                    sums.inclusive += ticks
                    sums.elapsed += ticks
                    sums.cpu += cpu
                sites.add(call.site)
            if seen:
                sums = view.of(seen[-1].site)
                sums.exclusive += ticks
                sums.exclusive_cpu += cpu

    def advance(self, worker):
        when, cpu = self.last[worker]
        self.hand_out(self.stacks[worker], self.now - when, worker.cpu - cpu)
        self.last[worker] = self.now, worker.cpu

    # calls

    def is_open(self, view, stack, site):
        return any(call.site == site and view in call.seen for call in stack)

    def enter(self, worker, site, key=None):
        self.advance(worker)
        stack = self.stacks[worker]
        if not self.records(site):
            return
        call = Call(site, key)
        call.begin = self.now
        for view in self.views:
            if view.wants(site):
                call.seen.add(view)
                view.of(site).calls += 1
                view.of(site).primitive += not self.is_open(view, stack, site)
        stack.append(call)

    def leave(self, worker, site, raised, key=None):
        self.advance(worker)
        stack = self.stacks[worker]
        if not (stack and stack[-1].site == site and stack[-1].key is key):
            return  # it began before recording did, or before anybody wanted it
        call = stack.pop()
        for view in call.seen:
            if not call.foreign:
                view.of(site).raised += raised
                view.of(site).durations.append(call.ran + self.now - call.begin)

    def suspend(self, worker, activation):
        self.advance(worker)
        stack = self.stacks[worker]
        if not (stack and stack[-1].key is activation):
            return
        call = stack.pop()
        call.ran += self.now - call.begin
        call.since = self.now
        self.waiting[activation, worker if call.foreign else None] = call

    def resume(self, worker, activation):
        self.advance(worker)
        stack, site = self.stacks[worker], activation.site
        if not self.records(site):
            return
        call = self.waiting.pop((activation, None), None) or self.waiting.pop((activation, worker), None)
        if call is None:
            call = Call(site, activation)
            call.foreign = True
            call.seen = {view for view in self.views if view.wants(site)}
        else:
            for view in call.seen:
                waited = self.now - call.since
                view.of(site).waited += waited
                view.of(site).elapsed += 0 if self.is_open(view, stack, site) else waited
        call.begin = self.now
        stack.append(call)

    def cut(self, worker):
        self.advance(worker)
        for call in self.stacks[worker]:
            for view in call.seen:
                view.of(call.site).open += not call.foreign
        self.stacks[worker] = []

    # consumers

    def running(self):
        return self.session or any(view.running for view in self.views)

    def records(self, site):
        return self.running() and site in self.armed

    def arm(self):
        wanted = {site for site in range(len(FUNCTIONS)) if any(view.wants(site) for view in self.views)}
        self.armed |= wanted | ({FUNCTIONS.index(one) for one in DECORATED} if self.session else set())

    def begin(self, change):
        if not self.running():
            self.armed = set()
            for worker in self.stacks:
                self.advance(worker)
        change()
        self.arm()

    def end(self, change):
        was = self.running()
        change()
        if was and not self.running():
            for worker in self.stacks:
                self.cut(worker)

    def reset(self):
        """Everything goes where nobody but the session has anything."""
        if any(view.has_records for view in self.views):
            return
        self.waiting = {}
        for worker in self.stacks:
            self.advance(worker)
            self.stacks[worker] = []

    def unsee(self, view):
        view.has_records = view.running
        for call in [*self.waiting.values(), *(call for stack in self.stacks.values() for call in stack)]:
            call.seen.discard(view)
        view.sums = {}

    def look(self, view):
        """What it must see now: what is open has lasted until now."""
        copy = view.copy()
        for worker, stack in self.stacks.items():
            when, cpu = self.last[worker]
            seen = [call for call in stack if view in call.seen]
            hidden = [Call(call.site) for call in seen]
            for call in hidden:
                call.seen = {copy}
            self.hand_out(hidden, self.now - when, worker.cpu - cpu, [copy])
            for call in seen:
                copy.of(call.site).open += not call.foreign
        for call in self.waiting.values():
            if view in call.seen and not call.foreign:
                copy.of(call.site).open += 1
                copy.of(call.site).suspended += 1
        return copy.sums


# ---- both together ----


class Game:
    def __init__(self, seed, threads):
        self.random = random.Random(seed)
        self.clocks = Clocks() if EXACT else None
        self.sites = [_core._place(function, name=function.__name__) for function in FUNCTIONS]
        assert all(self.sites) and len(set(self.sites)) == len(self.sites)
        self.workers = [Worker(i) for i in range(threads)]
        self.running = {worker: [] for worker in self.workers}  # what it is in: sites and activations
        self.activations = []
        self.oracle = Oracle(self.workers)
        self.consumers = []
        self.advance(None, 0)
        for _ in range(CONSUMERS):
            self.come()

    def advance(self, worker, most=5000):
        ns = self.random.randint(1, most) if most else 0
        if worker:
            worker.cpu += self.random.randint(0, ns)
        if EXACT:
            self.clocks.advance(ns)
            for one in [worker] if worker else self.workers:
                self.clocks.set_cpu(one.tid, one.cpu)
        self.oracle.now += ns

    # the program

    def step(self):
        worker = self.random.choice([one for one in self.workers if not one.over])
        inside, oracle = self.running[worker], self.oracle
        self.advance(worker)
        choice = self.random.random()
        if len(inside) > 12:
            choice = 0.9
        if choice < 0.5 or not inside:
            self.call(worker, self.random.randrange(PLAIN))
        elif choice < 0.7:
            self.resume(worker)
        elif isinstance(inside[-1], Activation):
            activation = inside.pop()
            activation.running = False
            what = self.random.choice(["yield", "yield", "return", "raise"])
            if what == "yield":
                oracle.suspend(worker, activation)
            else:
                activation.over = True
                oracle.leave(worker, activation.site, what == "raise", activation)
            worker.tell(what, None)
        else:
            site, raises = inside.pop(), self.random.random() < 0.2
            oracle.leave(worker, site, raises)
            worker.tell("raise" if raises else "return", None)

    def call(self, worker, site):
        self.running[worker].append(site)
        self.oracle.enter(worker, site)
        worker.tell("call", site)

    def resume(self, worker):
        waiting = [one for one in self.activations if not one.running and not one.over]
        if len(waiting) < 12 and self.random.random() < 0.5:
            activation = Activation(PLAIN + self.random.randrange(GENERATORS))
            self.activations.append(activation)
            self.oracle.enter(worker, activation.site, activation)
        elif waiting:
            activation = self.random.choice(waiting)
            self.oracle.resume(worker, activation)
        else:
            return
        activation.running = True
        self.running[worker].append(activation)
        worker.tell("next", activation)

    # the consumers

    def come(self):
        kind = self.random.choice(["profiler", "yappi"])
        everything = self.random.random() < 0.2
        consumer, view = _core._Consumer(kind, f"number {len(self.consumers)}", everything=everything), View()
        view.selected = set(range(len(FUNCTIONS))) if everything else set()
        self.oracle.views.append(view)
        self.consumers.append((consumer, view))
        self.choose(consumer, view)

    def go(self, consumer, view):
        self.oracle.end(lambda: setattr(view, "running", False))
        self.oracle.unsee(view)
        self.oracle.views.remove(view)
        self.consumers.remove((consumer, view))
        consumer.remove()

    def choose(self, consumer, view):
        if view.selected == set(range(len(FUNCTIONS))):
            return  # everything is
        site = self.random.randrange(len(FUNCTIONS))
        if site in view.selected - view.ruled and self.random.random() < 0.5:
            consumer.deselect_site(self.sites[site])
            view.selected = view.selected - {site}
        else:
            consumer.select_site(self.sites[site])
            view.selected = view.selected | {site}
        self.oracle.arm()

    def select(self, consumer, view):
        chosen = self.random.sample(range(len(FUNCTIONS)), 4)
        for site in range(len(FUNCTIONS)):
            consumer.deselect_site(self.sites[site])
        consumer.select("\n".join(f"match=*:{FUNCTIONS[site].__name__}" for site in chosen))
        view.selected = view.ruled = set(chosen)
        self.oracle.arm()

    def operate(self):
        chance = self.random.random()
        self.advance(None)
        if chance < 0.15:
            self.command()
            return
        consumer, view = self.random.choice(self.consumers)
        if chance < 0.45:
            self.begin_or_end(consumer, view)
        elif chance < 0.55:
            consumer.clear()
            self.oracle.unsee(view)
        elif chance < 0.63:
            self.choose(consumer, view)
        elif chance < 0.66:
            self.select(consumer, view)
        elif chance < 0.69:
            self.go(consumer, view)
            self.come()
        else:
            self.compare(consumer, view)

    def begin_or_end(self, consumer, view):
        if view.running:
            self.oracle.end(lambda: setattr(view, "running", False))
            assert consumer.end() is True
        else:
            self.oracle.begin(lambda: setattr(view, "running", True))
            view.has_records = True
            assert consumer.begin() is True
        assert consumer.is_running == view.running

    def command(self):
        if self.random.random() < 0.3:
            self.oracle.reset()
            timestamp_capture.reset()
        elif self.oracle.session:
            self.oracle.end(lambda: setattr(self.oracle, "session", False))
            assert timestamp_capture.stop()
        else:
            self.oracle.begin(lambda: setattr(self.oracle, "session", True))
            assert timestamp_capture.start()

    def compare(self, consumer, view):
        reading = consumer.read(threads=True, pairs=True)
        assert reading["complete"], reading["losses"]
        rows = {row[0]: row for row in reading["sites"]}
        expected = {site: sums for site, sums in self.oracle.look(view).items() if sums.calls or sums.inclusive or sums.open}
        got = {self.sites.index(number): row for number, row in rows.items()}
        differ = [(got.get(site), vars(expected.get(site, Sums()))) for site in set(got) ^ set(expected)]
        assert not differ, differ
        for site, row in got.items():
            self.compare_row(row, expected[site])
        self.compare_parts(reading)

    def compare_row(self, row, sums):
        calls, primitive, open_, suspended, raised, inclusive, exclusive, least, most, cpu, exclusive_cpu, waited, elapsed, ended = row[8:22]
        got = [calls, primitive, open_, suspended, raised]
        assert got == [sums.calls, sums.primitive, sums.open, sums.suspended, sums.raised], (row, vars(sums))
        assert ended == len(sums.durations), (row, vars(sums))
        assert exclusive <= inclusive + 1 and least <= most, row
        if EXACT:
            times = [inclusive, exclusive, cpu, exclusive_cpu, waited, elapsed]
            assert times == [sums.inclusive, sums.exclusive, sums.cpu, sums.exclusive_cpu, sums.waited, sums.elapsed], (row, vars(sums))
            assert [least, most] == [min(sums.durations, default=0), max(sums.durations, default=0)], (row, vars(sums))

    def compare_parts(self, reading):
        """Of threads and pairs the sums are those of the whole: what is the same for all activations exactly, to a nanosecond a row."""
        for part, calls, exclusive in (
            ([row for thread in reading["threads"] for row in thread["sites"]], 8, 14),
            (reading["pairs"], 2, 7),
        ):
            assert sum(row[calls] for row in part) == sum(row[8] for row in reading["sites"])
            difference = sum(row[exclusive] for row in part) - sum(row[14] for row in reading["sites"])
            assert abs(difference) <= (0 if EXACT else len(part) + len(reading["sites"])), difference

    def play(self, operations):
        for number in range(operations):
            try:
                for _ in range(self.random.randrange(12)):
                    self.step()
                self.operate()
            except BaseException:
                print(f"operation {number} of {operations}", file=sys.stderr)
                raise
        for consumer, view in list(self.consumers):
            self.compare(consumer, view)
            self.go(consumer, view)
        timestamp_capture.stop()


if __name__ == "__main__":
    Game(int(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 8).play(int(sys.argv[2]))
    assert timestamp_capture.status()["consumers"] == 0
    print("agreed")
    sys.stdout.flush()
    os._exit(0)  # its threads wait for orders for ever
