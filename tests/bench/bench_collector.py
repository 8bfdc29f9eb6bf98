"""What collectors cost.

    lookup     a decorated call within a collector, entered (`with`) or held (`_timestamp_collector_`) at stack depth 1 ... 1000,
               beside the same call in a session: it must not grow with the depth
    distance   the same with undecorated frames between the collector and the call: it does, by the frame
    server     1,000 requests a second in a program with 10,000 decorated functions, each request 20 decorated and 20 other
               calls: cost of a request and latency with a collector around each, with one around every hundredth, and without
    afterwards the same request when the hooks have gone: dormant again

    bench_collector.py [SECONDS]   of each server run
"""
import gc
import statistics
import sys
import time

import support

DEPTHS = (1, 10, 100, 1000)
CALLS = 1000
ROUNDS = 60
FUNCTIONS = 10_000
RATE = 1000
GROWTH = 1.5  # of the lookup, deepest against shallowest


def descend(depth, then):
    return descend(depth - 1, then) if depth > 1 else then()


def entered(then):
    from timestamp_capture import Timestamp_Collector

    with Timestamp_Collector("bench"):
        return then()


def held(then):
    from timestamp_capture import Timestamp_Collector

    _timestamp_collector_ = Timestamp_Collector("bench")
    return then()


def in_session(then):
    import timestamp_capture

    timestamp_capture.start()
    try:
        return then()
    finally:
        timestamp_capture.stop()


def make_calls():
    import timestamp_capture

    space = {}
    exec("def f(): pass\ndef loop(f, n):\n    for _ in range(n):\n        f()\n", space)
    return timestamp_capture.timestamp(space["f"]), space["f"], space["loop"]


def cost_of_call(loop, f):
    best = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        loop(f, CALLS)
        best.append((time.perf_counter_ns() - begin) / CALLS)
    return statistics.median(sorted(best)[: ROUNDS // 2])


def report_lookup():
    f, _, loop = make_calls()
    dormant = cost_of_call(loop, f)
    print(f"  lookup      dormant {dormant:.0f} ns a call; in a session {in_session(lambda: cost_of_call(loop, f)) - dormant:+.0f}")
    good = True
    for holds in (entered, held):
        costs = [descend(depth, lambda: holds(lambda: cost_of_call(loop, f))) - dormant for depth in DEPTHS]
        flat = costs[-1] <= GROWTH * costs[0]
        good &= flat
        shown = ", ".join(f"{depth}: {cost:+.0f}" for depth, cost in zip(DEPTHS, costs))
        print(f"              {holds.__name__:<8} at depth {shown} ns  {'flat' if flat else 'GROWS'}")
    for holds in (entered, held):
        costs = [holds(lambda: descend(depth, lambda: cost_of_call(loop, f))) - dormant for depth in DEPTHS]
        shown = ", ".join(f"{depth}: {cost:+.0f}" for depth, cost in zip(DEPTHS, costs))
        print(f"  distance    {holds.__name__:<8} frames away {shown} ns")
    return good


# ---- a server ----


def make_functions():
    import timestamp_capture

    decorated, others = [], []
    for _ in range(FUNCTIONS):
        space = {}
        exec("def f(a, b): return a\ndef g(a, b): return a", space)
        decorated.append(timestamp_capture.timestamp(space["f"]))
        others.append(space["g"])
    return decorated, others


def make_request(decorated, others):
    hot, cold = decorated[:20], others[:20]

    def request():
        for f in hot:
            f(1, 2)
        for g in cold:
            g(1, 2)

    return request


def serve(handle, seconds):
    """Microseconds that each request took, at a steady rate."""
    period, took = 1e9 / RATE, []
    due = time.perf_counter_ns()
    for i in range(int(seconds * RATE)):
        due += period
        wait = (due - time.perf_counter_ns()) / 1e9
        if wait > 0:
            time.sleep(wait)
        begin = time.perf_counter_ns()
        handle(i)
        took.append((time.perf_counter_ns() - begin) / 1e3)
    return sorted(took)


def report_served(name, took, base=None):
    middle, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    mean = sum(took) / len(took)
    against = f"  p50 {middle / base[len(base) // 2]:.2f} x" if base else ""
    print(f"  server      {name:<34} p50 {middle:6.1f} us, p99 {p99:6.1f}, worst {took[-1]:8.1f}, mean {mean:6.1f}{against}")


def back_to_back(request):
    best = []
    for _ in range(50):
        begin = time.perf_counter_ns()
        for _ in range(100):
            request()
        best.append((time.perf_counter_ns() - begin) / 100_000)
    return statistics.median(sorted(best)[:25])


def report_server(seconds):
    import timestamp_capture
    from timestamp_capture import Timestamp_Collector

    until_disarmed(lambda: None)
    request = make_request(*make_functions())

    def collected(i):
        with Timestamp_Collector("request"):
            request()

    def hundredth(i):
        if i % 100:
            request()
        else:
            collected(i)

    for _ in range(50):
        request()
    before = back_to_back(request)
    begin = time.perf_counter_ns()
    collected(0)
    first = (time.perf_counter_ns() - begin) / 1e3
    print(f"  server      first collector in a program with {FUNCTIONS} functions {first / 1e3:.1f} ms (measures, names and arms them)")
    until_disarmed(request)
    base = serve(lambda i: request(), seconds)
    report_served("no collector", base)
    report_served("a collector for each request", serve(collected, seconds), base)
    report_served("for every hundredth", serve(hundredth, seconds), base)
    inside = back_to_back(lambda: collected(0))
    print(f"  back to back {before:.2f} us a request, {inside:.2f} in a collector")
    calls = until_disarmed(request)
    after = back_to_back(request)
    ratio = after / before
    lingering = f"after {calls} decorated calls" if calls else "at once"
    print(f"  afterwards  disarmed {lingering}; then {after:.2f} us a request, ratio {ratio:.3f}")
    assert not timestamp_capture.status()["armed"]
    return ratio < 1.05


def until_disarmed(request):
    """On one core the listener needs a moment to itself, above all under a real-time scheduler."""
    import timestamp_capture

    calls = 0
    while timestamp_capture.status()["armed"]:
        for _ in range(50):
            request()
        calls += 1000
        time.sleep(0.0001)
    return calls


def main(seconds):
    support.pin_to_one_core()
    gc.disable()
    sys.setrecursionlimit(10_000)
    print(f"Python {support.python_version()}, one core")
    good = report_lookup()
    good &= report_server(seconds)
    print(f"verdict, Python {support.python_version()}: {'flat and dormant again' if good else 'NOT AS IT SHOULD BE'}")
    return 0 if good else 1


if __name__ == "__main__":
    support.use_private_directory()
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
