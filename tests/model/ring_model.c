/*
 * ring_model: every execution of the lane protocol that C11 allows
 *
 * A stress test shows what one machine happened to do. This program enumerates what release and acquire permit on any
 * machine: it writes one lane's history down once, then lets a reader make every choice of "which store does this
 * load see", and checks each snapshot that the reader accepts. No threads, no time, no luck.
 *
 * The protocol (shared/segment.h, struct lane)
 * --------------------------------------------
 *
 *     head        records pushed so far              page P: words A, B and P.change  (a page of nodes)
 *     commit      tail, depth, odd: see below        page Q: word  E    and Q.change  (a page of the stack)
 *     ring        N slots of two words; record i lives in slot i mod N; at most N-1 records are unfolded
 *     log         undo_count entries {ref, old}: what words held before the batch in progress changed them
 *
 *     push(i)     w0, w1                                   every store is a release store;
 *                 head = i+1                               they are made in the order written here
 *     batch of records [t, u), depth d before and e after it
 *                 undo_count = 0
 *                 commit = (t, d, odd)                     this is the batch's mark as well
 *                 the records, see below
 *                 commit = (u, e, even)
 *
 *     Three kinds of records. A is logged each time it changes, B and E when the batch first touches them:
 *
 *     '+'  begins a call: depth 0 -> 1      [touch E] mark Q; E
 *     '='  adds to what there is            [touch E, if depth is 1] touch B; [E] B; log A; mark P; A
 *     '-'  ends a call:   depth 1 -> 0      touch B; B; log A; mark P; A
 *
 *     log X       ref and old of log entry n; undo_count = n+1
 *     mark P      P.change = the batch's mark, unless it is that already
 *     touch B     once per batch: mark P; log B
 *     touch E     once per batch, only if d is 1: mark Q; log E. With d = 0 what E holds is nobody's: the mark brings
 *                 a reader that undoes the batch back to depth 0, where E does not count. So it has no log entry.
 *
 *     copy(page)  c0 = commit; change; the words           a cache, possibly torn
 *                 It is trusted iff tail(c0) > tail(change): the batch that change names had ended when c0 was loaded.
 *     refresh(page)  not trusted, or its change is not the cached one? copy(page)
 *     snapshot()
 *       looks     copy(P), copy(Q); any number of times refresh(P), refresh(Q)
 *       last look s1 = commit; refresh(P), refresh(Q)
 *                 s1 odd? n = undo_count, then n log entries
 *                 s2 = commit (relaxed); s1 != s2: reject, that is, look again with the cache as it is
 *                 state: the cached words; if s1 is odd, the old values over them, last entry first. It is that of
 *                 exactly tail(s1) records, and E counts only if depth(s1) is 1
 *       ring      h1 = head; copy records [tail(s1), h1); h2 = head (relaxed)
 *                 record i is valid iff i > h2 - N; one that is not: reject
 *     All loads but s2 and h2 are acquire. Accepted means: state plus copies are records [0, h1), exactly.
 *
 * A look that is not the last makes fewer loads here than try_copy() does: it leaves out s1, the log and s2. Loads only
 * narrow what later ones may see, so whatever try_copy() can see is among what is enumerated. For the same reason the
 * very first look may be the last one (look 1 saw initial values, nothing is trusted), and a history that ends early is
 * part of the whole one; cuts matter where the writer has stopped. Words of the lane itself are copied at each look:
 * they are the words of a page that is never trusted.
 *
 * What pairs with what, by the value an acquire load returned:
 *
 *     a word that a batch stored     brings its odd commit, so s2 sees the batch; and the log entry of that word
 *     ref or old of a log entry      brings the odd commit of its batch, likewise
 *     undo_count = 0                 brings the even commit of the batch before, so s2 sees that one's end
 *     undo_count = n                 brings the first n entries
 *     commit odd                     brings undo_count = 0 of this batch, and all of earlier batches
 *     commit even                    brings every word and mark of the batch
 *     a ring word of record j        brings head >= j, so h2 sees the overwriting of record j-N
 *     head = i+1                     brings record i
 *
 * Worked example: why a reader doubts
 * -----------------------------------
 * If it trusted every copy, no weak memory would be needed to go wrong. One record, plain interleaving:
 *
 *     writer: commit = (0, 0, odd), P.change = (0, 0, odd)      the batch has begun, A still holds its old value
 *     reader: look 1: c0 = (0, 0, odd), P.change, A = 0         caches an old word under the new mark
 *     writer: A = 1, commit = (1, 0, even)                      the batch is complete
 *     reader: s1 = (1, 0, even), P.change is the cached one: no copy; s2 = s1; accepts tail 1 with A = 0
 *
 * With tail(c0) > tail(change), the words of the batch that change names are all there: c0, loaded before the words,
 * brought them. Words of a later batch m may be there too. Whoever copied one of them has the odd commit of m. Then
 * either s1 is that, and the log covers what m changes; or s1 is later and brings the mark of m, which is not the
 * cached one.
 *
 * What the doubt makes unnecessary
 * --------------------------------
 * The proof uses of `change` only its value, that it is stored before the batch's even commit, and that c0 is loaded
 * before the words. So in a batch the mark may come after the words as well as before them; change may be copied after
 * the words; and its store and both its loads could be relaxed: the mark is brought by commit, by coherence. Rows show
 * each of these exact. A mark after the even commit, and c0 after the words, are mutants.
 *
 * undo_count has to be 0 before commit is odd: in between, a reader would undo the batch by the log of the one before.
 *
 * The memory model
 * ----------------
 * Each location has a list of messages in store order, which for a single writer is its program order. A message
 * carries a view: for each location, the number of the oldest message that whoever acquires it may still read. A
 * release store carries all the writer had done; a relaxed store only itself. A load may read any message not older
 * than the reader's view; acquire joins the message's view into the reader's, relaxed only notes the message itself.
 * As the writer loads nothing and the reader stores nothing, there are no cycles to exclude and the enumeration is
 * exact. (A relaxed store after a release store to the same location gets no release sequence, as from C++20 on: that
 * allows more than C11 does, so it errs on the safe side.)
 *
 * A writer killed after n stores is the history cut after n stores. Those drain, so a reader that starts later sees
 * the newest message of each location and nothing else; a reader that was already running may still see old ones.
 *
 * Readers in the same state have the same future: it is enumerated once and its executions are counted each time. A row
 * that has to catch a mutant ends with the first wrong execution.
 *
 * The rows at the end of the file say what is run and what must come out of it. A protocol that survives proves little
 * if the enumerator is blind, so each mutant must be caught accepting at least one wrong snapshot.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(n) (1u << (n))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    SLOTS_MIN = 3, /* two slots hold one unfolded record: no batch of two */
    SLOTS_MAX = 4,
    RECORDS_MIN = 5, /* fewer leave mutants uncaught */
    RECORDS_MAX = 7, /* values are bytes: A has a bit per record, commit three for tail, E and word 1 have a base */
    BATCH_MAX = 2,
    LOG_MAX = 4, /* E, B, A, A: "==" at depth 1 */
    MOVES_MAX = 2 * RECORDS_MAX,
    MESSAGES_MAX = 4 * RECORDS_MAX + 1, /* undo_count: per batch of one record 0 to 3, and the initial one */
    LOADS_MAX = 64,
    MEMO_SLOTS = 1 << 17,
    POISON = 0xee, /* what never-written words hold: equal to no right value */
};

