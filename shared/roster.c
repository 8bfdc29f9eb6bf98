#include "roster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "word.h"

struct roster {
    struct segment *segment;
    roster_compact *compact;
    void *context;
    struct consumer_table *side[2]; /* in the segment */
    uint64_t member[SEGMENT_AUDIENCES];
    struct consumer consumer[SEGMENT_CONSUMERS];
    bool used[SEGMENT_AUDIENCES];
    uint64_t wanting; /* those that run now */
    uint32_t audience;
    uint32_t numbers;         /* consumers there ever were */
    uint32_t free_selections; /* first page of a chain */
    uint32_t left[SEGMENT_CONSUMERS]; /* first pages of selections that the table has still which readers see */
    unsigned lefts;
};

/* ---- the table that readers see ---- */

static void put_words(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / 8; i++) {
        uint64_t word;
        memcpy(&word, (const char *)from + 8 * i, 8);
        word_put((_Atomic uint64_t *)to + i, word);
    }
}

static void give_pages(struct roster *c, uint32_t first);

/* The turn last: that one store makes it the table. Pairs with copy_table() in audiences.c. Selections that are in it no more may be
 * others from then on. */
static void publish(struct roster *c)
{
    struct segment_header *h = c->segment->header;
    uint32_t turn = word_get(&h->consumer_turn) + 1;
    struct consumer_table *t = c->side[turn & 1];
    put_words(t->member, c->member, sizeof c->member);
    put_words(t->consumer, c->consumer, sizeof c->consumer);
    word_put(&h->consumer_turn, turn);
    word_put(&h->audience, c->audience);
    while (c->lefts)
        give_pages(c, c->left[--c->lefts]);
}

/* ---- selections ---- */

static struct page_header *page_at(const struct roster *c, uint32_t number) { return segment_page_at(c->segment->base, number); }

static uint32_t new_selection_page(struct roster *c)
{
    uint32_t number = c->free_selections;
    if (!number) {
        number = segment_pages(c->segment, 1);
        if (number)
            page_at(c, number)->kind = PAGE_SELECTION;
        return number;
    }
    struct page_header *page = page_at(c, number);
    c->free_selections = word_get(&page->next);
    word_put(&page->next, 0);
    for (uint32_t i = PAGE_ITEMS_OFFSET / 8; i < SEGMENT_PAGE / 8; i++)
        word_put((_Atomic uint64_t *)page + i, 0);
    return number;
}

/* Of a selection that no reader can see. */
static void give_pages(struct roster *c, uint32_t first)
{
    if (!first)
        return;
    struct page_header *last = page_at(c, first);
    while (word_get(&last->next))
        last = page_at(c, word_get(&last->next));
    word_put(&last->next, c->free_selections);
    c->free_selections = first;
}

static _Atomic uint64_t *selection_word(struct page_header *page, uint32_t site)
{
    return (_Atomic uint64_t *)page + PAGE_ITEMS_OFFSET / 8 + site % SELECTION_BITS / 64;
}

/* `first`: of a chain that may be empty, and grows. */
static int select_site(struct roster *c, uint32_t *first, uint32_t site)
{
    struct page_header *page = NULL;
    for (uint32_t i = 0; i <= site / SELECTION_BITS; i++) {
        uint32_t number = page ? word_get(&page->next) : *first;
        if (!number) {
            number = new_selection_page(c);
            if (!number)
                return -ENOSPC;
            if (page)
                word_put(&page->next, number);
            else
                *first = number;
        }
        page = page_at(c, number);
    }
    _Atomic uint64_t *word = selection_word(page, site);
    word_put(word, word_get(word) | 1ull << site % 64);
    return 0;
}

static bool same_pages(const struct page_header *a, const struct page_header *b)
{
    static const uint64_t none;
    for (uint32_t i = PAGE_ITEMS_OFFSET / 8; i < SEGMENT_PAGE / 8; i++) {
        uint64_t x = a ? word_get((const _Atomic uint64_t *)a + i) : none, y = b ? word_get((const _Atomic uint64_t *)b + i) : none;
        if (x != y)
            return false;
    }
    return true;
}

