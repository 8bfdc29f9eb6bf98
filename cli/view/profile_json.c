#include "profile_json.h"

#include <stdlib.h>

#include "array.h"
#include "cells.h"
#include "consumers.h"
#include "cputime.h"
#include "json.h"
#include "losses.h"
#include "saturate.h"
#include "source.h"
#include "threads.h"
#include "version.h"

/* Ticks beside nanoseconds: sums of ticks are exact, sums of rounded nanoseconds are not. */
struct writer {
    struct json json;
    const struct capture *c;
    enum profile_json_trees trees;
};

/* ---- times ---- */

static void write_time(struct writer *w, const char *key, uint64_t ticks) { json_count(&w->json, key, capture_ns(w->c, ticks)); }

static void write_ticks(struct writer *w, const struct profile_times *t, enum metric_unit unit)
{
    for (const struct metric *m = metrics; m < metrics + metric_count; m++) {
        if (!m->ticks || m->unit != unit)
            continue;
        if (unit == METRIC_CPU_TICKS && !w->c->cpu)
            json_null(&w->json, m->ticks);
        else
            json_count(&w->json, m->ticks, metric_value(m, t));
    }
}

/* Of a function, a pair or a path; the ticks after the nanoseconds that were made from them, those of the CPU last. */
static void write_times(struct writer *w, const struct profile_times *t)
{
    for (const struct metric *m = metrics; m < metrics + metric_count; m++) {
        if (!m->name)
            continue;
        if (m->unit == METRIC_COUNT)
            json_count(&w->json, m->name, metric_value(m, t));
        else if (m->unit == METRIC_CPU_TICKS && !w->c->cpu)
            json_null(&w->json, m->name);
        else
            write_time(w, m->name, metric_value(m, t));
    }
    write_ticks(w, t, METRIC_TICKS);
    write_ticks(w, t, METRIC_CPU_TICKS);
}

static void write_spread(struct writer *w, const struct profile_spread *s)
{
    for (const struct metric *m = spread_metrics; m < spread_metrics + spread_metric_count; m++)
        if (m->unit == METRIC_COUNT)
            json_count(&w->json, m->name, metric_spread_value(m, s));
        else
            write_time(w, m->name, metric_spread_value(m, s));
}

/* ---- what it is about ---- */

static void write_process(struct writer *w)
{
    struct json *j = &w->json;
    const struct subject *s = w->c->subject;
    const struct segment_header *h = &w->c->snapshot.header;
    json_object(j, "process");
    json_count(j, "pid", (uint64_t)s->pid);
    json_count(j, "start_time", h->start_time);
    json_string(j, "command", s->command[0] ? s->command : NULL);
    json_string(j, "python", h->python);
    json_bool(j, "alive", s->alive);
    json_count(j, "uid", s->uid);
    json_count(j, "parent_pid", h->parent_pid);
    json_string(j, "boot_id", h->boot_id);
    json_string(j, "extension_version", h->version);
    json_end(j);
}

static void write_member(struct writer *w, const struct subject *s, bool read)
{
    struct json *j = &w->json;
    json_object(j, NULL);
    json_count(j, "pid", (uint64_t)s->pid);
    json_count(j, "start_time", s->start_time);
    json_count(j, "parent_pid", s->header.parent_pid);
    json_string(j, "command", s->command[0] ? s->command : NULL);
    json_bool(j, "alive", s->alive);
    json_bool(j, "read", read);
    json_end(j);
}

static void write_members(struct writer *w)
{
    const struct source *source = w->c->source;
    json_array(&w->json, "processes");
    for (size_t i = 0; i < source->count; i++)
        write_member(w, &source->member[i]->subject, source->member[i]->taken);
    json_end(&w->json);
}

static void write_clock(struct writer *w)
{
    struct json *j = &w->json;
    const struct segment_header *h = &w->c->snapshot.header;
    json_object(j, "clock");
    json_string(j, "source", clock_source_name(h->clock_source));
    json_number(j, "ns_per_tick", w->c->scale.ns_per_tick);
    json_bool(j, "same_boot", w->c->same_boot);
    json_count(j, "anchor_ticks", h->anchor_ticks);
    json_count(j, "anchor_monotonic_ns", h->anchor_monotonic);
    json_count(j, "anchor_realtime_ns", h->anchor_realtime);
    json_count(j, "anchor_boottime_ns", h->anchor_boottime);
    json_string(j, "cpu_mode", cputime_mode_name(h->cpu_mode));
    json_string(j, "cpu_error_bound", cputime_mode_bound(h->cpu_mode));
    json_end(j);
}

