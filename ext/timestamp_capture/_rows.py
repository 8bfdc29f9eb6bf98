"""Rows of statistics, made of what a session read: those that are wanted, added up over contexts, in seconds of one clock."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple

from ._func_stats import YChildFuncStat, YChildFuncStats, YFuncStat
from ._select import core
from ._session import CPU, PAIR_CALLEE, PIECE, REAL, ROW_BYTES, Function, Reading, Row, unpacked

NS_PER_S = 1e9


class Wanted:
    """Which rows are asked for; None: all."""

    __slots__ = ("ctx_id", "module", "name", "tag")

    def __init__(self, tag: Optional[int] = None, ctx_id: Optional[int] = None, name: Optional[str] = None, module: Optional[str] = None) -> None:
        self.tag, self.ctx_id, self.name, self.module = tag, ctx_id, name, module

    @classmethod
    def of(cls, filter: Optional[Mapping[str, object]], tag: Optional[int], ctx_id: Optional[int]) -> Wanted:
        """``filter``: yappi's old way to say it. What else is in it is passed over. Raises TypeError."""
        asked: Dict[str, Any] = {key: (filter or {}).get(key) for key in cls.__slots__}
        asked.update({key: value for key, value in (("tag", tag), ("ctx_id", ctx_id)) if value is not None})
        for key, value in asked.items():
            kind = int if key in ("tag", "ctx_id") else str
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{key} must be {kind.__name__}, not {type(value).__name__}")
        return cls(**asked)

    def lanes(self, reading: Reading) -> Set[int]:
        """Those whose calls without a label are wanted."""
        return {lane for lane, (context, _, tag) in reading.contexts.items() if self.ctx_id in (None, context) and self.tag in (None, tag)}

    def function(self, function: Function) -> bool:
        """A method is meant by its name alone, too."""
        name, module, *_ = function
        return self.name in (None, name, name.rpartition(".")[2]) and self.module in (None, module)


EVERYTHING = Wanted()


def _sum(a: Row, b: Row) -> Row:
    """Of two contexts; the sum counts as the first one's."""
    return (*a[:2], *(x + y for x, y in zip(a[2:], b[2:])))


def _by_site(rows: Iterable[Row]) -> Dict[int, Row]:
    sums: Dict[int, Row] = {}
    for row in rows:
        site = row[0]
        sums[site] = _sum(sums[site], row) if site in sums else row
    return sums