/* A chain that ends early selects nothing beyond. */
static bool same_selection(const struct roster *c, const struct consumer *a, const struct consumer *b)
{
    if ((a->flags ^ b->flags) & CONSUMER_SELECTS)
        return false;
    uint32_t x = a->selection, y = b->selection;
    while (x || y) {
        const struct page_header *p = x ? page_at(c, x) : NULL, *q = y ? page_at(c, y) : NULL;
        if (!same_pages(p, q))
            return false;
        x = p ? word_get(&p->next) : 0;
        y = q ? word_get(&q->next) : 0;
    }
    return true;
}

static int fill_selection(struct roster *c, struct consumer *r, const struct roster_selection *s)
{
    snprintf(r->selected, sizeof r->selected, "%s", s->text ? s->text : "");
    if (s->all)
        return 0;
    r->flags |= CONSUMER_SELECTS;
    for (size_t i = 0; i < s->sites; i++)
        if (select_site(c, &r->selection, s->site[i]) < 0)
            return -ENOSPC;
    return 0;
}

/* ---- slots: one for what a consumer is now, and one for each selection it had before ---- */

static int slot_of(const struct roster *c, uint32_t number)
{
    for (int i = 0; i < (int)SEGMENT_CONSUMERS; i++)
        if (number && c->consumer[i].number == number && !(c->consumer[i].flags & CONSUMER_FORMER))
            return i;
    return -ENOENT;
}

static uint64_t slots_of(const struct roster *c, uint32_t number)
{
    uint64_t slots = 0;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        slots |= (uint64_t)(c->consumer[i].number == number) << i;
    return slots;
}

/* What it selected is in the table that readers see, until the next one is. */
static void free_slot_at(struct roster *c, unsigned slot)
{
    if (c->consumer[slot].selection)
        c->left[c->lefts++] = c->consumer[slot].selection;
    c->consumer[slot] = (struct consumer){.number = 0};
}

/* ---- numbers ---- */

/* What has these members: nobody, what calls begin in now, or the first. SEGMENT_AUDIENCES: none. */
static unsigned number_with(const struct roster *c, uint64_t members)
{
    if (members && c->member[c->audience] == members)
        return c->audience;
    unsigned n = 0; /* is used, and empty */
    while (n < SEGMENT_AUDIENCES && (!c->used[n] || c->member[n] != members))
        n++;
    return n;
}

/* For each number the one that says the same; where there are several, all but one are done with. */
static void find_equals(const struct roster *c, uint8_t equal[SEGMENT_AUDIENCES])
{
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        equal[n] = (uint8_t)number_with(c, c->member[n]);
}

/* Where calls are only counted for others, or for nobody, any more. */
static void tidy(struct roster *c)
{
    uint8_t equal[SEGMENT_AUDIENCES];
    find_equals(c, equal);
    c->compact(c->context, equal, false, NULL);
}

/* Numbers that no lane has any more can be used again. The count comes before the table that does so. */
static void renumber(struct roster *c)
{
    uint8_t equal[SEGMENT_AUDIENCES];
    bool still[SEGMENT_AUDIENCES] = {false};
    struct segment_header *h = c->segment->header;
    find_equals(c, equal);
    c->compact(c->context, equal, true, still);
    for (unsigned n = 1; n < SEGMENT_AUDIENCES; n++)
        if (!still[n] && n != c->audience) {
            c->used[n] = false;
            c->member[n] = 0;
        }
    word_put(&h->renumberings, word_get(&h->renumberings) + 1);
}

static bool is_counted(const struct roster *c, unsigned slot)
{
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        if (c->used[n] && c->member[n] >> slot & 1)
            return true;
    return false;
}

static int free_slot(const struct roster *c)
{
    for (int i = 0; i < (int)SEGMENT_CONSUMERS; i++)
        if (!c->consumer[i].number)
            return i;
    return -ENOSPC;
}

/* Where there is none, selections of before that no calls count by any more go. */
static int take_slot(struct roster *c)
{
    int slot = free_slot(c);
    if (slot >= 0)
        return slot;
    renumber(c);
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (c->consumer[i].flags & CONSUMER_FORMER && !is_counted(c, i))
            free_slot_at(c, i);
    publish(c);
    return free_slot(c);
}

static unsigned unused_number(const struct roster *c)
{
    unsigned n = 1;
    while (n < SEGMENT_AUDIENCES && c->used[n])
        n++;
    return n;
}

