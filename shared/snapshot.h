/* A consistent private copy of a segment, taken while its process runs, sleeps, is stopped or dead, and without a single
 * store to it: nothing here can slow or disturb the target.
 *
 * What is mapped is hostile: another process writes it. The copy is taken word by word, then checked, then used; no size,
 * page number or ref is believed before, and loops are bounded by the file's size (fstat), never by a number in it.
 *
 * view.c             the file, mapped                     snapshot_sites.c   sites and their names
 * snapshot.c         all lanes, and the session           snapshot_merges.c  lanes that are merged meanwhile
 * snapshot_copy.c    one lane, while it is written        snapshot_asof.c    calls that are open
 * snapshot_check.c   is it sane?                          snapshot_tracks.c  tracks of Profilers */
#ifndef TSCAP_SNAPSHOT_H
#define TSCAP_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "audiences.h"
#include "clock.h"
#include "fold.h"
#include "segment.h"
#include "view.h"

struct session_state {
    bool running;
    uint64_t started, stopped; /* ticks; 0: never */
    uint32_t resets;
    uint32_t orders; /* to start and to stop, since the segment was made: the same number, the same session */
};
/* How session_seq, which resets count up too, tells orders. */
static inline uint32_t session_orders(uint32_t session_seq, uint32_t resets) { return session_seq / 2 - resets; }

struct lane_copy {
    uint32_t page;
    uint32_t generation, tid, state, cpu_mode;
    uint64_t began, ended, last; /* ticks */
    char name[64];
    bool empty;    /* nothing recorded since the last reset */
    bool complete; /* false: no consistent copy could be had, or it was not sane: the lane has no data */
    uint64_t head; /* records pushed */
    uint64_t cpu_off; /* as of then: see struct lane */
    /* Of open calls: nobody knows whether the thread was on the CPU in their last so many ticks. That does not count as CPU time. */
    uint64_t unknown;
    segment_ref *open; /* where they are then: nodes of the open calls, the innermost first */
    size_t opens;
    struct lane *lane; /* in the image */
    struct folder folder; /* has folded all records; `items` etc. are valid only while the snapshot lives */
};

struct snapshot {
    struct segment_header header;
    struct session_state session;
    void *image; /* a sparse copy: pages at the same offsets as in the segment */
    uint64_t image_bytes;
    uint32_t pages, next_page;
    uint32_t log_page; /* undo log of the reader's own folding */
    struct lane_copy *lane;
    uint32_t lanes;
    struct site_record *site; /* [1 .. sites] */
    uint32_t sites;
    struct track_record *track; /* [1 .. tracks] as they are; profiler 0: nobody's */
    uint32_t tracks;
    bool variants; /* some of them are */
    struct audiences audiences;
    uint64_t asof; /* ticks at which open calls were ended, the last of them: each when its thread's clock was read */
    bool complete; /* false: something could not be copied; what is shown is less than what there is */
    uint64_t moving; /* calls that changed threads meanwhile: they may count as open twice, or not at all */
    uint32_t retries; /* looks at a lane that met its writer in the middle of folding */
};

/* CPU time of the thread with this number in the segment, ns by its own clock; false: it cannot be read. */
typedef bool snapshot_ask_cpu(void *context, uint32_t tid, uint64_t *cpu);

struct snapshot_options {
    bool alive;       /* calls still open have lasted until now; else until the last record */
    snapshot_ask_cpu *ask_cpu; /* NULL: nobody can be asked */
    void *context;    /* of ask_cpu */
    uint64_t patience; /* ns that all lanes together may take */
};

/* 0; -ENOMEM; -EBADMSG; -EIO the file shrank while it was read. On success open calls have been ended at `asof`, marked
 * as cut: every sum in the image is whole. */
int snapshot_take(struct snapshot *s, const struct view *v, const struct snapshot_options *o);
void snapshot_free(struct snapshot *s);

/* Pages of the image, where a lane's refs and page numbers hold. */
static inline void *snapshot_page(const struct snapshot *s, uint32_t page) { return segment_page_at(s->image, page); }
static inline uint32_t snapshot_page_number(const struct snapshot *s, const struct page_header *page)
{
    return (uint32_t)((size_t)((const char *)page - (const char *)s->image) / SEGMENT_PAGE);
}

/* The site that this one is a variant of, else itself. */
static inline uint32_t snapshot_function(const struct snapshot *s, uint32_t site)
{
    uint32_t of = s->variants && site <= s->sites ? s->site[site].variant_of : 0;
    return of ? of : site;
}

/* A string of the site table, as it was written (utf8.h), whatever that is: who shows it makes it printable. "" for 0 and for what
 * is none. To be freed; NULL: no memory. */
char *snapshot_text(const struct snapshot *s, uint32_t ref);

#endif