enum page { PAGE_P, PAGE_Q, PAGES };

enum word { WORD_A, WORD_B, WORD_E, WORDS };

enum location {
    AT_HEAD,
    AT_COMMIT,
    AT_UNDO_COUNT,
    AT_P_CHANGE,
    AT_Q_CHANGE,
    AT_A,
    AT_B,
    AT_E,
    AT_LOG,                     /* ref and old per entry */
    AT_RING = AT_LOG + 2 * LOG_MAX, /* two words per slot */
    LOCATIONS = AT_RING + 2 * SLOTS_MAX,
};

/* ---- What is stored: pure functions of the records, so that any prefix can be checked ---- */

struct state {
    uint8_t word[WORDS];
    uint8_t depth;
};

/* The state of records [0, k). A has one bit per record that changed it, B counts those, E names the last. */
static struct state state_after(const char *kinds, unsigned k)
{
    struct state s = {.word = {0, 0, POISON}};

    for (unsigned i = 0; i < k; i++) {
        if (kinds[i] == '+')
            s.depth = 1;
        if (kinds[i] == '-')
            s.depth = 0;
        if (kinds[i] != '+') {
            s.word[WORD_A] |= (uint8_t)BIT(i);
            s.word[WORD_B]++;
        }
        if (s.depth)
            s.word[WORD_E] = (uint8_t)(0x40 + i);
    }
    return s;
}

static enum page page_of(enum word word)
{
    return word == WORD_E ? PAGE_Q : PAGE_P;
}

static uint8_t record_word(unsigned i, unsigned which)
{
    return (uint8_t)(which == 0 ? BIT(i) : 0x80 + i);
}

static unsigned ring_location(unsigned i, unsigned which, unsigned slots)
{
    return AT_RING + 2 * (i % slots) + which;
}

static uint8_t commit_pack(unsigned tail, unsigned depth, unsigned odd)
{
    return (uint8_t)(tail << 2 | depth << 1 | odd);
}
static unsigned commit_tail(uint8_t commit) { return commit >> 2; }
static unsigned commit_depth(uint8_t commit) { return commit >> 1 & 1; }
static bool commit_odd(uint8_t commit) { return commit & 1; }

/* ---- The two programs. A mutant of the writer is a flag, one of the reader another list of loads or a flag. ---- */

enum store {
    STORE_W0,
    STORE_W1,
    STORE_HEAD,
    STORE_UNDO_RESET,
    STORE_COMMIT_ODD,
    STORE_LOG_REF,
    STORE_LOG_OLD,
    STORE_UNDO_COUNT,
    STORE_P_CHANGE,
    STORE_Q_CHANGE,
    STORE_A,
    STORE_B,
    STORE_E,
    STORE_COMMIT_EVEN,
    STORES,
};

static const char *const store_names[STORES] = {
    "w0", "w1", "head", "undo_count = 0", "commit, odd", "log ref", "log old", "undo_count",
    "P.change", "Q.change", "A", "B", "E", "commit, even",
};

enum flaw {
    COUNT_AFTER_WORD = 1 << 0,   /* a log entry is counted after the word has changed */
    COUNT_BEFORE_ENTRY = 1 << 1, /* before it is filled */
    RESET_AFTER_ODD = 1 << 2,    /* undo_count = 0 after commit is odd */
    ODD_AFTER_WORD = 1 << 3,     /* commit odd after the first change */
    MARK_AFTER_WORD = 1 << 4,    /* harmless: "What the doubt makes unnecessary" */
    MARK_AFTER_BATCH = 1 << 5,
    ENTRY_NOT_LOGGED = 1 << 6,   /* E as if it were nobody's at any depth */
    FULL_RING = 1 << 7,          /* N unfolded records */
    /* the reader's */
    TRUSTING = 1 << 8,           /* each copy is trusted */
    UNDO_FIRST_FIRST = 1 << 9,
    VALID_AT_LAP = 1 << 10,      /* record i is valid iff i >= h2 - N */
};

enum load {
    LOAD_P_BEFORE,
    LOAD_P_CHANGE,
    LOAD_A,
    LOAD_B,
    LOAD_Q_BEFORE,
    LOAD_Q_CHANGE,
    LOAD_E,
    CHECK_P_CHANGE,
    CHECK_Q_CHANGE,
    LOAD_COMMIT,
    LOAD_UNDO_COUNT,
    LOAD_LOG_REF,
    LOAD_LOG_OLD,
    COMMIT_AGAIN,
    LOAD_HEAD,
    LOAD_W0,
    LOAD_W1,
    HEAD_AGAIN,
    LOADS,
    LOAD_END = LOADS,
};

enum load_kind {
    READ_BEFORE,
    READ_CHANGE,
    READ_WORD,
    CHECK_CHANGE,
    READ_COMMIT,
    READ_UNDO_COUNT,
    READ_LOG,
    CONFIRM_COMMIT,
    READ_HEAD,
    READ_RECORD,
    CONFIRM_HEAD,
};

enum order { ACQUIRE, RELAXED };

