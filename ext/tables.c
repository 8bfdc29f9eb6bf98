#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "profile.h"
#include "reading.h"
#include "recorder.h"
#include "text.h"
#include "variants.h"

enum { SITE_LABEL = 4, SITE_WORDS }; /* of a row of a site */

struct buffer {
    char *at;
    size_t used, room;
};

struct tables {
    struct reading_copy copy;
    uint32_t consumer;
    uint8_t *awaited; /* a bit a site: a coroutine or an asynchronous generator */
    uint8_t *named;   /* a bit a site: its names are known */
    size_t awaited_bytes, named_bytes;
    struct buffer lanes, functions, pairs, sites, names;
    bool with_pairs, complete;
};

/* ---- without the interpreter's lock ---- */

static int add(struct buffer *b, const void *data, size_t size)
{
    if (b->used + size > b->room) {
        size_t room = 2 * b->room > b->used + size ? 2 * b->room : b->used + size + 4096;
        char *more = realloc(b->at, room);
        if (!more)
            return -ENOMEM;
        b->at = more;
        b->room = room;
    }
    memcpy(b->at + b->used, data, size);
    b->used += size;
    return 0;
}

static uint64_t ns(const struct tables *t, uint64_t ticks) { return clock_scale_duration(&t->copy.scale, ticks); }

static bool is_in(const uint8_t *set, size_t bytes, uint32_t site) { return site / 8 < bytes && set[site / 8] & 1 << site % 8; }

/* A call of what is awaited lasts while it waits, too. */
static uint64_t lasting(const struct tables *t, uint32_t site, const struct profile_times *times)
{
    return is_in(t->awaited, t->awaited_bytes, site) ? times->elapsed : times->inclusive;
}

#define COUNTED(t, site, lane, times)                                                                                                         \
    site, lane, (times)->calls, (times)->primitive_calls, ns(t, lasting(t, site, times)), ns(t, (times)->exclusive),                          \
        ns(t, metric_cpu_inclusive(times)), ns(t, metric_cpu_exclusive(times))

static int add_text(struct tables *t, uint32_t ref)
{
    char *text = snapshot_text(&t->copy.snapshot, ref);
    int error = text ? add(&t->names, text, strlen(text) + 1) : -ENOMEM;
    free(text);
    return error;
}

/* Once for each site. */
static int add_site(struct tables *t, uint32_t site)
{
    if (is_in(t->named, t->named_bytes, site))
        return 0;
    const struct site_record *r = &t->copy.snapshot.site[site];
    const uint64_t row[SITE_WORDS] = {site, r->line, r->variant_of, r->kind};
    t->named[site / 8] |= (uint8_t)(1 << site % 8);
    int error = add(&t->sites, row, sizeof row);
    if (error == 0)
        error = add_text(t, r->qualname);
    if (error == 0)
        error = add_text(t, r->module);
    return error == 0 ? add_text(t, r->file) : error;
}

static int make_room_for_sites(struct tables *t)
{
    size_t bytes = t->copy.snapshot.sites / 8 + 1;
    if (bytes <= t->named_bytes)
        return 0;
    uint8_t *more = realloc(t->named, bytes);
    if (!more)
        return -ENOMEM;
    memset(more + t->named_bytes, 0, bytes - t->named_bytes);
    t->named = more;
    t->named_bytes = bytes;
    return 0;
}

static int add_functions(struct tables *t, const struct profile *p, uint64_t lane)
{
    int error = 0;
    for (uint32_t i = 0; i < p->sites && error == 0; i++) {
        const struct profile_site *s = &p->site[i];
        const uint64_t row[] = {COUNTED(t, s->id, lane, &s->t)};
        if (!metric_any(&s->t))
            continue;
        error = add(&t->functions, row, sizeof row);
        if (error == 0)
            error = add_site(t, s->id);
    }
    return error;
}

static int add_pairs(struct tables *t, const struct profile *p, uint64_t lane)
{
    int error = 0;
    for (uint32_t i = 0; i < p->pairs && error == 0; i++) {
        const struct profile_pair *pair = &p->pair[i];
        const uint64_t row[] = {pair->caller, COUNTED(t, pair->callee, lane, &pair->t)};
        error = pair->caller ? add(&t->pairs, row, sizeof row) : 0;
    }
    return error;
}

/* Its calls together: the sums of its roots. */
static int add_lane(struct tables *t, const struct profile *p, const struct lane_copy *l, uint64_t lane)
{
    struct profile_times all = {.calls = 0};
    for (uint32_t i = p->thread[0].first_root; i; i = p->node[i].next_sibling)
        metric_add(&all, &p->node[i].t, true);
    const uint64_t row[] = {lane, (uint64_t)l->page << 32 | l->generation, l->tid, clock_scale_instant(&t->copy.scale, l->began),
                            l->state == LANE_EXITED ? clock_scale_instant(&t->copy.scale, l->ended) : 0, all.calls, ns(t, all.inclusive),
                            ns(t, metric_cpu_inclusive(&all))};
    return add(&t->lanes, row, sizeof row);
}

