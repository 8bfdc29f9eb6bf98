"""What `tscap dump --json --flat` has to say of a capture file, made from the manual page's words alone (captures.py)."""
import struct

KINDS = ("function", "block", "collector", None, "function")
CONSUMER_KINDS = (None, "session", "attached", "collectors", "profiler", "yappi")
CPU_MODES = ("unknown", "rseq", "perf", "rseq+gap", "syscall", "wall")
CLOCKS = ("unknown", "monotonic", "tsc", "cntvct")
VIEWS = ("default", "everything", "consumer")
LACKS = ("lost_processes", "other_clock", "lost_functions", "lost_interpreters", "lost_waits", "unpathed")
LOSSES = {
    "calls": "lost", "unpathed": "unpathed", "waits": "lost_waits", "clamped": "clamped", "mismatched": "mismatched", "silent_ends": "silent_ends",
    "moving": "moving", "untold": "untold", "sites": "lost_functions", "threads": "lost_threads", "paused": "paused", "displaced": "displaced",
    "refused_growth": "refused_growth", "interpreters": "lost_interpreters", "processes": "lost_processes", "other_clock": "other_clock",
}
COUNTS = ("calls", "primitive_calls", "open", "raised", "suspended")
SPREAD = ("min", "max", "p50", "p95", "p99", "deviation", "elapsed_min", "elapsed_max", "elapsed_p50", "elapsed_p95", "elapsed_p99")
MOST = (1 << 64) - 1


