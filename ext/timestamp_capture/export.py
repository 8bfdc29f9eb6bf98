"""Exports: call tree, folded stacks for flame graphs, full and summary JSON, speedscope."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Iterator, Optional, Union

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

    def _stretches(self) -> Iterator[tuple[int, int, str, int, int, bool]]:
        """(thread here, identifier, name, ns, depth, whether it begins): each beginning has its end, last in first out."""
        stacks: dict[int, list[tuple[str, int, int]]] = {}
        last = 0
        for name, event, when, _, ident, depth, thread, _, _ in self.collector._rows(0, self.collector._kept):
            last = when
            stack = stacks.setdefault(thread, [])
            if event in ("enter", "resume"):
                stack.append((name, depth, ident))
                yield thread, ident, name, when, depth, True
            elif any(name == other for other, _, _ in reversed(stack)):
                while True:
                    ended, at, _ = stack.pop()
                    yield thread, ident, ended, when, at, False
                    if ended == name:
                        break
        if not self.collector.dropped and not self.collector.is_active():
            last = max(last, self.collector.end_time_ns)
        for thread, stack in stacks.items():
            for name, depth, ident in reversed(stack):
                yield thread, ident, name, last, depth, False

    def build_call_tree(self) -> list[Schema__Call_Tree_Node]:
        """The outermost calls, with what they called in ``children``."""
        roots: list[Schema__Call_Tree_Node] = []
        stacks: dict[int, list[Schema__Call_Tree_Node]] = {}
        index = 0
        for thread, _, name, when, depth, begins in self._stretches():
            stack = stacks.setdefault(thread, [])
            if begins:
                node = Schema__Call_Tree_Node(name=name, start_ns=when, depth=depth, call_index=index)
                index += 1
                (stack[-1].children if stack else roots).append(node)
                stack.append(node)
            else:
                _end(stack.pop(), when)
        return roots

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
                Schema__Export_Method_Timing(t.name, t.call_count, t.total_ns, t.total_ms(), t.self_ns, t.self_ms(), t.avg_ms(), t.min_ns, t.max_ns)
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
        for thread, ident, name, when, _, begins in self._stretches():
            last = max(last, when)
            events = threads.setdefault(thread, (ident, []))[1]
            events.append(Schema__Speedscope_Event("O" if begins else "C", frames.setdefault(name, len(frames)), (when - start) / 1000))
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


def _end(node: Schema__Call_Tree_Node, when: int) -> None:
    node.end_ns = when
    node.duration_ns = when - node.start_ns
    node.duration_ms = node.duration_ns / NS_TO_MS
    node.self_ns = node.duration_ns - sum(child.duration_ns for child in node.children)
    node.self_ms = node.self_ns / NS_TO_MS


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