static void write_instant(struct writer *w, const char *key, uint64_t ticks)
{
    if (ticks)
        json_count(&w->json, key, clock_scale_instant(&w->c->scale, ticks));
    else
        json_null(&w->json, key);
}

static void write_session(struct writer *w)
{
    struct json *j = &w->json;
    const struct session_state *s = &w->c->snapshot.session;
    json_object(j, "session");
    write_instant(w, "started_ns", s->started);
    write_instant(w, "stopped_ns", s->stopped);
    json_bool(j, "running", s->running);
    write_instant(w, "asof_ns", w->c->snapshot.asof);
    json_count(j, "resets", s->resets);
    json_end(j);
}

static void write_losses(struct writer *w)
{
    struct json *j = &w->json;
    const struct profile *p = &w->c->profile;
    json_count(j, "lost", p->lost);
    json_object(j, "losses");
    for (size_t i = 0; i < loss_count; i++)
        json_count(j, losses[i].name, loss_of(&losses[i], p));
    json_end(j);
    json_bool(j, "complete", profile_gap(p) == PROFILE_WHOLE && !p->unpathed);
}

static void write_overhead(struct writer *w)
{
    struct json *j = &w->json;
    const struct profile *p = &w->c->profile;
    json_object(j, "overhead");
    json_count(j, "events", p->records);
    json_number(j, "ns_per_event", (double)p->call_cost / 2000); /* a call is two events; stored in picoseconds */
    json_count(j, "total_ns", saturated(capture_cost_ns(w->c, p->calls, p->own)));
    json_end(j);
}

/* ---- whose calls they are ---- */

/* As many as the processes have. */
static void write_seen(struct writer *w, const struct member *member)
{
    unsigned i = 0;
    for (const struct consumer *c; (c = audience_view_next(&member->view, &i));) {
        json_object(&w->json, NULL);
        json_count(&w->json, "pid", (uint64_t)member->subject.pid);
        consumer_json(&w->json, c, &w->c->scale);
        json_end(&w->json);
    }
}

static void write_view(struct writer *w)
{
    static const char *const of[] = {[CHOICE_DEFAULT] = "default", [CHOICE_EVERYTHING] = "everything", [CHOICE_CONSUMER] = "consumer"};
    const struct source *source = w->c->source;
    json_object(&w->json, "view");
    json_string(&w->json, "of", of[source->shown]);
    json_array(&w->json, "consumers");
    for (size_t i = 0; i < source->count; i++)
        write_seen(w, source->member[i]);
    json_end(&w->json);
    write_time(w, "unplaced_ns", w->c->profile.unplaced);
    json_end(&w->json);
}

/* ---- functions and pairs ---- */

static const char *kind_name(uint32_t kind)
{
    return kind == SITE_BLOCK ? "block" : kind == SITE_COLLECTOR ? "collector" : "function";
}

static void write_site(struct writer *w, const struct profile_site *s)
{
    struct json *j = &w->json;
    json_object(j, NULL);
    json_count(j, "id", s->id);
    json_string(j, "name", s->name);
    json_string(j, "qualname", s->qualname);
    json_string(j, "module", s->module);
    json_string(j, "file", s->file);
    json_count(j, "line", s->line);
    json_count(j, "track", s->track);
    json_string(j, "kind", kind_name(s->kind));
    write_times(w, &s->t);
    json_count(j, "processes", s->processes);
    write_spread(w, &s->spread);
    json_end(j);
}

static void write_pair(struct writer *w, const struct profile_pair *pair)
{
    json_object(&w->json, NULL);
    json_count(&w->json, "caller", pair->caller);
    json_count(&w->json, "callee", pair->callee);
    write_times(w, &pair->t);
    json_end(&w->json);
}

/* ---- threads ---- */

static void write_node(struct writer *w, const struct profile_node *n)
{
    json_count(&w->json, "site", n->site);
    if (n->other)
        json_bool(&w->json, "other", true);
    write_times(w, &n->t);
}

static void write_parent(struct writer *w, const uint32_t *path, unsigned depth)
{
    if (depth)
        json_count(&w->json, "parent", path[depth - 1]);
    else
        json_null(&w->json, "parent");
}

