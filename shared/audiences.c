#include "audiences.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "word.h"

#define LOOKS 20 /* for a table that does not change meanwhile: it takes some microseconds */

static const void *page_at(const void *base, uint32_t number) { return (const char *)base + (size_t)number * SEGMENT_PAGE; }

/* ---- selections ---- */

/* Word by word of each page of the chain, as many as there are sites; a chain that ends early, or is none, selects no more. */
static void copy_selected(uint64_t *selected, const void *base, uint32_t pages, uint32_t first, uint32_t words)
{
    const uint32_t per_page = SELECTION_BITS / 64;
    uint32_t number = first;
    for (uint32_t done = 0; done < words; done += per_page) {
        const struct page_header *page = number && number < pages ? page_at(base, number) : NULL;
        if (!page || page->kind != PAGE_SELECTION)
            return;
        uint32_t here = words - done < per_page ? words - done : per_page;
        words_read(selected + done, (const char *)page + PAGE_ITEMS_OFFSET, here * sizeof *selected);
        number = word_read(&page->next);
    }
}

static void free_selections(struct audiences *a)
{
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++) {
        free(a->selected[i]);
        a->selected[i] = NULL;
    }
}

static int copy_selections(struct audiences *a, const void *base, uint32_t pages)
{
    uint32_t words = a->sites / 64 + 1;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++) {
        const struct consumer *c = &a->consumer[i];
        if (!c->number || !(c->flags & CONSUMER_SELECTS) || !c->selection)
            continue;
        a->selected[i] = calloc(words, sizeof *a->selected[i]);
        if (!a->selected[i])
            return -ENOMEM;
        copy_selected(a->selected[i], base, pages, c->selection, words);
    }
    return 0;
}

/* ---- the table ---- */

/* The one whose turn it is. Pairs with publish() in roster.c: whoever gets a word of a later table in this one's place, or of a
 * selection that is used again, also sees that the turn has gone on. */
static int copy_table(struct audiences *a, const void *base, uint32_t pages, uint32_t first)
{
    const struct segment_header *h = base;
    for (int look = 0; look < LOOKS; look++) {
        uint32_t turn = word_read(&h->consumer_turn);
        const struct consumer_table *t = page_at(base, first + (turn & 1) * CONSUMER_PAGES);
        words_read(a->member, t->member, sizeof a->member);
        words_read(a->consumer, t->consumer, sizeof a->consumer);
        int r = turn ? copy_selections(a, base, pages) : 0;
        if (r < 0 || word_get(&h->consumer_turn) == turn)
            return r;
        free_selections(a);
    }
    return -EAGAIN;
}

static void end_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    process_printable(text);
}

/* Slots that nobody has are in no audience, and number 0 is nobody's, whatever is written there. */
static void check(struct audiences *a)
{
    uint64_t there = 0;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++) {
        struct consumer *c = &a->consumer[i];
        if (c->kind == CONSUMER_FREE || c->kind >= CONSUMER_KINDS)
            c->number = 0;
        there |= (uint64_t)(c->number != 0) << i;
        end_text(c->name, sizeof c->name);
        end_text(c->selected, sizeof c->selected);
    }
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        a->member[n] &= n ? there : 0;
}

int audiences_copy(struct audiences *a, const void *base, uint32_t pages, uint32_t sites)
{
    const struct segment_header *h = base;
    uint32_t first = word_read(&h->consumer_pages);
    *a = (struct audiences){.sites = sites};
    if (!first)
        return 0;
    if (first >= pages || 2 * CONSUMER_PAGES > pages - first || ((const struct page_header *)page_at(base, first))->kind != PAGE_CONSUMER)
        return -EBADMSG;
    int r = copy_table(a, base, pages, first);
    if (r < 0)
        audiences_free(a);
    else
        check(a);
    return r;
}

void audiences_free(struct audiences *a)
{
    free_selections(a);
    *a = (struct audiences){.sites = 0};
}

/* ---- views ---- */

int audiences_view(const struct audiences *a, uint32_t consumer, struct audience_view *v)
{
    *v = (struct audience_view){.audiences = a};
    for (unsigned i = 0; consumer && i < SEGMENT_CONSUMERS; i++)
        v->slots |= (uint64_t)(a->consumer[i].number == consumer) << i;
    return v->slots ? 0 : -ENOENT;
}

struct audience_view audiences_view_kinds(const struct audiences *a, unsigned kinds)
{
    struct audience_view v = {.audiences = a};
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (a->consumer[i].number && kinds >> a->consumer[i].kind & 1)
            v.slots |= 1ull << i;
    return v;
}

struct audience_view audiences_view_default(const struct audiences *a)
{
    return audiences_view_kinds(a, 1u << CONSUMER_SESSION | 1u << CONSUMER_ATTACHED | 1u << CONSUMER_COLLECTORS);
}

struct audience_view audiences_view_everything(const struct audiences *a) { return audiences_view_kinds(a, ~0u); }

const struct consumer *audience_view_next(const struct audience_view *v, unsigned *i)
{
    for (; v->audiences && *i < SEGMENT_CONSUMERS; ++*i) {
        const struct consumer *c = &v->audiences->consumer[*i];
        if (v->slots >> *i & 1 && c->number && !(c->flags & CONSUMER_FORMER))
            return &v->audiences->consumer[(*i)++];
    }
    return NULL;
}

const char *consumer_kind_name(uint32_t kind)
{
    static const char *const name[CONSUMER_KINDS] = {
        [CONSUMER_SESSION] = "session",   [CONSUMER_ATTACHED] = "attached", [CONSUMER_COLLECTORS] = "collectors",
        [CONSUMER_PROFILER] = "profiler", [CONSUMER_YAPPI] = "yappi",
    };
    return kind < CONSUMER_KINDS ? name[kind] : NULL;
}

const struct consumer *audiences_consumer(const struct audiences *a, uint32_t consumer)
{
    for (unsigned i = 0; consumer && i < SEGMENT_CONSUMERS; i++)
        if (a->consumer[i].number == consumer && !(a->consumer[i].flags & CONSUMER_FORMER))
            return &a->consumer[i];
    return NULL;
}

static bool selects(const struct audiences *a, unsigned slot, uint32_t site)
{
    if (!(a->consumer[slot].flags & CONSUMER_SELECTS))
        return true;
    return a->selected[slot] && site <= a->sites && a->selected[slot][site / 64] >> site % 64 & 1;
}

bool audience_view_is_short(const struct audience_view *v)
{
    uint64_t slots = v->slots;
    for (; slots; slots &= slots - 1)
        if (v->audiences->consumer[__builtin_ctzll(slots)].flags & CONSUMER_SHORT)
            return true;
    return false;
}

bool audience_view_has(const struct audience_view *v, uint32_t identity)
{
    if (!v->audiences)
        return true;
    uint64_t slots = v->slots & v->audiences->member[identity_audience(identity)];
    for (; slots; slots &= slots - 1)
        if (selects(v->audiences, (unsigned)__builtin_ctzll(slots), identity_site(identity)))
            return true;
    return false;
}
