/* The segment: the one file that both sides of tscap agree on. Nothing else is an ABI.
 *
 * A process that carries tscap owns one file (a named file in tmpfs, see rundir.h): it must outlive a `kill -9`. The
 * file is an array of 4 KiB pages. The process is the only writer; any number of readers map it read-only.
 *
 *   page 0   struct segment_header   identity, clock, session, counters, heads of the chains
 *   page n   struct page_header      kind, owner, next page of the same chain, then the page's items:
 *
 *     LANE      one per thread: struct lane (head, commit word, chain heads)
 *     RING      ring_slots / 256 pages in a row without page headers: struct slot[]
 *     NODE      struct node[21]      calling-context tree and flat pairs of the lane
 *     HISTOGRAM struct bucket_block[25]
 *     STACK     struct entry[63]     calls that are open
 *     UNDO      UNDO_PAGES in a row without page headers: struct undo_word[]
 *     SUSPENDED struct suspended[63] generators and coroutines that wait
 *     SITE      struct site_record[126]
 *     STRING    packed strings: 16-bit length, bytes. Of one beyond STRING_PIECE bytes length STRING_LONG, a 16-bit count, and as
 *               many 32-bit refs of strings, which are its pieces: all but the last have STRING_PIECE bytes
 *     CONSUMER  CONSUMER_PAGES twice in a row: struct consumer_table[2]
 *     SELECTION a bit per site, bit 0 of the first page that of site 0
 *     TRACK     struct track_record[126]
 *
 *   header.lane_first -> lane -> lane -> 0          header.site_first -> page -> page -> 0
 *                         +-> side[s].chain[NODE] -> page -> page -> 0
 *                         +-> side[s].chain[HISTOGRAM] -> ...
 *
 * Inside a segment things are named by `ref`: the offset in the file divided by 8 (0 = none). All integers are in the
 * machine's byte order; segments do not travel between machines.
 *
 * What a reader may rely on is said at `struct lane`; the memory order of each word is stated there and checked by
 * tests/model. A reader treats every word as hostile until it has checked it (snapshot.h). */
#ifndef TSCAP_SEGMENT_H
#define TSCAP_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC 0x0a31504143535401ull /* "\001TSCAP1\n" */
#define SEGMENT_ABI 2u /* up to and with `version`, the header is the same in each */
#define SEGMENT_PAGE 4096u
#define SEGMENT_MAX_BYTES (4ull << 30) /* a ref has 29 significant bits; see item_key.h */
#define SEGMENT_REF_SHIFT 3

typedef uint32_t segment_ref; /* offset / 8 */

enum page_kind {
    PAGE_FREE = 0,
    PAGE_LANE,
    PAGE_RING,
    PAGE_NODE,
    PAGE_HISTOGRAM,
    PAGE_STACK,
    PAGE_SUSPENDED,
    PAGE_SITE,
    PAGE_STRING,
    PAGE_UNDO,
    PAGE_CONSUMER,
    PAGE_SELECTION,
    PAGE_TRACK,
    PAGE_KINDS
};

struct page_header {
    uint32_t kind;           /* enum page_kind */
    uint32_t owner;          /* page number of the lane; 0: the segment's own */
    _Atomic uint32_t next;   /* page number of the next page in the chain; 0: last */
    _Atomic uint32_t used;   /* items in use */
    _Atomic uint64_t change; /* odd commit word of the last batch that touched this page: stored before the items */
    uint64_t reserved[5];
};

/* One record: two words. A kind that carries a key has it in a slot of its own before it, kind RECORD_KEY. */
struct slot {
    _Atomic uint64_t when; /* clock ticks; RECORD_KEY: the key */
    _Atomic uint64_t what; /* site or low half of a duration: 32 | depth: 16 | kind: 4 | flags: 12 */
};

