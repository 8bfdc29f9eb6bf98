/* Pages of a lane, and new items on them. For fold*.c only. */
#ifndef TSCAP_FOLD_PAGES_H
#define TSCAP_FOLD_PAGES_H

#include "fold.h"

struct page_header *pages_add(struct folder *f, enum page_kind kind);

/* A new item, a copy of `image`, on a page of its kind; NULL: no memory. Readers look at `used` items only. One that a
 * dead process left without a link to it has nothing in it but its name: it needs no undo. */
void *pages_new_item(struct folder *f, enum page_kind kind, const void *image);

#endif
