"""Exports: call tree, folded stacks for flame graphs, full and summary JSON, speedscope."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple, Optional, Union

from .analysis import Timestamp_Collector__Analysis
from .schemas import (
    NS_TO_MS,
    Schema__Call_Tree_Node,
    Schema__Export_Entry,
    Schema__Export_Full,
    Schema__Export_Hotspot,
    Schema__Export_Metadata,
    Schema__Export_Method_Timing,
    Schema__Export_Summary,
    Schema__Speedscope,
    Schema__Speedscope_Event,
    Schema__Speedscope_Frame,
    Schema__Speedscope_Profile,
    Schema__Speedscope_Shared,
    to_text,
)

if TYPE_CHECKING:
    from .collector import Timestamp_Collector

Path = Union[str, "os.PathLike[str]"]


class Timestamp_Collector__Export:
    """A collector's calls in the formats of others. What is open still is taken to end now, or where entries were dropped."""

    def __init__(self, collector: Timestamp_Collector) -> None:
        self.collector = collector

    def __enter__(self) -> Timestamp_Collector__Export:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    # ---- the calls, properly nested on each thread ----

    def _stretches(self) -> Iterator[_Turn]:
        """Each beginning has its end, last in first out."""
        stacks: dict[int, list[tuple[str, int, int]]] = {}
        last = 0
        for name, event, when, _, ident, depth, thread, _, _, activation in self.collector._rows(0, self.collector._kept):
            last = when
            stack = stacks.setdefault(thread, [])
            if event in ("enter", "resume"):
                stack.append((name, depth, ident))
                yield _Turn(thread, ident, name, when, depth, True, activation)
            elif any(name == other for other, _, _ in reversed(stack)):
                while True:
                    ended, at, _ = stack.pop()
                    yield _Turn(thread, ident, ended, when, at, False, activation if ended == name else 0)
                    if ended == name:
                        break
        if not self.collector.dropped and not self.collector.is_active():
            last = max(last, self.collector.end_time_ns)
        for thread, stack in stacks.items():
            for name, depth, ident in reversed(stack):
                yield _Turn(thread, ident, name, last, depth, False, 0)

    def build_call_tree(self) -> list[Schema__Call_Tree_Node]:
        """The outermost calls, with what they called in ``children``. A generator or coroutine that waits is one call."""
        forest = _Forest()
        for turn in self._stretches():
            forest.take(turn)
        return forest.grown()

    # ---- flame graphs ----

    def to_flame_graph_stacks(self) -> list[str]:
        """One line per call path, ``root;child;grandchild NANOSECONDS``, of time of its own; callees before their callers.

        In names ``;`` is written ``:``, what ends a line is written as a blank, and a number at the end (``query 12``) is tied on
        (``query_12``), for readers would take it for a count.
        """
        sums: dict[str, int] = {}
        for path, node in _walk(self.build_call_tree()):
            sums[path] = sums.get(path, 0) + node.self_ns
        return [f"{path} {ns}" for path, ns in sums.items()]

    def to_flame_graph_string(self) -> str:
        """The same as one string."""
        return "\n".join(self.to_flame_graph_stacks())

    # ---- JSON ----

    def to_export_full(self) -> Schema__Export_Full:
        """All there is."""
        collector = self.collector
        return Schema__Export_Full(
            metadata=Schema__Export_Metadata(
                name=collector.name,
                total_duration_ns=collector.total_duration_ns(),
                total_duration_ms=collector.total_duration_ms(),
                entry_count=collector.entry_count(),
                method_count=collector.method_count(),
                start_time_ns=collector.start_time_ns,
                end_time_ns=collector.end_time_ns,
            ),
            entries=[Schema__Export_Entry(e.name, e.event, e.timestamp_ns, e.clock_ns, e.depth, e.thread_id) for e in collector.entries],
            method_timings=[
                Schema__Export_Method_Timing(
                    name=t.name,
                    call_count=t.call_count,
                    total_ns=t.total_ns,
                    total_ms=t.total_ms(),
                    self_ns=t.self_ns,
                    self_ms=t.self_ms(),
                    avg_ms=t.avg_ms(),
                    min_ns=t.min_ns,
                    max_ns=t.max_ns,
                    elapsed_ns=t.elapsed_ns,
                    elapsed_min_ns=t.elapsed_min_ns,
                    elapsed_max_ns=t.elapsed_max_ns,
                )
                for t in Timestamp_Collector__Analysis(collector).get_timings_by_total()
            ],
            call_tree=self.build_call_tree(),
        )

    def to_json(self) -> dict[str, Any]:
        """The full export as a dict."""
        return self.to_export_full().json()

    def to_json_file(self, filepath: Path) -> Path:
        """Write the full export as JSON text; gives ``filepath`` back."""
        return _write(filepath, to_text(self.to_json()))

    def to_export_summary(self) -> Schema__Export_Summary:
        """The ten names that took most time of their own. Milliseconds have two decimals; less than that has all it has."""
        collector = self.collector
        total = collector.total_duration_ns()
        return Schema__Export_Summary(
            name=collector.name,
            total_duration_ms=_short(total / NS_TO_MS),
            method_count=collector.method_count(),
            entry_count=collector.entry_count(),
            hotspots=[
                Schema__Export_Hotspot(t.name, _short(t.self_ms()), round(100 * t.self_ns / total if total else 0.0, 1), t.call_count)
                for t in Timestamp_Collector__Analysis(collector).get_hotspots(10)
            ],
        )

    def to_summary_json(self, indent: Optional[int] = 2) -> dict[str, Any]:
        """The summary as a dict. ``indent`` is for text only, and there is none."""
        return self.to_export_summary().json()

    # ---- speedscope ----

    def to_speedscope(self) -> Schema__Speedscope:
        """A profile per thread, for https://www.speedscope.app"""
        start = self.collector.start_time_ns
        frames: dict[str, int] = {}
        threads: dict[int, tuple[int, list[Schema__Speedscope_Event]]] = {}
        last = start
        for turn in self._stretches():
            last = max(last, turn.when)
            events = threads.setdefault(turn.thread, (turn.ident, []))[1]
            frame = frames.setdefault(turn.name, len(frames))
            events.append(Schema__Speedscope_Event("O" if turn.begins else "C", frame, (turn.when - start) / 1000))
        end = (max(last, self.collector.end_time_ns) - start) / 1000
        name = self.collector.name
        return Schema__Speedscope(
            shared=Schema__Speedscope_Shared([Schema__Speedscope_Frame(frame) for frame in frames]),
            profiles=[
                Schema__Speedscope_Profile(name=name if len(threads) == 1 else f"{name} (thread {ident})", endValue=end, events=events)
                for ident, events in threads.values()
            ]
            or [Schema__Speedscope_Profile(name=name, endValue=end)],
            name=name,
        )

    def to_speedscope_json(self) -> str:
        """The text of a speedscope file."""
        values = self.to_speedscope().json()
        keys = ("name", "activeProfileIndex", "shared", "profiles")
        return to_text({**{key: values[key] for key in keys}, "$schema": values["schema"]}, indent=4)

    def to_speedscope_file(self, filepath: Path) -> Path:
        """Write a speedscope file; gives ``filepath`` back."""
        return _write(filepath, self.to_speedscope_json())


