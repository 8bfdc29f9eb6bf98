#include "sites.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

#define STRING_PAGES 4u /* pages taken at a time */
#define LONG_SHARE 16u  /* of the capacity that long strings may take: what is recorded needs the rest */

/* A set of numbers whose meaning lies in the segment: string refs or site numbers. */
struct set {
    uint32_t *slot;
    uint32_t room, used; /* room: a power of two */
};

struct sites {
    struct segment *segment;
    struct set strings, records;
    struct page_header **page; /* the site pages */
    uint32_t pages, pages_room;
    uint32_t count; /* of sites */
    char *next_string, *strings_end;
    uint64_t long_bytes; /* in strings beyond STRING_PIECE */
    uint32_t spare_page, spare_pages;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = mix(h, v);
    }
    uint64_t last = 0;
    memcpy(&last, p, n);
    return mix(h, last);
}

static uint64_t hash_record(const struct site_record *r)
{
    const uint32_t words[] = {r->name, r->qualname, r->module, r->file, r->line, r->track, r->kind};
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        h = mix(h, words[i]);
    return h;
}

/* ---- strings: one piece, or several ---- */

static const char *string_at(const struct sites *t, uint32_t ref, uint16_t *length)
{
    const char *p = segment_at(t->segment->base, ref);
    memcpy(length, p, sizeof *length);
    return p + sizeof *length;
}

static struct long_string pieces_of(const struct sites *t, uint32_t ref)
{
    struct long_string l = {.pieces = 1, .piece = {ref}};
    uint16_t length;
    string_at(t, ref, &length);
    if (length == STRING_LONG)
        memcpy(&l, segment_at(t->segment->base, ref), sizeof l);
    return l;
}

static size_t piece_length(size_t rest) { return rest < STRING_PIECE ? rest : STRING_PIECE; }

static uint64_t hash_text(const char *text, size_t n)
{
    uint64_t h = hash_bytes(text, piece_length(n));
    for (size_t at = STRING_PIECE; at < n; at += STRING_PIECE)
        h = mix(h, hash_bytes(text + at, piece_length(n - at)));
    return h;
}

/* The same of a text that is there. */
static uint64_t hash_string(const struct sites *t, uint32_t ref)
{
    const struct long_string l = pieces_of(t, ref);
    uint64_t h = 0;
    for (uint16_t i = 0; i < l.pieces; i++) {
        uint16_t length;
        const char *p = string_at(t, l.piece[i], &length);
        h = i ? mix(h, hash_bytes(p, length)) : hash_bytes(p, length);
    }
    return h;
}

static bool is_string(const struct sites *t, uint32_t ref, const char *text, size_t n)
{
    const struct long_string l = pieces_of(t, ref);
    for (uint16_t i = 0; i < l.pieces; i++) {
        uint16_t length;
        const char *p = string_at(t, l.piece[i], &length);
        if (length > n || memcmp(p, text, length) != 0)
            return false;
        text += length;
        n -= length;
    }
    return n == 0;
}

/* ---- sets ---- */

static struct site_record *record_at(const struct sites *t, uint32_t site)
{
    const uint32_t per_page = PAGE_ITEMS(struct site_record);
    return page_item(t->page[(site - 1) / per_page], (site - 1) % per_page, sizeof(struct site_record));
}

static uint64_t hash_of(const struct sites *t, const struct set *set, uint32_t number)
{
    return set == &t->records ? hash_record(record_at(t, number)) : hash_string(t, number);
}

static bool set_grow(const struct sites *t, struct set *set)
{
    struct set bigger = {.room = set->room ? 2 * set->room : 256, .used = set->used};
    bigger.slot = calloc(bigger.room, sizeof *bigger.slot);
    if (!bigger.slot)
        return false;
    for (uint32_t i = 0; i < set->room; i++) {
        if (!set->slot[i])
            continue;
        uint32_t p = (uint32_t)hash_of(t, set, set->slot[i]) & (bigger.room - 1);
        while (bigger.slot[p])
            p = (p + 1) & (bigger.room - 1);
        bigger.slot[p] = set->slot[i];
    }
    free(set->slot);
    *set = bigger;
    return true;
}

