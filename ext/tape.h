/* A tape: the entries that a collector keeps of the calls it encloses, the first `cap` of them. Their times are those of
 * the records in the ring. With the interpreter's lock held. */
#ifndef TSCAP_TAPE_H
#define TSCAP_TAPE_H

#include <stdbool.h>
#include <stdint.h>

#define TAPE_DEFAULT_CAP 1000000u

enum tape_event { TAPE_ENTER, TAPE_EXIT, TAPE_SUSPEND, TAPE_RESUME, TAPE_EVENTS };

struct tape_entry {
    uint64_t when;   /* ticks */
    uint32_t number; /* in the order they came, which on one thread is that of time; modulo 2^32 */
    uint32_t site;
    uint32_t depth; /* calls open around it, on its thread, that the collector encloses */
    uint32_t thread : 24, event : 4, raised : 4;
};

/* Of which activation the entry with this number is: one that says that it waits, or goes on. */
struct tape_link {
    uint32_t number, activation;
};

/* Who wrote entries. */
struct tape_thread {
    uint64_t number; /* of all threads that ever were */
    unsigned long ident; /* threading.get_ident() */
};

struct tape {
    struct tape_entry *entry;
    uint64_t kept, room, cap, dropped;
    struct tape_thread *thread;
    uint32_t threads, thread_room;
    struct tape_link *link; /* [links], by number */
    uint64_t links, link_room;
    bool unsorted;
};

void tape_free(struct tape *t);
bool tape_copy(struct tape *to, const struct tape *from); /* false: no memory; to be freed in any case */
/* e.number is set, and e.thread by `thread`. Those that are not kept are counted. `activation`: 0: it needs none, or none is known. */
void tape_add(struct tape *t, uint64_t thread, struct tape_entry e, uint32_t activation);
uint32_t tape_activation(const struct tape *t, uint32_t number); /* of the entry with this number; 0: none, or not known */
void tape_sort(struct tape *t); /* by time */

#endif
