#include "snapshot_sites.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

#define LONG_MOST (256u << 20) /* bytes of long texts in a snapshot's sites and tracks together */

/* What a site can be a variant of is there before it, and is none itself. */
static void check_variants(struct snapshot *s)
{
    for (uint32_t i = 1; i <= s->sites; i++) {
        uint32_t of = s->site[i].variant_of;
        if (of >= i || s->site[of].variant_of)
            s->site[i].variant_of = 0;
        s->variants |= s->site[i].variant_of != 0;
    }
}

static void take_sites(struct copier *c, const struct page_header *page, uint32_t done, uint32_t count)
{
    words_read(&c->s->site[1 + done], page_item(page, 0, 0), count * sizeof(struct site_record));
}

int copier_sites(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    const uint32_t per_page = PAGE_ITEMS(struct site_record);
    uint32_t count = word_read(&h->site_count), first = word_read(&h->site_first);
    copier_refresh(c);
    if (count >= SITES_MAX || count / per_page > c->limit)
        return -EBADMSG;
    c->s->site = calloc((size_t)count + 1, sizeof *c->s->site);
    if (!c->s->site)
        return -ENOMEM;
    if (copier_table(c, PAGE_SITE, first, count, per_page, take_sites) < 0)
        return -EBADMSG;
    c->s->sites = count;
    check_variants(c->s);
    return 0;
}

/* ---- strings ---- */

/* Where a string is, if one can be there; its first 8 bytes are there. */
static bool place_of(uint32_t ref, uint32_t pages, uint32_t *number, size_t *at)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT;
    *number = (uint32_t)(offset / SEGMENT_PAGE);
    *at = offset % SEGMENT_PAGE;
    return *number && *number < pages && *at >= PAGE_ITEMS_OFFSET;
}

/* The bytes of a string or of the list of its pieces, with what is before them; 0: neither. */
static size_t bytes_of(const char *p, size_t room)
{
    uint16_t length, pieces;
    memcpy(&length, p, sizeof length);
    memcpy(&pieces, p + sizeof length, sizeof pieces);
    bool list = length == STRING_LONG && pieces && pieces <= STRING_PIECES;
    size_t bytes = list ? offsetof(struct long_string, piece) + pieces * sizeof(segment_ref) : sizeof length + length;
    return (list || length <= STRING_PIECE) && bytes <= room ? bytes : 0;
}

/* A string never changes once it is referred to; what follows it on its page may. Its copy; NULL: there is none. */
static const char *copy_string(struct copier *c, uint32_t ref)
{
    uint32_t number;
    size_t at;
    char head[8];
    if (!place_of(ref, c->limit, &number, &at) || (c->owner[number] && c->owner[number] != UINT32_MAX))
        return NULL;
    const struct page_header *page = copier_live(c, number);
    if (page->kind != PAGE_STRING)
        return NULL;
    const char *live = (const char *)page + at;
    char *copy = (char *)snapshot_page(c->s, number) + at;
    words_read(head, live, sizeof head);
    size_t bytes = bytes_of(head, SEGMENT_PAGE - at);
    if (!bytes)
        return NULL;
    words_read(copy, live, (bytes + 7) & ~(size_t)7);
    memcpy(copy, head, 2 * sizeof(uint16_t)); /* the length that was checked */
    c->owner[number] = UINT32_MAX;
    ((struct page_header *)snapshot_page(c->s, number))->kind = PAGE_STRING;
    return copy;
}

static bool is_long(const char *string)
{
    uint16_t length;
    memcpy(&length, string, sizeof length);
    return length == STRING_LONG;
}

/* A long string may be referred to from everywhere, and each reference becomes a text: when those are LONG_MOST bytes, it is its
 * first piece from there on. */
static void copy_text(struct copier *c, uint32_t *ref, uint64_t *bytes)
{
    const char *copy = *ref ? copy_string(c, *ref) : NULL;
    struct long_string l = {.pieces = 0};
    if (!copy || !is_long(copy))
        return;
    memcpy(&l, copy, bytes_of(copy, sizeof l));
    *bytes += (uint64_t)l.pieces * STRING_PIECE;
    if (*bytes > LONG_MOST) {
        *ref = l.piece[0];
        l.pieces = 1;
    }
    for (uint16_t i = 0; i < l.pieces; i++)
        copy_string(c, l.piece[i]);
}

void copier_strings(struct copier *c)
{
    uint64_t bytes = 0;
    for (uint32_t i = 1; i <= c->s->sites; i++) {
        struct site_record *r = &c->s->site[i];
        copy_text(c, &r->name, &bytes);
        copy_text(c, &r->qualname, &bytes);
        copy_text(c, &r->module, &bytes);
        copy_text(c, &r->file, &bytes);
    }
    for (uint32_t i = 1; i <= c->s->tracks; i++) {
        struct track_record *r = &c->s->track[i];
        uint32_t id = word_get(&r->id), name = word_get(&r->name);
        copy_text(c, &id, &bytes);
        copy_text(c, &name, &bytes);
        word_set(&r->id, id);
        word_set(&r->name, name);
    }
}

/* What was copied; NULL: nothing. */
static const char *string_at(const struct snapshot *s, uint32_t ref, size_t *room)
{
    uint32_t number;
    size_t at;
    if (!place_of(ref, s->pages, &number, &at) || ((const struct page_header *)snapshot_page(s, number))->kind != PAGE_STRING)
        return NULL;
    *room = SEGMENT_PAGE - at;
    return (const char *)snapshot_page(s, number) + at;
}

/* Adds a string that is one piece. A 0 in it, which nobody writes, is no end. */
static bool add_piece(const struct snapshot *s, uint32_t ref, char *text, size_t *used)
{
    size_t room = 0;
    const char *p = string_at(s, ref, &room);
    size_t bytes = p && !is_long(p) ? bytes_of(p, room) : 0;
    for (size_t i = sizeof(uint16_t); i < bytes; i++)
        text[(*used)++] = p[i] ? p[i] : '?';
    return bytes;
}

char *snapshot_text(const struct snapshot *s, uint32_t ref)
{
    size_t room = 0, used = 0;
    const char *p = string_at(s, ref, &room);
    size_t bytes = p ? bytes_of(p, room) : 0;
    struct long_string l = {.pieces = bytes ? 1 : 0, .piece = {ref}};
    if (bytes && is_long(p))
        memcpy(&l, p, bytes);
    char *text = malloc((size_t)l.pieces * STRING_PIECE + 1);
    bool whole = text != NULL;
    for (uint16_t i = 0; whole && i < l.pieces; i++)
        whole = add_piece(s, l.piece[i], text, &used);
    if (text)
        text[whole ? used : 0] = '\0';
    return text;
}
