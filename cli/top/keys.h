/* Keys of the full-screen top: a row each, for what they do and for the help. */
#ifndef TSCAP_KEYS_H
#define TSCAP_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "picture.h"

/* Characters are themselves; what has none comes after all of Unicode. */
enum key { KEYS_ESCAPE = 27, KEYS_UP = 0x110000, KEYS_DOWN, KEYS_PAGE_UP, KEYS_PAGE_DOWN, KEYS_HOME, KEYS_END, KEYS_ENTER, KEYS_BACKSPACE, KEYS_OTHER };

struct key_row {
    const char *name; /* "s, S" */
    const char *help;
    uint32_t first, last; /* the keys */
    uint32_t other;       /* one more; 0: none */
    void (*press)(struct picture *p, uint32_t key);
};
extern const struct key_row keys[];
extern const size_t key_count;

/* What a key does, in whatever is going on; others do nothing. */
void keys_press(struct picture *p, uint32_t key);

#endif