static const struct load_site {
    const char *name;
    enum load_kind kind;
    uint8_t operand; /* which word of the record, of the log entry, of the state */
    enum page page;
    enum location location;
    enum order order;
} loads[LOADS] = {
    [LOAD_P_BEFORE] = {"P c0", READ_BEFORE, 0, PAGE_P, AT_COMMIT, ACQUIRE},
    [LOAD_P_CHANGE] = {"P.change", READ_CHANGE, 0, PAGE_P, AT_P_CHANGE, ACQUIRE},
    [LOAD_A] = {"A", READ_WORD, WORD_A, PAGE_P, AT_A, ACQUIRE},
    [LOAD_B] = {"B", READ_WORD, WORD_B, PAGE_P, AT_B, ACQUIRE},
    [LOAD_Q_BEFORE] = {"Q c0", READ_BEFORE, 0, PAGE_Q, AT_COMMIT, ACQUIRE},
    [LOAD_Q_CHANGE] = {"Q.change", READ_CHANGE, 0, PAGE_Q, AT_Q_CHANGE, ACQUIRE},
    [LOAD_E] = {"E", READ_WORD, WORD_E, PAGE_Q, AT_E, ACQUIRE},
    [CHECK_P_CHANGE] = {"P.change check", CHECK_CHANGE, 0, PAGE_P, AT_P_CHANGE, ACQUIRE},
    [CHECK_Q_CHANGE] = {"Q.change check", CHECK_CHANGE, 0, PAGE_Q, AT_Q_CHANGE, ACQUIRE},
    [LOAD_COMMIT] = {"s1", READ_COMMIT, 0, PAGE_P, AT_COMMIT, ACQUIRE},
    [LOAD_UNDO_COUNT] = {"undo_count", READ_UNDO_COUNT, 0, PAGE_P, AT_UNDO_COUNT, ACQUIRE},
    [LOAD_LOG_REF] = {"log ref", READ_LOG, 0, PAGE_P, AT_LOG, ACQUIRE},
    [LOAD_LOG_OLD] = {"log old", READ_LOG, 1, PAGE_P, AT_LOG, ACQUIRE},
    [COMMIT_AGAIN] = {"s2", CONFIRM_COMMIT, 0, PAGE_P, AT_COMMIT, RELAXED},
    [LOAD_HEAD] = {"h1", READ_HEAD, 0, PAGE_P, AT_HEAD, ACQUIRE},
    [LOAD_W0] = {"w0", READ_RECORD, 0, PAGE_P, AT_RING, ACQUIRE},
    [LOAD_W1] = {"w1", READ_RECORD, 1, PAGE_P, AT_RING, ACQUIRE},
    [HEAD_AGAIN] = {"h2", CONFIRM_HEAD, 0, PAGE_P, AT_HEAD, RELAXED},
};

#define COPY_P LOAD_P_BEFORE, LOAD_P_CHANGE, LOAD_A, LOAD_B
#define COPY_Q LOAD_Q_BEFORE, LOAD_Q_CHANGE, LOAD_E
#define LOOK COPY_P, COPY_Q
#define REFRESH CHECK_P_CHANGE, COPY_P, CHECK_Q_CHANGE, COPY_Q /* the copies' loads are left out where not wanted */
#define LOG LOAD_UNDO_COUNT, LOAD_LOG_REF, LOAD_LOG_OLD        /* ref and old once per entry, if s1 is odd */
#define LAST_LOOK LOAD_COMMIT, REFRESH, LOG
#define RING LOAD_HEAD, LOAD_W0, LOAD_W1 /* w0 and w1 once per record */

static const enum load snapshot[] = {LOOK, LAST_LOOK, COMMIT_AGAIN, RING, HEAD_AGAIN, LOAD_END};
static const enum load snapshot_retried[] = {LOOK, REFRESH, LAST_LOOK, COMMIT_AGAIN, RING, HEAD_AGAIN, LOAD_END};
static const enum load snapshot_no_head_again[] = {LOOK, LAST_LOOK, COMMIT_AGAIN, RING, LOAD_END};
static const enum load snapshot_no_commit_again[] = {LOOK, LAST_LOOK, RING, HEAD_AGAIN, LOAD_END};
static const enum load snapshot_log_first[] = {
    LOOK, LOAD_COMMIT, LOG, REFRESH, COMMIT_AGAIN, RING, HEAD_AGAIN, LOAD_END,
};

#define COPY_P_CHANGE_LATE LOAD_P_BEFORE, LOAD_A, LOAD_B, LOAD_P_CHANGE
#define COPY_Q_CHANGE_LATE LOAD_Q_BEFORE, LOAD_E, LOAD_Q_CHANGE
static const enum load snapshot_change_late[] = {
    COPY_P_CHANGE_LATE, COPY_Q_CHANGE_LATE,
    LOAD_COMMIT, CHECK_P_CHANGE, COPY_P_CHANGE_LATE, CHECK_Q_CHANGE, COPY_Q_CHANGE_LATE, LOG,
    COMMIT_AGAIN, RING, HEAD_AGAIN, LOAD_END,
};

#define COPY_P_BEFORE_LATE LOAD_P_CHANGE, LOAD_A, LOAD_B, LOAD_P_BEFORE
#define COPY_Q_BEFORE_LATE LOAD_Q_CHANGE, LOAD_E, LOAD_Q_BEFORE
static const enum load snapshot_before_late[] = {
    COPY_P_BEFORE_LATE, COPY_Q_BEFORE_LATE, LAST_LOOK, COMMIT_AGAIN, RING, HEAD_AGAIN, LOAD_END,
};

/* All zero is the protocol; what is set is what a row changes. */
struct protocol {
    const enum load *program; /* NULL: snapshot */
    uint32_t relaxed_stores;  /* bits of enum store that are not release */
    uint32_t relaxed_loads;   /* bits of enum load that are not acquire */
    uint32_t flaws;           /* enum flaw */
};

/* ---- The writer: one history, written once ---- */

struct message {
    uint8_t value;
    uint8_t view[LOCATIONS]; /* what an acquire load of it brings along */
};

struct history {
    unsigned stores;
    unsigned cut;              /* the writer is stopped after this many stores */
    uint8_t newest[LOCATIONS]; /* number of the newest message: also the writer's own view */
    struct message messages[LOCATIONS][MESSAGES_MAX];
};

struct writer {
    struct history *history;
    const struct protocol *protocol;
    const char *kinds;
    unsigned slots;
    unsigned pushed, folded, depth;
    /* the batch in progress */
    uint8_t mark;
    uint8_t logged;
    bool node_touched, entry_touched;
    bool marked[PAGES];
    bool mark_due[PAGES], count_due, odd_due; /* flaws */
};

