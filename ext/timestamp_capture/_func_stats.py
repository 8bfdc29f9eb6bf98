"""Statistics of functions: rows, what each of them called, and the collection that is sorted, printed, saved and loaded."""

from __future__ import annotations

import os
from typing import Any, Callable, ClassVar, Dict, Hashable, Iterable, List, Mapping, Optional, Protocol, Sequence, TypeVar, Union

from . import _columns
from ._columns import LINESEP, Columns, Writer
from ._hushed import hushed
from ._later import Later
from ._session import full_name
from ._yappi_error import YappiError
from ._ystats import Row, YStat, YStats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import _callgrind, _current, _pstat, _rows, _ystat_file
else:
    _callgrind, _pstat, _ystat_file = Later("_callgrind"), Later("_pstat"), Later("_ystat_file")
    _current, _rows = Later("_current"), Later("_rows")

Path = Union[str, "os.PathLike[str]"]
Self = TypeVar("Self", bound="YFuncStats")
Indexed = TypeVar("Indexed", bound="YStatsIndexable[Any]")
Filter_Callback = Callable[["YFuncStat"], object]

_COLUMNS = ("name", "ncall", "ttot", "tsub", "tavg")
_DEFAULT_COLUMNS = {0: ("name", 36), 1: ("ncall", 5), 2: ("tsub", 8), 3: ("ttot", 8), 4: ("tavg", 8)}
_SORT_TYPES = {
    "name": "name",
    "callcount": "ncall",
    "totaltime": "ttot",
    "subtime": "tsub",
    "avgtime": "tavg",
    "ncall": "ncall",
    "ttot": "ttot",
    "tsub": "tsub",
    "tavg": "tavg",
}


# ---- rows ----


class _Function(YStat):
    """What a function and a callee have in common."""

    __slots__ = ("builtin", "full_name", "index", "lineno", "module", "nactualcall", "name", "ncall", "tavg", "tsub", "ttot")

    name: str  # of a method with that of its class before it
    module: str  # its file; of a C function, the module's name
    lineno: int  # of its definition; of a C function, 0
    builtin: bool
    full_name: str  # "module:lineno name"; of a C function "module.name"
    index: int  # of the function, in all statistics of a session
    ncall: int  # calls
    nactualcall: int  # of them those that found the function not open on their thread
    ttot: float  # seconds of these, from begin to end
    tsub: float  # seconds of all calls, without those of what they called
    tavg: float  # ttot / ncall

    def _identity(self) -> Hashable:
        return self.full_name

    def is_recursive(self) -> bool:
        """Was it called while it was open?"""
        return self.nactualcall != 0 and self.ncall != self.nactualcall

    def strip_dirs(self: Row) -> Row:
        """Leaves of the file's path its last part."""
        self.module = os.path.basename(self.module)  # type: ignore[attr-defined]
        self.full_name = full_name(self.builtin, self.module, self.lineno, self.name)  # type: ignore[attr-defined]
        return self

    def _merge(self, other: _Function) -> None:
        if other is self:
            return
        self.ncall += other.ncall
        self.nactualcall += other.nactualcall
        self.ttot += other.ttot
        self.tsub += other.tsub
        self.tavg = self.ttot / self.ncall if self.ncall else 0.0

    def __iadd__(self: Row, other: Any) -> Row:
        self._merge(other)
        return self

    __add__ = __iadd__  # as in yappi: it adds to the row itself

    def _cells(self) -> Mapping[str, object]:
        calls: object = f"{self.ncall}/{self.nactualcall}" if self.is_recursive() else self.ncall
        return {"name": self.full_name, "ncall": calls, "ttot": self.ttot, "tsub": self.tsub, "tavg": self.tavg}


class YChildFuncStat(_Function):
    """Calls of one function from another: counts and times of these alone. ``index`` and the names are the callee's."""

    __slots__ = ()
    _KEYS: ClassVar[Mapping[str, int]] = {
        key: position
        for position, key in enumerate(
            ("index", "ncall", "nactualcall", "ttot", "tsub", "tavg", "builtin", "full_name", "module", "lineno", "name")
        )
    }


