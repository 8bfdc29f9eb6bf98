#include "tables.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "diagnosis.h"
#include "format.h"
#include "functions.h"
#include "message.h"
#include "report.h"
#include "settings.h"
#include "source.h"

#define STATE 64
#define END_NS 3000000000u /* from its segment's end to its own */
#define END_LOOK_NS 2000000u

/* Until the next multiple of the delay: what printing takes does not add up. */
void tables_sleep_until(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static int print_interval(const struct tables *t, const struct capture *now, const struct capture *before)
{
    struct functions f;
    if (t->printed)
        putchar('\n');
    if (functions_make(&f, now, before) < 0)
        return fail(EXIT_FAILED,
                    "cannot show the interval\n"
                    "out of memory\n"
                    SAME_AGAIN);
    char state[STATE];
    source_state(t->source, state, sizeof state);
    struct moment m = {.f = &f, .now = now, .before = before, .state = state};
    bool whole = t->format->write(&m, t->settings);
    functions_free(&f);
    return whole ? EXIT_OK : fail(EXIT_FAILED,
                                  "cannot show the interval\n"
                                  "out of memory\n"
                                  SAME_AGAIN);
}

/* A process that ends takes its segment along, unless it was killed, and is there for a while yet: its interpreter has more
 * to clean up. */
static bool is_ending(struct tables *t)
{
    uint64_t until = clock_ns(CLOCK_MONOTONIC) + END_NS;
    do {
        subject_refresh(t->subject);
        if (!t->subject->alive)
            return true;
        tables_sleep_until(clock_ns(CLOCK_MONOTONIC) + END_LOOK_NS);
    } while (t->subject->error == -ENOENT && clock_ns(CLOCK_MONOTONIC) < until);
    return false;
}

static int has_no_segment(const struct tables *t)
{
    int pid = (int)t->subject->pid;
    return fail(EXIT_NO_PROCESS,
                "process %d cannot be shown any more\n"
                "its segment %s is gone: somebody detached from it, or removed the file\n"
                "tscap attach %d",
                pid, t->subject->where, pid);
}

/* The next look, and what came since; it takes the place of the last, if it can. */
static int next_table(struct tables *t)
{
    struct capture *last = &t->last;
    struct capture now;
    int r = source_look(t->source, &now);
    if (r == -ENOENT) {
        t->ended = is_ending(t);
        return t->ended ? EXIT_OK : has_no_segment(t);
    }
    if (r < 0)
        return diagnose_segment(t->subject->where, r);
    int code = print_interval(t, &now, last);
    fflush(stdout);
    t->complete &= now.profile.complete;
    bool replaces = capture_replaces(&now, last);
    capture_free(replaces ? last : &now);
    if (replaces)
        *last = now;
    return code;
}

/* Of a process tree: the last of them. */
static bool anybody_lives(const struct tables *t)
{
    size_t alive, recording;
    source_count(t->source, &alive, &recording);
    return alive > 0;
}

int tables_begin(struct tables *t, struct source *source, const struct settings *s)
{
    *t = (struct tables){
        .source = source,
        .subject = source_root(source),
        .settings = s,
        .format = format_choose(FORMAT_INTERVAL, s),
        .delay = setting_or(s->delay, TABLES_DELAY),
        .complete = true,
    };
    int code = source_take(source, &t->last);
    t->begun = code == EXIT_OK;
    t->due = t->last.taken + t->delay;
    return code;
}

bool tables_over(const struct tables *t) { return !t->begun || t->ended || t->printed >= t->settings->batch; }

int tables_next(struct tables *t)
{
    int code = next_table(t);
    t->due += t->delay;
    t->printed++;
    t->ended |= !anybody_lives(t);
    return code;
}

int tables_end(struct tables *t, int code)
{
    if (!t->begun)
        return code;
    if (t->ended)
        note("process %d has ended", (int)t->subject->pid);
    t->last.profile.complete &= t->complete;
    if (code == EXIT_OK)
        code = capture_check_loss(&t->last, setting_or(t->settings->max_loss, 0));
    capture_free(&t->last);
    t->begun = false;
    return code;
}
