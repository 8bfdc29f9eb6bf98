"""Files in yappi's format "ystat": a pickle, protocol 2, of a YFuncStats and the type of its clock.

A pickle may name any function and call it when it is loaded. None is here: what yappi's four classes stand for is plain data until it
has been checked, and any other name is an error. What is written names yappi's classes, so that yappi itself loads it, too.
"""

from __future__ import annotations

import copyreg
import os
import pickle
import pickletools
from typing import IO, Any, Dict, List, Mapping, Optional, Tuple, Union

from ._yappi_error import YappiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._func_stats import YFuncStats

Path = Union[str, "os.PathLike[str]"]

# ---- reading ----


class _Held(Dict[Any, Any]):
    """A row or a collection of the file: its items and its state."""

    state: Optional[Dict[str, Any]] = None

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else None

    def __hash__(self) -> int:  # type: ignore[override]  # yappi has rows as keys
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class _Rows(_Held):
    pass


class _Row(_Held):
    pass


_CLASSES = {"YFuncStats": _Rows, "YChildFuncStats": _Rows, "YFuncStat": _Row, "YChildFuncStat": _Row}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module not in ("yappi", "yappi.yappi") or name not in _CLASSES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not of yappi's statistics")
        return _CLASSES[name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to what is not in it")


def load(path: Path) -> Tuple[List[Any], Optional[str]]:
    """The functions of a file, and "cpu" or "wall". Raises YappiError when it is not such a file, OSError when it cannot be opened."""
    with open(path, "rb") as file:
        try:
            return _read(file)
        except RecursionError:
            problem = "it is nested too deeply"
        except MemoryError:
            problem = "there is not enough memory"
        except Exception as error:  # whatever a broken pickle makes the unpickler raise
            problem = str(error) or type(error).__name__
    raise YappiError(f"Unable to load the saved profile information from {os.fspath(path)}: {problem}")


def _refuse_extensions(file: IO[bytes]) -> None:
    """Classes that somebody registered with copyreg, and has loaded before, the unpickler gives out without asking."""
    if getattr(copyreg, "_extension_cache", True):
        if any(opcode.name.startswith("EXT") for opcode, _, _ in pickletools.genops(file)):
            raise pickle.UnpicklingError("it names an extension, which is not of yappi's statistics")
        file.seek(0)


def _read(file: IO[bytes]) -> Tuple[List[Any], Optional[str]]:
    _refuse_extensions(file)
    content = _Unpickler(file).load()
    if not isinstance(content, tuple) or len(content) != 2 or not isinstance(content[0], _Rows):
        raise ValueError("it does not hold statistics of functions and a clock")
    rows, clock = content
    if clock not in (None, "cpu", "wall"):
        raise ValueError(f"its clock is {clock!r}, and not cpu or wall")
    return [_function(row) for row in _list_of(rows)], clock


def _list_of(rows: Any) -> List[_Row]:
    listed = rows.state.get("_as_list") if isinstance(rows, _Rows) and rows.state else None
    if not isinstance(listed, list) or not all(isinstance(row, _Row) for row in listed):
        raise ValueError("a collection in it has no rows")
    return listed


_NUMBER = (int, float)
_KINDS: Mapping[str, Any] = {
    "name": str,
    "module": str,
    "full_name": str,
    "lineno": int,
    "ncall": int,
    "nactualcall": int,
    "index": int,
    "builtin": (bool, int),
    "ttot": _NUMBER,
    "tsub": _NUMBER,
    "tavg": _NUMBER,
    "ctx_id": int,
    "ctx_name": (str, type(None)),
    "tag": int,
}


def _fill(made: Any, row: _Row) -> Any:
    for key, position in type(made)._KEYS.items():
        if key == "children":
            continue
        value = row.get(position)
        if not isinstance(value, _KINDS[key]):
            raise ValueError(f"a row's {key} is {type(value).__name__}")
        setattr(made, key, float(value) if _KINDS[key] is _NUMBER else bool(value) if key == "builtin" else value)
    return made


def _function(row: _Row) -> Any:
    from ._func_stats import YChildFuncStat, YChildFuncStats, YFuncStat

    made = _fill(YFuncStat.__new__(YFuncStat), row)
    children = YChildFuncStats()
    for child in _list_of(row.get(YFuncStat._KEYS["children"])):
        children.append(_fill(YChildFuncStat.__new__(YChildFuncStat), child))
    made.children = children
    return made


# ---- writing ----

# Pieces of a pickle that stand for themselves: those of plain data are made by `pickle`, without their frame.
_PROTOCOL = 2
_BEGIN, _END = b"\x80\x02", b"."
_NEW, _BUILD = b")\x81", b"b"  # of the class before: an instance without arguments; its state
_MARK, _SET_ITEMS, _APPENDS, _LIST, _EMPTY_DICT, _PAIR = b"(", b"u", b"e", b"]", b"}", b"\x86"


def _plain(value: Any) -> bytes:
    return pickle.dumps(value, _PROTOCOL)[len(_BEGIN) : -len(_END)]


def _instance(name: str) -> bytes:
    return b"cyappi\n" + name.encode() + b"\n" + _NEW


def _state(items: bytes) -> bytes:
    return _EMPTY_DICT + _MARK + items + _SET_ITEMS + _BUILD


def _collection(name: str, rows: bytes, plain: Mapping[str, Any]) -> bytes:
    items = _plain("_as_list") + _LIST + _MARK + rows + _APPENDS
    return _instance(name) + _state(items + b"".join(_plain(key) + _plain(value) for key, value in plain.items()))


def _row(row: Any, children: Optional[bytes]) -> bytes:
    """A dict by yappi's positions that has the same values as attributes."""
    by_position, by_name = [], []
    for key, position in type(row)._KEYS.items():
        value = children if key == "children" and children is not None else _plain(getattr(row, key))
        by_position.append(_plain(position) + value)
        by_name.append(_plain(key) + value)
    return _instance(type(row).__name__) + _MARK + b"".join(by_position) + _SET_ITEMS + _state(b"".join(by_name))


_LOOKED_UP: Mapping[str, Any] = {"_as_dict": {}, "_additional_indexing": {}}  # yappi makes them anew when it adds a file


def save(stats: YFuncStats, path: Path) -> None:
    rows = []
    for stat in stats:
        children = b"".join(_row(child, None) for child in stat.children)
        rows.append(_row(stat, _collection("YChildFuncStats", children, {**_LOOKED_UP, "_clock_type": None})))
    plain = {
        **_LOOKED_UP,
        "_clock_type": stats._clock_type,
        "_idx_max": max((stat.index for stat in stats), default=0),
        "_sort_type": stats._sort_type,
        "_sort_order": stats._sort_order,
        "_filter_callback": None,
    }
    content = _collection("YFuncStats", b"".join(rows), plain) + _plain(stats._clock_type) + _PAIR
    with open(path, "wb") as file:
        file.write(_BEGIN + content + _END)
