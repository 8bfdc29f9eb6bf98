"""Tracks of functions and blocks, on the recorder of ``timestamp_capture``: stichotrope's API.

    from timestamp_capture.stichotrope import Profiler

    profiler = Profiler("MyApp")

    @profiler.track(0, "process_data")
    def process_data(data): ...

    with profiler.block(1, "database_query"):
        ...

    profiler.print_results()

``help(Profiler)``; timestamp_capture.stichotrope(7) is the manual page.
"""

from .. import __version__ as __version__
from ._repeat import RepeatResult
from .export import export_csv, export_json, format_time_ns, print_results
from .profiler import Profiler, is_global_enabled, set_global_enabled
from .timing import get_time_ns, measure_timing_overhead
from .types import ProfileBlock, ProfilerResults, ProfileTrack

__all__ = [
    "ProfileBlock",
    "ProfileTrack",
    "Profiler",
    "ProfilerResults",
    "RepeatResult",
    "__version__",
    "export_csv",
    "export_json",
    "format_time_ns",
    "get_time_ns",
    "is_global_enabled",
    "measure_timing_overhead",
    "print_results",
    "set_global_enabled",
]
