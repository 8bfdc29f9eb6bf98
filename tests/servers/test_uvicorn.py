"""uvicorn with four workers, each an interpreter of its own (multiprocessing "spawn"): what a route awaits is in its elapsed time."""
from conftest import SLEEP_NS, Count, await_short_requests, await_that, compare, is_near
from processes import children

SOURCE = """
async def wait():
    await asyncio.sleep(0.2)

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    began = time.perf_counter_ns()
    path = scope["path"]
    if path == "/wait":
        await wait()
    else:
        HANDLERS[path]()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2"), (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"ok"})
    answered(path, began)
"""
COMMAND = ["-m", "uvicorn", "--workers", "4", "--port", "{port}", "--lifespan", "off", "--log-level", "warning", "app:application"]


def load(service):
    client = {path: service.load(path, requests) for path, requests in (("/sleep", 24), ("/compute", 10), ("/fast", 200))}
    client["/wait"] = service.load("/wait", 40, clients=8)
    return client


def test_all_requests(start_service, tscap, functions):
    service = start_service(SOURCE, *COMMAND)
    service.await_answer()
    await_that(lambda: len(service.workers()) >= 5, "four workers and the tracker of multiprocessing's resources")
    for _ in range(20):
        service.load("/fast", 8)
    tscap("attach", "-s", service.pid)
    count = Count(service)
    client = load(service)
    compare(service, count, lambda: functions(service.pid), client)
    await_short_requests(service, client, "/wait", lambda: functions(service.pid)["wait"]["elapsed_min_ns"])
    found = functions(service.pid)
    lines = count.lines("/wait")
    wait, whole = found["wait"], found["application"]
    assert wait["calls"] == len(lines) and whole["calls"] == sum(map(len, client.values()))
    assert is_near(wait["elapsed_min_ns"], SLEEP_NS), wait
    assert wait["elapsed_ns"] / wait["calls"] <= sum(client["/wait"]) / len(lines), "the client's is the whole"
    assert wait["inclusive_ns"] < 0.05 * wait["elapsed_ns"], "it waits, it does not work"
    tscap("detach", "-s", service.pid)
    service.load("/fast", 20)
    assert children(service.pid), "they serve on"
    assert service.end() == 0