class Document:
    def __init__(self, capture):
        self.capture, self.total = capture, capture.total
        (self.rate,) = struct.unpack("<d", struct.pack("<Q", self.total["ns_per_tick"]))
        self.root = capture.processes[0]
        self.cpu = CPU_MODES[self.total["cpu_mode"]] not in ("unknown", "wall")

    def ns(self, ticks):
        value = ticks * self.rate + 0.5
        return int(value) if value < MOST else MOST

    def instant(self, ticks):
        if not ticks:
            return None
        anchor, zero = self.root["anchor_ticks"], self.root["anchor_monotonic_ns"]
        return zero + self.ns(ticks - anchor) if ticks >= anchor else max(zero - self.ns(anchor - ticks), 0)

    # ---- times ----

    def times(self, row):
        made = {name: row[name] for name in COUNTS}
        ticks = {name: row[name + "_ticks"] for name in ("inclusive", "exclusive", "elapsed", "waited")}
        cpu = {
            "cpu": row["inclusive_ticks"] - row["off_cpu_ticks"],
            "exclusive_cpu": row["exclusive_ticks"] - row["exclusive_off_cpu_ticks"],
            "cpu_unknown": row["cpu_unknown_ticks"],
            "exclusive_cpu_unknown": row["exclusive_cpu_unknown_ticks"],
        }
        made.update({name + "_ns": self.ns(value) for name, value in ticks.items()})
        made.update({name + "_ns": self.ns(value) if self.cpu else None for name, value in cpu.items()})
        made.update({name + "_ticks": ticks[name] for name in ("inclusive", "exclusive", "elapsed")})
        made.update({name + "_ticks": cpu[name] if self.cpu else None for name in ("cpu", "exclusive_cpu")})
        return {**made, "bytes": row["bytes"]}

    def sites(self):
        called = {row["function"]: row for row in self.capture.functions}
        return [self.site(row, called.get(row["function"])) for row in self.capture.names]

    def site(self, name, row):
        made = {key: name[key] for key in ("name", "qualname", "module", "file", "line", "track")}
        made.update(id=name["function"], kind=KINDS[name["kind"]])
        row = row or dict.fromkeys(self.capture.functions[0], 0)
        spread = {("stddev" if key == "deviation" else key) + "_ns": self.ns(row[key + "_ticks"]) for key in SPREAD}
        return {**made, **self.times(row), **spread, "ended": row["ended"], "processes": row["processes"]}

    def pairs(self):
        return [{"caller": row["caller"], "callee": row["callee"], **self.times(row)} for row in self.capture.pairs]

    # ---- threads ----

    def nodes(self):
        """For each thread the list of its nodes, with the index of the parent."""
        lists = [[] for _ in self.capture.threads]
        for row in self.capture.nodes:
            nodes = lists[row["thread"]]
            path = path[: row["depth"]] if nodes else []
            assert len(path) == row["depth"], "deeper than its caller by more than one"
            node = {"site": row["function"], "parent": path[-1] if path else None, **self.times(row)}
            path.append(len(nodes))
            nodes.append({**node, "other": True} if row["other"] else node)
        return lists

    def threads(self):
        return [self.thread(*each) for each in zip(self.capture.threads, self.nodes())]

    def thread(self, row, nodes):
        process = self.capture.processes[row["process"]]
        alive = bool(process["alive"] and not row["exited"] and not row["merged"])
        made = {key: row[key] for key in ("tid", "name", "roots_ticks")}
        return {**made, "pid": process["pid"], "alive": alive, "merged": bool(row["merged"]), "complete": bool(row["complete"]), "nodes": nodes}

    # ---- what it is about ----

    def process(self):
        keys = ("pid", "start_time", "python", "uid", "parent_pid", "boot_id", "extension_version")
        return {**{key: self.root[key] for key in keys}, "command": self.root["command"] or None, "alive": bool(self.root["alive"])}

    def members(self):
        keys = ("pid", "start_time", "parent_pid")
        return [
            {**{key: row[key] for key in keys}, "command": row["command"] or None, "alive": bool(row["alive"]), "read": bool(row["read"])}
            for row in self.capture.processes
        ]

    def clock(self):
        anchors = {key: self.root[key] for key in ("anchor_ticks", "anchor_monotonic_ns", "anchor_realtime_ns", "anchor_boottime_ns")}
        return {**anchors, "source": CLOCKS[self.root["clock_source"]], "ns_per_tick": self.rate, "cpu_mode": CPU_MODES[self.total["cpu_mode"]]}

    def session(self):
        instants = {key + "_ns": self.instant(self.total[key + "_ticks"]) for key in ("started", "stopped", "asof")}
        return {**instants, "running": bool(self.total["running"]), "resets": self.total["resets"]}

    def consumer(self, row):
        instants = {key + "_ns": self.instant(row[key + "_ticks"]) for key in ("began", "ended", "zero")}
        flags = {"running": 1, "subprocesses": 2, "short": 16}
        made = {key: bool(row["flags"] & bit) for key, bit in flags.items()}
        made.update(pid=self.capture.processes[row["process"]]["pid"], number=row["number"], kind=CONSUMER_KINDS[row["kind"]], name=row["name"])
        return {**made, **instants, "selects_all": not row["flags"] & 4, "selects": row["selected"]}

    def view(self):
        seen = [self.consumer(row) for row in self.capture.consumers if row["seen"]]
        return {"of": VIEWS[self.total["view"]], "consumers": seen, "unplaced_ns": self.ns(self.total["unplaced_ticks"])}

    def overhead(self):
        events, cost = self.total["records"], self.total["call_cost_ps"]
        added = self.total["calls"] * cost / 1000 + self.total["own_ticks"] * self.rate
        return {"events": events, "ns_per_event": cost / 2000, "total_ns": int(added + 0.5)}

    def all(self):
        return {
            "schema": "tscap.profile/1",
            "process": self.process(),
            "processes": self.members(),
            "clock": self.clock(),
            "session": self.session(),
            "view": self.view(),
            "lost": self.total["lost"],
            "losses": {name: self.total[key] for name, key in LOSSES.items()},
            "complete": bool(self.total["complete"]) and not any(self.total[key] for key in LACKS),
            "overhead": self.overhead(),
            "sites": self.sites(),
            "threads": self.threads(),
            "pairs": self.pairs(),
        }


def document(capture):
    """All of it but what the reader knows besides: its own version, this boot, and what a mode of the CPU clock means in words."""
    return Document(capture).all()