static void history_begin(struct history *history, unsigned cut)
{
    memset(history, 0, sizeof(*history));
    history->cut = cut;
    for (unsigned location = AT_E; location < LOCATIONS; location++)
        history->messages[location][0].value = POISON;
}

static void store(struct writer *writer, enum store site, unsigned location, uint8_t value)
{
    struct history *history = writer->history;

    if (history->stores == history->cut)
        return;
    history->stores++;

    uint8_t number = ++history->newest[location];

    assert(number < MESSAGES_MAX);

    struct message *message = &history->messages[location][number];

    message->value = value;
    if (writer->protocol->relaxed_stores & BIT(site))
        message->view[location] = number;
    else
        memcpy(message->view, history->newest, sizeof(message->view));
}

static bool flawed(const struct writer *writer, enum flaw flaw)
{
    return writer->protocol->flaws & flaw;
}

static void push(struct writer *writer)
{
    unsigned i = writer->pushed++;

    store(writer, STORE_W0, ring_location(i, 0, writer->slots), record_word(i, 0));
    store(writer, STORE_W1, ring_location(i, 1, writer->slots), record_word(i, 1));
    store(writer, STORE_HEAD, AT_HEAD, (uint8_t)(i + 1));
}

static void store_mark(struct writer *writer, enum page page)
{
    store(writer, STORE_P_CHANGE + page, AT_P_CHANGE + page, writer->mark);
}

static void mark_page(struct writer *writer, enum page page)
{
    if (writer->marked[page])
        return;
    writer->marked[page] = true;
    if (flawed(writer, MARK_AFTER_WORD | MARK_AFTER_BATCH))
        writer->mark_due[page] = true;
    else
        store_mark(writer, page);
}

static void store_due_marks(struct writer *writer)
{
    for (unsigned page = 0; page < PAGES; page++)
        if (writer->mark_due[page])
            store_mark(writer, page);
    memset(writer->mark_due, 0, sizeof(writer->mark_due));
}

static void store_undo_count(struct writer *writer)
{
    store(writer, STORE_UNDO_COUNT, AT_UNDO_COUNT, writer->logged);
    writer->count_due = false;
}

/* What the word holds now is its newest message. */
static void log_word(struct writer *writer, enum word word)
{
    const struct history *history = writer->history;
    uint8_t old = history->messages[AT_A + word][history->newest[AT_A + word]].value;
    unsigned entry = AT_LOG + 2u * writer->logged++;

    assert(writer->logged <= LOG_MAX);
    if (flawed(writer, COUNT_BEFORE_ENTRY))
        store_undo_count(writer);
    store(writer, STORE_LOG_REF, entry, (uint8_t)word);
    store(writer, STORE_LOG_OLD, entry + 1, old);
    if (flawed(writer, COUNT_AFTER_WORD))
        writer->count_due = true;
    else if (!flawed(writer, COUNT_BEFORE_ENTRY))
        store_undo_count(writer);
}

static void change_word(struct writer *writer, enum word word)
{
    struct state after = state_after(writer->kinds, writer->folded + 1);

    store(writer, STORE_A + word, AT_A + word, after.word[word]);
    if (writer->odd_due)
        store(writer, STORE_COMMIT_ODD, AT_COMMIT, writer->mark);
    writer->odd_due = false;
    if (writer->count_due)
        store_undo_count(writer);
    if (flawed(writer, MARK_AFTER_WORD))
        store_due_marks(writer);
}

static void touch_node(struct writer *writer)
{
    if (writer->node_touched)
        return;
    writer->node_touched = true;
    mark_page(writer, PAGE_P);
    log_word(writer, WORD_B);
}

static void touch_entry(struct writer *writer)
{
    if (writer->entry_touched || commit_depth(writer->mark) == 0 || flawed(writer, ENTRY_NOT_LOGGED))
        return;
    writer->entry_touched = true;
    mark_page(writer, PAGE_Q);
    log_word(writer, WORD_E);
}

static void fold_record(struct writer *writer)
{
    char kind = writer->kinds[writer->folded];

    if (kind == '+') {
        touch_entry(writer);
        mark_page(writer, PAGE_Q);
        change_word(writer, WORD_E);
        writer->depth = 1;
    } else {
        bool adds = kind == '=' && writer->depth;

        if (adds)
            touch_entry(writer);
        touch_node(writer);
        if (adds) {
            mark_page(writer, PAGE_Q); /* marked already, but for a flaw */
            change_word(writer, WORD_E);
        }
        change_word(writer, WORD_B);
        log_word(writer, WORD_A);
        mark_page(writer, PAGE_P);
        change_word(writer, WORD_A);
        if (kind == '-')
            writer->depth = 0;
    }
    writer->folded++;
}

static void fold(struct writer *writer, unsigned records)
{
    writer->mark = commit_pack(writer->folded, writer->depth, 1);
    writer->logged = 0;
    writer->node_touched = writer->entry_touched = false;
    memset(writer->marked, 0, sizeof(writer->marked));
    if (!flawed(writer, RESET_AFTER_ODD))
        store(writer, STORE_UNDO_RESET, AT_UNDO_COUNT, 0);
    writer->odd_due = flawed(writer, ODD_AFTER_WORD);
    if (!writer->odd_due)
        store(writer, STORE_COMMIT_ODD, AT_COMMIT, writer->mark);
    if (flawed(writer, RESET_AFTER_ODD))
        store(writer, STORE_UNDO_RESET, AT_UNDO_COUNT, 0);
    while (records--)
        fold_record(writer);
    store(writer, STORE_COMMIT_EVEN, AT_COMMIT, commit_pack(writer->folded, writer->depth, 0));
    store_due_marks(writer);
}

/* ---- The run: what is enumerated, and what came out ---- */

enum stop {
    RUNNING,         /* any load may see any message its view allows */
    STOPPED,         /* before the reader began: it sees the newest messages only */
    STOPPED_BETWEEN, /* before the reader's last look: what came earlier may be stale */
};

enum must {
    BE_EXACT,         /* accepts, and nothing it accepts is wrong */
    BE_EXACT_AT_ONCE, /* and rejects nothing */
    BE_CAUGHT,        /* accepts at least one wrong snapshot */
    STALL,            /* rejects although the writer has stopped: it would try for ever */
};

