"""gunicorn with two workers: requests are counted in all, whether the application is loaded before the fork or after, and across a
reload (SIGHUP), which replaces the workers."""
import signal

import pytest
from conftest import Count, await_that, compare

SOURCE = """
def application(environ, start_response):
    began = time.perf_counter_ns()
    path = environ["PATH_INFO"]
    HANDLERS[path]()
    start_response("200 OK", [("Content-Length", "2")])
    answered(path, began)
    return [b"ok"]
"""
COMMAND = ["-m", "gunicorn", "--workers", "2", "--threads", "2", "--bind", "127.0.0.1:{port}", "app:application"]


@pytest.fixture(params=[[], ["--preload"]], ids=["", "preload"])
def gunicorn(request, start_service):
    service = start_service(SOURCE, *COMMAND, *request.param)
    service.await_answer()
    await_that(lambda: len(service.workers()) == 2, "two workers")
    return service


def load(service):
    client = {"/sleep": service.load("/sleep", 24)}
    client["/compute"] = service.load("/compute", 10)
    client["/fast"] = service.load("/fast", 200)
    return client


def test_all_requests(gunicorn, tscap, functions):
    tscap("attach", "-s", gunicorn.pid)
    count = Count(gunicorn)
    client = load(gunicorn)
    compare(gunicorn, count, lambda: functions(gunicorn.pid), client)
    assert functions(gunicorn.pid)["application"]["calls"] == sum(map(len, client.values()))
    before = gunicorn.workers()
    gunicorn.process.send_signal(signal.SIGHUP)
    await_that(lambda: len(gunicorn.workers()) == 2 and not set(before) & set(gunicorn.workers()), "other workers")
    more = load(gunicorn)
    compare(gunicorn, count, lambda: functions(gunicorn.pid), {path: client[path] + more[path] for path in client})
    answering = [pid for _, pid in count.lines("/fast")]
    assert set(answering[:200]) <= set(before) and not set(answering[200:]) & set(before), "each half is the numbers of other workers"
    tscap("detach", "-s", gunicorn.pid)
    gunicorn.load("/fast", 20)
    assert gunicorn.end() == 0


def test_of_the_master_alone_its_workers_are_named(gunicorn, tscap):
    said = tscap("attach", gunicorn.pid).stderr
    assert "processes %d, %d, below it, run Python, too" % tuple(gunicorn.workers()) in said, said


def test_nothing_is_left(gunicorn, tscap, run_directory):
    tscap("attach", "-s", gunicorn.pid)
    gunicorn.load("/fast", 50)
    tscap("detach", "-s", gunicorn.pid)
    await_that(lambda: not list(run_directory.iterdir()), "an empty directory")
    assert gunicorn.end() == 0
