#include "family_session.h"

#include <stdlib.h>
#include <time.h>

#include "array.h"
#include "clock.h"
#include "message.h"
#include "order.h"

#define ROUNDS_MAX 100
#define PAUSE_NS 5000000
#define BEGIN_TIMEOUT 500000000u /* ns; who watches a screen does not wait longer for one of many */

void family_session_open(struct family_session *f) { *f = (struct family_session){.since = clock_ns(CLOCK_MONOTONIC)}; }

void family_session_free(struct family_session *f)
{
    free(f->begun);
    *f = (struct family_session){0};
}

static struct begun *find_begun(const struct family_session *f, const struct subject *s)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->begun[i].pid == s->pid && f->begun[i].start_time == s->start_time)
            return &f->begun[i];
    return NULL;
}

bool family_session_add(struct family_session *f, const struct subject *s, uint32_t orders)
{
    struct begun *begun = array_room(f->begun, f->count, &f->room, sizeof *begun);
    if (!begun)
        return false;
    f->begun = begun;
    f->begun[f->count++] = (struct begun){s->pid, s->start_time, orders, false};
    return true;
}

bool family_session_begin(struct family_session *f, const struct members *m)
{
    for (size_t i = 1; i < m->count; i++) {
        const struct subject *s = &m->member[i]->subject;
        struct control_reply reply;
        if (!subject_ready(s) || s->session.running || find_begun(f, s))
            continue;
        int r = order_ask(s, CONTROL_START, CONTROL_SUBPROCESSES, BEGIN_TIMEOUT, &reply);
        if (r == 0 && reply.result == CONTROL_OK && !family_session_add(f, s, s->session.orders + 1))
            return false;
    }
    return true;
}

/* ---- the end ---- */

/* Made since, and it got the recording from its parent, which is ours; one that was told anything else is not. */
static bool got_it_from_us(const struct family_session *f, const struct family *family, size_t i)
{
    const struct relative *r = &family->relative[i];
    const struct segment_header *h = &r->subject->header;
    bool heir = h->session_flags & SESSION_INHERITED && r->subject->session.orders == 1 && h->anchor_monotonic >= f->since;
    return heir && r->parent != FAMILY_NONE && find_begun(f, family->relative[r->parent].subject);
}

static int stop_one(struct family_session *f, const struct subject *s, size_t *stopped, bool *deaf)
{
    struct begun *b = find_begun(f, s);
    struct control_reply reply;
    if (b->over || b->orders != s->session.orders || !subject_ready(s) || !s->session.running)
        return EXIT_OK;
    int r = order_ask(s, CONTROL_STOP, 0, ORDER_TIMEOUT, &reply);
    if (order_is_deaf(r)) {
        *deaf = true; /* it has just begun, or ends */
        return EXIT_OK;
    }
    b->over = true;
    int code = order_check(s, CONTROL_STOP, ORDER_TIMEOUT, r, &reply);
    *stopped += code == EXIT_OK;
    return code;
}

/* `news`: how many were not known before, or are to be told again. */
static int stop_all(struct family_session *f, const struct family *family, size_t *stopped, size_t *news)
{
    int code = EXIT_OK;
    *news = 0;
    for (size_t i = 0; i < family->count; i++) {
        const struct subject *s = family->relative[i].subject;
        bool new = !find_begun(f, s) && got_it_from_us(f, family, i) && family_session_add(f, s, s->session.orders);
        *news += new;
        if (find_begun(f, s)) {
            bool deaf = false;
            int r = stop_one(f, s, stopped, &deaf);
            code = code == EXIT_OK ? r : code;
            *news += deaf;
        }
    }
    return code;
}

static int stop_round(struct family_session *f, const struct members *m, size_t *stopped, size_t *news)
{
    struct subjects all;
    struct family family = {0};
    int code = EXIT_OK;
    *news = 0;
    if (members_family(m, &all, &family) == 0)
        code = stop_all(f, &family, stopped, news);
    family_free(&family);
    subjects_free(&all);
    return code;
}

int family_session_end(struct family_session *f, const struct members *m)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    size_t stopped = 0, news = 1;
    int code = EXIT_OK;
    for (unsigned i = 0; i < ROUNDS_MAX && news && f->count; i++) {
        int r = stop_round(f, m, &stopped, &news);
        code = code == EXIT_OK ? r : code;
        if (news)
            nanosleep(&pause, NULL);
    }
    if (stopped)
        note("stopped recording %zu process%s of the family of %d", stopped, stopped == 1 ? "" : "es", (int)m->pid);
    return code;
}
