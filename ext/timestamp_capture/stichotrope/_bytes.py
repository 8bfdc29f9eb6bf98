"""Bytes that blocks handled, by thread and place, since the last clear()."""

from __future__ import annotations

import threading
from typing import Dict, Optional

from ._places import Place
from ._rows import Row


class Bytes:
    def __init__(self) -> None:
        self.lock = threading.RLock()  # a finalizer may end a block while this thread holds it
        self.of_threads: Dict[int, Dict[Place, int]] = {}

    def add(self, place: Place, count: int) -> None:
        with self.lock:
            here = self.of_threads.setdefault(threading.get_ident(), {})
            here[place] = here.get(place, 0) + count

    def added_to(self, rows: Dict[Place, Row], ident: Optional[int]) -> Dict[Place, Row]:
        """Of that thread; None: of all."""
        with self.lock:
            for thread, counts in self.of_threads.items():
                for place, count in counts.items() if ident in (None, thread) else ():
                    if place in rows:
                        rows[place] = rows[place]._replace(bytes=rows[place].bytes + count)
        return rows