struct tally {
    uint64_t accepted;
    uint64_t rejected;
    uint64_t wrong; /* of the accepted */
};

struct step_taken {
    enum load load;
    uint8_t value;
};

struct counterexample {
    bool found;
    char kinds[RECORDS_MAX + 1];
    char moves[MOVES_MAX + 1];
    unsigned stores;
    unsigned length;
    struct step_taken path[LOADS_MAX];
};

/* All bytes, so that two of them can be compared as such. */
struct reader {
    uint8_t view[LOCATIONS];
    uint8_t line; /* next line of the program */
    bool rejected;

    uint8_t before[PAGES]; /* the cache: commit seen before the page was copied, its mark, its words */
    uint8_t change[PAGES];
    uint8_t cached[WORDS];
    bool stale[PAGES]; /* to be copied (again) */

    uint8_t commit;
    uint8_t undo_count;
    uint8_t entry; /* the one being copied */
    uint8_t log[LOG_MAX][2];
    bool inexact; /* the state that was accepted */

    uint8_t head;
    uint8_t head_again;
    uint8_t record; /* the one being copied */
    bool broken;    /* one was copied wrong */
};

struct memo {
    uint32_t history; /* run.histories when this was stored; other: empty */
    struct reader reader;
    struct tally tally;
};

struct run {
    struct protocol protocol;
    enum must must;
    enum stop stop;
    bool every_cut;
    bool every_kind;
    unsigned slots;
    unsigned records;
    char kinds[RECORDS_MAX + 1];
    char moves[MOVES_MAX + 1]; /* 'p'ush, '1' or '2' records folded, in the writer's order */
    struct history history;
    struct state states[RECORDS_MAX + 1];
    uint8_t last_look;                 /* the line where it begins */
    struct step_taken path[LOADS_MAX]; /* the execution being enumerated */
    struct tally tally;
    bool done; /* a mutant has been caught: that will do */
    struct counterexample wrong; /* the first one */
    struct counterexample rejected;
};

static struct memo memos[MEMO_SLOTS];
static uint32_t histories;

/* ---- The reader ---- */

static bool trusts(const struct run *run, const struct reader *reader, enum page page)
{
    return run->protocol.flaws & TRUSTING || commit_tail(reader->before[page]) > commit_tail(reader->change[page]);
}

/* The rule i > h2 - N, signed: near the start h2 - N is negative and everything is valid. */
static bool record_valid(const struct run *run, unsigned i, unsigned head)
{
    return (int)i > (int)head - (int)run->slots - (run->protocol.flaws & VALID_AT_LAP ? 1 : 0);
}

/* Forgets what is copied again anyway: fewer states to tell apart. */
static void find_stale(struct reader *reader, enum page page)
{
    reader->stale[page] = true;
    reader->before[page] = reader->change[page] = 0;
    for (unsigned word = 0; word < WORDS; word++)
        if (page_of(word) == page)
            reader->cached[word] = 0;
}

static bool line_wanted(const struct run *run, struct reader *reader, enum load load)
{
    const struct load_site *site = &loads[load];

    switch (site->kind) {
    case READ_BEFORE:
    case READ_CHANGE:
    case READ_WORD:
        return reader->stale[site->page];
    case CHECK_CHANGE:
        if (!trusts(run, reader, site->page))
            find_stale(reader, site->page);
        else
            reader->stale[site->page] = false;
        return !reader->stale[site->page];
    case READ_UNDO_COUNT:
        return commit_odd(reader->commit);
    case READ_LOG:
        return reader->entry < reader->undo_count;
    case READ_RECORD:
        return reader->record < reader->head;
    default:
        return true;
    }
}

static void reader_advance(const struct run *run, struct reader *reader)
{
    const enum load *program = run->protocol.program;

    do
        reader->line++;
    while (program[reader->line] != LOAD_END && !line_wanted(run, reader, program[reader->line]));
}

static bool state_exact(const struct run *run, const struct reader *reader)
{
    const struct state *right = &run->states[commit_tail(reader->commit)];
    uint8_t word[WORDS];

    memcpy(word, reader->cached, sizeof(word));
    for (unsigned n = 0; n < reader->undo_count; n++) {
        const uint8_t *entry = reader->log[run->protocol.flaws & UNDO_FIRST_FIRST ? n : reader->undo_count - 1u - n];

        if (entry[0] >= WORDS)
            return false;
        word[entry[0]] = entry[1];
    }
    return commit_depth(reader->commit) == right->depth && word[WORD_A] == right->word[WORD_A] &&
           word[WORD_B] == right->word[WORD_B] && (!right->depth || word[WORD_E] == right->word[WORD_E]);
}

/* The state is settled: forget all but the verdict, and the view but for head and ring. */
static void reader_begin_ring(const struct run *run, struct reader *reader, uint8_t head)
{
    uint8_t first = (uint8_t)commit_tail(reader->commit);
    struct reader next = {
        .line = reader->line,
        .commit = reader->commit,
        .inexact = !state_exact(run, reader),
        .head = head,
        .head_again = head,
        .record = first,
        /* h2 will not be less than h1, so what h1 rules out needs no copy. */
        .rejected = first < head && !record_valid(run, first, head),
    };

    next.view[AT_HEAD] = reader->view[AT_HEAD];
    memcpy(&next.view[AT_RING], &reader->view[AT_RING], LOCATIONS - AT_RING);
    *reader = next;
}

/* A page copied before the last look: only whether it is trusted matters from here on. */
static void settle_copy(const struct run *run, struct reader *reader, enum page page)
{
    if (trusts(run, reader, page))
        reader->before[page] = UINT8_MAX;
    else
        find_stale(reader, page);
}

static bool copies(enum load load, enum page page)
{
    return load <= LOAD_E && loads[load].page == page;
}

static void reader_copy_record(struct reader *reader, unsigned which, uint8_t value)
{
    if (value != record_word(reader->record, which))
        reader->broken = true;
    if (which == 1 && ++reader->record < reader->head)
        reader->line = (uint8_t)(reader->line - 2); /* back to before w0 */
}

static void reader_copy_log(struct reader *reader, unsigned which, uint8_t value)
{
    reader->log[reader->entry][which] = value;
    if (which == 1 && ++reader->entry < reader->undo_count)
        reader->line = (uint8_t)(reader->line - 2); /* back to before ref */
}

