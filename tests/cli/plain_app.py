"""A program that has never heard of us: runs the statements it reads from stdin, a line each, and answers "done"."""
import sys
import threading


def leaf():
    pass


def parent(calls):
    for _ in range(calls):
        leaf()


class Shape:
    def area(self):
        return self._side() ** 2

    def _side(self):
        return 2

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def plain():
        return [part for part in numbers(3)]


def numbers(count):
    for number in range(count):
        yield number


def outer():
    def inner():
        pass

    inner()


def fails():
    raise ValueError


def fail():
    try:
        fails()
    except ValueError:
        pass


def in_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
