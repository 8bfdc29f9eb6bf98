#include "hosts.h"

#include <stdlib.h>

#include "calls.h"
#include "thread.h"

static uint32_t ended_elsewhere; /* stays */

static uint32_t bucket_of(const struct hosts *h, const python_frame *f)
{
    return (uint32_t)((uintptr_t)f >> 4) * 2654435769u >> 8 & h->mask;
}

static bool grow(struct hosts *h)
{
    uint32_t size = h->bucket ? 2 * (h->mask + 1) : 16;
    struct hosts more = {.bucket = calloc(size, sizeof *more.bucket), .mask = size - 1};
    if (!more.bucket)
        return h->bucket;
    for (uint32_t i = 0; h->bucket && i <= h->mask; i++) {
        struct stay *reversed = NULL;
        for (struct stay *s = h->bucket[i], *next; s; s = next) {
            next = s->next;
            s->next = reversed;
            reversed = s;
        }
        for (struct stay *s = reversed, *next; s; s = next) {
            next = s->next;
            struct stay **to = &more.bucket[bucket_of(&more, s->host)];
            s->next = *to;
            *to = s;
        }
    }
    free(h->bucket);
    h->bucket = more.bucket;
    h->mask = more.mask;
    return true;
}

static void free_blocks(struct stay *s)
{
    for (struct waiting_call *b = s->blocks, *next; b; b = next) {
        next = b->next;
        chain_drop(b->chain);
        free(b);
    }
    s->blocks = NULL;
}

static struct stay *take_ended(struct hosts *h)
{
    struct stay *taken = NULL;
    for (uint32_t i = 0; h->bucket && i <= h->mask; i++)
        for (struct stay **link = &h->bucket[i], *s; (s = *link);) {
            if (s->host) {
                link = &s->next;
                continue;
            }
            *link = s->next;
            h->count--;
            s->next = taken;
            taken = s;
        }
    h->ended = ended_elsewhere;
    return taken;
}

struct stay *hosts_take_ended(struct hosts *h) { return h->ended != ended_elsewhere ? take_ended(h) : NULL; }

void hosts_free_stay(struct stay *s)
{
    free_blocks(s);
    free(s);
}

bool hosts_add(struct thread *t, struct stay *s)
{
    struct hosts *h = &t->hosts;
    if ((!h->bucket || h->count > h->mask) && !grow(h))
        return false;
    struct stay **to = &h->bucket[bucket_of(h, s->host)];
    s->next = *to;
    *to = s;
    h->count++;
    thread_set_usual(t);
    return true;
}

void hosts_remove(struct thread *t, struct stay *s)
{
    struct stay **link = &t->hosts.bucket[bucket_of(&t->hosts, s->host)];
    while (*link && *link != s)
        link = &(*link)->next;
    if (*link) {
        *link = s->next;
        t->hosts.count--;
    }
    free_blocks(s);
    thread_set_usual(t);
}

struct stay *hosts_of(const struct hosts *h, const python_frame *frame) { return h->count ? h->bucket[bucket_of(h, frame)] : NULL; }

const struct stay *hosts_entered_by(const struct hosts *h, const python_frame *frame)
{
    const struct stay *s = hosts_of(h, frame);
    while (s && !(s->host == frame && s->code == python_frame_code(frame)))
        s = s->next;
    return s;
}

void hosts_ended_elsewhere(struct stay *s)
{
    for (struct waiting_call *b = s->blocks; b; b = b->next) { /* its thread may be gone: nothing is kept for it */
        chain_drop(b->chain);
        b->chain = NULL;
    }
    s->host = NULL;
    s->around = s->chain = NULL;
    ended_elsewhere++;
}

void hosts_free(struct hosts *h) { free(h->bucket); }
