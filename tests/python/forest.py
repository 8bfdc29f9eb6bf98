"""Random call forests: made from a seed, walked by an oracle, run for real by programs/run_forest.py.

A node is a list [kind, name, raises, catches, children]. The oracle shares no code with the recorder or its reader: it
walks the same lists and counts, and notes in which order things happen.

TSCAP_SEED=N asks for that seed only, TSCAP_SEEDS=N for N of them; a failed test has its seed in its name.
"""
import collections
import os
import random

KINDS = ("function", "method", "block", "generator", "coroutine", "closed", "thrown", "async generator")
NAMES = 6

compared = {"programs": 0, "events": 0}


def seeds(count):
    if "TSCAP_SEED" in os.environ:
        return [int(os.environ["TSCAP_SEED"])]
    return range(int(os.environ.get("TSCAP_SEEDS", count)))


def count_events(events):
    """Beginnings, ends, suspensions and resumptions that a test compared with its oracle."""
    compared["programs"] += 1
    compared["events"] += events


def make_node(rnd, depth, left):
    kind = rnd.choice(KINDS)
    node = [kind, f"{kind} {rnd.randrange(NAMES)}", rnd.random() < 0.05, rnd.random() < 0.5, []]
    left[0] -= 1
    while left[0] > 0 and depth < 40 and rnd.random() < 0.62:
        node[4].append(make_node(rnd, depth + 1, left))
    return node


def make_forest(seed, calls):
    rnd = random.Random(seed)
    left = [calls]
    forest = []
    while left[0] > 0:
        forest.append(make_node(rnd, 0, left))
    return forest


class Raised(Exception):
    pass


class Closed(Raised):
    """By close(): whoever closes does not see it."""


class Oracle:
    """What a recorder must have seen of these forests, one per thread."""

    def __init__(self, forests):
        self.calls = collections.Counter()
        self.primitive = collections.Counter()
        self.raised = collections.Counter()
        self.pairs = collections.Counter()
        self.primitive_pairs = collections.Counter()
        self.paths = collections.Counter()
        self.order = []  # of each forest: (what, name), as it happens
        for forest in forests:
            self.order.append([])
            for node in forest:
                try:
                    self.call(node, [])
                except Raised:
                    pass

    def events(self):
        return sum(map(len, self.order))

    def note(self, what, name):
        self.order[-1].append((what, name))

    def call(self, node, above):
        """`above`: the nodes that are open. Raised: an exception leaves the node."""
        kind, name = node[:2]
        names = [open_[1] for open_ in above]
        caller = names[-1] if names else None
        self.calls[name] += 1
        self.pairs[caller, name] += 1
        self.paths[(*names, name)] += 1
        if name not in names:
            self.primitive[name] += 1
            self.primitive_pairs[caller, name] += 1
        self.note("enter", name)
        try:
            getattr(self, kind.replace(" ", "_"))(node, [*above, node])
            self.note("exit", name)
        except Closed:
            self.end_raised(name)
        except Raised:
            self.end_raised(name)
            raise

    def end_raised(self, name):
        self.raised[name] += 1
        self.note("exit raised", name)

    def child(self, node, child, above):
        try:
            self.call(child, above)
        except Raised:
            if not node[3]:
                raise

    def children(self, node, above, before=(), after=()):
        for child in node[4]:
            for pause in before:
                pause(node)
            self.child(node, child, above)
            for pause in after:
                pause(node)
        if node[2]:
            raise Raised

    function = method = block = children

    def pause(self, node):
        self.note("suspend", node[1])
        self.note("resume", node[1])

    def generator(self, node, above):
        self.children(node, above, [self.pause], [self.pause])

    def async_generator(self, node, above):
        self.children(node, above, [self.pause])

    def thrown(self, node, above):
        self.pause(node)
        self.children(node, above)

    def closed(self, node, above):
        self.pause(node)
        self.children(node, above)
        self.pause(node)
        raise Closed

    def coroutine(self, node, above):
        """Before a callee that is none, it waits once, and with it those that await it."""
        awaiting = []
        for open_ in reversed(above):
            if open_[0] != "coroutine":
                break
            awaiting.append(open_[1])
        for child in node[4]:
            if child[0] != "coroutine":
                self.order[-1] += [("suspend", name) for name in awaiting]
                self.order[-1] += [("resume", name) for name in reversed(awaiting)]
            self.child(node, child, above)
        if node[2]:
            raise Raised

    def counts(self):
        return {name: (calls, self.primitive[name], self.raised[name]) for name, calls in self.calls.items()}

    def pair_counts(self):
        return {pair: (calls, self.primitive_pairs[pair]) for pair, calls in self.pairs.items()}
