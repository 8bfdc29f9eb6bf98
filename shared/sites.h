/* The site table, writer's side: what can be recorded, each with a number that records carry. Append-only; the same
 * identity gets the same number; number 0 means none. Not thread-safe: the caller holds the interpreter's lock. */
#ifndef TSCAP_SITES_H
#define TSCAP_SITES_H

#include <stddef.h>
#include <stdint.h>

#include "segment_file.h"

#define SITE_STRING_MAX 2000u /* bytes; longer names are cut */

struct site {
    const char *name, *qualname, *module, *file; /* UTF-8 */
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

/* The name of a site, "" for a number that is none. Returns `buffer`, of at least SITE_STRING_MAX + 1 bytes. */
const char *sites_name(const struct sites *t, uint32_t site, char *buffer, size_t size);

#endif
