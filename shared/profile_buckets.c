#include "profile_build.h"

#include <errno.h>
#include <stdlib.h>

#include "item_key.h"

/* Threads, and audiences, have blocks of their own: those of the same name are one bucket. */
static struct profile_bucket name_of(const struct block *b)
{
    uint64_t key = b->block->item.key;
    return (struct profile_bucket){.site = b->site, .kind = key_block_kind(key), .exponent = key_block_exponent(key)};
}

int profile_bucket_compare(const struct profile_bucket *x, const struct profile_bucket *y)
{
    if (x->site != y->site)
        return x->site < y->site ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->exponent > y->exponent) - (x->exponent < y->exponent);
}

static int compare(const void *a, const void *b)
{
    struct profile_bucket x = name_of(a), y = name_of(b);
    return profile_bucket_compare(&x, &y);
}

static void add_block(struct profile *p, const struct block *block)
{
    struct profile_bucket name = name_of(block), *last = p->buckets ? &p->bucket[p->buckets - 1] : NULL;
    if (!last || profile_bucket_compare(last, &name) != 0) {
        last = &p->bucket[p->buckets++];
        *last = name;
    }
    for (unsigned k = 0; k < HISTOGRAM_STEPS; k++)
        last->count[k] += block->block->count[k];
}

int builder_keep_buckets(struct builder *b)
{
    struct profile *p = b->p;
    if (!b->blocks)
        return 0;
    p->bucket = calloc(b->blocks, sizeof *p->bucket);
    if (!p->bucket)
        return -ENOMEM;
    qsort(b->block, b->blocks, sizeof *b->block, compare);
    for (size_t i = 0; i < b->blocks; i++) {
        uint64_t key = b->block[i].block->item.key;
        if (key_block_exponent(key) < HISTOGRAM_EXPONENTS && key_block_kind(key) < BLOCK_KINDS && builder_site(p, b->block[i].site))
            add_block(p, &b->block[i]);
    }
    return 0;
}
