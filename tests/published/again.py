"""A pytest plugin: tests that the file `timed` beside them lists ask what the machine does at the moment; one that fails is run again,
a few times. What is wrong with the code under test fails each time."""
import os

from _pytest.runner import runtestprotocol

TRIES = 10
timed = set()
repeated = []


def pytest_collection_modifyitems(config, items):
    with open(os.path.join(config.args[0], "timed"), encoding="utf-8") as file:
        listed = set(file.read().splitlines())
    timed.update(item for item in items if "::".join([os.path.basename(str(item.fspath)), *item.nodeid.split("::")[1:]]) in listed)
    assert len(timed) == len(listed)


def pytest_runtest_protocol(item, nextitem):
    if item not in timed:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(TRIES):
        reports = runtestprotocol(item, nextitem=None, log=False)  # its class and what that recorded are made anew, too
        if not any(report.failed for report in reports):
            break
    if attempt:
        repeated.append(f"{item.name}: run {attempt + 1} times")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    for line in repeated:
        terminalreporter.write_line(line)