/* The number of the audience of `members`; -ENOSPC: there is none left. */
static int number_of(struct roster *c, uint64_t members)
{
    unsigned n = number_with(c, members);
    if (n < SEGMENT_AUDIENCES)
        return (int)n;
    if (unused_number(c) == SEGMENT_AUDIENCES)
        renumber(c);
    n = unused_number(c);
    if (n == SEGMENT_AUDIENCES)
        return -ENOSPC;
    c->used[n] = true;
    c->member[n] = members;
    return (int)n;
}

/* The largest audience in which everybody wants records. */
static unsigned next_best(const struct roster *c, uint64_t members)
{
    unsigned best = 0;
    for (unsigned n = 1; n < SEGMENT_AUDIENCES; n++)
        if (c->used[n] && !(c->member[n] & ~members) && __builtin_popcountll(c->member[n]) > __builtin_popcountll(c->member[best]))
            best = n;
    return best;
}

static void mark_short(struct roster *c, uint64_t slots)
{
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (slots >> i & 1)
            c->consumer[i].flags |= CONSUMER_SHORT;
}

/* Those in `wanting` want records from here on. -ENOSPC: not all of them can have them. */
static int listen(struct roster *c, uint64_t wanting)
{
    int n = number_of(c, wanting);
    if (n < 0)
        return n;
    c->wanting = wanting;
    c->audience = (uint32_t)n;
    return 0;
}

static void listen_or_less(struct roster *c, uint64_t wanting)
{
    if (listen(c, wanting) == 0)
        return;
    unsigned best = next_best(c, wanting);
    mark_short(c, wanting & ~c->member[best]);
    c->wanting = wanting;
    c->audience = best;
}

static void leave_audiences(struct roster *c, uint64_t slots)
{
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        c->member[n] &= ~slots;
}

/* ---- life ---- */

struct roster *roster_new(struct segment *segment, roster_compact *compact, void *context)
{
    struct roster *c = calloc(1, sizeof *c);
    uint32_t pages = c ? segment_pages(segment, 2 * CONSUMER_PAGES) : 0;
    if (!pages) {
        free(c);
        return NULL;
    }
    c->segment = segment;
    c->compact = compact;
    c->context = context;
    c->used[0] = true;
    for (unsigned i = 0; i < 2; i++) {
        c->side[i] = segment_page_at(segment->base, pages + i * CONSUMER_PAGES);
        c->side[i]->page.kind = PAGE_CONSUMER;
    }
    word_put(&segment->header->consumer_pages, pages);
    return c;
}

void roster_delete(struct roster *c) { free(c); }

uint32_t roster_audience(const struct roster *c) { return c->audience; }

uint32_t roster_add(struct roster *c, enum consumer_kind kind, const char *name, const struct roster_selection *s)
{
    int slot = take_slot(c);
    struct consumer r = {.number = c->numbers + 1, .kind = kind};
    snprintf(r.name, sizeof r.name, "%s", name);
    if (slot < 0 || fill_selection(c, &r, s) < 0) {
        give_pages(c, r.selection);
        return 0;
    }
    c->consumer[slot] = r;
    c->numbers++;
    publish(c);
    return r.number;
}

void roster_remove(struct roster *c, uint32_t number, uint64_t when)
{
    uint64_t slots = slots_of(c, number);
    if (slot_of(c, number) < 0)
        return;
    roster_end(c, number, when);
    leave_audiences(c, slots);
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (slots >> i & 1)
            free_slot_at(c, i);
    publish(c);
    tidy(c);
}

/* ---- what consumers do ---- */

int roster_begin(struct roster *c, uint32_t number, uint32_t flags, uint64_t when)
{
    int slot = slot_of(c, number);
    if (slot < 0)
        return slot;
    struct consumer *r = &c->consumer[slot];
    if (!(r->flags & CONSUMER_RUNNING)) {
        int error = listen(c, c->wanting | 1ull << slot);
        if (error < 0)
            return error;
        r->began = when;
        r->ended = 0;
    }
    r->flags |= CONSUMER_RUNNING | flags;
    publish(c);
    return 0;
}

void roster_end(struct roster *c, uint32_t number, uint64_t when)
{
    int slot = slot_of(c, number);
    struct consumer *r = slot < 0 ? NULL : &c->consumer[slot];
    if (!r || !(r->flags & CONSUMER_RUNNING))
        return;
    r->flags &= ~(uint32_t)(CONSUMER_RUNNING | CONSUMER_SUBPROCESSES);
    r->ended = when;
    listen_or_less(c, c->wanting & ~(1ull << slot));
    publish(c);
}