class Children(Protocol):
    """Whoever can say what a function called."""

    def children_of(self, site: int) -> YChildFuncStats: ...


class YFuncStat(_Function):
    """A function: calls and seconds by the clock that was chosen when the statistics were read."""

    __slots__ = ("_children", "_site", "ctx_id", "ctx_name", "tag")
    _KEYS: ClassVar[Mapping[str, int]] = {
        "name": 0,
        "module": 1,
        "lineno": 2,
        "ncall": 3,
        "nactualcall": 4,
        "builtin": 5,
        "ttot": 6,
        "tsub": 7,
        "index": 8,
        "children": 9,
        "ctx_id": 10,
        "ctx_name": 11,
        "tag": 12,
        "tavg": 14,
        "full_name": 15,
    }

    ctx_id: int  # of several contexts: that of one of them
    ctx_name: Optional[str]
    tag: int
    _children: Union[YChildFuncStats, Children]
    _site: int  # of the recorder, for those

    @property
    def children(self) -> YChildFuncStats:
        """What it called: made when it is first asked for."""
        if not isinstance(self._children, YChildFuncStats):
            self._children = self._children.children_of(self._site)
        return self._children

    @children.setter
    def children(self, value: YChildFuncStats) -> None:
        self._children = value

    def _merge(self, other: _Function) -> None:
        if other is self:
            return
        super()._merge(other)
        if isinstance(other, YFuncStat):
            for child in other.children:
                self.children.append(child)


# ---- collections ----

Function = TypeVar("Function", bound=_Function)


class YStatsIndexable(YStats[Function]):
    """Rows that are found by their index, their full name, or by a row of the same function, and not by their position."""

    _SORT_TYPES = _SORT_TYPES
    _COLUMNS = _COLUMNS
    _DEFAULT_COLUMNS = _DEFAULT_COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self._by_index: Dict[int, Function] = {}
        self._by_full_name: Dict[str, Function] = {}

    def __getitem__(self, key: Any) -> Any:
        """None when there is no such function. A slice gives rows in their order."""
        if isinstance(key, _Function):
            key = key.index
        if isinstance(key, int):
            return self._by_index.get(key)
        if isinstance(key, str):
            return self._by_full_name.get(key)
        return super().__getitem__(key)

    def append(self, row: Function) -> None:
        super().append(row)
        self._by_index.setdefault(row.index, row)
        self._by_full_name.setdefault(row.full_name, row)

    def _fill(self, rows: List[Function]) -> None:
        """In the place of what is there. Thousands come at a time, and as a rule each has a name of its own."""
        self.clear()
        by_name = {row.full_name: row for row in rows}
        if len(by_name) == len(rows):
            self._as_list, self._by_full_name, self._by_identity = rows, by_name, dict(by_name.items())
            self._by_index = {row.index: row for row in rows}
        else:
            for row in rows:
                self.append(row)

    def pop(self) -> Function:
        row = super().pop()
        self._by_index.pop(row.index, None)
        self._by_full_name.pop(row.full_name, None)
        return row

    def clear(self) -> None:
        super().clear()
        self._by_index.clear()
        self._by_full_name.clear()

    def strip_dirs(self: Indexed) -> Indexed:
        """Leaves of each file's path its last part. Rows stay what they are: two that are called alike then remain two."""
        for row in self:
            row.strip_dirs()
        self._by_identity = {}
        self._by_full_name = {}
        for row in self:
            self._by_identity.setdefault(row._identity(), row)
            self._by_full_name.setdefault(row.full_name, row)
        return self


class YChildFuncStats(YStatsIndexable[YChildFuncStat]):
    """What a function called."""


