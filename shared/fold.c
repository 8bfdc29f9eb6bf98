#include "fold.h"

#include "fold_enter.h"
#include "fold_exit.h"
#include "fold_suspended.h"

/* Is `end` the record that ends the call that `begin` begins, on top of this many open ones? */
static inline bool is_leaf(uint64_t begin, uint64_t end, uint32_t depth)
{
    return end == begin + ((uint64_t)(RECORD_EXIT - RECORD_ENTER) << 48) && begin >> 32 == record_pack(0, depth + 1, RECORD_ENTER, 0) >> 32;
}

/* Calls without callees, one after the other: both records of each are folded at once, no entry is made. Returns how many
 * records that were; 0: none is of the kind. */
static inline uint64_t leaves(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t tail, uint64_t stop)
{
    uint64_t sum = 0, last = 0, i = tail;
    struct node *n = NULL;
    for (; i + 1 < stop; i += 2) {
        const struct slot *begin = &ring[i & mask], *end = &ring[(i + 1) & mask];
        uint64_t what = word_get(&begin->what), since = word_get(&begin->when), until = word_get(&end->when);
        if (!is_leaf(what, word_get(&end->what), f->depth) || unlikely(until < since || !f->top_page_end))
            break; /* the long way counts what is odd */
        if (what != last) {
            segment_ref ref = nodes_child(f, record_site(what) | f->audience);
            if (unlikely(!ref))
                break;
            n = nodes_at(f, ref);
            totals_touch(f, n);
            last = what;
        }
        batch_bump(&n->inclusive, until - since);
        batch_bump(&n->calls, 1);
        totals_add_duration(f, n, until - since);
        sum += until - since;
    }
    if (sum) {
        stack_touch(f, f->top, f->depth);
        batch_bump(&f->top->children, sum);
    }
    return i - tail;
}

static inline void end(struct folder *f, uint64_t t, uint64_t what)
{
    /* The whole second word of a plain end on top: site, depth, kind, no flags. */
    segment_ref top = f->top_node;
    bool plain = top && what == record_pack(nodes_site(f, top), f->depth, RECORD_EXIT, 0) && !(word_get(&f->top->node) >> 32);
    if (likely(plain && f->depth))
        exit_plain(f, t, 0);
    else
        exit_any(f, t, what);
}

static void advance_clock(struct folder *f, uint64_t *clock, _Atomic uint64_t *word, uint64_t ticks)
{
    *clock += ticks;
    batch_change(f, word, *clock);
}

static void listen(struct folder *f, uint32_t audience)
{
    f->audience = identity_pack(0, audience);
    batch_change(f, &f->lane->audience, identity_audience(f->audience));
}

/* Of the call on top. One without a node is counted as lost when it ends. */
static void add_bytes(struct folder *f, uint64_t bytes)
{
    if (f->depth == 0)
        batch_add(f, &f->lane->mismatched, 1);
    else if (f->top_node)
        batch_add(f, &nodes_at(f, f->top_node)->bytes, bytes);
}

static __attribute__((noinline)) void fold_other(struct folder *f, uint64_t when, uint64_t what)
{
    switch (record_kind(what)) {
    case RECORD_ENTER:
        enter_keyed(f, when - f->own, record_site(what));
        return;
    case RECORD_EXIT:
    case RECORD_SUSPEND:
        exit_any(f, when - f->own, what);
        return;
    case RECORD_RESUME:
        enter_resume(f, when - f->own, record_site(what), record_flags(what) & RECORD_MOVED);
        return;
    case RECORD_KEY:
        f->key = when;
        batch_change(f, &f->lane->key, when);
        return;
    case RECORD_OFF_CPU:
        advance_clock(f, &f->off, &f->lane->off, record_duration(what));
        return;
    case RECORD_OWN:
        advance_clock(f, &f->own, &f->lane->own, record_duration(what));
        return;
    case RECORD_DROP:
        exit_drop(f, record_depth(what));
        return;
    case RECORD_TAKEN:
        suspended_take(f, f->key, record_flags(what));
        return;
    case RECORD_WAITED:
    case RECORD_CARRIED:
        enter_amend(f, what);
        return;
    case RECORD_BYTES:
        add_bytes(f, record_duration(what));
        return;
    case RECORD_AUDIENCE:
        listen(f, record_site(what));
        return;
    case RECORD_NONE:
        return;
    default:
        batch_add(f, &f->lane->mismatched, 1);
        return;
    }
}

/* No record logs more: eight words of an entry (its receiver's, or the one it overwrites), a suspended call's five and the
 * one it frees, a node's four and eight more, three of each of two blocks, and some of the lane's; none logs all of these. */
#define LOG_PER_RECORD 32u
_Static_assert(FOLDER_BATCH < 64, "saved_entries has a bit for each level a batch can end");
_Static_assert(FOLDER_BATCH * LOG_PER_RECORD <= UNDO_WORDS, "a batch fits the log");

static void run_batch(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t stop)
{
    uint64_t tail = f->tail;
    batch_begin(f);
    while (tail < stop) {
        const struct slot *r = &ring[tail & mask];
        uint64_t when = word_get(&r->when), what = word_get(&r->what), plain = what >> 48; /* kind and flags */
        if (plain == RECORD_ENTER) {
            uint64_t folded = leaves(f, ring, mask, tail, stop);
            if (folded) {
                tail += folded;
                continue;
            }
            enter_plain(f, when - f->own, record_site(what));
        } else if (plain == RECORD_EXIT)
            end(f, when - f->own, what);
        else
            fold_other(f, when, what);
        tail++;
    }
    f->tail = tail;
    batch_end(f);
}

void folder_run(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t count)
{
    for (uint64_t stop = f->tail + count; f->tail < stop;) {
        uint64_t left = stop - f->tail;
        run_batch(f, ring, mask, f->tail + (left < FOLDER_BATCH ? left : FOLDER_BATCH));
    }
}

void folder_cut(struct folder *f, uint64_t when)
{
    batch_begin(f);
    if (f->depth >= stack_entries(f)) {
        batch_add(f, &f->lane->lost, f->depth - (stack_entries(f) - 1));
        f->depth = stack_entries(f) - 1;
        stack_set_top(f);
    } else if (word_get(&f->top->node) >> 32 & ENTRY_ENDED)
        exit_drop_ended(f);
    else
        exit_any(f, when - f->own, record_pack(nodes_site(f, f->top_node), f->depth, RECORD_EXIT, RECORD_CUT));
    f->tail++;
    batch_end(f);
}

uint32_t folder_audience_waiting(const struct folder *f, uint64_t key, uint32_t otherwise)
{
    const struct suspended *s = items_find(f->items, key_suspended(key));
    return s ? node_audience(nodes_at(f, (segment_ref)word_get(&s->node))) : otherwise;
}

void folder_take(struct folder *f, uint64_t key, unsigned flags)
{
    batch_begin(f);
    suspended_take(f, key, flags);
    f->tail++;
    batch_end(f);
}
