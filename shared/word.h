/* Words of the segment, and how they are touched. A thread is the only writer of its lane and any number of readers copy
 * it meanwhile, so there are no locked instructions: on x86 all of these are plain moves. For words of 32 and of 64 bits.
 *
 *   owner   word_get   its own word, relaxed: nobody else writes it
 *           word_put   release: who sees it also sees what was put before
 *           word_set   relaxed: nobody concludes anything from it (hints, private copies)
 *   reader  word_read  acquire: pairs with word_put
 *           words_read the same of many in a row */
#ifndef TSCAP_WORD_H
#define TSCAP_WORD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define word_get(word) atomic_load_explicit((word), memory_order_relaxed)
#define word_put(word, value) atomic_store_explicit((word), (value), memory_order_release)
#define word_set(word, value) atomic_store_explicit((word), (value), memory_order_relaxed)
#define word_read(word) atomic_load_explicit((word), memory_order_acquire)

/* Whoever gets a word of a step also sees that the step began. `bytes`: a multiple of 8. */
static inline void words_read(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / 8; i++) {
        uint64_t word = word_read((const _Atomic uint64_t *)from + i);
        memcpy((char *)to + 8 * i, &word, 8);
    }
}

#endif
