"""What the tests ask of yappi's C part: the error, the flags, and times that calls are to take.

The times come from a clock that is preloaded (clock.c): it stands still but where a call ends, and there it is set to its
beginning and what it is to take. Whose call ends, the interpreter tells before it tells the recorder.
"""
import ctypes
import sys
import threading

from timestamp_capture import _current, _rows
from timestamp_capture._hushed import hushed
from timestamp_capture.yappi import YappiError as error

__name__ = "timestamp_capture._test_clock"  # functions of the recorder's package are not recorded
UNIT = 1_000_000_000
DEFAULT = 3  # units that a call takes of which nothing is said

_clock = ctypes.CDLL(None)
_clock.test_clock_now.restype = ctypes.c_uint64
_now, _set = _clock.test_clock_now, _clock.test_clock_set
_set.argtypes = [ctypes.c_uint64]
_CPU = _rows.CPU
_timings = {}
_open = threading.local()  # .calls: (code, when it began) of the thread, innermost last


def _get_start_flags():
    """Nothing is known of one that does not run."""
    session = _current._session
    return {"profile_builtins": int(session.builtins), "profile_multicontext": int(session.everyone)} if session.is_running() else None


def _begins(code, *_):
    calls = vars(_open).setdefault("calls", [])
    calls.append((code, _now()))


def _ends(code, *_):
    calls = vars(_open).setdefault("calls", [])
    while calls:
        top, began = calls.pop()
        if top is code:
            level = 1 + sum(other is code for other, _ in calls)
            _set(max(_now(), began + UNIT * _timings.get(f"{code.co_name}_{level}", DEFAULT)))
            return


@hushed  # threading.setprofile is called, which is Python
def _set_test_timings(timings):
    """Calls of the function `name` at recursion level n take timings["name_n"], until the statistics are cleared."""
    _timings.clear()
    _timings.update(timings)
    vars(_open).clear()
    _set(_now())
    _watch(True)
    _rows.CPU = _rows.REAL  # there is but this one clock


# ---- who tells us ----

if sys.version_info >= (3, 12):
    # Tools are told in the order of their numbers, the highest first: this one before the recorder.
    _monitoring, _TOOL = sys.monitoring, sys.monitoring.OPTIMIZER_ID
    _EVENTS = {_monitoring.events.PY_START: _begins, _monitoring.events.PY_RETURN: _ends, _monitoring.events.PY_UNWIND: _ends}
    _monitoring.use_tool_id(_TOOL, "test clock")
    for _event, _callback in _EVENTS.items():
        _monitoring.register_callback(_TOOL, _event, _callback)

    def _watch(on):
        _monitoring.set_events(_TOOL, sum(_EVENTS) if on else 0)

else:
    # The interpreter tells profile functions while the frame is evaluated, and the recorder's hook is around that.
    def _told(frame, event, argument):
        if event == "call":
            _begins(frame.f_code)
        elif event == "return":
            _ends(frame.f_code)

    def _watch(on):
        threading.setprofile(_told if on else None)
        sys.setprofile(_told if on else None)


@hushed
def _cleared(clear=_current.clear):
    clear()
    if _timings:
        _timings.clear()
        _watch(False)
        _set(0)
        _rows.CPU = _CPU


_current.clear = _cleared
