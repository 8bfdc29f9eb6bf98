#include "seen_session.h"

/* Since when it has had calls; 0: it has none. What began it first, before it did so again, only the session's header tells. */
static uint64_t sees_since(const struct consumer *c, const struct session_state *s)
{
    bool ran = c->began <= c->zero && (!c->ended || c->ended > c->zero); /* when it was cleared */
    if (c->zero)
        return ran ? c->zero : c->began > c->zero ? c->began : 0;
    return c->kind == CONSUMER_SESSION && s->started ? s->started : c->began;
}

/* Ticks; 0: of none are there calls. */
static uint64_t first_of_all(const struct audience_view *v, const struct session_state *s)
{
    uint64_t since = UINT64_MAX;
    unsigned i = 0;
    for (const struct consumer *c; (c = audience_view_next(v, &i));) {
        uint64_t own = sees_since(c, s);
        since = own && own < since ? own : since;
    }
    return since == UINT64_MAX ? 0 : since;
}

/* Where there was no session: from the first beginning of any of them to the last end. */
static void last_of_all(const struct audience_view *v, struct session_state *seen)
{
    unsigned i = 0;
    for (const struct consumer *c; (c = audience_view_next(v, &i));) {
        seen->running |= c->flags & CONSUMER_RUNNING;
        if (c->ended > seen->stopped)
            seen->stopped = c->ended;
    }
    if (seen->running)
        seen->stopped = 0;
}

struct session_state seen_session(const struct audience_view *v, const struct session_state *s)
{
    struct session_state seen = *s;
    unsigned i = 0;
    if (audience_view_next(v, &i))
        seen.started = first_of_all(v, s);
    if (!s->started)
        last_of_all(v, &seen);
    return seen;
}

struct session_state seen_session_of_one(const struct audience_view *v, const struct session_state *s)
{
    struct session_state seen = *s;
    unsigned i = 0;
    const struct consumer *c = audience_view_next(v, &i);
    seen.running = c && c->flags & CONSUMER_RUNNING;
    seen.stopped = c ? c->ended : 0;
    if (v->audiences)
        seen.started = first_of_all(v, s);
    return seen;
}