enum record_kind {
    RECORD_NONE = 0, /* nothing: stands for a step that the writer took without a record */
    RECORD_ENTER,   /* a call begins */
    RECORD_EXIT,    /* the call at `depth` ends */
    RECORD_SUSPEND, /* the keyed call at `depth` waits; with RECORD_KEYED: any call, since its stack is left (key slot before) */
    RECORD_RESUME,  /* a keyed call goes on (key slot before) */
    RECORD_KEY,     /* key of the record that follows */
    RECORD_OFF_CPU, /* duration (48 bits, ticks) the thread was not running since the previous record */
    RECORD_OWN,     /* duration (48 bits, ticks) the recorder itself took before this record */
    RECORD_DROP,    /* the entry on top was ended out of order before: take it off */
    RECORD_TAKEN,   /* written by another thread: the suspended call goes on there, or ended (key slot before) */
    RECORD_WAITED,  /* duration (48 bits, ticks) that the call on top, resumed with RECORD_MOVED, waited until then */
    RECORD_CARRIED, /* the same: that it had run before */
    RECORD_AUDIENCE, /* calls that begin from here on have the audience with this number, in the place of a site */
    RECORD_BYTES,   /* bytes (48 bits) that the call on top has moved, besides those it said before */
    RECORD_KINDS
};

enum record_flag {
    RECORD_KEYED = 1 << 0,     /* ENTER, SUSPEND: a key slot comes before */
    RECORD_RAISED = 1 << 1,    /* EXIT: by an exception */
    RECORD_CUT = 1 << 2,       /* EXIT: recording stopped while the call was open */
    RECORD_ABANDONED = 1 << 3, /* EXIT: a block whose function ended first */
    RECORD_MOVED = 1 << 4,     /* RESUME: of a call that was suspended on another thread; its times follow */
    RECORD_SILENT = 1 << 5,    /* TAKEN: it ended without an event */
    RECORD_COUNTED = 1 << 6,   /* WAITED: before that, which its other threads have counted */
    RECORD_APART = 1 << 7,     /* EXIT: of a block that is no recursion, though its site is open below: there it is another task's */
};

#define RECORD_DURATION_MAX ((1ull << 48) - 1)

static inline uint64_t record_pack(uint32_t site, uint32_t depth, unsigned kind, unsigned flags)
{
    return (uint64_t)site | (uint64_t)(uint16_t)depth << 32 | (uint64_t)kind << 48 | (uint64_t)flags << 52;
}
static inline uint64_t record_pack_duration(uint64_t ticks, unsigned kind)
{
    return (ticks < RECORD_DURATION_MAX ? ticks : RECORD_DURATION_MAX) | (uint64_t)kind << 48;
}
static inline uint32_t record_site(uint64_t what) { return (uint32_t)what; }
static inline uint16_t record_depth(uint64_t what) { return (uint16_t)(what >> 32); } /* modulo 65536 */
static inline unsigned record_kind(uint64_t what) { return (unsigned)(what >> 48) & 0xf; }
static inline unsigned record_flags(uint64_t what) { return (unsigned)(what >> 52); }
static inline uint64_t record_duration(uint64_t what) { return what & RECORD_DURATION_MAX; }

/* What a call is one of: its function, and who wanted records when it began. */
#define SITES_MAX (1u << 24)
static inline uint32_t identity_pack(uint32_t site, uint32_t audience) { return site | audience << 24; }
static inline uint32_t identity_site(uint32_t identity) { return identity & (SITES_MAX - 1); }
static inline uint32_t identity_audience(uint32_t identity) { return identity >> 24; }

/* Items that are found by key (hash chains are the owner's; a reader builds its own). */
struct item {
    _Atomic uint64_t key;
    _Atomic segment_ref next; /* hash chain: private to whoever folds */
    _Atomic uint32_t extra;   /* a node: site of the caller */
};

/* One calling context: calls of a site, with one audience, from the context `parent`. Times are ticks; exclusive time is
 * inclusive - children. First line: all that the end of a call touches. Last line: what few calls have. */
struct node {
    _Atomic uint64_t inclusive;
    _Atomic uint64_t children; /* part of `inclusive` spent in recorded callees */
    _Atomic uint64_t calls;    /* ended; keyed calls: begun */
    _Atomic uint64_t squares[2]; /* sum of the squares of ended calls' durations, 128 bits, low half first */
    _Atomic uint32_t scratch; /* whoever walks the tree; nobody in the target but a merge */
    _Atomic segment_ref recent_block[2]; /* private hint: histogram blocks used last, by parity of the exponent */
    uint32_t identity;      /* site: 24 | audience: 8 */
    segment_ref parent;     /* 0: the lane's root */
    _Atomic uint32_t stamp; /* private: the batch that logged it last */

