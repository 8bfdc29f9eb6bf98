"""Random call forests: made from a seed, walked by an oracle, run for real by programs/run_forest.py.

A node is a list [kind, name, raises, catches, children]. The oracle shares no code with the recorder or its reader: it
walks the same lists and counts.
"""
import collections
import random

KINDS = ("function", "method", "block", "generator", "coroutine")
NAMES = 6


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


class Oracle:
    """What a recorder must have seen of these forests, one per thread."""

    def __init__(self, forests):
        self.calls = collections.Counter()
        self.primitive = collections.Counter()
        self.raised = collections.Counter()
        self.pairs = collections.Counter()
        self.primitive_pairs = collections.Counter()
        self.paths = collections.Counter()
        for forest in forests:
            for node in forest:
                self.walk(node, ())

    def walk(self, node, above):
        """True if an exception leaves the node."""
        _, name, raises, catches, children = node
        caller = above[-1] if above else None
        self.calls[name] += 1
        self.pairs[caller, name] += 1
        self.paths[(*above, name)] += 1
        if name not in above:
            self.primitive[name] += 1
            self.primitive_pairs[caller, name] += 1
        raised = False
        for child in children:
            if self.walk(child, (*above, name)) and not catches:
                raised = True
                break
        raised = raised or raises
        self.raised[name] += raised
        return raised

    def counts(self):
        return {name: (calls, self.primitive[name], self.raised[name]) for name, calls in self.calls.items()}

    def pair_counts(self):
        return {pair: (calls, self.primitive_pairs[pair]) for pair, calls in self.pairs.items()}