static uint32_t take_page(struct sites *t)
{
    if (t->spare_pages == 0) {
        t->spare_page = segment_pages(t->segment, STRING_PAGES);
        t->spare_pages = t->spare_page ? STRING_PAGES : 0;
    }
    if (t->spare_pages == 0)
        return 0;
    t->spare_pages--;
    return t->spare_page++;
}

/* Room on a page of strings; NULL: there is none. */
static char *take_bytes(struct sites *t, size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    if ((size_t)(t->strings_end - t->next_string) < bytes) {
        uint32_t number = take_page(t);
        if (!number)
            return NULL;
        struct page_header *page = segment_page_at(t->segment->base, number);
        page->kind = PAGE_STRING;
        t->next_string = page_item(page, 0, 0);
        t->strings_end = (char *)page + SEGMENT_PAGE;
    }
    char *p = t->next_string;
    t->next_string += bytes;
    return p;
}

static uint32_t add_piece(struct sites *t, const char *text, size_t n)
{
    uint16_t length = (uint16_t)n;
    char *p = take_bytes(t, sizeof length + n);
    if (!p)
        return 0;
    memcpy(p, &length, sizeof length);
    memcpy(p + sizeof length, text, n);
    return segment_ref_of(t->segment->base, p);
}

static uint32_t add_long(struct sites *t, const char *text, size_t n)
{
    struct long_string l = {.mark = STRING_LONG};
    for (size_t at = 0; at < n; at += STRING_PIECE)
        if (!(l.piece[l.pieces++] = add_piece(t, text + at, piece_length(n - at))))
            return 0;
    char *p = take_bytes(t, sizeof l);
    if (!p)
        return 0;
    memcpy(p, &l, sizeof l);
    t->long_bytes += n;
    return segment_ref_of(t->segment->base, p);
}

/* Where a text that is too long is cut: between two characters, for those who read it as UTF-8. */
static size_t cut_length(const char *text, size_t most)
{
    size_t n = most;
    while (n > most - 4 && (text[n] & 0xc0) == 0x80)
        n--;
    return n > most - 4 ? n : most; /* not UTF-8 */
}

static uint32_t find_or_add(struct sites *t, const char *text, size_t n);

/* The beginning of a text that is longer than `most`, and the mark. */
static uint32_t intern_cut(struct sites *t, const char *text, size_t most)
{
    size_t kept = cut_length(text, most - strlen(SITE_STRING_CUT));
    char *cut = malloc(most + 1);
    if (!cut)
        return UINT32_MAX;
    memcpy(cut, text, kept);
    strcpy(cut + kept, SITE_STRING_CUT);
    uint32_t ref = find_or_add(t, cut, strlen(cut));
    free(cut);
    return ref;
}

/* Its ref, UINT32_MAX when there is no room. */
static uint32_t find_or_add(struct sites *t, const char *text, size_t n)
{
    if (t->strings.used >= t->strings.room / 2 && !set_grow(t, &t->strings))
        return UINT32_MAX;
    uint32_t i = (uint32_t)hash_text(text, n) & (t->strings.room - 1);
    for (; t->strings.slot[i]; i = (i + 1) & (t->strings.room - 1))
        if (is_string(t, t->strings.slot[i], text, n))
            return t->strings.slot[i];
    if (n > STRING_PIECE && t->long_bytes + n > t->segment->header->capacity / LONG_SHARE)
        return intern_cut(t, text, STRING_PIECE);
    uint32_t ref = n > STRING_PIECE ? add_long(t, text, n) : add_piece(t, text, n);
    if (!ref)
        return UINT32_MAX;
    t->strings.slot[i] = ref;
    t->strings.used++;
    return ref;
}

/* Its ref, 0 for "", UINT32_MAX when there is no room. */
static uint32_t intern_string(struct sites *t, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n == 0)
        return 0;
    return n > SITE_STRING_MAX ? intern_cut(t, text, SITE_STRING_MAX) : find_or_add(t, text, n);
}