    struct item item; /* extra: site of the caller; 0: none */
    uint32_t flags;   /* enum node_flag */
    uint32_t depth;   /* below the root */
    _Atomic uint64_t off_inclusive, off_children; /* the same, not on the CPU */
    _Atomic uint64_t waited; /* keyed calls: ticks between SUSPEND and RESUME; not part of `inclusive` */
    _Atomic uint64_t raised;
    _Atomic uint64_t cut; /* calls ended by a stop */

    /* Of `inclusive`, what is no ended call's duration; less what calls that ended here had run elsewhere: so the sum of durations
     * is, over all nodes of an identity and modulo 2^64, inclusive - unended. An ordinary call leaves it alone. */
    _Atomic uint64_t unended;
    _Atomic uint64_t bytes; /* that its calls said they moved */
    _Atomic uint64_t apart; /* of `inclusive - unended`: durations of calls that ended with RECORD_APART */
    uint64_t reserved[5];
};
static inline uint32_t node_site(const struct node *n) { return identity_site(n->identity); }
static inline uint32_t node_audience(const struct node *n) { return identity_audience(n->identity); }
static inline uint32_t node_caller(const struct node *n) { return atomic_load_explicit(&n->item.extra, memory_order_relaxed); }

enum node_flag {
    NODE_PAIR = 1 << 0,      /* flat: the path was given up, only (caller, site) is known; child of the (other) node */
    NODE_OTHER = 1 << 1,     /* the (other) node itself */
    NODE_SITE_OPEN = 1 << 2, /* NODE_PAIR: the site was open already: recursion */
    NODE_PAIR_OPEN = 1 << 3, /* NODE_PAIR: this pair was open already */
};

/* What durations of ended calls are in a block: those of calls that never waited, which are their elapsed times as well; of calls
 * that did, how long they ran, and the time from their first start to their return. */
enum block_kind { BLOCK_PLAIN = 0, BLOCK_RAN, BLOCK_ELAPSED, BLOCK_KINDS };

/* Sixteen equal steps of one power of two; see histogram.h. Key: identity, kind and exponent. */
struct bucket_block {
    struct item item;
    _Atomic uint64_t min, max; /* of what is counted here; UINT64_MAX and 0: nothing yet */
    _Atomic uint64_t count[16];
};

/* An open call. Index 0 of a lane's stack is the root's. */
struct entry {
    _Atomic uint64_t begin;        /* ticks, recording time taken out */
    _Atomic uint64_t off_begin;    /* ticks off the CPU until then */
    _Atomic uint64_t children;     /* ticks in callees that ended */
    _Atomic uint64_t off_children; /* of them off the CPU */
    _Atomic uint64_t node;         /* ref: 32 | enum entry_flag: 32 */
    _Atomic uint64_t key;          /* keyed calls: the rest of the line is theirs */
    _Atomic uint64_t carried;      /* ticks run before the latest RESUME; ENTRY_ENDED: until the next entry */
    _Atomic uint64_t waited;       /* ticks waited before the latest RESUME; ENTRY_ENDED: of `carried` off the CPU */
};

enum entry_flag {
    ENTRY_KEYED = 1 << 0,
    ENTRY_FOREIGN = 1 << 1, /* begun before recording did: its time counts, the call does not, nor how it ends */
    ENTRY_ENDED = 1 << 2,   /* ended out of order: only passes its children's time on */
};

struct suspended {
    struct item item; /* key: the activation's */
    _Atomic uint64_t node; /* as in struct entry; 0: free */
    _Atomic uint64_t carried, waited; /* ticks, until then */
    _Atomic uint64_t since; /* ticks of the SUSPEND */
    uint64_t reserved[2];
};

enum lane_state { LANE_NEW = 0, LANE_LIVE, LANE_EXITED, LANE_MERGED };

/* Before-images of the words that the batch in progress changes. */
struct undo_word {
    _Atomic uint64_t ref; /* of the word, within the lane's pages */
    _Atomic uint64_t old;
};
#define UNDO_PAGES 6u
#define UNDO_WORDS (UNDO_PAGES * SEGMENT_PAGE / (uint32_t)sizeof(struct undo_word))