/* A number must be had for what begins now before anything is given up. It is another than all before, for those it leaves. */
int roster_clear(struct roster *c, uint32_t number, uint64_t when)
{
    int slot = slot_of(c, number);
    uint64_t slots = slots_of(c, number), running = slot < 0 ? 0 : c->wanting & 1ull << slot;
    if (slot < 0)
        return slot;
    if (running && unused_number(c) == SEGMENT_AUDIENCES)
        renumber(c);
    if (running && unused_number(c) == SEGMENT_AUDIENCES)
        return -ENOSPC;
    leave_audiences(c, slots);
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (slots >> i & 1 && i != (unsigned)slot)
            free_slot_at(c, i);
    c->consumer[slot].zero = when;
    c->consumer[slot].flags &= ~(uint32_t)CONSUMER_SHORT;
    listen_or_less(c, c->wanting);
    publish(c);
    tidy(c);
    return 0;
}

/* A slot of this consumer with the same selection; -ENOENT: there is none. */
static int slot_like(const struct roster *c, const struct consumer *r)
{
    for (int i = 0; i < (int)SEGMENT_CONSUMERS; i++)
        if (c->consumer[i].number == r->number && same_selection(c, &c->consumer[i], r))
            return i;
    return -ENOENT;
}

/* A slot of this consumer with this selection: one that it had before, or a new one. */
static int slot_for(struct roster *c, const struct consumer *now, const struct roster_selection *s)
{
    struct consumer r = {.number = now->number, .kind = now->kind, .flags = CONSUMER_FORMER};
    bool filled = fill_selection(c, &r, s) == 0;
    int slot = filled ? slot_like(c, &r) : -ENOSPC;
    bool had = slot >= 0;
    if (filled && !had)
        slot = take_slot(c);
    if (slot < 0 || had)
        give_pages(c, r.selection);
    if (had) /* the same functions, perhaps in other words */
        memcpy(c->consumer[slot].selected, r.selected, sizeof r.selected);
    else if (slot >= 0)
        c->consumer[slot] = r;
    return slot;
}

int roster_select(struct roster *c, uint32_t number, const struct roster_selection *s)
{
    int from = slot_of(c, number);
    uint64_t tried = slots_of(c, number);
    int to = from < 0 ? from : slot_for(c, &c->consumer[from], s);
    if (to < 0)
        return to;
    if (to == from) {
        publish(c);
        return 0;
    }
    uint64_t before = 1ull << from, after = 1ull << to;
    if (c->wanting & before && listen(c, (c->wanting & ~before) | after) < 0) {
        if (!(tried & after)) {
            give_pages(c, c->consumer[to].selection); /* no reader has seen it */
            c->consumer[to] = (struct consumer){.number = 0};
        }
        return -ENOSPC;
    }
    struct consumer *old = &c->consumer[from], *new = &c->consumer[to];
    new->flags = (new->flags & CONSUMER_SELECTS) | (old->flags & ~(uint32_t)CONSUMER_SELECTS);
    new->began = old->began;
    new->ended = old->ended;
    new->zero = old->zero;
    memcpy(new->name, old->name, sizeof new->name);
    old->flags = (old->flags & CONSUMER_SELECTS) | CONSUMER_FORMER;
    if (!is_counted(c, (unsigned)from))
        free_slot_at(c, (unsigned)from);
    publish(c);
    return 0;
}

int roster_select_new(struct roster *c, uint32_t number, uint32_t site)
{
    int slot = slot_of(c, number);
    if (slot < 0)
        return slot;
    struct consumer *r = &c->consumer[slot];
    uint32_t first = r->selection;
    int error = r->flags & CONSUMER_SELECTS ? select_site(c, &r->selection, site) : 0;
    if (r->selection != first)
        publish(c);
    return error;
}

void roster_switch(struct roster *c, uint32_t number, uint32_t switches)
{
    int slot = slot_of(c, number);
    struct consumer *r = slot < 0 ? NULL : &c->consumer[slot];
    if (!r || (r->flags & CONSUMER_SWITCHES) == (switches & CONSUMER_SWITCHES))
        return;
    r->flags = (r->flags & ~(uint32_t)CONSUMER_SWITCHES) | (switches & CONSUMER_SWITCHES);
    publish(c);
}
