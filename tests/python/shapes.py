"""Shapes of calls, counted by the program itself: each decorated function says hit(its name) first.

A shape is source text: definitions, and a statement that a loop repeats. The frames of the program are the oracle's only
source: a decorated function's caller is the nearest frame that has hit, and a call is a recursive one if a frame of the
same name is above it. It shares no code with the recorder or its reader.
"""
import collections
import gc
import sys
import textwrap

import timestamp_capture
from reading import dump

LENGTHS = (1, 10, 300)  # iterations between two recordings
WARM = (0, 10, 1000)  # iterations before recording begins: call sites that are new, about to be specialised, specialised

compared = {"shapes": 0, "calls": 0}


class Oracle:
    def __init__(self):
        self.names = {}  # code object's id -> name
        self.kept = []  # the code objects: their ids must not be used again
        self.counting = False
        self.calls = collections.Counter()  # (caller or None, name) -> calls
        self.primitive = collections.Counter()

    def hit(self, name):
        frame = sys._getframe(1)
        if id(frame.f_code) not in self.names:
            self.names[id(frame.f_code)] = name
            self.kept.append(frame.f_code)
        assert self.names[id(frame.f_code)] == name, "one code object has one name"
        if self.counting:
            self.count(name, self.names_above(frame))

    def names_above(self, frame):
        above = []
        while frame.f_back is not None and frame.f_code.co_name != "loop":
            frame = frame.f_back
            if id(frame.f_code) in self.names:
                above.append(self.names[id(frame.f_code)])
        return above

    def count(self, name, above):
        pair = (above[0] if above else None, name)
        self.calls[pair] += 1
        self.primitive[pair] += name not in above

    def pairs(self):
        return {pair: (calls, self.primitive[pair]) for pair, calls in self.calls.items()}


def make_loop(definitions, statement, hit):
    """Freshly compiled: nothing in it has been specialised."""
    source = f"{textwrap.dedent(definitions)}\ndef loop(n):\n    for i in range(n):\n{textwrap.indent(textwrap.dedent(statement).strip(), ' ' * 8)}\n"
    names = {"__name__": "shape", "timestamp": timestamp_capture.timestamp, "hit": hit}
    exec(compile(source, "<shape>", "exec"), names)
    return names["loop"]


def record(oracle, loop, lengths):
    assert timestamp_capture.start()
    oracle.counting = True
    for n in lengths:
        loop(n)
    oracle.counting = False
    timestamp_capture.stop()


def run(oracle, definitions, statement):
    """Recorded and not recorded by turns, from each state of specialisation on."""
    for warm in WARM:
        loop = make_loop(definitions, statement, oracle.hit)
        loop(warm)
        for between in LENGTHS:
            record(oracle, loop, (1, 3, 30))
            loop(between)
        record(oracle, loop, (100,))


def compare(pid, *shapes):
    """All calls, callers and non-recursive calls of these (definitions, statement)."""
    gc.collect()  # finalizers of other tests' objects are calls as well
    timestamp_capture.reset()
    oracle = Oracle()
    gc.disable()  # none between start() and the count's beginning
    try:
        for shape in shapes:
            before = sum(oracle.calls.values())
            run(oracle, *shape)
            assert sum(oracle.calls.values()) > before, "nothing that is decorated was called"
    finally:
        gc.enable()
    recorded, counted = dump(pid).check().pairs(), oracle.pairs()
    wrong = {pair: (recorded.get(pair), counted.get(pair)) for pair in {**recorded, **counted} if recorded.get(pair) != counted.get(pair)}
    assert not wrong, f"(caller, callee): (recorded, true): {wrong}"
    compared["shapes"] += len(shapes)
    compared["calls"] += sum(oracle.calls.values())