/* Where the tree of a lane begins. There are two: see struct lane. */
struct lane_side {
    _Atomic uint32_t chain[14]; /* by page kind: the first page */
    _Atomic uint32_t root;      /* ref of the root node */
    _Atomic uint32_t other;     /* ref of the (other) node; 0: none yet */
};

/* A thread's ring and what has been folded of it.
 *
 * Writer, push:  slot.when, slot.what, head: release stores in that order (the data too: a release store orders what
 *   comes before it, not what comes after, so a relaxed data store of record h could be seen before head = h).
 * Reader, ring:  h1 = acquire head; copy with acquire; h2 = relaxed head; record i is valid iff i > h2 - slots.
 *
 * commit = tail: 32 | depth: 30 | side: 1 | odd: 1. `tail` counts folded records (low half; head completes it), depth is the
 *   number of open calls; those deeper than the STACK pages reach have no entry, and no page is added until they ended.
 * Writer, batch of records: undo_count = 0, commit odd; for each word that changes: log entry, undo_count, page.change of
 *   its page, the word; then commit = the next even one: release stores all, in that order. Entries above the depth in the
 *   odd commit word and items beyond their page's `used` are nobody's, so they are not logged. Items that were added stay
 *   when the batch is undone: there is nothing in them.
 * Reader, state: s1 = acquire commit; copy the pages that changed since an earlier look (change first, acquire); if s1 is
 *   odd, then the log; s2 = relaxed commit; s1 == s2 or again; odd: put the log's words back in the copy, last first. The
 *   state is that of exactly tail records. A page copied while a batch may have been at work on it (its `change` names a
 *   batch that had not ended when commit was loaded before) is copied again at the next look.
 * Writer, compaction (fold_compact.c): builds the tree anew on the side that commit does not name, where no reader looks, and
 *   with it the stack and what waits; each page's `change` first. Then commit = one record more, the other side, even: that
 *   one store replaces the tree. What the old side holds is nobody's from there on, and stays until the next compaction.
 * Folding comes in phases (lanes.h), so that a reader finds commit at rest for half a ring at a time. */
struct lane {
    struct page_header page;
    /* 64: written at each event; nothing else on these two lines */
    _Atomic uint64_t head; /* records pushed; never wraps */
    uint64_t head_pad[15];
    /* 192: folded state */
    _Atomic uint64_t commit;
    _Atomic uint64_t own;         /* ticks taken by the recorder, folded so far */
    _Atomic uint64_t off;         /* ticks off the CPU, folded so far */
    _Atomic uint64_t key;         /* of the last RECORD_KEY */
    _Atomic uint64_t lost;        /* calls that could not be accounted for: no memory */
    _Atomic uint64_t clamped;     /* times that would have been negative, set to 0 */
    _Atomic uint64_t mismatched;  /* ends without a beginning */
    _Atomic uint64_t silent_ends; /* suspended calls that ended without an event */
    _Atomic uint64_t threads;     /* in the lane of merged ones: how many of them had recorded calls */
    _Atomic uint64_t records;     /* the same: pushed by them */
    _Atomic uint64_t lost_waits;  /* suspensions for which there was no memory: their calls count, not that they wait nor how long they took */
    _Atomic uint64_t audience;    /* of calls that begin */
    uint64_t folded_pad[4];
    /* 320 */
    _Atomic uint64_t undo_count;
    _Atomic uint32_t undo_page; /* first of UNDO_PAGES in a row */
    uint32_t undo_pad;
    /* 336: the thread's CPU clock, so that a reader can tell of a call that is open what its thread will say at its next event */
    _Atomic uint64_t cpu_base_ticks, cpu_base_monotonic, cpu_base; /* read together when the lane began; ns but the first */
    _Atomic uint64_t cpu_off;  /* ticks off the CPU since then that are in records; stored after the record */
    /* When recording was stopped while calls were open; they ended then, if there is no later record. */
    _Atomic uint64_t stopped;  /* ticks; 0: never; stored after the next */
    _Atomic uint64_t cpu_stop; /* 1 + ticks off the CPU until then; 0: not known */
    /* 384: identity; `state`, `generation` and `resets` frame everything else */
    _Atomic uint32_t state;      /* enum lane_state */
    _Atomic uint32_t generation; /* of the use of this lane, counts up when a new thread takes it */
    _Atomic uint32_t resets;     /* header.resets when this lane was last emptied; other: the lane counts as empty */
    _Atomic uint32_t tid;        /* kernel thread id */
    _Atomic uint32_t ring;       /* page number; 0: none (exited) */
    _Atomic uint32_t ring_slots;
    _Atomic uint32_t cpu_mode; /* enum cputime_mode */
    _Atomic uint32_t lane_next; /* page number of the next lane; 0: last; never changes once linked */
    _Atomic uint64_t first;         /* records pushed before the last reset */
    _Atomic uint64_t began, ended;  /* ticks */
    _Atomic uint64_t merging;       /* in the lane of merged ones: page of the lane being merged: 32 | low half of tail when
                                     * that began: 32; 0: none. Items before (tail - that) are here, later ones still there */
    /* 448 */
    struct lane_side side[2]; /* commit says which */
    char name[64];
    uint64_t reserved[16];
};

