#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cputime.h"
#include "losses.h"
#include "saturate.h"
#include "source.h"
#include "text.h"
#include "threads.h"
#include "units.h"

static uint32_t living_threads(const struct profile *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->threads; i++)
        count += thread_recorded(&p->thread[i]) && !p->thread[i].exited && !p->thread[i].merged;
    return count;
}

/* Those that have ended, too; on the way: how many. */
static uint64_t all_threads(const struct profile *p, uint64_t *ended)
{
    uint64_t all = *ended = 0;
    for (uint32_t i = 0; i < p->threads; i++) {
        const struct profile_thread *t = &p->thread[i];
        all += t->count;
        *ended += t->exited || t->merged ? t->count : 0;
    }
    return all;
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

/* What lines are written of. */
struct report {
    const struct capture *capture;
    const struct functions *f; /* NULL: none are listed */
    size_t fitting;            /* of them those that the filter lets stand */
    uint64_t limit;            /* rows that may have been printed */
    const struct moment *moment;
};

/* ---- heading ---- */

static void print_session(const struct capture *c, FILE *out)
{
    char span[UNITS_TEXT];
    units_write_time(span, sizeof span, capture_ns(c, capture_span(c)));
    const struct session_state *s = &c->snapshot.session;
    if (!c->subject->alive)
        fprintf(out, ", dead; recorded for %s", span);
    else if (s->started)
        fprintf(out, ", %s %s", s->running ? "recording for" : "stopped after", span);
    else
        fprintf(out, ", dormant");
}

void report_write_whose(const struct capture *c, char *buffer, size_t size)
{
    size_t others = c->source->count - 1, ended = others;
    int n = snprintf(buffer, size, "%d", (int)c->subject->pid);
    if (!others)
        return;
    for (size_t i = 1; i <= others; i++)
        ended -= c->source->member[i]->subject.alive;
    n += snprintf(buffer + n, size - (size_t)n, " and %zu subprocess%s", others, others == 1 ? "" : "es");
    if (ended && c->subject->alive)
        snprintf(buffer + n, size - (size_t)n, " (%zu ended)", ended);
}

/* Where other consumers are, or one was asked for. */
static void print_view(const struct capture *c, FILE *out)
{
    char view[CHOICE_TEXT];
    if (!source_has_other_views(c->source))
        return;
    source_name_view(c->source, view, sizeof view);
    fprintf(out, "view: %s\n", view);
}

static void write_heading(const struct report *r, FILE *out)
{
    const struct capture *c = r->capture;
    const struct segment_header *h = &c->snapshot.header;
    uint64_t ended, threads = all_threads(&c->profile, &ended);
    char whose[REPORT_ITEM];
    report_write_whose(c, whose, sizeof whose);
    fprintf(out, "process %s: %s\n", whose, subject_name(c->subject));
    fprintf(out, "Python %s", h->python);
    print_session(c, out);
    fprintf(out, ", %" PRIu64 " thread%s recorded", threads, plural(threads));
    if (ended && c->subject->alive)
        fprintf(out, " (%" PRIu64 " ended)", ended);
    putc('\n', out);
    print_view(c, out);
}

/* ---- summary ---- */

static void print_rows_left_out(const struct functions *f, size_t fitting, uint64_t limit, FILE *out)
{
    if (fitting > limit)
        fprintf(out, "; %" PRIu64 " more not shown (--limit)", fitting - limit);
    if (fitting < f->count)
        fprintf(out, "; %zu not shown (--filter)", f->count - fitting);
    if (f->silent)
        fprintf(out, "; %zu without calls not shown", f->silent);
}

static void print_totals(const struct functions *f, size_t fitting, uint64_t limit, FILE *out)
{
    char total[UNITS_TEXT];
    units_write_time(total, sizeof total, capture_ns(f->cells.capture, f->cells.whole));
    fprintf(out, "%zu function%s, %" PRIu64 " call%s, %s in them", f->count, plural(f->count), f->calls, plural(f->calls), total);
    print_rows_left_out(f, fitting, limit, out);
    putc('\n', out);
}

static void print_cpu_mode(const struct capture *c, FILE *out)
{
    uint32_t mode = c->snapshot.header.cpu_mode;
    if (mode != CPUTIME_NONE_YET)
        fprintf(out, "CPU time by %s: %s\n", cputime_mode_name(mode), cputime_mode_bound(mode));
}

/* Of all threads; the innermost open calls have it. */
static uint64_t unknown_cpu(const struct profile *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->sites; i++)
        sum += p->site[i].t.unknown_exclusive;
    return sum;
}

static void print_unknown_cpu(const struct capture *c, FILE *out)
{
    char text[UNITS_TEXT];
    uint64_t unknown = c->cpu ? unknown_cpu(&c->profile) : 0;
    if (!unknown)
        return;
    units_write_time(text, sizeof text, capture_ns(c, unknown));
    fprintf(out, "CPU times with " CELLS_AT_LEAST "may be more by %s in all: %s\n", text,
           c->subject->alive ? "the CPU clocks of some threads with open calls could not be read" : "of calls that were open when it ended");
}

static void print_unplaced(const struct capture *c, FILE *out)
{
    char text[UNITS_TEXT];
    if (!c->profile.unplaced)
        return;
    units_write_time(text, sizeof text, capture_ns(c, c->profile.unplaced));
    fprintf(out, "%s of functions that are not in this view, called by nobody knows whom: exclusive time of (other) in the tree\n", text);
}

