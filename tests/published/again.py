"""A pytest plugin: tests that the file `timed` in $PUBLISHED_LISTS lists ask what the machine does at the moment; one that fails is run again,
a few times. What is wrong with the code under test fails each time."""
import os
import time

from _pytest.runner import runtestprotocol

TRIES = 10  # at least, and
PATIENCE = 60  # seconds that they are spread over: other work comes in bursts that are longer than ten of them take
LONGEST_PAUSE = 4  # seconds
timed = set()
repeated = []


def pytest_collection_modifyitems(config, items):
    with open(os.path.join(os.environ["PUBLISHED_LISTS"], "timed"), encoding="utf-8") as file:
        files = {os.path.basename(str(item.fspath)) for item in items}
        listed = {line for line in file.read().splitlines() if line.partition("::")[0] in files}
    timed.update(item for item in items if "::".join([os.path.basename(str(item.fspath)), *item.nodeid.split("::")[1:]]) in listed)
    assert len(timed) == len(listed)


def pytest_runtest_protocol(item, nextitem):
    if item not in timed:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    attempt, give_up = 0, time.monotonic() + PATIENCE
    while True:
        reports = runtestprotocol(item, nextitem=None, log=False)  # its class and what that recorded are made anew, too
        if not any(report.failed for report in reports) or (attempt + 1 >= TRIES and time.monotonic() >= give_up):
            break
        time.sleep(min(LONGEST_PAUSE, 0.05 * 2**attempt))
        attempt += 1
    if attempt:
        repeated.append(f"{item.name}: run {attempt + 1} times")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    for line in repeated:
        terminalreporter.write_line(line)