/* Consumers want records: a session, what attach selected, the collectors together, profilers. The set of those that want some
 * now is the audience; a call belongs, whole, to the audience it began in. Audiences are numbered: equal sets have the
 * same number, 0 is the empty one. A consumer that is cleared or goes leaves every audience, so that no call is its any more,
 * and its threads go on with another number. Numbers that lost their consumers come back when no lane has them. */
#define SEGMENT_AUDIENCES 256u
#define SEGMENT_CONSUMERS 64u

enum consumer_kind { CONSUMER_FREE = 0, CONSUMER_SESSION, CONSUMER_ATTACHED, CONSUMER_COLLECTORS, CONSUMER_PROFILER, CONSUMER_YAPPI, CONSUMER_KINDS };

enum consumer_flag {
    CONSUMER_RUNNING = 1 << 0,
    CONSUMER_SUBPROCESSES = 1 << 1, /* children made while it runs record, too */
    CONSUMER_SELECTS = 1 << 2,      /* only the sites in its selection; else all */
    CONSUMER_FORMER = 1 << 3,       /* what the consumer with this number was until its selection changed: its calls are its still */
    CONSUMER_SHORT = 1 << 4,        /* calls since its zero are missing: there was no number for an audience */
    CONSUMER_STARTED = 1 << 5,      /* a profiler's own switch is on */
    CONSUMER_GLOBAL = 1 << 6,       /* that of all profilers is on */
};
#define CONSUMER_SWITCHES (CONSUMER_STARTED | CONSUMER_GLOBAL)

struct consumer {
    uint32_t number; /* counts all that there ever were; 0: free */
    uint32_t kind;   /* enum consumer_kind */
    uint32_t flags;
    uint32_t selection;   /* its first page; 0: none */
    uint64_t began;       /* ticks; 0: never */
    uint64_t ended;       /* ticks; 0: never, or running */
    uint64_t zero;        /* ticks when it was cleared last; 0: never */
    char name[64];
    char selected[88];    /* what it selects, in the words of who asked for it; may be cut short */
};

/* Writer: writes the table that header.consumer_turn does not name, all of it, then the turn; release stores all.
 * Reader: lanes; t1 = acquire turn; copies that table, acquire; t2 = relaxed turn, t1 == t2 or again. So a table is never
 *   older than the lanes, and as audiences only lose members, it has nothing that a consumer has left, unless a number was
 *   used again: then header.renumberings, stored before the table, is another than before the lanes. */
struct consumer_table {
    struct page_header page;
    _Atomic uint64_t member[SEGMENT_AUDIENCES]; /* bit i: consumer[i] */
    struct consumer consumer[SEGMENT_CONSUMERS];
};
#define CONSUMER_PAGES 4u

#define SELECTION_BITS ((SEGMENT_PAGE - PAGE_ITEMS_OFFSET) * 8) /* sites to a page */