static void print_cost(const struct capture *c, FILE *out)
{
    const struct profile *p = &c->profile;
    char cost[UNITS_TEXT];
    if (!p->calls || !p->call_cost)
        return;
    units_write_time(cost, sizeof cost, saturated(capture_cost_ns(c, p->calls, p->own)));
    fprintf(out, "recording cost the process about %s, %.0f ns a call\n", cost, (double)p->call_cost / 1000);
}

void report_write_loss(const struct loss_row *row, const struct profile *p, char *buffer, size_t size)
{
    *buffer = '\0';
    if (loss_of(row, p))
        snprintf(buffer, size, "%" PRIu64 " %s", loss_of(row, p), row->text);
}

static void print_losses(const struct capture *c, FILE *out)
{
    char text[REPORT_ITEM];
    for (size_t i = 0; i < loss_count; i++) {
        report_write_loss(&losses[i], &c->profile, text, sizeof text);
        if (text[0])
            fprintf(out, "%s\n", text);
    }
    if (!c->profile.complete)
        fprintf(out, "%s\n", "not complete: some thread's or process' data could not be read");
}

static void write_summary(const struct report *r, FILE *out)
{
    const struct capture *c = r->capture;
    putc('\n', out);
    if (r->f)
        print_totals(r->f, r->fitting, r->limit, out);
    print_cpu_mode(c, out);
    print_unknown_cpu(c, out);
    print_unplaced(c, out);
    print_cost(c, out);
    print_losses(c, out);
}

/* ---- top ---- */

static double share_of_cpu(const struct moment *m)
{
    bool continues = m->before && capture_continues(m->now, m->before);
    uint64_t own = continues ? metric_minus(m->now->profile.own, m->before->profile.own) : m->now->profile.own;
    return m->f->seconds > 0 ? capture_cost_ns(m->now, m->f->calls, own) / m->f->seconds / 1e7 : 0;
}

static void write_python(const struct moment *m, char *buffer, size_t size)
{
    snprintf(buffer, size, "Python %s", m->now->snapshot.header.python);
}

static void write_state(const struct moment *m, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", m->state);
}

/* Nothing where there is only one. */
static void write_view(const struct moment *m, char *buffer, size_t size)
{
    char view[CHOICE_TEXT];
    buffer[0] = '\0';
    if (!source_has_other_views(m->now->source))
        return;
    source_name_view(m->now->source, view, sizeof view);
    snprintf(buffer, size, "view %s", view);
}

static void write_threads(const struct moment *m, char *buffer, size_t size)
{
    uint32_t threads = living_threads(&m->now->profile);
    snprintf(buffer, size, "%" PRIu32 " thread%s", threads, plural(threads));
}

static void write_rate(const struct moment *m, char *buffer, size_t size)
{
    char rate[UNITS_TEXT];
    units_write_number(rate, sizeof rate, m->f->seconds > 0 ? (double)m->f->calls / m->f->seconds : 0);
    snprintf(buffer, size, "%s calls/s", rate);
}

static void write_cost(const struct moment *m, char *buffer, size_t size)
{
    char cost[UNITS_TEXT];
    units_write_number(cost, sizeof cost, share_of_cpu(m));
    snprintf(buffer, size, "recording costs %s %% of a CPU", cost);
}

static void write_lost(const struct moment *m, char *buffer, size_t size)
{
    snprintf(buffer, size, "lost %" PRIu64 "%s", m->now->profile.lost, m->now->profile.complete ? "" : ", not complete");
}

const report_item report_items[] = {write_python, write_state, write_view, write_threads, write_rate, write_cost, write_lost};
const size_t report_item_count = sizeof report_items / sizeof *report_items;

/* The number of calls lost has been said. */
static void print_other_losses(const struct profile *p, FILE *out)
{
    char text[REPORT_ITEM];
    for (size_t i = 0; i < loss_count; i++) {
        report_write_loss(&losses[i], p, text, sizeof text);
        if (text[0] && &losses[i] != &losses[LOSS_CALLS])
            fprintf(out, "%s\n", text);
    }
}

static void write_interval(const struct report *r, FILE *out)
{
    const struct moment *m = r->moment;
    char text[REPORT_ITEM];
    report_write_whose(m->now, text, sizeof text);
    fprintf(out, "%s %s\n", text, subject_name(m->now->subject));
    for (size_t i = 0; i < report_item_count; i++) {
        report_items[i](m, text, sizeof text);
        if (text[0])
            fprintf(out, "%s%s", i ? ", " : "", text);
    }
    putc('\n', out);
    print_unknown_cpu(m->now, out);
    print_other_losses(&m->now->profile, out);
}

/* ---- fitted to a width ---- */

static void print_folded(void (*write)(const struct report *r, FILE *out), const struct report *r, size_t width)
{
    struct text_fold fold;
    write(r, text_fold_begin(&fold, width, stdout));
    text_fold_end(&fold);
}

void report_heading(const struct capture *c, size_t width) { print_folded(write_heading, &(struct report){.capture = c}, width); }

void report_summary(const struct capture *c, const struct functions *f, size_t fitting, uint64_t limit, size_t width)
{
    print_folded(write_summary, &(struct report){.capture = c, .f = f, .fitting = fitting, .limit = limit}, width);
}

void report_interval(const struct moment *m, size_t width) { print_folded(write_interval, &(struct report){.moment = m}, width); }