class _Rows:
    """The rows of one reading that are wanted."""

    def __init__(self, reading: Reading, wanted: Wanted, clock: int) -> None:
        self.reading, self.wanted, self.clock = reading, wanted, clock
        self.lanes = wanted.lanes(reading)
        self.contexts = dict(reading.contexts)
        self._numbers: Dict[Tuple[int, int], int] = {}  # of contexts and tags
        self._packed = b""  # rows that were made
        self._shown: Optional[Set[int]] = None  # sites of what was made: it knows us, and that we knew it would make a circle
        self._pairs: Optional[Dict[int, Dict[int, Row]]] = None  # by caller, then callee: made when children are first asked for

    def seen(self) -> List[Row]:
        """The rows of functions that are wanted."""
        lanes, wanted, functions = self.lanes, self.wanted, self.reading.functions
        if wanted.name is None and wanted.module is None:
            return [row for row in self.reading.rows() if row[1] in lanes]
        return [row for row in self.reading.rows() if row[1] in lanes and wanted.function(functions[row[0]])]

    def labelled(self, rows: Iterator[Row], at: int) -> Iterator[Row]:
        """Rows of functions, or, with ``at=1``, of pairs: sites become those of their functions, and lanes contexts with their tags."""
        said, wanted = self.reading.labelled, self.wanted
        assert said is not None
        for row in rows:
            (_, label), lane = said.of(row[at]), row[at + 1]
            if lane not in self.reading.contexts or not wanted.function(self.reading.functions[row[at]]):
                continue
            context, name, _ = self.reading.contexts[lane]
            if label.context is not None:
                context, name = label.context, said.names.get(label.context) or name
            if wanted.ctx_id in (None, context) and wanted.tag in (None, label.tag) and said.only in (None, label.context):
                key = -1 - self._numbers.setdefault((context, label.tag), len(self._numbers))
                self.contexts[key] = context, name, label.tag
                yield (*(said.of(site)[0] for site in row[: at + 1]), key, *row[at + 2 :])

    def functions(self, callback: Optional[Callable[[YFuncStat], object]]) -> List[YFuncStat]:
        labelled = bool(self.reading.labelled)
        if callback is None and not labelled and self.wanted.name is None and self.wanted.module is None and hasattr(core, "_stats"):
            return self.packed()
        rows = [*self.labelled(self.reading.rows(), 0)] if labelled else self.seen()
        if callback is not None:  # it sees one context at a time
            rows = [row for row in rows if callback(self.stats([row])[0])]
        made = self.stats(rows if len(self.lanes) == 1 and not labelled else _by_site(rows).values())
        self._shown = {stat._site for stat in made}
        return made

    def packed(self) -> List[YFuncStat]:
        """The usual way: all that there is, of the lanes that are wanted."""
        rows = self.reading.packed
        if len(self.lanes) > 1:
            wanted = bytearray(max(self.lanes) + 1)
            for lane in self.lanes:
                wanted[lane] = 1
            rows = core._add_up(rows, wanted)
        contexts = {lane: context for lane, context in self.contexts.items() if lane in self.lanes}
        self._packed = rows
        made: List[YFuncStat] = []
        for begin in range(0, len(rows), PIECE * ROW_BYTES):
            if begin:
                core._rest()
            piece = memoryview(rows)[begin : begin + PIECE * ROW_BYTES]
            made += core._stats(YFuncStat, self.reading.functions, contexts, self, self.clock == CPU, piece)
        return made

    def stats(self, rows: Iterable[Row]) -> List[YFuncStat]:
        """Thousands are made at a time: no call more than it takes."""
        functions, contexts, clock, new = self.reading.functions, self.contexts, self.clock, YFuncStat.__new__
        stats: List[YFuncStat] = []
        for row in rows:
            stat = new(YFuncStat)
            stat._site = site = row[0]
            stat.ncall = calls = row[2]
            stat.name, stat.module, stat.lineno, stat.builtin, stat.full_name, stat.index = functions[site]
            stat.nactualcall = row[3]
            stat.ttot = ttot = row[clock] / NS_PER_S
            stat.tsub = row[clock + 1] / NS_PER_S
            stat.tavg = ttot / calls if calls else 0.0
            stat.ctx_id, stat.ctx_name, stat.tag = contexts[row[1]]
            stat._children = self
            stats.append(stat)
        return stats

    def children_of(self, site: int) -> YChildFuncStats:
        children = YChildFuncStats()
        shown = self.shown()
        for callee, row in self.pairs().get(site, {}).items():
            if callee in shown:
                children.append(self.child(self.reading.functions[callee], row))
        return children

    def shown(self) -> Set[int]:
        if self._shown is None:
            self._shown = {row[0] for row in unpacked(self._packed) if row[1] in self.lanes}
        return self._shown

    def child(self, function: Function, row: Row) -> YChildFuncStat:
        child = YChildFuncStat.__new__(YChildFuncStat)
        child.name, child.module, child.lineno, child.builtin, child.full_name, child.index = function
        calls = row[2]
        child.ncall, child.nactualcall = calls, row[3]
        child.ttot = ttot = row[self.clock] / NS_PER_S
        child.tsub = row[self.clock + 1] / NS_PER_S
        child.tavg = ttot / calls if calls else 0.0
        return child

    def pairs(self) -> Dict[int, Dict[int, Row]]:
        if self._pairs is None:
            by_caller: Dict[int, List[Row]] = {}
            pairs = self.reading.pairs()
            rows = self.labelled(pairs, 1) if self.reading.labelled else (row for row in pairs if row[2] in self.lanes)
            for row in rows:
                by_caller.setdefault(row[0], []).append(row[PAIR_CALLEE:])
            self._pairs = {caller: _by_site(callees) for caller, callees in by_caller.items()}
        return self._pairs


def functions(
    reading: Reading, *, cpu: bool, wanted: Wanted = EVERYTHING, callback: Optional[Callable[[YFuncStat], object]] = None
) -> List[YFuncStat]:
    """A row a function that was called; what it called comes when it is asked for."""
    return _Rows(reading, wanted, CPU if cpu else REAL).functions(callback)
