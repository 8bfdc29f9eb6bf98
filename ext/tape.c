#include "tape.h"

#include "python.h"

#include <stdlib.h>
#include <string.h>

void tape_free(struct tape *t)
{
    free(t->entry);
    free(t->thread);
    free(t->link);
    *t = (struct tape){0};
}

static void *copy_array(const void *from, uint64_t count, size_t size)
{
    void *to = malloc(count * size + 1);
    if (to && count)
        memcpy(to, from, count * size);
    return to;
}

bool tape_copy(struct tape *to, const struct tape *from)
{
    *to = *from;
    to->entry = copy_array(from->entry, from->kept, sizeof *from->entry);
    to->thread = copy_array(from->thread, from->threads, sizeof *from->thread);
    to->link = copy_array(from->link, from->links, sizeof *from->link);
    return to->entry && to->thread && to->link;
}

static bool more_entries(struct tape *t)
{
    uint64_t room = t->room ? 2 * t->room : 32;
    struct tape_entry *more = realloc(t->entry, room * sizeof *more);
    if (!more)
        return false;
    t->entry = more;
    t->room = room;
    return true;
}

/* Its place; the calling thread is the one. */
static uint32_t add_thread(struct tape *t, uint64_t number)
{
    if (t->threads == t->thread_room) {
        uint32_t room = t->thread_room ? 2 * t->thread_room : 2;
        struct tape_thread *more = room < 1u << 24 ? realloc(t->thread, room * sizeof *more) : NULL;
        if (!more)
            return UINT32_MAX;
        t->thread = more;
        t->thread_room = room;
    }
    t->thread[t->threads] = (struct tape_thread){.number = number, .ident = PyThread_get_thread_ident()};
    return t->threads++;
}

/* The one that wrote last, most often. */
static uint32_t place_of_thread(struct tape *t, uint64_t number)
{
    uint32_t last = t->kept ? t->entry[t->kept - 1].thread : 0;
    if (t->kept && t->thread[last].number == number)
        return last;
    for (uint32_t i = t->threads; i-- > 0;)
        if (t->thread[i].number == number)
            return i;
    return add_thread(t, number);
}

/* Without memory it is not known. */
static void add_link(struct tape *t, uint32_t number, uint32_t activation)
{
    if (t->links == t->link_room) {
        uint64_t room = t->link_room ? 2 * t->link_room : 32;
        struct tape_link *more = realloc(t->link, room * sizeof *more);
        if (!more)
            return;
        t->link = more;
        t->link_room = room;
    }
    t->link[t->links++] = (struct tape_link){.number = number, .activation = activation};
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct tape_link *)a)->number, y = ((const struct tape_link *)b)->number;
    return (x > y) - (x < y);
}

uint32_t tape_activation(const struct tape *t, uint32_t number)
{
    struct tape_link wanted = {.number = number}, *found = t->links ? bsearch(&wanted, t->link, t->links, sizeof wanted, by_number) : NULL;
    return found ? found->activation : 0;
}

void tape_add(struct tape *t, uint64_t thread, struct tape_entry e, uint32_t activation)
{
    uint32_t place = t->kept < t->cap && (t->kept < t->room || more_entries(t)) ? place_of_thread(t, thread) : UINT32_MAX;
    if (place == UINT32_MAX) {
        t->dropped++;
        return;
    }
    e.number = (uint32_t)t->kept;
    e.thread = place & 0xffffff;
    if (activation)
        add_link(t, e.number, activation);
    t->unsorted |= t->kept && e.when < t->entry[t->kept - 1].when;
    t->entry[t->kept++] = e;
}

static int by_time(const void *a, const void *b)
{
    const struct tape_entry *x = a, *y = b;
    if (x->when != y->when)
        return x->when < y->when ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

void tape_sort(struct tape *t)
{
    if (t->unsorted)
        qsort(t->entry, t->kept, sizeof *t->entry, by_time);
    t->unsorted = false;
}