class YFuncStats(YStatsIndexable[YFuncStat]):
    """Functions. ``YFuncStats(files)`` loads what ``save()`` wrote, and adds it up.

    ``complete`` is False when something of the session could not be recorded: ``tscap dump`` says what.
    """

    @hushed
    def __init__(self, files: Union[Path, Iterable[Path]] = ()) -> None:
        super().__init__()
        self.complete = True
        self._sort_type: Optional[str] = None
        self._sort_order: Optional[str] = None
        self.add(files)

    @hushed
    def get(
        self: Self,
        filter: Optional[Mapping[str, object]] = None,
        filter_callback: Optional[Filter_Callback] = None,
        tag: Optional[int] = None,
        ctx_id: Optional[int] = None,
    ) -> Self:
        """The session's functions as they are now, in the place of these rows; see ``get_func_stats()``."""
        wanted = _rows.Wanted.of(filter, tag, ctx_id)
        rows, clock_type, self.complete = _current.functions(wanted, filter_callback)
        self._fill(rows)
        self._clock_type = clock_type
        return super().get()

    def sort(self: Self, sort_type: str, sort_order: str = "desc") -> Self:
        super().sort(sort_type, sort_order)
        self._sort_type, self._sort_order = sort_type.lower(), sort_order.lower()
        return self

    @hushed
    def strip_dirs(self: Self) -> Self:
        """Leaves of each file's path its last part, in what they called, too."""
        for row in self:
            row.children.strip_dirs()
        return super().strip_dirs()

    # ---- files ----

    @hushed
    def add(self: Self, files: Union[Path, Iterable[Path]], type: str = "ystat") -> Self:
        """Adds what ``save(path, "ystat")`` wrote, here or in yappi. Nothing in such a file is run.

        Raises YappiError when it cannot be read, or tells times of another clock; OSError when it cannot be opened.
        """
        if type.upper() != "YSTAT":
            raise NotImplementedError(f'Loading from "{type}" format is not possible currently: "ystat" is')
        for path in [files] if isinstance(files, (str, os.PathLike)) else files:
            self._add(*_ystat_file.load(path))
        return self.sort("totaltime", "desc")

    def _add(self, rows: Sequence[YFuncStat], clock_type: Optional[str]) -> None:
        if not self.empty() and self._clock_type not in (None, clock_type):
            raise YappiError(f"Clock type mismatch between current and saved profiler sessions.[{self._clock_type},{clock_type}]")
        self._clock_type = clock_type
        free = max(self._by_index, default=-1) + 1
        added: List[YFuncStat] = []
        for row in rows:
            if row in self:
                added.append(row)
            else:
                row.index, free = free, free + 1
                self.append(row)
        for row in rows:
            for child in row.children:
                known = self[child.full_name]
                child.index = known.index if known else -1
            row.children._by_index = {child.index: child for child in row.children}
        for row in added:
            self[row.full_name]._merge(row)

    @hushed
    def save(self, path: Path, type: str = "ystat") -> None:
        """Writes a file: "ystat", to be loaded and added up; "pstat", for the module ``pstats`` and its friends; "callgrind"."""
        writers = {"YSTAT": _ystat_file.save, "PSTAT": _pstat.save, "CALLGRIND": _callgrind.save}
        if type.upper() not in writers:
            raise NotImplementedError(f'Saving in "{type}" format is not possible currently: choose from {", ".join(writers).lower()}')
        writers[type.upper()](self, path)

    # ---- text ----

    def _write_title(self, out: Writer) -> None:
        out.write(f"Clock type: {(self._clock_type or 'unknown').upper()}{LINESEP}")
        out.write(f"Ordered by: {self._sort_type}, {self._sort_order}{LINESEP}")
        if not self.complete:
            out.write(f"Incomplete: some of what was called could not be recorded{LINESEP}")
        out.write(LINESEP)

    @hushed
    def debug_print(self) -> None:
        """Prints each function with all it called, a fact a line."""
        out = _columns.standard_output()
        for row in self:
            _write_facts(out, row, "", "full_name")
            out.write(f"children: {LINESEP}")
            for child in row.children:
                out.write(LINESEP)
                _write_facts(out, child, "     ", "child_full_name")
            out.write(LINESEP)


def _write_facts(out: Writer, row: _Function, margin: str, title: str) -> None:
    facts = [
        f"index: {row.index}",
        f"{title}: {row.full_name}",
        f"ncall: {row.ncall}/{row.nactualcall}",
        f"ttot: {_columns.seconds(row.ttot)}",
        f"tsub: {_columns.seconds(row.tsub)}",
    ]
    out.write("".join(f"{margin}{fact}{LINESEP}" for fact in facts))
