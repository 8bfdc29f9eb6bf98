"""bind() and executors beside a session: a collector that is entered once is one call there, wherever its work goes on."""
import asyncio
import concurrent.futures
import json
import os
import threading

import pytest
from reading import FROM_OUTSIDE, tscap
from timestamp_capture import Timestamp_Collector, reset, start, stop, timestamp

pytestmark = pytest.mark.skipif(not FROM_OUTSIDE, reason="others see nothing of what is recorded in pure Python")


@timestamp
def leaf():
    pass


@pytest.fixture(autouse=True)
def session():
    start()
    yield
    stop()
    reset()


def collectors():
    """{name: calls} as a session saw them."""
    sites = json.loads(tscap("dump", "--json", os.getpid()).stdout)["sites"]
    return {site["name"]: site["calls"] for site in sites if site["kind"] == "collector" and site["calls"]}


async def wait():
    await asyncio.sleep(0)
    leaf()


def test_one_stay_is_one_call():
    async def main(c):
        await asyncio.gather(c.bind(wait)(), asyncio.create_task(c.bind(wait())))

    with Timestamp_Collector("one stay") as c:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(c.executor(pool).map(lambda _: leaf(), range(3)))
        thread = threading.Thread(target=c.bind(leaf))
        thread.start()
        thread.join()
        asyncio.run(main(c))
    assert c.complete and {row[0]: row[1] for row in c.timings()}["leaf"] == 6
    assert collectors() == {"one stay": 1, "one stay (continued)": 6}


def test_where_it_is_not_entered_each_bound_call_is_one():
    bound = Timestamp_Collector("by itself").bind(leaf)
    for _ in range(4):
        bound()
    assert collectors() == {"by itself": 4}