enum session_flag {
    SESSION_RUNNING = 1,
    SESSION_SUBPROCESSES = 2, /* as last begun: children made while it runs record, too; stays when it ends */
    SESSION_INHERITED = 4,    /* an ancestor's session came to it, at its start or when it was attached to */
    SESSION_COUNTED = 8,      /* the same by fork: it is one of its parent's offspring */
};

/* A process that this one descends from. */
struct ancestor {
    uint32_t pid; /* 0: none, or not known */
    uint32_t reserved;
    uint64_t start_time;
};
#define SEGMENT_LINEAGE 8

/* Times of day are nanoseconds, ticks those of `clock_source`. */
struct segment_header {
    uint64_t magic;
    uint32_t abi;
    uint32_t page_size;
    uint32_t header_bytes;
    uint32_t lane_bytes;
    uint32_t pid;
    uint32_t parent_pid; /* lineage[0] */
    uint64_t start_time; /* /proc/PID/stat field 22, clock ticks since boot */
    uint64_t capacity;   /* the file never grows beyond */
    char boot_id[40];
    char python[32];  /* "3.11.7" */
    char version[16]; /* of the extension */
    /* 136: the clock (clock.h) */
    uint32_t clock_source;
    uint32_t default_ring_slots;
    uint64_t anchor_ticks;
    uint64_t anchor_monotonic;
    uint64_t anchor_realtime;
    uint64_t anchor_boottime;
    uint64_t anchor_width; /* ticks between the two reads around the anchor */
    _Atomic uint64_t moves; /* odd while a suspended call goes from one lane to another: then it may be in both, or in none */
    /* 192 */
    _Atomic uint32_t pages_used;
    _Atomic uint32_t lane_first;
    _Atomic uint32_t site_first;
    _Atomic uint32_t site_count;
    _Atomic uint32_t graveyard; /* page number of the lane that holds the merged ones; 0: none */
    _Atomic uint32_t merges;    /* exited lanes merged so far */
    /* session: odd session_seq while being changed: by orders to start and stop, obeyed or not needed, and by resets */
    _Atomic uint32_t session_seq;
    _Atomic uint32_t session_flags;
    _Atomic uint64_t session_started; /* ticks; 0: never */
    _Atomic uint64_t session_stopped; /* ticks; 0: never or running */
    _Atomic uint32_t resets;
    _Atomic uint32_t decorated;  /* functions and blocks known, listed or not */
    _Atomic uint64_t call_cost;  /* picoseconds one recorded call adds, measured at first start; 0: not yet */
    _Atomic uint32_t cpu_mode;   /* weakest mode of any lane so far; enum cputime_mode */
    _Atomic uint32_t consumers;  /* sessions and collectors that want records now */
    /* counters of what was turned off, never reset to hide a loss */
    _Atomic uint64_t lost_lanes; /* threads that could get no lane */
    _Atomic uint64_t lost_calls; /* calls of such threads; those of sites without a number nobody counts */
    _Atomic uint64_t lost_sites; /* sites that found no room */
    _Atomic uint64_t paused;     /* hook taken out because the C stack ran low (3.11) */
    _Atomic uint64_t displaced;  /* another frame-evaluation or profile hook was found in the place of ours */
    _Atomic uint64_t refused_growth; /* pages refused: cap, file system, file-size or memory limit */
    uint64_t address; /* where the process has `capacity` bytes of this mapped, until it ends or becomes another program; 0: it left it */
    /* lanes merged last: page number << 32 | generation, at merges % SEGMENT_MERGE_LOG */
#define SEGMENT_MERGE_LOG 256
    _Atomic uint64_t merge_log[SEGMENT_MERGE_LOG];
    char command[376]; /* command line when the segment was made: who it was, once it is dead */
    _Atomic uint64_t offspring; /* children forked since the last reset to which the session was handed on */
    struct ancestor lineage[SEGMENT_LINEAGE]; /* the parent first, as of when the segment was made; a fork's are exact */
    _Atomic uint32_t unmarked; /* times that @timestamp was put on what it cannot mark */
#define SEGMENT_UNMARKED_NAMES 508
    char unmarked_names[SEGMENT_UNMARKED_NAMES]; /* the first of them, each different, a newline after each */
    _Atomic uint64_t interpreters; /* besides the main one, in sessions since the last reset: nothing of them is recorded */
    _Atomic uint64_t ended; /* 1: its process is done with it, and had no right to remove it: nobody lists it, and it may go */
    _Atomic uint32_t consumer_pages; /* page number of the first of the two tables; 0: none yet */
    _Atomic uint32_t consumer_turn;  /* changes so far: the table that counts is its lowest bit's */
    _Atomic uint32_t renumberings;   /* times that numbers of audiences came back to be used again */
    _Atomic uint32_t audience;       /* number of the one that calls begin in now */
    _Atomic uint64_t closing;        /* 1: its process is ending; it looks only now whether this is to stay for somebody */
    _Atomic uint32_t track_first;    /* page number of the first page of tracks; 0: none yet */
    _Atomic uint32_t track_count;    /* rows in them, whether somebody has them or not */
    _Atomic uint32_t path_limit;     /* nodes of a lane before paths are given up, for a reader that folds on; 0: 16384 */
    uint32_t reserved_half;
    uint64_t reserved[29];
};