static void reader_use(const struct run *run, struct reader *reader, const struct load_site *site, uint8_t value)
{
    switch (site->kind) {
    case READ_BEFORE:
        reader->before[site->page] = value;
        break;
    case READ_CHANGE:
        reader->change[site->page] = value;
        break;
    case READ_WORD:
        reader->cached[site->operand] = value;
        break;
    case CHECK_CHANGE:
        if (value != reader->change[site->page])
            find_stale(reader, site->page);
        break;
    case READ_COMMIT:
        reader->commit = value;
        break;
    case READ_UNDO_COUNT:
        reader->undo_count = value;
        break;
    case READ_LOG:
        reader_copy_log(reader, site->operand, value);
        break;
    case CONFIRM_COMMIT:
        reader->rejected = reader->commit != value;
        break;
    case READ_HEAD:
        reader_begin_ring(run, reader, value);
        break;
    case READ_RECORD:
        reader_copy_record(reader, site->operand, value);
        break;
    case CONFIRM_HEAD:
        reader->head_again = value;
        break;
    }

    const enum load *line = &run->protocol.program[reader->line];

    if (reader->line < run->last_look && copies(line[0], site->page) && !copies(line[1], site->page))
        settle_copy(run, reader, site->page);
}

static void reader_join(struct reader *reader, const struct message *message, unsigned location, uint8_t number,
                        enum order order)
{
    reader->view[location] = number;
    if (order == RELAXED)
        return;
    for (unsigned i = 0; i < LOCATIONS; i++)
        if (reader->view[i] < message->view[i])
            reader->view[i] = message->view[i];
}

/* ---- The verdict on one execution ---- */

/* Is nothing but the newest left to see? */
static bool history_settled(const struct run *run, const struct reader *reader)
{
    return run->stop == STOPPED || (run->stop == STOPPED_BETWEEN && reader->line >= run->last_look);
}

/* A reader of a stopped writer has no excuse: every record whose head store happened is there. */
static bool nothing_missing(const struct run *run, const struct reader *reader)
{
    uint8_t newest = run->history.newest[AT_HEAD];

    return !history_settled(run, reader) || reader->head == run->history.messages[AT_HEAD][newest].value;
}

static void keep_first(struct counterexample *example, const struct run *run, unsigned length)
{
    if (example->found)
        return;
    *example = (struct counterexample){.found = true, .stores = run->history.stores, .length = length};
    memcpy(example->kinds, run->kinds, sizeof(example->kinds));
    memcpy(example->moves, run->moves, sizeof(example->moves));
    memcpy(example->path, run->path, length * sizeof(example->path[0]));
}

static struct tally judge(struct run *run, const struct reader *reader, unsigned length)
{
    unsigned first = commit_tail(reader->commit);

    if (reader->rejected || (first < reader->head && !record_valid(run, first, reader->head_again))) {
        keep_first(&run->rejected, run, length);
        run->done = run->must == STALL;
        return (struct tally){.rejected = 1};
    }
    if (!reader->inexact && !reader->broken && nothing_missing(run, reader))
        return (struct tally){.accepted = 1};
    keep_first(&run->wrong, run, length);
    run->done = run->must == BE_CAUGHT;
    return (struct tally){.accepted = 1, .wrong = 1};
}

/* ---- The enumeration: readers, cuts, schedules ---- */

static void tally_add(struct tally *sum, const struct tally *more)
{
    sum->accepted += more->accepted;
    sum->rejected += more->rejected;
    sum->wrong += more->wrong;
}

/* A place that may hold another reader's: then it is overwritten, and that one's future enumerated again. */
static struct memo *memo_of(const struct reader *reader)
{
    uint64_t words[(sizeof(*reader) + 7) / 8] = {0}, hash = 0;

    memcpy(words, reader, sizeof(*reader));
    for (unsigned i = 0; i < COUNT(words); i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return &memos[hash % MEMO_SLOTS];
}

static struct tally explore(struct run *run, const struct reader *reader, unsigned depth);

static struct tally explore_choices(struct run *run, const struct reader *reader, unsigned depth)
{
    enum load load = run->protocol.program[reader->line];
    const struct load_site *site = &loads[load];
    unsigned location = site->location;
    struct tally sum = {0, 0, 0};

    assert(depth < LOADS_MAX);
    if (site->kind == READ_RECORD)
        location = ring_location(reader->record, site->operand, run->slots);
    else if (site->kind == READ_LOG)
        location = AT_LOG + 2u * reader->entry + site->operand;

    enum order order = run->protocol.relaxed_loads & BIT(load) ? RELAXED : site->order;
    uint8_t newest = run->history.newest[location];
    uint8_t oldest = history_settled(run, reader) ? newest : reader->view[location];

    for (uint8_t number = oldest; number <= newest && !run->done; number++) {
        const struct message *message = &run->history.messages[location][number];
        struct reader next = *reader;

        run->path[depth] = (struct step_taken){load, message->value};
        reader_join(&next, message, location, number, order);
        reader_use(run, &next, site, message->value);
        reader_advance(run, &next);

        struct tally more = explore(run, &next, depth + 1);

        tally_add(&sum, &more);
    }
    return sum;
}

/* Depth first over what each load may see. `depth` loads have been made. */
static struct tally explore(struct run *run, const struct reader *reader, unsigned depth)
{
    if (reader->rejected || run->protocol.program[reader->line] == LOAD_END)
        return judge(run, reader, depth);

    struct memo *memo = memo_of(reader);

    if (memo->history == histories && memcmp(&memo->reader, reader, sizeof(*reader)) == 0)
        return memo->tally;

    struct tally tally = explore_choices(run, reader, depth);