/* Parents before children; `path`: where those on the way to a node are in the list. */
static void write_nodes(struct writer *w, uint32_t root)
{
    const struct profile *p = &w->c->profile;
    uint32_t *path = NULL, count = 0;
    size_t room = 0;
    unsigned depth = 0;
    for (uint32_t i = root; i; i = profile_next(p, i, &depth)) {
        uint32_t *more = array_room(path, depth, &room, sizeof *path);
        if (!more) {
            w->json.failed = true;
            break;
        }
        path = more;
        path[depth] = count++;
        json_object(&w->json, NULL);
        write_parent(w, path, depth);
        write_node(w, &p->node[i]);
        json_end(&w->json);
    }
    free(path);
}

/* jq 1.6 takes 256 levels, of which a node within a node is three: its object, its key, its array. */
#define NESTED_MAX 64u

/* Opens the node and its children; close_nodes() ends them. Those of the deepest level are in a list. */
static void open_node(struct writer *w, const struct profile_node *n, unsigned depth)
{
    json_object(&w->json, NULL);
    write_node(w, n);
    if (n->first_child && depth + 1 == NESTED_MAX) {
        json_array(&w->json, "deeper");
        write_nodes(w, n->first_child);
        json_end(&w->json);
    }
    json_array(&w->json, "children");
}

static void close_nodes(struct writer *w, unsigned count)
{
    for (; count; count--) {
        json_end(&w->json); /* children */
        json_end(&w->json);
    }
}

/* As profile_next(), not below the deepest level. */
static uint32_t next_nested(const struct profile *p, uint32_t i, unsigned *depth)
{
    if (*depth + 1 < NESTED_MAX)
        return profile_next(p, i, depth);
    while (!p->node[i].next_sibling && *depth) {
        i = p->node[i].parent;
        --*depth;
    }
    return p->node[i].next_sibling;
}

static void write_tree(struct writer *w, uint32_t root)
{
    const struct profile *p = &w->c->profile;
    unsigned depth = 0, open = 0; /* open: nodes begun and not ended */
    for (uint32_t i = root; i; i = next_nested(p, i, &depth)) {
        close_nodes(w, open - depth);
        open_node(w, &p->node[i], depth);
        open = depth + 1;
    }
    close_nodes(w, open);
}

static void write_trees(struct writer *w, uint32_t root)
{
    if (w->trees == PROFILE_JSON_NO_TREES)
        return;
    bool flat = w->trees == PROFILE_JSON_FLAT;
    json_array(&w->json, flat ? "nodes" : "roots");
    if (flat)
        write_nodes(w, root);
    else
        write_tree(w, root);
    json_end(&w->json);
}

static void write_thread(struct writer *w, const struct profile_thread *t)
{
    struct json *j = &w->json;
    json_object(j, NULL);
    json_count(j, "pid", (uint64_t)capture_process(w->c, t->process)->pid);
    json_count(j, "tid", t->tid);
    json_string(j, "name", t->name);
    json_bool(j, "alive", capture_process(w->c, t->process)->alive && !t->exited && !t->merged);
    json_bool(j, "merged", t->merged);
    json_bool(j, "complete", t->complete);
    json_count(j, "roots_ticks", t->roots);
    write_trees(w, t->first_root);
    json_end(j);
}

/* ---- the whole ---- */

static void write_lists(struct writer *w)
{
    const struct profile *p = &w->c->profile;
    json_array(&w->json, "sites");
    for (uint32_t i = 0; i < p->sites; i++)
        write_site(w, &p->site[i]);
    json_end(&w->json);
    json_array(&w->json, "threads");
    for (uint32_t i = 0; i < p->threads; i++)
        write_thread(w, &p->thread[i]);
    json_end(&w->json);
    json_array(&w->json, "pairs");
    for (uint32_t i = 0; i < p->pairs; i++)
        write_pair(w, &p->pair[i]);
    json_end(&w->json);
}

bool profile_json_write(const struct capture *c, enum profile_json_trees trees, FILE *out)
{
    struct writer w = {.c = c, .trees = trees};
    json_begin(&w.json, out);
    json_object(&w.json, NULL);
    json_string(&w.json, "schema", "tscap.profile/1");
    json_string(&w.json, "tscap_version", TSCAP_VERSION);
    write_process(&w);
    write_members(&w);
    write_clock(&w);
    write_session(&w);
    write_view(&w);
    write_losses(&w);
    write_overhead(&w);
    write_lists(&w);
    return json_finish(&w.json);
}
