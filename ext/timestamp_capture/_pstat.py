"""Statistics for the module ``pstats`` of the standard library, and so for what reads its files."""

from __future__ import annotations

import marshal
import os
from typing import Any, Dict, Iterable, Tuple, Union

from ._hushed import hushed
from ._yappi_error import YappiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pstats

    from ._func_stats import YFuncStat, YFuncStats

Path = Union[str, "os.PathLike[str]"]
Key = Tuple[str, int, str]
Counts = Tuple[int, int, float, float]  # primitive calls, calls, seconds of its own, seconds
Table = Dict[Key, Tuple[int, int, float, float, Dict[Key, Counts]]]


def _key(stat: Any) -> Key:
    """As cProfile calls it."""
    if not stat.builtin:
        return stat.module, stat.lineno, stat.name
    return "~", 0, stat.name if stat.name.startswith("<") else f"<built-in method {stat.module}.{stat.name}>"


def _counts(stat: Any) -> Counts:
    return stat.nactualcall, stat.ncall, stat.tsub, stat.ttot


def _add(table: Dict[Key, Counts], key: Key, counts: Counts) -> None:
    before = table.get(key)
    table[key] = counts if before is None else tuple(a + b for a, b in zip(before, counts))  # type: ignore[assignment]


def table(stats: Iterable[YFuncStat]) -> Table:
    """What a file of ``pstats`` holds: {function: (primitive calls, calls, own seconds, seconds, {caller: the same four})}."""
    functions: Dict[Key, Counts] = {}
    callers: Dict[Key, Dict[Key, Counts]] = {}
    for stat in stats:
        key = _key(stat)
        _add(functions, key, _counts(stat))
        for child in stat.children:
            _add(callers.setdefault(_key(child), {}), key, _counts(child))
    return {key: (*counts, callers.get(key, {})) for key, counts in functions.items()}


def save(stats: YFuncStats, path: Path) -> None:
    dump(table(stats), path)


def dump(content: Table, path: Path) -> None:
    with open(path, "wb") as file:
        marshal.dump(content, file)


class _Holder:
    """What ``pstats.Stats`` asks for its table."""

    def __init__(self, stats: Table) -> None:
        self.stats = stats

    def create_stats(self) -> None:
        pass


@hushed
def to_pstats(content: Table, **kwargs: Any) -> pstats.Stats:
    import pstats

    sources = [_Holder(content)] if content else []  # an empty one it takes for an error
    return pstats.Stats(*sources, **kwargs)  # type: ignore[arg-type]


@hushed
def convert2pstats(stats: YFuncStats) -> pstats.Stats:
    """The same statistics as ``pstats.Stats``. Raises YappiError for anything but a YFuncStats."""
    from ._func_stats import YFuncStats

    if not isinstance(stats, YFuncStats):
        raise YappiError("Source stats must be derived from YFuncStats.")
    return to_pstats(table(stats))
