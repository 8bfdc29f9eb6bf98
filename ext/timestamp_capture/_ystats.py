"""Rows of statistics and ordered collections of them: what those of functions and of contexts have in common."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar, Dict, Generic, Hashable, Iterator, List, Mapping, Optional, Sequence, TypeVar, Union, overload

from . import _columns
from ._columns import LINESEP, Columns, Writer
from ._hushed import hushed
from ._yappi_error import YappiError

Self = TypeVar("Self", bound="YStats[Any]")
DEFAULT_SORT_TYPE, DEFAULT_SORT_ORDER = "totaltime", "desc"
_DESCENDING = {"ascending": False, "asc": False, "descending": True, "desc": True}


def _by_name(row: Any) -> Any:
    return row.name.lower()


class YStat:
    """One row. Its fields are attributes; ``row[n]`` is the n-th of yappi's tuple."""

    __slots__ = ()
    _KEYS: ClassVar[Mapping[str, int]] = {}

    def __init__(self, values: Sequence[Any]) -> None:
        for key, position in self._KEYS.items():
            setattr(self, key, values[position])

    def __getitem__(self, position: int) -> Any:
        for key, at in self._KEYS.items():
            if at == position:
                return getattr(self, key)
        raise KeyError(position)

    def __setitem__(self, position: int, value: Any) -> None:
        for key, at in self._KEYS.items():
            if at == position:
                return setattr(self, key, value)
        raise KeyError(position)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={getattr(self, key)!r}' for key in self._KEYS if key != 'children')})"

    def _identity(self) -> Hashable:
        """Equal in equal rows: what is one row, added up."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, YStat) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _merge(self, other: Any) -> None:
        """Adds what an equal row counts."""

    def _cells(self) -> Mapping[str, object]:
        """What print_all() shows, by its columns."""
        raise NotImplementedError


Row = TypeVar("Row", bound=YStat)


class YStats(Generic[Row]):
    """Rows in an order. Equal rows are one."""

    _SORT_TYPES: ClassVar[Mapping[str, str]] = {}  # what sort() takes: the attribute
    _COLUMNS: ClassVar[Sequence[str]] = ()
    _DEFAULT_COLUMNS: ClassVar[Columns] = {}

    def __init__(self) -> None:
        self._clock_type: Optional[str] = None
        self._as_list: List[Row] = []
        self._by_identity: Dict[Hashable, Row] = {}

    # ---- as a collection ----

    def __iter__(self) -> Iterator[Row]:
        return iter(self._as_list)

    def __len__(self) -> int:
        return len(self._as_list)

    def __contains__(self, row: object) -> bool:
        return isinstance(row, YStat) and row._identity() in self._by_identity

    @overload
    def __getitem__(self, key: slice) -> List[Row]: ...
    @overload
    def __getitem__(self, key: Any) -> Optional[Row]: ...
    def __getitem__(self, key: Any) -> Union[Row, List[Row], None]:
        """The row at a position, None when there are not as many; or a slice of the rows."""
        try:
            found: Union[Row, List[Row]] = self._as_list[key]
        except IndexError:
            return None
        return found

    def append(self, row: Row) -> None:
        """Adds a row: to the one that equals it, when there is one."""
        existing = self._by_identity.setdefault(row._identity(), row)
        if existing is row:
            self._as_list.append(row)
        else:
            existing._merge(row)

    def pop(self) -> Row:
        """Takes the last row away. Raises IndexError when there is none."""
        row = self._as_list.pop()
        self._by_identity.pop(row._identity(), None)
        return row

    def clear(self) -> None:
        """Takes all rows away."""
        self._as_list.clear()
        self._by_identity.clear()

    def empty(self) -> bool:
        return not self._as_list

    def count(self, row: object) -> int:
        """How often the row is there: 0 or 1."""
        return self._as_list.count(row)  # type: ignore[arg-type]

    def _debug_check_sanity(self) -> bool:
        """Is no row there twice?"""
        return len({row._identity() for row in self}) == len(self)

    # ---- order ----

    def get(self: Self, *args: Any, **kwargs: Any) -> Self:
        """The same rows, by falling total time."""
        return self.sort(DEFAULT_SORT_TYPE, DEFAULT_SORT_ORDER)

    @hushed
    def sort(self: Self, sort_type: str, sort_order: str = DEFAULT_SORT_ORDER) -> Self:
        """Orders the rows, text whatever its case. Raises YappiError for a column or an order ("asc", "desc") that is not known."""
        field, descending = self._SORT_TYPES.get(sort_type.lower()), _DESCENDING.get(sort_order.lower())
        if field is None:
            raise YappiError(f"Invalid SortType parameter: '{sort_type}': choose from {', '.join(self._SORT_TYPES)}")
        if descending is None:
            raise YappiError(f"Invalid SortOrder parameter: '{sort_order}': choose from {', '.join(_DESCENDING)}")
        self._as_list = sorted(self._as_list, key=_by_name if field == "name" else attrgetter(field), reverse=descending)
        return self

    # ---- text ----

    @hushed
    def print_all(self, out: Optional[Writer] = None, columns: Optional[Columns] = None, limit: Optional[int] = None) -> None:
        """Writes the first ``limit`` rows, or all, to ``out``, or to standard output. ``columns``: {position: (name, width)}.

        Raises YappiError for columns that are not known or too narrow for their titles.
        """
        if columns is None:
            columns = self._DEFAULT_COLUMNS
        if not self._as_list or not columns:
            return
        _columns.check(columns, self._COLUMNS)
        out = _columns.standard_output() if out is None else out
        out.write(LINESEP)
        self._write_title(out)
        _columns.write_header(out, columns)
        for row in self._as_list if limit is None else self._as_list[: max(limit, 0)]:
            _columns.write_row(out, columns, row._cells())

    def _write_title(self, out: Writer) -> None:
        """What stands above the columns."""
