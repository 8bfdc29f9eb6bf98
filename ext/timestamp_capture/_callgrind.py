"""Statistics in the format of callgrind, for callgrind_annotate, KCachegrind and what else reads it. Costs are microseconds."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._func_stats import YFuncStats

Path = Union[str, "os.PathLike[str]"]
MICROSECONDS = 1e6


class _Names:
    """A name is written once, and its number ever after."""

    def __init__(self) -> None:
        self._numbers: Dict[str, int] = {}

    def __call__(self, name: str) -> str:
        known = self._numbers.get(name)
        if known is not None:
            return f"({known})"
        number = self._numbers[name] = len(self._numbers) + 1
        return f"({number}) {_one_line(name)}"


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _file(stat: Any) -> str:
    return f"~{stat.module}" if stat.builtin else str(stat.module)


def _function(stat: Any) -> str:
    return stat.full_name if stat.builtin else f"{stat.name} {stat.module}:{stat.lineno}"


def text(stats: YFuncStats) -> str:
    lines = [
        "# callgrind format",
        "version: 1",
        "creator: timestamp_capture",
        f"pid: {os.getpid()}",
        f"cmd: {_one_line(' '.join(getattr(sys, 'argv', [])))}",
        "part: 1",
        "",
        "event: Ticks : microseconds",
        "events: Ticks",
    ]
    files, functions = _Names(), _Names()
    for stat in stats:
        lines += ["", f"fl={files(_file(stat))}", f"fn={functions(_function(stat))}", f"{stat.lineno} {_cost(stat.tsub)}"]
        for child in stat.children:
            lines += _call(stat, child, files, functions)
    return "\n".join([*lines, ""])


def _call(stat: Any, child: Any, files: _Names, functions: _Names) -> List[str]:
    return [
        f"cfi={files(_file(child))}",
        f"cfn={functions(_function(child))}",
        f"calls={child.ncall} {child.lineno}",
        f"{stat.lineno} {_cost(child.ttot)}",
    ]


def _cost(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def save(stats: YFuncStats, path: Path) -> None:
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text(stats))