static inline uint64_t commit_pack(uint64_t tail, uint32_t depth, unsigned side, unsigned odd)
{
    return tail << 32 | (uint64_t)depth << 2 | side << 1 | odd;
}
static inline uint32_t commit_tail(uint64_t commit) { return (uint32_t)(commit >> 32); }
static inline uint32_t commit_depth(uint64_t commit) { return (uint32_t)commit >> 2; }
static inline unsigned commit_side(uint64_t commit) { return (unsigned)commit >> 1 & 1; }
static inline unsigned commit_odd(uint64_t commit) { return (unsigned)commit & 1; }

static inline void *segment_at(void *base, segment_ref ref) { return (char *)base + ((size_t)ref << SEGMENT_REF_SHIFT); }
static inline segment_ref segment_ref_of(const void *base, const void *p)
{
    return (segment_ref)((size_t)((const char *)p - (const char *)base) >> SEGMENT_REF_SHIFT);
}
static inline void *segment_page_at(void *base, uint32_t page) { return (char *)base + (size_t)page * SEGMENT_PAGE; }
static inline struct page_header *segment_page_of(const void *item)
{
    return (struct page_header *)((uintptr_t)item & ~(uintptr_t)(SEGMENT_PAGE - 1));
}

/* The side that counts. Who looks at a lane that changes has to know the commit word before. */
static inline const struct lane_side *lane_side(const struct lane *l)
{
    return &l->side[commit_side(atomic_load_explicit(&l->commit, memory_order_relaxed))];
}

/* Have calls been recorded there? `head`: records pushed. A lane of which a part has been merged may have none left. */
static inline bool lane_recorded(void *base, const struct lane *l, uint64_t head)
{
    const struct page_header *nodes = segment_page_at(base, lane_side(l)->chain[PAGE_NODE]);
    return nodes->used > 1 && head != l->first; /* the first node is the root */
}

#define STRING_PIECE 2000u
#define STRING_LONG 0xffffu
#define STRING_PIECES 33u /* at most: of 65,536 bytes */
struct long_string {
    uint16_t mark, pieces;
    segment_ref piece[STRING_PIECES];
};

struct site_record {
    uint32_t name, qualname, module, file; /* string refs; 0: "" */
    uint32_t line;
    uint32_t track;
    uint32_t kind; /* enum site_kind */
    uint32_t variant_of; /* a lower number: it is that site, of which some calls are counted apart; 0: it is none */
};

enum site_kind { SITE_FUNCTION = 0, SITE_BLOCK, SITE_COLLECTOR, SITE_OWN /* the recorder's: not shown */, SITE_BUILTIN /* a C function */ };

/* A track of a Profiler, or a place in one: what it measures there. A place that has several sites has several rows.
 *
 * Writer: what a row says, and then `profiler`; one that is to be used again has profiler 0 before anything else in it changes.
 * Reader: profiler, acquire; the rest, acquire; the same profiler again, or once more. Numbers of consumers are never used again, so
 *   a row is one profiler's all the while; of what the owner changes each word is right by itself. */
