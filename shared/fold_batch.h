/* A batch of records, and its undo log: how every word of a lane's state is changed (segment.h, struct lane). For fold*.c only. */
#ifndef TSCAP_FOLD_BATCH_H
#define TSCAP_FOLD_BATCH_H

#include "fold.h"
#include "word.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Opens a batch: from here to batch_end() a reader that finds commit odd puts back what the log says. */
static inline void batch_begin(struct folder *f)
{
    f->base_depth = f->depth;
    f->saved_entries = 0;
    f->logged = 0;
    f->stamp++;
    f->mark = commit_pack(f->tail, f->depth, f->side_number, 1);
    word_put(&f->lane->undo_count, 0);
    word_put(&f->lane->commit, f->mark);
}

static inline void batch_end(struct folder *f) { word_put(&f->lane->commit, commit_pack(f->tail, f->depth, f->side_number, 0)); }

/* Words in a row. Their before-images are complete before they are counted, and counted before a word changes. */
static inline __attribute__((always_inline)) void batch_log(struct folder *f, const _Atomic uint64_t *word, unsigned words)
{
    uint64_t ref = segment_ref_of(f->base, word), count = f->logged + words;
    struct undo_word *u = &f->log[f->logged];
    _Atomic uint64_t *published = &f->lane->undo_count;
    f->logged = count;
    for (unsigned i = 0; i < words; i++) {
        word_put(&u[i].ref, ref + i);
        word_put(&u[i].old, word_get(&word[i]));
    }
    word_put(published, count);
}

/* Before the first store to a page in a batch: readers see by it which pages to copy again. */
static inline void batch_mark(struct folder *f, const void *item)
{
    struct page_header *page = segment_page_of(item);
    if (word_get(&page->change) != f->mark)
        word_put(&page->change, f->mark);
}

/* Any word of the lane or its items, whatever has happened to it in this batch. */
static inline void batch_change(struct folder *f, _Atomic uint64_t *word, uint64_t value)
{
    batch_log(f, word, 1);
    batch_mark(f, (const void *)word);
    word_put(word, value);
}
static inline void batch_add(struct folder *f, _Atomic uint64_t *word, uint64_t more) { batch_change(f, word, word_get(word) + more); }

static inline bool batch_first_touch(struct folder *f, _Atomic uint32_t *stamp)
{
    if (likely(word_get(stamp) == f->stamp))
        return false;
    word_set(stamp, f->stamp);
    batch_mark(f, (const void *)stamp);
    return true;
}

/* A word whose before-image is in the log already. */
static inline void batch_bump(_Atomic uint64_t *word, uint64_t more) { word_put(word, word_get(word) + more); }

#endif
