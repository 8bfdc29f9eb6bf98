"""A small order pipeline, the program of `make demo`: three threads, a queue, recursion, errors, waiting.

It counts its own calls while it is told to (lines `count` and `report` on standard input), and prints them as JSON, so
that what tscap says from outside can be compared with what really happened.
"""

from __future__ import annotations

import json
import queue
import random
import sys
import threading
import time
from collections import Counter
from typing import Any, List, Optional, Union

from timestamp_capture import timestamp, timestamp_block

Tree = Union[int, List["Tree"]]  # an order is an item or a list of orders

own_counts: Counter[str] = Counter()
lock = threading.Lock()
gate = threading.Lock()  # held while an order is put


def called(name: str) -> None:
    """The program's own count; a lock, since threads share it."""
    with lock:
        own_counts[name] += 1


class Refused(Exception):
    """An order that cannot be filled."""


@timestamp
def price(tree: Tree) -> float:
    """Recursive."""
    called("price")
    if isinstance(tree, list):
        return sum(price(part) for part in tree)
    return tree * 1.19


@timestamp
def check_stock(amount: int) -> int:
    called("check_stock")
    if amount > 95:
        raise Refused(amount)
    return sum(i * i for i in range(200))


@timestamp("store.write")
def write(record: str) -> int:
    called("store.write")
    time.sleep(0.0005)  # a disk or a database
    return len(record)


@timestamp
def handle(order: dict[str, Any]) -> Optional[int]:
    called("handle")
    try:
        check_stock(order["amount"])
    except Refused:
        return None
    with timestamp_block("bill"):
        called("bill")
        total = price(order["items"])
    return write(json.dumps({"order": order["id"], "total": total}))


def make_order(number: int, chance: random.Random) -> dict[str, Any]:
    leaf = [chance.randrange(100) for _ in range(4)]
    return {"id": number, "amount": chance.randrange(100), "items": [leaf, [leaf, chance.randrange(100)]]}


def work(orders: queue.Queue[dict[str, Any]], go_on: threading.Event) -> None:
    while go_on.is_set():
        try:
            order = orders.get(timeout=0.05)
        except queue.Empty:
            continue
        handle(order)
        orders.task_done()


def produce(orders: queue.Queue[dict[str, Any]], go_on: threading.Event, busy: threading.Event) -> None:
    chance = random.Random(1)
    number = 0
    while go_on.is_set():
        with gate:
            wanted = busy.is_set() and orders.qsize() < 8
            if wanted:
                orders.put(make_order(number, chance))
                number += 1
        if not wanted:
            time.sleep(0.0005)


def become_idle(orders: queue.Queue[dict[str, Any]], busy: threading.Event) -> None:
    """Returns when the last order has been handled."""
    with gate:
        busy.clear()
    orders.join()


def main() -> None:
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    go_on, busy = threading.Event(), threading.Event()
    go_on.set()
    threads = [threading.Thread(target=work, args=(orders, go_on), name=f"worker-{i}") for i in (1, 2)]
    threads.append(threading.Thread(target=produce, args=(orders, go_on, busy), name="producer"))
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "work\n":
            own_counts.clear()
            busy.set()
        elif line == "idle\n":
            become_idle(orders, busy)
        elif line == "counts\n":
            print(json.dumps(own_counts), flush=True)
            continue
        print("ok", flush=True)
    go_on.clear()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