    if (!run->done)
        *memo = (struct memo){histories, *reader, tally};
    return tally;
}

static void write_history(struct run *run, unsigned cut)
{
    struct writer writer = {
        .history = &run->history,
        .protocol = &run->protocol,
        .kinds = run->kinds,
        .slots = run->slots,
    };

    history_begin(&run->history, cut);
    for (const char *move = run->moves; *move; move++) {
        if (*move == 'p')
            push(&writer);
        else
            fold(&writer, (unsigned)(*move - '0'));
    }
}

static void explore_history(struct run *run)
{
    struct reader reader = {.stale = {true, true}};

    histories++;

    struct tally tally = explore(run, &reader, 0);

    tally_add(&run->tally, &tally);
}

static void explore_schedule(struct run *run)
{
    write_history(run, UINT32_MAX);

    unsigned stores_in_all = run->history.stores;

    for (unsigned cut = run->every_cut ? 0 : stores_in_all; cut <= stores_in_all && !run->done; cut++) {
        write_history(run, cut);
        explore_history(run);
    }
}

/* Every order of pushes and batches that the ring's capacity allows: what holds here holds for any folding policy. */
static void explore_schedules(struct run *run, unsigned moves, unsigned pushed, unsigned folded)
{
    unsigned capacity = run->slots - (run->protocol.flaws & FULL_RING ? 0 : 1);

    if (run->done)
        return;
    if (folded == run->records) {
        run->moves[moves] = '\0';
        explore_schedule(run);
        return;
    }
    if (pushed < run->records && pushed - folded < capacity) {
        run->moves[moves] = 'p';
        explore_schedules(run, moves + 1, pushed + 1, folded);
    }
    for (unsigned batch = 1; batch <= BATCH_MAX && batch <= pushed - folded; batch++) {
        run->moves[moves] = (char)('0' + batch);
        explore_schedules(run, moves + 1, pushed, folded + batch);
    }
}

static void explore_kinds_given(struct run *run)
{
    for (unsigned k = 0; k <= run->records; k++)
        run->states[k] = state_after(run->kinds, k);
    explore_schedules(run, 0, 0, 0);
}

/* Each sequence of records in which calls begin before they end. */
static void explore_kinds(struct run *run, unsigned i, bool open)
{
    if (i == run->records) {
        run->kinds[i] = '\0';
        explore_kinds_given(run);
        return;
    }
    run->kinds[i] = '=';
    explore_kinds(run, i + 1, open);
    run->kinds[i] = open ? '-' : '+';
    explore_kinds(run, i + 1, !open);
}

/* ---- The rows: what is run and what must come out of it ---- */

struct row {
    const char *name;
    struct protocol protocol;
    enum stop stop;
    bool every_cut;
    bool every_kind; /* each sequence of kinds; else KINDS */
    unsigned records; /* 0: as the geometry says */
    enum must must;
};

/* Batches "+=", "==", "=-", "-+" are among those it can be cut into. */
#define KINDS "+==-+=-"

#define STATE_STORES (BIT(STORE_A) | BIT(STORE_B) | BIT(STORE_E))
#define STATE_LOADS (BIT(LOAD_A) | BIT(LOAD_B) | BIT(LOAD_E))
#define CHANGE_STORES (BIT(STORE_P_CHANGE) | BIT(STORE_Q_CHANGE))
#define CHANGE_LOADS (BIT(LOAD_P_CHANGE) | BIT(LOAD_Q_CHANGE) | BIT(CHECK_P_CHANGE) | BIT(CHECK_Q_CHANGE))

static const struct row rows[] = {
    /* The protocol. */
    {"snapshot", .must = BE_EXACT},
    {"snapshot, each sequence of 4 records", .every_kind = true, .records = 4, .must = BE_EXACT},
    {"snapshot, cache kept over one more look", .protocol.program = snapshot_retried, .must = BE_EXACT},
    {"snapshot, writer stopped before it", .stop = STOPPED, .every_cut = true, .every_kind = true,
     .must = BE_EXACT_AT_ONCE},
    {"snapshot, writer stopped after look 1", .stop = STOPPED_BETWEEN, .every_cut = true, .must = BE_EXACT_AT_ONCE},
    {"snapshot, writer stopped after two looks", .protocol.program = snapshot_retried, .stop = STOPPED_BETWEEN,
     .every_cut = true, .must = BE_EXACT_AT_ONCE},

    /* What the doubt makes unnecessary. */
    {"each store and load of change relaxed", .protocol.relaxed_stores = CHANGE_STORES,
     .protocol.relaxed_loads = CHANGE_LOADS, .must = BE_EXACT},
    {"change stored after the word", .protocol.flaws = MARK_AFTER_WORD, .must = BE_EXACT},
    {"change copied after the words", .protocol.program = snapshot_change_late, .must = BE_EXACT},

    /* Mutants of the ring. */
    {"mutant: ring words stored relaxed", .protocol.relaxed_stores = BIT(STORE_W0) | BIT(STORE_W1),
     .must = BE_CAUGHT},
    {"mutant: ring words loaded relaxed", .protocol.relaxed_loads = BIT(LOAD_W0) | BIT(LOAD_W1), .must = BE_CAUGHT},
    {"mutant: no second look at head", .protocol.program = snapshot_no_head_again, .must = BE_CAUGHT},
    {"mutant: valid iff i >= h2 - N", .protocol.flaws = VALID_AT_LAP, .must = BE_CAUGHT},
    /* N unfolded records are never wrong, but not valid at rest: the oldest is h - N, which the rule excludes. */
    {"mutant: N unfolded records, writer stopped", .protocol.flaws = FULL_RING, .stop = STOPPED, .every_cut = true,
     .must = STALL},

    /* Mutants of the log. */
    {"mutant: log entry counted after the change", .protocol.flaws = COUNT_AFTER_WORD, .must = BE_CAUGHT},
    {"mutant: log entry counted before it is filled", .protocol.flaws = COUNT_BEFORE_ENTRY, .must = BE_CAUGHT},
    {"mutant: undo_count = 0 after commit is odd", .protocol.flaws = RESET_AFTER_ODD, .must = BE_CAUGHT},
    {"mutant: log copied before the pages", .protocol.program = snapshot_log_first, .must = BE_CAUGHT},
    {"mutant: undone first entry first", .protocol.flaws = UNDO_FIRST_FIRST, .must = BE_CAUGHT},
    {"mutant: entry in use changed without a log entry", .protocol.flaws = ENTRY_NOT_LOGGED, .must = BE_CAUGHT},

    /* Mutants of the state. */
    {"mutant: no second look at commit", .protocol.program = snapshot_no_commit_again, .must = BE_CAUGHT},
    {"mutant: commit made odd after the first change", .protocol.flaws = ODD_AFTER_WORD, .must = BE_CAUGHT},
    {"mutant: state words stored relaxed", .protocol.relaxed_stores = STATE_STORES, .must = BE_CAUGHT},
    {"mutant: state words loaded relaxed", .protocol.relaxed_loads = STATE_LOADS, .must = BE_CAUGHT},
    {"mutant: trusting reader", .protocol.flaws = TRUSTING, .must = BE_CAUGHT},
    {"mutant: trusting reader, change after the word", .protocol.flaws = TRUSTING | MARK_AFTER_WORD,
     .must = BE_CAUGHT},
    {"mutant: change stored after the batch", .protocol.flaws = MARK_AFTER_BATCH, .must = BE_CAUGHT},
    {"mutant: c0 loaded after the words", .protocol.program = snapshot_before_late, .must = BE_CAUGHT},
};

static bool behaved(const struct tally *tally, enum must must)
{
    switch (must) {
    case BE_EXACT:
        return tally->accepted > 0 && tally->wrong == 0;
    case BE_EXACT_AT_ONCE:
        return tally->accepted > 0 && tally->wrong == 0 && tally->rejected == 0;
    case BE_CAUGHT:
        return tally->wrong > 0;
    case STALL:
        return tally->rejected > 0;
    }
    abort();
}

static void print_value(enum load_kind kind, uint8_t value)
{
    if (kind == READ_BEFORE || kind == READ_CHANGE || kind == CHECK_CHANGE || kind == READ_COMMIT ||
        kind == CONFIRM_COMMIT)
        printf("(%u,%u,%s)", commit_tail(value), commit_depth(value), commit_odd(value) ? "odd" : "even");
    else
        printf("%u", value);
}

static void print_example(const char *what, const struct counterexample *example)
{
    if (!example->found)
        return;
    printf("        first %s: records %s, writer %s, %u stores; reader", what, example->kinds, example->moves,
           example->stores);
    for (unsigned i = 0; i < example->length; i++) {
        printf(" %s=", loads[example->path[i].load].name);
        print_value(loads[example->path[i].load].kind, example->path[i].value);
    }
    printf("\n");
}

struct geometry {
    unsigned slots;
    unsigned records;
};

struct score {
    unsigned passed;
    unsigned failed;
};

static uint8_t line_of(const enum load *program, enum load load)
{
    uint8_t line = 0;

    while (program[line] != load)
        line++;
    return line;
}

static void run_row(const struct row *row, struct geometry geometry, bool verbose, struct score *score)
{
    static struct run run;

    run = (struct run){
        .protocol = row->protocol,
        .must = row->must,
        .stop = row->stop,
        .every_cut = row->every_cut,
        .slots = geometry.slots,
        .records = row->records ? row->records : geometry.records,
        .kinds = KINDS,
    };
    run.kinds[run.records] = '\0';
    if (!run.protocol.program)
        run.protocol.program = snapshot;
    run.last_look = line_of(run.protocol.program, LOAD_COMMIT);
    if (row->every_kind)
        explore_kinds(&run, 0, false);
    else
        explore_kinds_given(&run);

    bool good = behaved(&run.tally, row->must);

    printf("%s  %-48s %16" PRIu64 " %16" PRIu64 " %16" PRIu64 " %8" PRIu64 "\n", good ? "pass" : "FAIL", row->name,
           run.tally.accepted + run.tally.rejected, run.tally.accepted, run.tally.rejected, run.tally.wrong);
    if (verbose || !good) {
        print_example("wrong", &run.wrong);
        if (row->must == STALL || row->must == BE_EXACT_AT_ONCE)
            print_example("rejected", &run.rejected);
    }
    fflush(stdout);
    *(good ? &score->passed : &score->failed) += 1;
}

/* Is any order stronger than it has to be? Weaken each one alone: it must be missed. Those of `change` are not: a row
 * weakens all of them together, which allows whatever one of them alone does. */
static void run_weakened(struct geometry geometry, bool verbose, struct score *score)
{
    char name[64];

    for (unsigned site = 0; site < STORES; site++) {
        struct row row = {.name = name, .protocol.relaxed_stores = BIT(site), .must = BE_CAUGHT};

        if (CHANGE_STORES & BIT(site))
            continue;
        snprintf(name, sizeof(name), "weakened: store %s", store_names[site]);
        run_row(&row, geometry, verbose, score);
    }
    for (unsigned site = 0; site < LOADS; site++) {
        struct row row = {.name = name, .protocol.relaxed_loads = BIT(site), .must = BE_CAUGHT};

        if (loads[site].order == RELAXED || CHANGE_LOADS & BIT(site))
            continue;
        snprintf(name, sizeof(name), "weakened: load %s", loads[site].name);
        run_row(&row, geometry, verbose, score);
    }
}

static void run_geometry(struct geometry geometry, bool verbose, struct score *score)
{
    printf("%u slots, %u records %48s %16s %16s %8s\n", geometry.slots, geometry.records, "executions", "accepted",
           "rejected", "wrong");
    for (unsigned i = 0; i < COUNT(rows); i++)
        run_row(&rows[i], geometry, verbose, score);
    run_weakened(geometry, verbose, score);
}

static bool number_between(const char *text, unsigned low, unsigned high, unsigned *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value < low || value > high)
        return false;
    *number = (unsigned)value;
    return true;
}