struct track_record {
    _Atomic uint32_t profiler; /* number of the consumer that has it; 0: nobody */
    _Atomic uint32_t track;    /* of a place: the row of its track, counted from 1; 0: this is a track */
    _Atomic uint32_t site;     /* of a place */
    _Atomic uint32_t flags;    /* of a track: enum track_flag */
    _Atomic uint32_t id;       /* string refs: of a track what the program calls it by, a number in digits; of a place its name */
    _Atomic uint32_t name;     /* that a track was given for results; 0: none */
    uint32_t reserved[2];
};

enum track_flag {
    TRACK_ENABLED = 1 << 0,
    TRACK_WORD = 1 << 1, /* its id is a text; else a number */
};

#define PAGE_ITEMS_OFFSET 64u
#define PAGE_ITEMS(type) ((SEGMENT_PAGE - PAGE_ITEMS_OFFSET) / (uint32_t)sizeof(type))

_Static_assert(sizeof(struct page_header) == PAGE_ITEMS_OFFSET, "items begin at a cache line");
_Static_assert(sizeof(struct slot) == 16, "two words a record");
_Static_assert(sizeof(struct node) == 192 && offsetof(struct node, item) == 64 && offsetof(struct node, unended) == 128, "a node is three lines");
_Static_assert(sizeof(struct bucket_block) == 160, "ABI; its key and extremes are in one line");
_Static_assert(sizeof(struct entry) == 64, "an open call is one line");
_Static_assert(sizeof(struct suspended) == 64, "ABI");
_Static_assert(offsetof(struct lane, head) == 64 && offsetof(struct lane, commit) == 192, "head has 128 bytes of its own");
_Static_assert(offsetof(struct lane, undo_count) == 320 && offsetof(struct lane, cpu_base_ticks) == 336, "ABI");
_Static_assert(offsetof(struct lane, state) == 384, "ABI");
_Static_assert(offsetof(struct lane, side) == 448 && sizeof(struct lane_side) == 64 && PAGE_KINDS <= 14, "a side is one line");
_Static_assert(sizeof(struct lane) == 768, "ABI; a lane is a page");
_Static_assert(sizeof(struct consumer) == 192 && offsetof(struct consumer, name) == 40, "ABI; copied in words");
_Static_assert(offsetof(struct consumer_table, consumer) == 2112, "ABI");
_Static_assert(sizeof(struct consumer_table) == 14400 && sizeof(struct consumer_table) <= CONSUMER_PAGES * SEGMENT_PAGE, "ABI");
_Static_assert(offsetof(struct segment_header, clock_source) == 136, "ABI");
_Static_assert(offsetof(struct segment_header, moves) == 184 && offsetof(struct segment_header, pages_used) == 192, "ABI");
_Static_assert(offsetof(struct segment_header, merge_log) == 320, "ABI");
_Static_assert(offsetof(struct segment_header, offspring) == 2744 && offsetof(struct segment_header, lineage) == 2752, "ABI");
_Static_assert(offsetof(struct segment_header, unmarked) == 2880 && offsetof(struct segment_header, unmarked_names) == 2884, "ABI");
_Static_assert(sizeof(struct ancestor) == 16, "ABI");
_Static_assert(offsetof(struct segment_header, interpreters) == 3392, "ABI");
_Static_assert(offsetof(struct segment_header, abi) == 8 && offsetof(struct segment_header, version) == 120, "the same in each ABI");
_Static_assert(offsetof(struct segment_header, consumer_pages) == 3408, "ABI");
_Static_assert(sizeof(struct segment_header) == 3680, "ABI; the header is a page");
/* Lines begin where they do by the words before them, not by _Alignas: readers keep copies of these in what malloc() and
 * realloc() give, which is aligned for plain types only. */
_Static_assert(_Alignof(struct segment_header) == 8 && _Alignof(struct lane) == 8, "copies may lie anywhere on the heap");
_Static_assert(sizeof(struct site_record) == 32, "ABI");
_Static_assert(sizeof(struct long_string) == 136 && offsetof(struct long_string, piece) == 4, "ABI");
_Static_assert(sizeof(struct track_record) == 32 && offsetof(struct track_record, name) == 20, "ABI");
_Static_assert(offsetof(struct segment_header, track_first) == 3432, "ABI");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "atomics are plain, lock-free words");

#endif
