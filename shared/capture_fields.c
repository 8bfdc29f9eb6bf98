#include "capture_fields.h"

#define FIELD(type, row, name, field) {name, offsetof(row, field), sizeof((row *)NULL)->field, type}
#define U64(row, name, field) FIELD(CAPTURE_U64, row, name, field)
#define U32(row, name, field) FIELD(CAPTURE_U32, row, name, field)
#define BOOL(row, name, field) FIELD(CAPTURE_BOOL, row, name, field)
#define STRING(row, name, field) FIELD(CAPTURE_STRING, row, name, field)
#define TEXT(row, name, field) FIELD(CAPTURE_TEXT, row, name, field)

/* Columns of whatever has struct profile_times in it, as member `t`. */
#define TIMES(row, t)                                                                                                                  \
    U64(row, "calls", t.calls), U64(row, "primitive_calls", t.primitive_calls), U64(row, "open", t.open), U64(row, "raised", t.raised), \
        U64(row, "suspended", t.suspended), U64(row, "inclusive_ticks", t.inclusive), U64(row, "exclusive_ticks", t.exclusive),          \
        U64(row, "off_cpu_ticks", t.off_inclusive), U64(row, "exclusive_off_cpu_ticks", t.off_exclusive),                                \
        U64(row, "cpu_unknown_ticks", t.unknown_inclusive), U64(row, "exclusive_cpu_unknown_ticks", t.unknown_exclusive),                \
        U64(row, "waited_ticks", t.waited), U64(row, "elapsed_ticks", t.elapsed), U64(row, "bytes", t.bytes)
_Static_assert(sizeof(struct profile_times) == 14 * sizeof(uint64_t), "a column for each");

static const struct capture_field notes[] = {
    STRING(struct recording_note, "key", key),
    STRING(struct recording_note, "value", value),
};

static const struct capture_field sites[] = {
    U32(struct profile_site, "function", id),
    STRING(struct profile_site, "name", name),
    STRING(struct profile_site, "qualname", qualname),
    STRING(struct profile_site, "module", module),
    STRING(struct profile_site, "file", file),
    U32(struct profile_site, "line", line),
    U32(struct profile_site, "track", track),
    U32(struct profile_site, "kind", kind),
};

static const struct capture_field processes[] = {
    U32(struct recording_process, "pid", pid),
    U32(struct recording_process, "inner_pid", header.pid),
    U32(struct recording_process, "parent_pid", header.parent_pid),
    U64(struct recording_process, "start_time", header.start_time),
    U32(struct recording_process, "uid", uid),
    STRING(struct recording_process, "command", command),
    TEXT(struct recording_process, "python", header.python),
    TEXT(struct recording_process, "extension_version", header.version),
    TEXT(struct recording_process, "boot_id", header.boot_id),
    BOOL(struct recording_process, "alive", alive),
    BOOL(struct recording_process, "container", apart),
    BOOL(struct recording_process, "read", read),
    U32(struct recording_process, "consumer", consumer),
    U32(struct recording_process, "clock_source", header.clock_source),
    U64(struct recording_process, "anchor_ticks", header.anchor_ticks),
    U64(struct recording_process, "anchor_monotonic_ns", header.anchor_monotonic),
    U64(struct recording_process, "anchor_realtime_ns", header.anchor_realtime),
    U64(struct recording_process, "anchor_boottime_ns", header.anchor_boottime),
    U64(struct recording_process, "anchor_width_ticks", header.anchor_width),
    U32(struct recording_process, "cpu_mode", header.cpu_mode),
    BOOL(struct recording_process, "running", session.running),
    U64(struct recording_process, "started_ticks", session.started),
    U64(struct recording_process, "stopped_ticks", session.stopped),
    U32(struct recording_process, "resets", session.resets),
    U64(struct recording_process, "asof_ticks", asof),
};

static const struct capture_field consumers[] = {
    U32(struct recording_consumer, "process", process),
    BOOL(struct recording_consumer, "seen", seen),
    U32(struct recording_consumer, "number", consumer.number),
    U32(struct recording_consumer, "kind", consumer.kind),
    U32(struct recording_consumer, "flags", consumer.flags),
    U64(struct recording_consumer, "began_ticks", consumer.began),
    U64(struct recording_consumer, "ended_ticks", consumer.ended),
    U64(struct recording_consumer, "zero_ticks", consumer.zero),
    TEXT(struct recording_consumer, "name", consumer.name),
    TEXT(struct recording_consumer, "selected", consumer.selected),
};

static const struct capture_field threads[] = {
    U32(struct profile_thread, "process", process),
    U64(struct profile_thread, "lane", lane),
    U32(struct profile_thread, "tid", tid),
    TEXT(struct profile_thread, "name", name),
    BOOL(struct profile_thread, "exited", exited),
    BOOL(struct profile_thread, "merged", merged),
    BOOL(struct profile_thread, "complete", complete),
    U64(struct profile_thread, "threads", count),
    U64(struct profile_thread, "roots_ticks", roots),
};