/* Of that many lanes; to be freed unless it is an error. */
static int make_profile(struct tables *t, struct profile *p, const struct lane_copy *l, uint32_t lanes)
{
    struct snapshot one = t->copy.snapshot; /* of it nothing is owned */
    struct profile_source source = {.snapshot = &one, .brief = true, .apart = true};
    one.lane = (struct lane_copy *)l;
    one.lanes = lanes;
    int error = audiences_view(&one.audiences, t->consumer, &source.view);
    if (error == 0)
        error = profile_make_sum(p, &source, 1);
    if (error == 0)
        t->complete &= profile_gap(p) == PROFILE_WHOLE && p->lost == 0 && p->lost_lanes == 0;
    return error;
}

static int add_thread(struct tables *t, const struct lane_copy *l, uint64_t lane)
{
    struct profile p;
    int error = make_profile(t, &p, l, 1);
    if (error < 0)
        return error;
    if (p.threads && p.thread[0].first_root) {
        error = add_lane(t, &p, l, lane);
        if (error == 0)
            error = add_functions(t, &p, lane);
        if (error == 0 && t->with_pairs)
            error = add_pairs(t, &p, lane);
    }
    profile_free(&p);
    return error;
}

/* What is missing because no lane could be made no lane tells. */
static int look_for_losses(struct tables *t)
{
    struct profile p;
    int error = make_profile(t, &p, NULL, 0);
    if (error == 0)
        profile_free(&p);
    return error;
}

static int fill(void *context)
{
    struct tables *t = context;
    int error = make_room_for_sites(t);
    for (uint32_t i = 0; i < t->copy.snapshot.lanes && error == 0; i++)
        if (!t->copy.snapshot.lane[i].empty)
            error = add_thread(t, &t->copy.snapshot.lane[i], i);
    return error == 0 && t->lanes.used == 0 ? look_for_losses(t) : error;
}

/* ---- with it ---- */

static void release(struct tables *t)
{
    free(t->awaited);
    free(t->named);
    free(t->lanes.at);
    free(t->functions.at);
    free(t->pairs.at);
    free(t->sites.at);
    free(t->names.at);
}

static PyObject *bytes(const struct buffer *b) { return PyBytes_FromStringAndSize(b->at ? b->at : "", (Py_ssize_t)b->used); }

/* What only we know: the lock is held again. */
static void add_labels(const struct tables *t)
{
    uint64_t *row = (uint64_t *)(void *)t->sites.at;
    for (size_t i = 0; i < t->sites.used / sizeof *row; i += SITE_WORDS)
        row[i + SITE_LABEL] = variants_label((uint32_t)row[i]);
}

/* A list: each text, which ends with 0. */
static PyObject *names_of(const struct buffer *b)
{
    PyObject *list = PyList_New(0);
    for (size_t at = 0; list && at < b->used; at += strlen((const char *)b->at + at) + 1) {
        PyObject *text = text_of_name((const char *)b->at + at);
        if (!text || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    return list;
}

static PyObject *made_of(const struct tables *t)
{
    add_labels(t);
    PyObject *names = names_of(&t->names);
    return names ? Py_BuildValue("(NNNNNO)", bytes(&t->lanes), bytes(&t->functions), bytes(&t->pairs), bytes(&t->sites), names,
                                 t->complete ? Py_True : Py_False)
                 : NULL;
}

static int note_awaited(PyCodeObject *code, PyFunctionObject *function, void *context)
{
    struct tables *t = context;
    uint32_t site = functions_site(code);
    (void)function;
    if (code->co_flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR) && site / 8 < t->awaited_bytes)
        t->awaited[site / 8] |= (uint8_t)(1 << site % 8);
    return 0;
}

static bool find_awaited(struct tables *t)
{
    t->awaited_bytes = (recorder_available() ? word_get(&recorder_segment()->header->site_count) : 0) / 8 + 1;
    t->awaited = calloc(t->awaited_bytes, 1);
    if (!t->awaited || functions_each(note_awaited, t) < 0)
        return false;
    for (uint32_t site = 1; variants_known && site / 8 < t->awaited_bytes; site++)
        if (is_in(t->awaited, t->awaited_bytes, variants_function(site)))
            t->awaited[site / 8] |= (uint8_t)(1 << site % 8);
    return true;
}

static bool take_known(struct tables *t, const Py_buffer *known)
{
    t->named = malloc((size_t)known->len + 1);
    if (t->named)
        memcpy(t->named, known->buf, (size_t)known->len);
    t->named_bytes = t->named ? (size_t)known->len : 0;
    if (t->named && find_awaited(t))
        return true;
    PyErr_NoMemory();
    return false;
}

PyObject *tables_take(uint32_t consumer, const Py_buffer *known, bool pairs)
{
    struct tables t = {.consumer = consumer, .with_pairs = pairs, .complete = true};
    bool taken = take_known(&t, known) && reading_copy(&t.copy, fill, &t) == 0;
    PyObject *made = taken ? made_of(&t) : NULL;
    release(&t);
    return made;
}
