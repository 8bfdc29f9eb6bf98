"""What the API costs its user: a decorated 1 ms block while a collector is entered, and a call beside OSBot-Utils'.

    block   1 ms of work inside @timestamp, recorded, against the same work undecorated, taking turns: at most 1 % more. From 3.12
            on against the same work under an empty hook of the interpreter, for what that alone costs is not ours to change:
            3.12 takes superinstructions out of code that has one, 2 % in a loop of nothing but additions. That has a line, too
    call    what an empty recorded call adds, against what the same call under OSBot-Utils' decorator and collector adds, in
            the same rounds: at least 100 times less. Needs osbot-utils (any PYTHONPATH that has it); else it is left out.

    bench_api.py [ROUNDS]
"""
import statistics
import sys
import time

import support

support.pin_to_one_core()
support.use_private_directory()

from timestamp_capture import Timestamp_Collector, timestamp

try:
    from osbot_utils.helpers.timestamp_capture.decorators.timestamp import timestamp as their_timestamp
    from osbot_utils.helpers.timestamp_capture.Timestamp_Collector import Timestamp_Collector as Their_Collector
except (ImportError, TypeError):  # it needs 3.11
    their_timestamp = None

CALLS = 1000


def work():
    """About 1 ms."""
    total = 0
    for i in range(WORK):
        total += i
    return total


def calibrate():
    global WORK
    WORK = 10_000
    took = min(time_of(work) for _ in range(20))
    WORK = int(WORK * 1_000_000 / took)


def time_of(function):
    begin = time.perf_counter_ns()
    function()
    return time.perf_counter_ns() - begin


def plain():
    pass


recorded_work = timestamp("work")(type(work)(work.__code__.replace(), globals(), "work"))
ours = timestamp("ours")(type(plain)(plain.__code__.replace(), globals(), "ours"))
theirs = their_timestamp(plain) if their_timestamp else None


hooked_work = type(work)(work.__code__.replace(), globals(), "hooked_work")


def hook():
    """The interpreter's own, which calls what does nothing. Where there is none, the function stays as it is."""
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        monitoring.use_tool_id(5, "bench_api")
        for event in (monitoring.events.PY_START, monitoring.events.PY_RETURN):
            monitoring.register_callback(5, event, lambda *_: None)
        monitoring.set_local_events(5, hooked_work.__code__, monitoring.events.PY_START | monitoring.events.PY_RETURN)


def loop(function):
    for _ in range(CALLS):
        function()


def time_ours():
    with Timestamp_Collector(max_entries=10_000):
        return time_of(lambda: loop(ours)) / CALLS


def time_theirs():
    _timestamp_collector_ = Their_Collector()
    with _timestamp_collector_:
        begin = time.perf_counter_ns()
        loop(theirs)
        return (time.perf_counter_ns() - begin) / CALLS


def bench_block(rounds):
    calibrate()
    hook()
    hooked, recorded = [], []
    with Timestamp_Collector():
        for _ in range(rounds):
            times = [min(time_of(function) for _ in range(5)) for function in (work, hooked_work, recorded_work)]
            hooked.append(times[1] / times[0])
            recorded.append(times[2] / times[1])
    print(f"block of 1 ms, an empty hook of the interpreter: {percent(hooked)[1]}")
    median, text = percent(recorded)
    print(f"block of 1 ms, recorded: {text}  {'ok' if median <= 1 else 'TOO MUCH'}")
    return median <= 1


def percent(ratios):
    """The median more, in percent, and with its interval as text."""
    median, low, high = (100 * (value - 1) for value in support.median_interval(ratios))
    return median, f"{median:+.3f} % ({low:+.3f} ... {high:+.3f})"


def bench_call(rounds):
    if theirs is None:
        print("call against OSBot-Utils: left out, osbot-utils is not installed")
        return True
    added_ours, added_theirs = [], []
    for _ in range(rounds):
        bare = time_of(lambda: loop(plain)) / CALLS
        added_ours.append(time_ours() - bare)
        added_theirs.append(time_theirs() - bare)
    mine, other = statistics.median(added_ours), statistics.median(added_theirs)
    verdict = other >= 100 * mine
    print(f"active call adds {mine:.0f} ns, OSBot-Utils' {other:.0f} ns: {other / mine:.0f} times less  {'ok' if verdict else 'TOO LITTLE'}")
    return verdict


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    results = [bench_block(rounds), bench_call(rounds)]
    print(f"bench_api: Python {support.python_version()}")
    sys.exit(0 if all(results) else 1)