static const struct capture_field functions[] = {
    U32(struct profile_site, "function", id),
    TIMES(struct profile_site, t),
    U64(struct profile_site, "ended", spread.ended),
    U64(struct profile_site, "min_ticks", spread.min),
    U64(struct profile_site, "max_ticks", spread.max),
    U64(struct profile_site, "p50_ticks", spread.p50),
    U64(struct profile_site, "p95_ticks", spread.p95),
    U64(struct profile_site, "p99_ticks", spread.p99),
    U64(struct profile_site, "deviation_ticks", spread.deviation),
    U64(struct profile_site, "elapsed_min_ticks", spread.elapsed_min),
    U64(struct profile_site, "elapsed_max_ticks", spread.elapsed_max),
    U64(struct profile_site, "elapsed_p50_ticks", spread.elapsed_p50),
    U64(struct profile_site, "elapsed_p95_ticks", spread.elapsed_p95),
    U64(struct profile_site, "elapsed_p99_ticks", spread.elapsed_p99),
    U32(struct profile_site, "processes", processes),
};
_Static_assert(sizeof(struct profile_spread) == 12 * sizeof(uint64_t), "a column for each");

#define STEP(k) U64(struct profile_bucket, "step_" #k, count[k])
static const struct capture_field histograms[] = {
    U32(struct profile_bucket, "function", site),
    U32(struct profile_bucket, "time", kind),
    U32(struct profile_bucket, "exponent", exponent),
    STEP(0), STEP(1), STEP(2), STEP(3), STEP(4), STEP(5), STEP(6), STEP(7),
    STEP(8), STEP(9), STEP(10), STEP(11), STEP(12), STEP(13), STEP(14), STEP(15),
};
_Static_assert(HISTOGRAM_STEPS == 16, "a column for each");

static const struct capture_field pairs[] = {
    U32(struct profile_pair, "caller", caller),
    U32(struct profile_pair, "callee", callee),
    TIMES(struct profile_pair, t),
};

static const struct capture_field nodes[] = {
    U32(struct capture_node, "thread", thread),
    U32(struct capture_node, "depth", depth),
    U32(struct capture_node, "function", node.site),
    BOOL(struct capture_node, "other", node.other),
    TIMES(struct capture_node, node.t),
};

/* The counts of rows come first: what a reader found, it must be as many. */
static const struct capture_field totals[] = {
    U32(struct recording, "processes", processes),
    U32(struct recording, "consumers", consumers),
    U32(struct recording, "threads", profile.threads),
    U32(struct recording, "functions", profile.sites),
    U32(struct recording, "histograms", profile.buckets),
    U32(struct recording, "pairs", profile.pairs),
    U32(struct recording, "nodes", profile.nodes),
    BOOL(struct recording, "whole_tree", whole_tree),
    BOOL(struct recording, "interval", interval),
    U32(struct recording, "view", view),
    BOOL(struct recording, "running", session.running),
    U64(struct recording, "started_ticks", session.started),
    U64(struct recording, "stopped_ticks", session.stopped),
    U32(struct recording, "resets", session.resets),
    U64(struct recording, "asof_ticks", asof),
    FIELD(CAPTURE_DOUBLE, struct recording, "ns_per_tick", ns_per_tick),
    U32(struct recording, "cpu_mode", cpu_mode),
    U64(struct recording, "calls", profile.calls),
    U64(struct recording, "lost", profile.lost),
    U64(struct recording, "unplaced_ticks", profile.unplaced),
    U64(struct recording, "unpathed", profile.unpathed),
    U64(struct recording, "lost_waits", profile.lost_waits),
    U64(struct recording, "clamped", profile.clamped),
    U64(struct recording, "mismatched", profile.mismatched),
    U64(struct recording, "silent_ends", profile.silent_ends),
    U64(struct recording, "moving", profile.moving),
    U64(struct recording, "untold", profile.untold),
    U64(struct recording, "lost_functions", profile.lost_sites),
    U64(struct recording, "lost_threads", profile.lost_lanes),
    U64(struct recording, "paused", profile.paused),
    U64(struct recording, "displaced", profile.displaced),
    U64(struct recording, "refused_growth", profile.refused_growth),
    U64(struct recording, "lost_interpreters", profile.lost_interpreters),
    U64(struct recording, "lost_processes", profile.lost_processes),
    U64(struct recording, "other_clock", profile.other_clock),
    BOOL(struct recording, "complete", profile.complete),
    U64(struct recording, "records", profile.records),
    U64(struct recording, "own_ticks", profile.own),
    U64(struct recording, "call_cost_ps", profile.call_cost),
};

#define TABLE(columns, row) {columns, sizeof columns / sizeof *columns, sizeof(row)}
const struct capture_table capture_tables[CAPTURE_KINDS] = {
    [CAPTURE_NOTES] = TABLE(notes, struct recording_note),
    [CAPTURE_SITES] = TABLE(sites, struct profile_site),
    [CAPTURE_PROCESSES] = TABLE(processes, struct recording_process),
    [CAPTURE_CONSUMERS] = TABLE(consumers, struct recording_consumer),
    [CAPTURE_THREADS] = TABLE(threads, struct profile_thread),
    [CAPTURE_FUNCTIONS] = TABLE(functions, struct profile_site),
    [CAPTURE_HISTOGRAMS] = TABLE(histograms, struct profile_bucket),
    [CAPTURE_PAIRS] = TABLE(pairs, struct profile_pair),
    [CAPTURE_NODES] = TABLE(nodes, struct capture_node),
    [CAPTURE_TOTALS] = TABLE(totals, struct recording),
};
