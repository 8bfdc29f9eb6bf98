#include "snapshot_sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "process.h"
#include "sites.h"

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

int copier_sites(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    const uint32_t per_page = PAGE_ITEMS(struct site_record);
    uint32_t count = word_read(&h->site_count), number = word_read(&h->site_first);
    copier_refresh(c);
    if (count >= SITES_MAX || count / per_page > c->limit)
        return -EBADMSG;
    c->s->site = calloc((size_t)count + 1, sizeof *c->s->site);
    if (!c->s->site)
        return -ENOMEM;
    c->walk++;
    for (uint32_t done = 0; done < count; done += per_page) {
        if (!copier_visit(c, number))
            return -EBADMSG;
        const struct page_header *page = copier_live(c, number);
        uint32_t here = count - done < per_page ? count - done : per_page;
        if (page->kind != PAGE_SITE)
            return -EBADMSG;
        words_read(&c->s->site[1 + done], page_item(page, 0, 0), here * sizeof(struct site_record));
        number = word_read(&page->next);
    }
    c->s->sites = count;
    check_variants(c->s);
    return 0;
}

/* A string never changes once it is referred to; what follows it on its page may. */
static void copy_string(struct copier *c, uint32_t ref)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT, number = offset / SEGMENT_PAGE, at = offset % SEGMENT_PAGE;
    uint16_t length;
    if (number == 0 || number >= c->limit || at < PAGE_ITEMS_OFFSET || (c->owner[number] && c->owner[number] != UINT32_MAX))
        return;
    const struct page_header *page = copier_live(c, (uint32_t)number);
    if (page->kind != PAGE_STRING)
        return;
    char *copy = (char *)c->s->image + offset;
    words_read(copy, (const char *)c->view->base + offset, 8);
    memcpy(&length, copy, sizeof length);
    size_t bytes = (sizeof length + length + 7) & ~(size_t)7;
    if (length > SITE_STRING_MAX || bytes > SEGMENT_PAGE - at)
        return;
    words_read(copy, (const char *)c->view->base + offset, bytes);
    memcpy(copy, &length, sizeof length); /* the one that was checked */
    c->owner[number] = UINT32_MAX;
    ((struct page_header *)snapshot_page(c->s, (uint32_t)number))->kind = PAGE_STRING;
}

void copier_strings(struct copier *c)
{
    for (uint32_t i = 1; i <= c->s->sites; i++) {
        const struct site_record *r = &c->s->site[i];
        copy_string(c, r->name);
        copy_string(c, r->qualname);
        copy_string(c, r->module);
        copy_string(c, r->file);
    }
    for (uint32_t i = 1; i <= c->s->tracks; i++) {
        copy_string(c, c->s->track[i].id);
        copy_string(c, c->s->track[i].name);
    }
}

const char *snapshot_string(const struct snapshot *s, uint32_t ref, char *buffer, size_t size)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT, at = offset % SEGMENT_PAGE;
    uint16_t length;
    buffer[0] = '\0';
    if (ref == 0 || offset / SEGMENT_PAGE >= s->pages || at < PAGE_ITEMS_OFFSET)
        return buffer;
    const char *p = (const char *)s->image + offset;
    if (((const struct page_header *)snapshot_page(s, (uint32_t)(offset / SEGMENT_PAGE)))->kind != PAGE_STRING)
        return buffer;
    memcpy(&length, p, sizeof length);
    if (length > SITE_STRING_MAX || at + sizeof length + length > SEGMENT_PAGE || length >= size)
        return buffer;
    memcpy(buffer, p + sizeof length, length);
    buffer[length] = '\0';
    process_printable(buffer);
    return buffer;
}