static bool add_site_page(struct sites *t)
{
    if (t->pages == t->pages_room) {
        uint32_t room = t->pages_room ? 2 * t->pages_room : 16;
        struct page_header **more = realloc(t->page, room * sizeof(struct page_header *));
        if (!more)
            return false;
        t->page = more;
        t->pages_room = room;
    }
    uint32_t number = take_page(t);
    if (!number)
        return false;
    struct page_header *page = segment_page_at(t->segment->base, number);
    page->kind = PAGE_SITE;
    _Atomic uint32_t *link = t->pages ? &t->page[t->pages - 1]->next : &t->segment->header->site_first;
    word_put(link, number);
    t->page[t->pages++] = page;
    return true;
}

/* Filled before it is counted: pairs with the acquire load of site_count in snapshot_sites.c. */
static uint32_t add_record(struct sites *t, const struct site_record *record)
{
    struct segment_header *h = t->segment->header;
    uint32_t index = t->count % PAGE_ITEMS(struct site_record);
    if (t->count >= SITES_MAX - 1 || (index == 0 && !add_site_page(t)))
        return 0;
    struct page_header *page = t->page[t->pages - 1];
    *(struct site_record *)page_item(page, index, sizeof *record) = *record;
    word_put(&page->used, index + 1);
    word_put(&h->site_count, ++t->count);
    return t->count;
}

static uint32_t intern_record(struct sites *t, const struct site_record *record)
{
    if (t->records.used >= t->records.room / 2 && !set_grow(t, &t->records))
        return 0;
    uint32_t i = (uint32_t)hash_record(record) & (t->records.room - 1);
    for (; t->records.slot[i]; i = (i + 1) & (t->records.room - 1))
        if (memcmp(record_at(t, t->records.slot[i]), record, sizeof *record) == 0)
            return t->records.slot[i];
    uint32_t site = add_record(t, record);
    if (site) {
        t->records.slot[i] = site;
        t->records.used++;
    }
    return site;
}

struct sites *sites_new(struct segment *segment)
{
    struct sites *t = calloc(1, sizeof *t);
    if (t)
        t->segment = segment;
    return t;
}

void sites_delete(struct sites *t)
{
    if (!t)
        return;
    free(t->strings.slot);
    free(t->records.slot);
    free(t->page);
    free(t);
}

uint32_t sites_intern(struct sites *t, const struct site *site)
{
    struct site_record record = {
        .name = intern_string(t, site->name),
        .qualname = intern_string(t, site->qualname),
        .module = intern_string(t, site->module),
        .file = intern_string(t, site->file),
        .line = site->line,
        .track = site->track,
        .kind = site->kind,
    };
    bool named = record.name != UINT32_MAX && record.qualname != UINT32_MAX && record.module != UINT32_MAX && record.file != UINT32_MAX;
    uint32_t number = named ? intern_record(t, &record) : 0;
    if (!number)
        atomic_fetch_add_explicit(&t->segment->header->lost_sites, 1, memory_order_relaxed);
    return number;
}

uint32_t sites_text(struct sites *t, const char *text)
{
    uint32_t ref = intern_string(t, text);
    return ref == UINT32_MAX ? 0 : ref;
}

uint32_t sites_add_variant(struct sites *t, uint32_t site)
{
    struct site_record record = *record_at(t, site);
    record.variant_of = site;
    uint32_t number = add_record(t, &record);
    if (!number)
        atomic_fetch_add_explicit(&t->segment->header->lost_sites, 1, memory_order_relaxed);
    return number;
}

uint32_t sites_count(const struct sites *t) { return t->count; }

uint32_t sites_name_ref(const struct sites *t, uint32_t site)
{
    return site && site <= t->count ? record_at(t, site)->name : 0;
}

const char *sites_name(const struct sites *t, uint32_t site, char *buffer, size_t size)
{
    uint32_t ref = sites_name_ref(t, site);
    const struct long_string l = ref ? pieces_of(t, ref) : (struct long_string){.pieces = 0};
    size_t used = 0;
    for (uint16_t i = 0; i < l.pieces; i++) {
        uint16_t length;
        const char *p = string_at(t, l.piece[i], &length);
        size_t more = length < size - 1 - used ? length : size - 1 - used;
        memcpy(buffer + used, p, more);
        used += more;
    }
    buffer[used] = '\0';
    return buffer;
}
