"""A program whose threads are parked at known places. Says where they are by its own account, as JSON: for each thread's
native id the frames, innermost first, as [function, file, line]; the last line of its own account is of the main thread."""
import functools
import json
import queue
import sys
import threading
import time

HAS_QUALNAME = sys.version_info >= (3, 11)
forever = threading.Lock()
forever.acquire()


def in_sleep():
    time.sleep(100000)


def in_lock():
    forever.acquire()


def in_queue():
    queue.Queue().get()


def recurse(n):
    if n:
        return recurse(n - 1)
    return in_lock()


def generate(n):
    if n:
        yield from generate(n - 1)
    in_lock()
    yield 1


def in_generator():
    return list(generate(5))


class Meß:
    def über(self):
        in_lock()

    def __lt__(self, other):
        self.über()


def in_c_function():
    sorted([Meß(), Meß()])


def in_comprehension():
    return [(lambda: in_lock())() for _ in range(3)]


def after_many_lines():
    x = (
        1 +
        2
    )
    if x:

        in_lock(

        )


def through_partial():
    return functools.reduce(lambda a, b: in_lock(), [1, 2, 3])


PLACES = [
    in_sleep,
    in_lock,
    in_queue,
    functools.partial(recurse, 700),
    in_generator,
    in_c_function,
    in_comprehension,
    after_many_lines,
    through_partial,
]


def account():
    frames, threads = sys._current_frames(), {t.ident: t.native_id for t in threading.enumerate()}
    found = {}
    for ident, frame in frames.items():
        stack = []
        while frame:
            code = frame.f_code
            stack.append([code.co_qualname if HAS_QUALNAME else code.co_name, code.co_filename, frame.f_lineno])
            frame = frame.f_back
        found[threads[ident]] = stack
    return found


def is_parked(stack):
    return stack[0][0] in ("in_sleep", "in_lock", "Queue.get", "get", "Condition.wait", "wait")


def settled():
    """All where they will stay."""
    while True:
        before = account()
        time.sleep(0.05)
        now = account()
        main = threading.main_thread().native_id
        others = [stack for tid, stack in now.items() if tid != main]
        if all(is_parked(s) for s in others) and all(before.get(t) == s for t, s in now.items() if t != main):
            return now


def main():
    sys.setrecursionlimit(3000)
    for place in PLACES:
        threading.Thread(target=place, daemon=True).start()
    print(json.dumps(settled()), flush=True)
    sys.stdin.readline()


main()