/* With fewer records than slots + 1 no slot would be written twice, and the mutants of the ring would go free. */
static bool parse_geometry(char *const *arguments, struct geometry *geometry)
{
    return number_between(arguments[0], SLOTS_MIN, SLOTS_MAX, &geometry->slots) &&
           number_between(arguments[1], RECORDS_MIN, RECORDS_MAX, &geometry->records) &&
           geometry->records > geometry->slots;
}

static int usage(const char *program)
{
    fprintf(stderr,
        "usage: %s [-v] [SLOTS RECORDS]\n"
        "  SLOTS %d to %d, RECORDS %d to %d and more than SLOTS\n"
        "  -v  show the first wrong execution of each row\n",
        program, SLOTS_MIN, SLOTS_MAX, RECORDS_MIN, RECORDS_MAX);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct geometry by_default[] = {{3, 5}, {4, 5}};
    struct geometry chosen;
    struct score score = {0, 0};
    bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    int given = argc - 1 - verbose;

    if (given == 0) {
        for (unsigned i = 0; i < COUNT(by_default); i++)
            run_geometry(by_default[i], verbose, &score);
    } else if (given == 2 && parse_geometry(argv + 1 + verbose, &chosen)) {
        run_geometry(chosen, verbose, &score);
    } else {
        return usage(argv[0]);
    }
    printf("%u passed, %u failed\n", score.passed, score.failed);
    return score.failed > 0;
}
