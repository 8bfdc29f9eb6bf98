#include "snapshot_asof.h"

#include <errno.h>

#include "array.h"
#include "cputime.h"

static uint64_t now_ticks(const struct segment_header *h)
{
    return h->clock_source == CLOCK_SOURCE_MONOTONIC ? clock_ns(CLOCK_MONOTONIC) : clock_counter();
}

static bool is_recording(const struct snapshot *s) { return s->session.running || s->header.consumers; }

/* Recording was stopped while its calls were open; whatever has begun since, its thread has not been heard of. */
static bool was_stopped(const struct lane_copy *l) { return l->folder.depth && l->lane->stopped > l->last; }

void asof_choose(struct snapshot *s, const struct snapshot_options *o)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < s->lanes; i++) {
        const struct lane_copy *l = &s->lane[i];
        uint64_t known = l->complete && was_stopped(l) ? l->lane->stopped : l->last;
        if (!l->empty && known > last)
            last = known;
    }
    s->asof = last;
    uint64_t end = is_recording(s) ? (o->alive ? now_ticks(&s->header) : 0) : s->session.stopped;
    if (end > last)
        s->asof = end;
}

struct question {
    const struct snapshot_options *options;
    uint32_t tid;
};

static bool ask_cpu(void *context, uint64_t *cpu)
{
    const struct question *q = context;
    return q->options->ask_cpu(q->options->context, q->tid, cpu);
}

/* Ticks off the CPU since the lane began, as its thread would reckon now, and when that is: what the thread did between `asof` and
 * now nobody could tell. False: what is there to reckon with makes no sense. */
static bool off_now(const struct snapshot *s, const struct lane_copy *l, const struct snapshot_options *o, uint64_t *end, uint64_t *off)
{
    struct question q = {.options = o, .tid = l->tid};
    struct cputime_reading now, base = {l->lane->cpu_base_ticks, l->lane->cpu_base_monotonic, l->lane->cpu_base};
    if (!o->ask_cpu || !base.cpu || !cputime_read(&now, s->header.clock_source, ask_cpu, &q))
        return false;
    if (now.ticks < base.ticks || now.monotonic < base.monotonic || now.cpu < base.cpu)
        return false;
    *end = now.ticks > *end ? now.ticks : *end;
    *off = cputime_off_between(&base, &now);
    return true;
}

static bool off_until_end(const struct snapshot *s, const struct lane_copy *l, const struct snapshot_options *o, uint64_t *end, uint64_t *off)
{
    uint64_t stop = l->lane->cpu_stop;
    if (!was_stopped(l))
        return is_recording(s) && o->alive && off_now(s, l, o, end, off);
    *off = stop - 1;
    return stop != 0;
}

/* What its thread was off the CPU since its last record is not in a record yet. What nobody knows does not count as CPU time. */
static uint64_t end_stretch(const struct snapshot *s, struct lane_copy *l, const struct snapshot_options *o, uint64_t end)
{
    uint64_t total;
    bool known = off_until_end(s, l, o, &end, &total);
    uint64_t stretch = end - l->last, off = stretch;
    if (known) {
        off = total > l->cpu_off ? total - l->cpu_off : 0;
        off = off < stretch ? off : stretch;
    } else
        l->unknown = stretch;
    struct slot r = {.when = end, .what = record_pack_duration(off, RECORD_OFF_CPU)};
    folder_run(&l->folder, &r, 0, 1);
    return end;
}

/* Before it ends: where the call on top is. */
static bool note_open(struct lane_copy *l, size_t *room)
{
    if (!l->folder.top_node)
        return true;
    segment_ref *more = array_room(l->open, l->opens, room, sizeof *more);
    if (!more)
        return false;
    l->open = more;
    l->open[l->opens++] = l->folder.top_node;
    return true;
}

int asof_end_calls(struct snapshot *s, const struct snapshot_options *o)
{
    uint64_t latest = s->asof;
    for (uint32_t i = 0; i < s->lanes; i++) {
        struct lane_copy *l = &s->lane[i];
        size_t room = 0;
        if (l->empty || !l->complete)
            continue;
        uint64_t end = was_stopped(l) ? l->lane->stopped : s->asof;
        if (l->folder.depth && end > l->last)
            end = end_stretch(s, l, o, end);
        latest = end > latest ? end : latest;
        while (l->folder.depth) {
            if (l->unknown && !note_open(l, &room))
                return -ENOMEM;
            folder_cut(&l->folder, end);
        }
    }
    s->asof = latest;
    return 0;
}
