#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "cputime.h"
#include "losses.h"
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

uint64_t report_span(const struct capture *c)
{
    const struct session_state *s = &c->snapshot.session;
    uint64_t end = s->running ? c->snapshot.asof : s->stopped;
    return s->started && end > s->started ? end - s->started : 0;
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

/* ---- heading ---- */

static void print_session(const struct capture *c)
{
    char span[UNITS_TEXT];
    units_write_time(span, sizeof span, capture_ns(c, report_span(c)));
    const struct session_state *s = &c->snapshot.session;
    if (!c->subject->alive)
        printf(", dead; recorded for %s", span);
    else if (s->started)
        printf(", %s %s", s->running ? "recording for" : "stopped after", span);
    else
        printf(", dormant");
}

void report_heading(const struct capture *c)
{
    const struct segment_header *h = &c->snapshot.header;
    uint64_t ended, threads = all_threads(&c->profile, &ended);
    printf("process %d: %s\n", (int)c->subject->pid, subject_name(c->subject));
    printf("Python %s", h->python);
    print_session(c);
    printf(", %" PRIu64 " thread%s recorded", threads, plural(threads));
    if (ended && c->subject->alive)
        printf(" (%" PRIu64 " ended)", ended);
    putchar('\n');
}

/* ---- summary ---- */

static void print_rows_left_out(const struct functions *f, uint64_t limit)
{
    if (f->count > limit)
        printf("; %" PRIu64 " more not shown (--limit)", f->count - limit);
    if (f->silent)
        printf("; %zu without calls not shown", f->silent);
}

static void print_totals(const struct functions *f, uint64_t limit)
{
    char total[UNITS_TEXT];
    units_write_time(total, sizeof total, capture_ns(f->cells.capture, f->cells.whole));
    printf("%zu function%s, %" PRIu64 " call%s, %s in them", f->count, plural(f->count), f->calls, plural(f->calls), total);
    print_rows_left_out(f, limit);
    putchar('\n');
}

static void print_cpu_mode(const struct capture *c)
{
    uint32_t mode = c->snapshot.header.cpu_mode;
    if (mode != CPUTIME_NONE_YET)
        printf("CPU time by %s: %s\n", cputime_mode_name(mode), cputime_mode_bound(mode));
}

static void print_cost(const struct capture *c)
{
    const struct profile *p = &c->profile;
    char cost[UNITS_TEXT];
    if (!p->calls || !p->call_cost)
        return;
    units_write_time(cost, sizeof cost, (uint64_t)capture_cost_ns(c, p->calls, p->own));
    printf("recording cost the process about %s, %.0f ns a call\n", cost, (double)p->call_cost / 1000);
}

static void print_losses(const struct capture *c)
{
    for (size_t i = 0; i < loss_count; i++)
        if (loss_of(&losses[i], &c->profile))
            printf("%" PRIu64 " %s\n", loss_of(&losses[i], &c->profile), losses[i].text);
    if (!c->profile.complete)
        puts("not complete: some thread's data could not be read");
}

void report_summary(const struct capture *c, const struct functions *f, uint64_t limit)
{
    putchar('\n');
    if (f)
        print_totals(f, limit);
    print_cpu_mode(c);
    print_cost(c);
    print_losses(c);
}

/* ---- top ---- */

static double share_of_cpu(const struct functions *f, const struct capture *now, const struct capture *before)
{
    uint64_t own = minus(now->profile.own, before->profile.own);
    return f->seconds > 0 ? capture_cost_ns(now, f->calls, own) / f->seconds / 1e7 : 0;
}

void report_interval(const struct functions *f, const struct capture *now, const struct capture *before)
{
    char rate[UNITS_TEXT], cost[UNITS_TEXT];
    uint32_t threads = living_threads(&now->profile);
    units_write_number(rate, sizeof rate, f->seconds > 0 ? (double)f->calls / f->seconds : 0);
    units_write_number(cost, sizeof cost, share_of_cpu(f, now, before));
    printf("%d %s\n", (int)now->subject->pid, subject_name(now->subject));
    printf("Python %s, %s, %" PRIu32 " thread%s, ", now->snapshot.header.python, subject_state(now->subject), threads, plural(threads));
    printf("%s calls/s, recording costs %s %% of a CPU, lost %" PRIu64, rate, cost, now->profile.lost);
    puts(now->profile.complete ? "" : ", not complete");
}
