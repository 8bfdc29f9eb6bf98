#include "idents.h"

#include <stdlib.h>

#include "recorder.h"

static struct {
    struct ident *ident;
    uint32_t count, room;
} all;

/* That of the page: a lane that is used again has been forgotten. */
static struct ident *entry_of(uint32_t page)
{
    for (uint32_t i = 0; i < all.count; i++)
        if (all.ident[i].page == page)
            return &all.ident[i];
    return NULL;
}

static struct ident *new_entry(void)
{
    if (all.count == all.room) {
        uint32_t room = all.room ? 2 * all.room : 16;
        struct ident *more = realloc(all.ident, room * sizeof *more);
        if (!more)
            return NULL;
        all.ident = more;
        all.room = room;
    }
    return &all.ident[all.count++];
}

void idents_note(const struct lane *lane, unsigned long ident, uint64_t number)
{
    uint32_t page = (uint32_t)(((const char *)lane - (const char *)recorder_segment()->base) / SEGMENT_PAGE);
    struct ident *entry = entry_of(page);
    if (!entry)
        entry = new_entry();
    if (entry)
        *entry = (struct ident){
            .page = page,
            .generation = atomic_load_explicit(&lane->generation, memory_order_relaxed),
            .ident = ident,
            .number = number,
        };
}

const struct ident *idents_find(uint64_t lane)
{
    const struct ident *entry = entry_of((uint32_t)(lane >> 32));
    return entry && entry->generation == (uint32_t)lane ? entry : NULL;
}

const struct ident *idents_of_thread(uint64_t number)
{
    for (uint32_t i = 0; i < all.count; i++)
        if (all.ident[i].number == number)
            return &all.ident[i];
    return NULL;
}
