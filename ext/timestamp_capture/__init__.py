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

A collector reports, exports and asserts: ``help(Timestamp_Collector)``; timestamp_capture(7) is the manual page.
"""

from . import _later  # before the recorder: see its hooks of fork
from ._decorators import timestamp
from ._select import core
from ._status import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .analysis import Timestamp_Collector__Analysis
    from .args import timestamp_args
    from .captures import Capture_Error, convert, save
    from .collector import Timestamp_Collector
    from .export import Timestamp_Collector__Export
    from .find import COLLECTOR_VAR_NAME, find_timestamp_collector
    from .profile import Profile
    from .report import Timestamp_Collector__Report
    from .schemas import (
        NS_TO_MS,
        Schema__Call_Tree_Node,
        Schema__Export_Entry,
        Schema__Export_Full,
        Schema__Export_Hotspot,
        Schema__Export_Metadata,
        Schema__Export_Method_Timing,
        Schema__Export_Summary,
        Schema__Method_Timing,
        Schema__Speedscope,
        Schema__Speedscope_Event,
        Schema__Speedscope_Frame,
        Schema__Speedscope_Profile,
        Schema__Speedscope_Shared,
        Schema__Timestamp_Entry,
        method_timing__avg_ms,
        method_timing__max_ms,
        method_timing__min_ms,
        method_timing__self_ms,
        method_timing__total_ms,
        timestamp_entry__to_ms,
    )

is_running, reset, start, stop = core.is_running, core.reset, core.start, core.stop
timestamp_block = core.timestamp_block
__version__: str = status()["version"]

__all__ = [
    "COLLECTOR_VAR_NAME",
    "Capture_Error",
    "NS_TO_MS",
    "Profile",
    "Schema__Call_Tree_Node",
    "Schema__Export_Entry",
    "Schema__Export_Full",
    "Schema__Export_Hotspot",
    "Schema__Export_Metadata",
    "Schema__Export_Method_Timing",
    "Schema__Export_Summary",
    "Schema__Method_Timing",
    "Schema__Speedscope",
    "Schema__Speedscope_Event",
    "Schema__Speedscope_Frame",
    "Schema__Speedscope_Profile",
    "Schema__Speedscope_Shared",
    "Schema__Timestamp_Entry",
    "Timestamp_Collector",
    "Timestamp_Collector__Analysis",
    "Timestamp_Collector__Export",
    "Timestamp_Collector__Report",
    "convert",
    "find_timestamp_collector",
    "is_running",
    "method_timing__avg_ms",
    "method_timing__max_ms",
    "method_timing__min_ms",
    "method_timing__self_ms",
    "method_timing__total_ms",
    "reset",
    "save",
    "start",
    "status",
    "stop",
    "timestamp",
    "timestamp_args",
    "timestamp_block",
    "timestamp_entry__to_ms",
]

# ---- the rest is loaded when it is first used ----

_MODULES = {
    "analysis": ["Timestamp_Collector__Analysis"],
    "args": ["timestamp_args"],
    "budget": [],
    "captures": ["Capture_Error", "convert", "save"],
    "collector": ["Timestamp_Collector"],
    "entries": [],
    "export": ["Timestamp_Collector__Export"],
    "find": ["COLLECTOR_VAR_NAME", "find_timestamp_collector"],
    "profile": ["Profile"],
    "report": ["Timestamp_Collector__Report"],
    "stichotrope": [],
    "schemas": [name for name in __all__ if name.startswith(("NS_TO_MS", "Schema__", "method_timing__", "timestamp_entry__"))],
    "yappi": [],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _MODULES:
            return _later.load(name)
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(_later.load(_MODULE_OF[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
