"""Exact timings of decorated Python code, recorded in the process and read from outside by ``tscap``.

Decorators and blocks cost nothing while nobody records: ``@timestamp`` returns the very function it was given. Recording is
switched from inside (``start()``, ``stop()``), for a piece of code (``with Timestamp_Collector():``), or from another
terminal (``tscap start PID``).

    from timestamp_capture import timestamp, timestamp_block, Timestamp_Collector

    @timestamp
    def parse(text): ...

    with Timestamp_Collector("import") as collector:
        parse("...")
    collector.print_report()
"""

from . import _children
from ._collector import Timestamp_Collector
from ._decorators import timestamp
from ._select import core, status

is_running, reset, start, stop = core.is_running, core.reset, core.start, core.stop
timestamp_block = core.timestamp_block

__all__ = [
    "Timestamp_Collector",
    "is_running",
    "reset",
    "start",
    "status",
    "stop",
    "timestamp",
    "timestamp_block",
]
_children.watch()
__version__ = status()["version"]