def _short(ms: float) -> float:
    """With two decimals, unless that would be nothing."""
    return round(ms, 2) or ms


class _Turn(NamedTuple):
    """A call comes onto a thread's stack, or leaves it."""

    thread: int  # its number here
    ident: int
    name: str
    when: int  # ns
    depth: int
    begins: bool
    activation: int  # of one that goes on after a wait, or that waits; 0: it is none of these, or not known


class _Stack:
    """What runs on a thread, with when it began or went on, and until when the time has been handed out."""

    def __init__(self) -> None:
        self.open: list[tuple[Schema__Call_Tree_Node, int]] = []
        self.until = 0

    def pass_to(self, when: int) -> None:
        if self.open:
            self.open[-1][0].self_ns += when - self.until
        self.until = when


class _Forest:
    """The trees of all threads while they grow."""

    def __init__(self) -> None:
        self.roots: list[Schema__Call_Tree_Node] = []
        self.nodes: list[Schema__Call_Tree_Node] = []
        self.stacks: dict[int, _Stack] = {}
        self.waiting: dict[int, Schema__Call_Tree_Node] = {}  # by activation

    def take(self, turn: _Turn) -> None:
        stack = self.stacks.setdefault(turn.thread, _Stack())
        stack.pass_to(turn.when)
        if turn.begins:
            node = self.waiting.pop(turn.activation, None) or self._new(turn, stack)
            stack.open.append((node, turn.when))
            return
        node, began = stack.open.pop()
        node.duration_ns += turn.when - began
        node.end_ns = turn.when
        if turn.activation:
            self.waiting[turn.activation] = node

    def _new(self, turn: _Turn, stack: _Stack) -> Schema__Call_Tree_Node:
        node = Schema__Call_Tree_Node(name=turn.name, start_ns=turn.when, depth=turn.depth, call_index=len(self.nodes))
        self.nodes.append(node)
        (stack.open[-1][0].children if stack.open else self.roots).append(node)
        return node

    def grown(self) -> list[Schema__Call_Tree_Node]:
        for node in self.nodes:
            node.duration_ms = node.duration_ns / NS_TO_MS
            node.self_ms = node.self_ns / NS_TO_MS
        return self.roots


def _walk(roots: list[Schema__Call_Tree_Node]) -> Iterator[tuple[str, Schema__Call_Tree_Node]]:
    """(path, node), children first."""
    waiting = [(_escape(root.name), root, False) for root in reversed(roots)]
    while waiting:
        path, node, opened = waiting.pop()
        if opened:
            yield path, node
            continue
        waiting.append((path, node, True))
        waiting += [(f"{path};{_escape(child.name)}", child, False) for child in reversed(node.children)]


def _escape(name: str) -> str:
    line = " ".join(name.replace(";", ":").splitlines())
    return re.sub(r"\s+(\d+(\.\d*)?)$", r"_\1", line) or "(no name)"


def _write(filepath: Path, text: str) -> Path:
    with open(filepath, "w", encoding="utf-8") as file:
        file.write(text)
    return filepath
