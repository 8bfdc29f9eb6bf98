/* Folding: records in, calling-context tree out.
 *
 * The same code runs in the target, on the segment (oldest records of a ring that fills up), and in a reader, on its
 * private copy (the records after what the target folded). Up to 48 records make a batch; while one is folded, a log of
 * before-images takes the lane's state back to its beginning (segment.h, struct lane).
 *
 *   ENTER a   t=100 |  tree:  root        stack:  [root, a 100]
 *   ENTER b   t=110 |           a                 [root, a 100, b 110]
 *   EXIT  b   t=130 |             b 20            [root, a 100 (children 20)]
 *   EXIT  a   t=150 |           a 50, children 20
 *
 * Inclusive time of a node is that of its path; recursion is told apart by whoever reads the tree (an ancestor with the
 * same site), so a record costs the same at any depth. When the tree has no room for another path, calls go to flat nodes
 * below (other), one per (caller, callee) and whether the site and the pair were open already: what is known per site and
 * per pair stays exact, the path is given up and counted. Time that the recorder took (RECORD_OWN) is taken off the
 * clock before anything is computed; time off the CPU (RECORD_OFF_CPU) is carried beside it.
 *
 * fold.c        records, and what is done at each          fold_nodes.c      the tree and its flat nodes
 * fold_enter.c  calls come onto the stack                  fold_totals.c     extremes and histograms
 * fold_exit.c   they leave it, times go where they belong  fold_suspended.c  generators and coroutines that wait
 * fold_stack.c  the stack of open calls                    fold_opens.c      what is open, once paths are given up
 * fold_batch.h  the undo log                               fold_pages.c      room for all of that
 * fold_compact.c  the tree without what is nobody's any more
 * fold_merge.c  a lane's sums go to another's              fold_life.c       beginning, taking up, emptying, undoing */
#ifndef TSCAP_FOLD_H
#define TSCAP_FOLD_H

#include "counts.h"
#include "items.h"
#include "segment.h"

#include <stdbool.h>

struct folder;

/* A zeroed page of this kind for this lane, its header filled but for the chain; 0: none to be had. PAGE_UNDO: as many in a
 * row as the log takes, without headers. */
typedef uint32_t folder_new_page(void *context, enum page_kind kind);

/* Children remembered: at 10,000 callees 1,024 slots cost 22 ns a call more than a slot for each (bench_push). */
#define FOLDER_CACHE_MIN 1024u
#define FOLDER_CACHE_MAX 65536u

struct folder {
    void *base;
    struct lane *lane;
    struct lane_side *side; /* lane->side[side_number], which commit names */
    uint32_t side_number;
    uint32_t audience; /* of calls that begin: as the identity of site 0 */
    uint64_t tail; /* records folded */
    uint64_t own, off;
    uint64_t key; /* of the last RECORD_KEY */
    struct entry *top, *top_page_end;
    uint32_t depth;
    segment_ref top_node;
    struct page_header **stack; /* pages of the stack */
    uint32_t stack_pages, stack_room;
    struct page_header *last[PAGE_KINDS]; /* last page of each chain */
    struct items *items;
    struct counts open; /* per site and per pair, once paths have been given up; else not allocated */
    uint32_t nodes, node_limit, depth_limit;
    uint32_t kept; /* nodes after the last compaction; 0: none yet */
    segment_ref free_suspended; /* through struct item.next */
    uint32_t suspended, suspended_limit;
    segment_ref *cache; /* children found last, by parent and site */
    uint32_t cache_mask;
    folder_new_page *new_page;
    void *context;
    /* the batch in progress */
    struct undo_word *log;
    uint64_t mark; /* its odd commit word */
    uint64_t logged;
    uint64_t saved_entries; /* bit i: the entry i below base_depth is in the log */
    uint32_t base_depth;
    uint32_t stamp; /* items with this stamp are in the log */
};

#define FOLDER_BATCH 48u /* records at most between two states that readers accept */

struct folder_limits {
    uint32_t nodes;     /* calling contexts before paths are given up */
    uint32_t depth;     /* levels of the tree */
    uint32_t suspended; /* generators and coroutines waiting at a time; by default only memory is the limit */
};
extern const struct folder_limits folder_default_limits;

/* For a lane that is empty (all chains 0): makes its root. 0 or -ENOMEM. */
int folder_init(struct folder *f, void *base, struct lane *lane, const struct folder_limits *limits, folder_new_page *new_page, void *context);

/* For a lane with a state at rest: takes it up. Everything in it must have been validated. `tail` completes the low half
 * in the commit word. */
int folder_attach(struct folder *f, void *base, struct lane *lane, const struct folder_limits *limits, uint64_t tail, folder_new_page *new_page,
                  void *context);

/* Forgets all; pages stay with the lane. The caller frames it with lane.resets. `audience`: of calls that begin. */
void folder_reset(struct folder *f, uint64_t tail, uint32_t audience);

void folder_free(struct folder *f); /* the private part */

/* Ends the innermost open call at `when`, marked RECORD_CUT; those without an entry are lost all at once. For a
 * writer it counts as one record folded: one of RECORD_NONE. */
void folder_cut(struct folder *f, uint64_t when);

/* For merging (merge.h): each call is a batch of its own and counts as one record folded; `from` NULL: only that.
 * Adds the sums of `from` to the child of `parent` with its identity; `flat`: flags for the pair that takes it if the path
 * has no room. Its ref; 0: no memory, counted as lost. */
segment_ref folder_merge_node(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat);
void folder_merge_block(struct folder *f, const struct bucket_block *from);
void folder_merge_counters(struct folder *f, const struct lane *from);
/* `node`: where the call that waits began, of this folder's; 0: it does not count. */
void folder_merge_suspended(struct folder *f, segment_ref node, const struct suspended *from);

/* The audience of the call that waits under this key; `otherwise`: there is none. */
uint32_t folder_audience_waiting(const struct folder *f, uint64_t key, uint32_t otherwise);

/* Compaction (fold_compact.c): the calls of each audience count for `audience[its number]`, for nobody if that is 0. What is nobody's
 * goes, where nothing that stays needs it; its time is its callers'. Counts as one record folded, in any case. False: no memory,
 * nothing has changed. Two compactions with none in between that say otherwise leave the same.
 * A lane has two trees at most, of which no reader looks at one, and each has no more nodes than were needed at a time,
 * twice over, and FOLDER_SPARE, if it is compacted when folder_is_wasteful(). */
bool folder_compact(struct folder *f, const uint8_t audience[SEGMENT_AUDIENCES]);
bool folder_can_compact(const struct folder *f, const uint8_t audience[SEGMENT_AUDIENCES]); /* is there anything to win? */
void folder_audiences(const struct folder *f, bool used[SEGMENT_AUDIENCES]); /* adds those it has calls of */
#define FOLDER_SPARE 64u
static inline bool folder_is_wasteful(const struct folder *f) { return f->nodes >= 2 * f->kept + FOLDER_SPARE; }

/* RECORD_TAKEN for a lane that has no ring; counts as one record folded. */
void folder_take(struct folder *f, uint64_t key, unsigned flags);

/* Folds records [f->tail, f->tail + count) of a ring. */
void folder_run(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t count);

/* Puts the before-images of an odd commit word back and makes it even; in a copy. */
void folder_undo(void *base, struct lane *lane, const struct undo_word *log);

#endif
