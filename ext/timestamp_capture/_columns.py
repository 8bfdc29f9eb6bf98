"""Text in columns of fixed widths, as yappi prints its statistics."""

from __future__ import annotations

import os
import sys
from typing import Mapping, Protocol, Sequence, Tuple

from ._yappi_error import YappiError

LINESEP = os.linesep
Columns = Mapping[int, Tuple[str, int]]  # position: (title, width)

_GAP = 2
_DOTS = ".."


class Writer(Protocol):
    def write(self, text: str, /) -> object: ...


def standard_output() -> Writer:
    """As it is now; a program without one writes nowhere."""
    return sys.stdout or open(os.devnull, "w", encoding="utf-8")


def seconds(value: float, width: int = 8) -> str:
    """As many decimals as there is room for: six at most, one at least."""
    for decimals in range(6, 1, -1):
        text = f"{value:.{decimals}f}"
        if len(text) <= width:
            return text
    return f"{value:.1f}"


def _cut(text: str, width: int, from_the_left: bool) -> str:
    if len(text) <= width:
        return text.ljust(width)
    return _DOTS + text[len(text) - width + len(_DOTS) :] if from_the_left else text[: width - len(_DOTS)] + _DOTS


def check(columns: Columns, known: Sequence[str]) -> None:
    """Raises YappiError for a column that is not known, or whose title has no room."""
    for title, width in columns.values():
        if title.lower() not in known:
            raise YappiError(f"Invalid Column name: '{title}': choose from {', '.join(known)}")
        if len(title) > width:
            raise YappiError(f"Column title exceeds available length[{title}:{width}]")


def write_header(out: Writer, columns: Columns) -> None:
    out.write("".join(title.ljust(width + _GAP) for _, (title, width) in sorted(columns.items())) + LINESEP)


def write_row(out: Writer, columns: Columns, cells: Mapping[str, object]) -> None:
    """A cell that is too long is cut: a name on the left, where its folder is, anything else on the right."""
    parts = []
    for _, (title, width) in sorted(columns.items()):
        value = cells[title.lower()]
        text = seconds(value, width) if isinstance(value, float) else str(value)
        parts.append(_cut(text, width, from_the_left=title.lower() == "name"))
    out.write((" " * _GAP).join(parts) + LINESEP)
