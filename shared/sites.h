/* The site table, writer's side: what can be recorded, each with a number that records carry. Append-only; the same
 * identity gets the same number; number 0 means none. Not thread-safe: the caller holds the interpreter's lock. */
#ifndef TSCAP_SITES_H
#define TSCAP_SITES_H

#include <stddef.h>
#include <stdint.h>

#include "segment_file.h"

#define SITE_STRING_MAX 65536u /* bytes: of a longer name its beginning is kept, with SITE_STRING_CUT at its end */
#define SITE_STRING_CUT "\xe2\x80\xa6" /* ... as one character */

struct site {
    const char *name, *qualname, *module, *file; /* as utf8.h has names */
    uint32_t line;  /* 1-based; 0: unknown */
    uint32_t track; /* 0: none */
    uint32_t kind;  /* enum site_kind */
};

struct sites;

struct sites *sites_new(struct segment *segment); /* NULL: no memory */
void sites_delete(struct sites *t);

/* Its number; 0: no room, counted in header.lost_sites. */
uint32_t sites_intern(struct sites *t, const struct site *site);

/* The ref of a text that is kept beside them, each once; cut where it is too long. 0: it is empty, or there is no room. */
uint32_t sites_text(struct sites *t, const char *text);

/* A site of its own for some of the calls of `site`, which is no variant itself; not the same number twice. 0: no room, counted. */
uint32_t sites_add_variant(struct sites *t, uint32_t site);

uint32_t sites_count(const struct sites *t);

/* What the name of a site is called: sites of one name have the same. 0: "", or a number that is none. */
uint32_t sites_name_ref(const struct sites *t, uint32_t site);

/* The name of a site, "" for a number that is none. Returns `buffer`; one that is longer than `size` is cut. */
const char *sites_name(const struct sites *t, uint32_t site, char *buffer, size_t size);

#endif
