"""Runs the forests of a JSON file, each on a thread of its own, as real Python calls."""
import json
import sys
import threading

import timestamp_capture
from timestamp_capture import timestamp, timestamp_block

NAMES = 6  # as in forest.py


class Planted(Exception):
    pass


class Suspend:
    def __await__(self):
        yield


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


def run(node):
    kind, name = node[0], node[1]
    if kind == "function":
        functions[name](node)
    elif kind == "method":
        methods[name].call(node)
    elif kind == "generator":
        for _ in generators[name](node):
            pass
    elif kind == "coroutine":
        drive(coroutines[name](node))
    elif kind == "closed":
        close(closed[name](node))
    elif kind == "thrown":
        throw_into(thrown[name](node))
    elif kind == "async generator":
        drive(consume(async_generators[name](node)))
    else:
        with timestamp_block(name):
            body(node)


def close(generator):
    next(generator)
    next(generator)
    generator.close()


def throw_into(generator):
    next(generator)
    try:
        generator.throw(KeyError)
    except StopIteration:
        pass


async def consume(generator):
    async for _ in generator:
        pass


def body(node):
    _, _, raises, catches, children = node
    for child in children:
        try:
            run(child)
        except Planted:
            if not catches:
                raise
    if raises:
        raise Planted


def make_function(name):
    @timestamp(name)
    def function(node):
        body(node)

    return function


def make_method(name):
    class Object:
        @timestamp(name)
        def call(self, node):
            body(node)

    return Object()


def make_generator(name):
    @timestamp(name)
    def generator(node):
        _, _, raises, catches, children = node
        for child in children:
            yield
            try:
                run(child)
            except Planted:
                if not catches:
                    raise
            yield
        if raises:
            raise Planted

    return generator


def make_closed(name):
    @timestamp(name)
    def generator(node):
        ended = False
        try:
            yield
            body(node)
            yield
        finally:
            ended = True
        assert not ended

    return generator


def make_thrown(name):
    @timestamp(name)
    def generator(node):
        try:
            yield
        except KeyError:
            pass
        body(node)

    return generator


def make_async_generator(name):
    @timestamp(name)
    async def generator(node):
        _, _, raises, catches, children = node
        for child in children:
            yield
            try:
                run(child)
            except Planted:
                if not catches:
                    raise
        if raises:
            raise Planted

    return generator


def make_coroutine(name):
    @timestamp(name)
    async def coroutine(node):
        _, _, raises, catches, children = node
        for child in children:
            try:
                if child[0] == "coroutine":
                    await coroutines[child[1]](child)
                else:
                    await Suspend()
                    run(child)
            except Planted:
                if not catches:
                    raise
        if raises:
            raise Planted

    return coroutine


functions = {f"function {i}": make_function(f"function {i}") for i in range(NAMES)}
methods = {f"method {i}": make_method(f"method {i}") for i in range(NAMES)}
generators = {f"generator {i}": make_generator(f"generator {i}") for i in range(NAMES)}
coroutines = {f"coroutine {i}": make_coroutine(f"coroutine {i}") for i in range(NAMES)}
closed = {f"closed {i}": make_closed(f"closed {i}") for i in range(NAMES)}
thrown = {f"thrown {i}": make_thrown(f"thrown {i}") for i in range(NAMES)}
async_generators = {f"async generator {i}": make_async_generator(f"async generator {i}") for i in range(NAMES)}


def run_forest(forest):
    for node in forest:
        try:
            run(node)
        except Planted:
            pass
    done.wait()
    leave.wait()


with open(sys.argv[1]) as file:
    forests = json.load(file)
sys.setrecursionlimit(10_000)
sys.setswitchinterval(1e-4)
timestamp_capture.start()
done, leave = threading.Barrier(len(forests) + 1), threading.Event()
threads = [threading.Thread(target=run_forest, args=(forest,), name=f"forest {i}") for i, forest in enumerate(forests)]
for thread in threads:
    thread.start()
done.wait()
checkpoint()
leave.set()
for thread in threads:
    thread.join()
checkpoint()
timestamp_capture.stop()
checkpoint()
