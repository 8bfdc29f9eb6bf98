"""What a session of all functions adds to programs, beside what cProfile adds to the same in the same run; yappi too where it is installed.

    fib        a recursive function, hardly anything but calls
    json       the standard library's decoder and encoder in Python
    asyncio    tasks that await each other
    flask      requests to an application, by its test client (where Flask is installed)
    templates  the same with a template that is compiled for each request: new code objects all the time

A round starts a process for each way to record, and one that does not; a row has the medians of rounds: what one run takes without a
recorder, what each adds to that, and what ours adds as a share of what cProfile does and of what yappi does, with 95 % intervals. By the
real clock.

    bench_yappi.py [ROUNDS [PROGRAM ...]]
"""
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time

import support

ROUNDS = 15
RUNS = 9  # of the program, in each process
LIMIT = 0.60  # of what cProfile(builtins=False) adds, without builtins
LIMIT_BUILTINS = 1.00  # of what cProfile adds, with builtins
LIMIT_YAPPI = 0.40  # of what yappi adds, without

# ---- programs ----


def make_fib():
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    return lambda: fib(20)


def make_json():
    import json
    import json.decoder
    import json.scanner

    document = [{"id": i, "name": f"name {i}", "tags": ["a", "b", str(i)], "at": {"x": i / 7, "y": [i, None, True]}} for i in range(150)]
    text = json.dumps(document)
    decoder = json.JSONDecoder()
    decoder.parse_array, decoder.parse_object, decoder.parse_string = json.decoder.JSONArray, json.decoder.JSONObject, json.decoder.py_scanstring
    decoder.scan_once = json.scanner.py_make_scanner(decoder)
    encoder = json.JSONEncoder(indent=1)  # with an indent it is the one in Python

    def run():
        assert decoder.decode(text) == document
        encoder.encode(document)

    return run


def make_asyncio():
    import asyncio

    async def leaf(n):
        await asyncio.sleep(0)
        return n

    async def branch(n):
        return sum([await leaf(i) for i in range(n)])

    async def root():
        return sum(await asyncio.gather(*(branch(5) for _ in range(60))))

    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(root())


def make_flask():
    import flask

    app = flask.Flask("bench")

    page = app.jinja_env.from_string("{% for i in items %}<li>{{ i }}</li>{% endfor %}")

    @app.route("/items/<int:n>")
    def items(n):
        return page.render(items=range(n))

    client = app.test_client()

    def run():
        for n in range(20):
            assert client.get(f"/items/{n}").status_code == 200

    return run


def make_templates():
    import itertools

    import flask

    app, numbers = flask.Flask("bench"), itertools.count()

    @app.route("/items/<int:n>")
    def items(n):
        return flask.render_template_string("{% for i in items %}<li>{{ i }}</li>{% endfor %}" + f"{next(numbers)}", items=range(n))

    client = app.test_client()

    def run():
        for n in range(20):
            assert client.get(f"/items/{n}").status_code == 200

    return run


PROGRAMS = {"fib": make_fib, "json": make_json, "asyncio": make_asyncio, "flask": make_flask, "templates": make_templates}
OF_FLASK = {"flask", "templates"}

# ---- ways to record ----


def nothing():
    return lambda: None


def cprofile(builtins):
    def start():
        import cProfile

        profile = cProfile.Profile(builtins=builtins)
        profile.enable()
        return profile.disable

    return start


def of_yappi(module, builtins):
    def start():
        yappi = importlib.import_module(module)
        yappi.set_clock_type("wall")  # of yappi the cheaper one by far; we record both
        yappi.start(builtins=builtins)
        return yappi.stop

    return start


WAYS = {
    "none": nothing,
    "ours": of_yappi("timestamp_capture.yappi", False),
    "ours, builtins": of_yappi("timestamp_capture.yappi", True),
    "cProfile": cprofile(False),
    "cProfile, builtins": cprofile(True),
    "yappi": of_yappi("yappi", False),
}


BESIDE = (("ours", "cProfile", LIMIT), ("ours, builtins", "cProfile, builtins", LIMIT_BUILTINS), ("ours", "yappi", LIMIT_YAPPI))


def measure(program, way):
    """Seconds of a run: the median. In a process of its own."""
    run = PROGRAMS[program]()
    for _ in range(3):
        run()
    stop = WAYS[way]()
    run()
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    stop()
    print(statistics.median(times))


def measured(program, way):
    command = [sys.executable, os.path.abspath(__file__), "--measure", program, way]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def row(program, ways, rounds):
    times = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            times[way].append(measured(program, way))
    added = {way: [time - base for time, base in zip(times[way], times["none"])] for way in ways}
    base = statistics.median(times["none"])
    cells = [f"{program:9} {base * 1e3:8.2f}"] + [f"{statistics.median(added[way]) * 1e3:10.2f}" for way in ways[1:]]
    within = True
    for ours, theirs, limit in BESIDE:
        if theirs not in ways:
            continue
        share, low, high = support.median_interval([mine / yours for mine, yours in zip(added[ours], added[theirs])])
        cells.append(f"{share:6.2f} ({low:.2f} to {high:.2f})")
        within = within and low <= limit
    print(" ".join(cells), flush=True)
    return within


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    support.pin_to_one_core()
    support.use_private_directory()
    ways = [way for way in WAYS if way != "yappi" or importlib.util.find_spec("yappi")]
    programs = [name for name in sys.argv[2:] or PROGRAMS if name not in OF_FLASK or importlib.util.find_spec("flask")]
    print(f"CPython {support.python_version()}: ms of a run, and what it takes longer: {', '.join(ways)};")
    print(f"then our share of cProfile's (at most {LIMIT:.0%}), with builtins (at most {LIMIT_BUILTINS:.0%}), of yappi's (at most {LIMIT_YAPPI:.0%})")
    if not all([row(program, ways, rounds) for program in programs]):
        raise SystemExit("over the limit")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        main()
