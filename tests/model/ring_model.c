/*
 * ring_model: every execution of the lane protocol that C11 allows
 *
 * A stress test shows what one machine happened to do. This program enumerates what release and acquire permit on any
 * machine: it writes one lane's history down once, then lets a reader make every choice of "which store does this
 * load see", and checks each snapshot that the reader accepts. No threads, no time, no luck.
 *
 * The protocol
 * ------------
 *
 *     lane.head   records pushed so far              page P: words A, B and P.lsn     (every fold touches it)
 *     lane.step   2k: k records folded;              page Q: word  C    and Q.lsn     (every second fold touches it)
 *                 2k+1: record k is being folded     undo:   U_A, U_B, U_C, what the words held before the fold
 *     ring        N slots of two words; record i lives in slot i mod N; at most N-1 records are unfolded
 *
 *     push(i)  w0, w1                                    every store is a release store;
 *              lane.head = i+1                           they are made in the order written here
 *     fold(k)  U_A, U_B, (U_C)
 *              lane.step = 2k+1
 *              A, B, P.lsn = 2k+1, (C, Q.lsn = 2k+1)     the lsn comes last: see "Worked example"
 *              lane.step = 2k+2
 *
 *     snapshot()
 *       pass 1      per page: lsn, then its words        a cache, possibly torn
 *       final pass  s1 = lane.step
 *                   per page: is its lsn not the cached one? then lsn and words again
 *                   s1 odd? copy the undo words
 *                   s2 = lane.step (relaxed); s1 != s2: reject
 *                   folded state: the cached words, under the undo words if s1 is odd; it is that of k = s1 / 2 records
 *       ring        h1 = lane.head; copy records [k, h1); h2 = lane.head (relaxed)
 *                   record i is valid iff i > h2 - N; one that is not: reject
 *     All loads but s2 and h2 are acquire. Accepted means: folded state plus copies are records [0, h1), exactly.
 *
 *     timeline()    h1; copy the last N-1 records; h2; keep those that are valid
 *
 * What pairs with what, by the value an acquire load returned:
 *
 *     a word that fold k stored      brings step >= 2k+1, so s2 sees the fold
 *     an undo word of fold k         brings step >= 2k, likewise
 *     a ring word of record j        brings head >= j, so h2 sees the overwriting of record j-N
 *     step = 2k+1                    brings the undo words of fold k
 *     step = 2k+2                    brings every word and lsn of fold k
 *     lsn = 2k+1                     brings the page's words of fold k: a cache with that lsn is no older
 *     head = i+1                     brings record i
 *
 * Worked example: why the lsn follows the words
 * ---------------------------------------------
 * With the lsn first, no weak memory is needed to go wrong. One record, plain interleaving:
 *
 *     writer: lane.step = 1, P.lsn = 1                          fold 0 has begun, A still holds its old value
 *     reader: pass 1: P.lsn = 1, A = 0                          caches old words under the new lsn
 *     writer: A = 1, B = 1, lane.step = 2                       fold 0 is complete
 *     reader: s1 = 2, P.lsn = 1 as cached: no reload; s2 = 2    accepts k = 1 with A = 0
 *
 * With the lsn last, words cached under lsn l may be newer than l but never older. If they are of a later fold m,
 * reading them brought step >= 2m+1 along. Then either s1 = 2m+1, and the undo words cover all that fold m touches, or
 * s1 >= 2m+2, and the lsn of fold m is visible and is not l. So an equal lsn is safe in both cases.
 *
 * It has to be the page's last store of the fold. An lsn stored after each word, always of the same value, has that
 * value while other words are still old, and nothing tells the reader when they change.
 *
 * The other way out costs the reader reloads and the writer nothing: the lsn may stand anywhere in the fold, any number
 * of times, if the reader looks at lane.step before it loads a page too and trusts an lsn 2k+1 only if it saw 2k+2 or
 * more there, that is, if fold k was complete before the words were loaded. The rows call this reader doubting.
 *
 * For the same reason a reader that does not doubt and keeps its cache for the next try must load the lsn before
 * the words in the final pass too, and must not write undo words into the cache: the lsn of that fold may be in it
 * already.
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
    SLOTS_MIN = 2,
    SLOTS_MAX = 4,
    RECORDS_MIN = 4, /* fewer folds of page Q would leave mutants uncaught */
    RECORDS_MAX = 7, /* values are bytes: A has a bit per record, POISON and word 1 have the top bit */
    MOVES_MAX = 2 * RECORDS_MAX,
    MESSAGES_MAX = 2 * RECORDS_MAX + 1, /* lane.step: two per fold and the initial one */
    PASSES_MAX = 2,
    LOADS_MAX = 5 + PASSES_MAX * 12 + 2 * SLOTS_MAX + 2,
    POISON = 0xee, /* what never-written undo and ring words hold: equal to no right value */
};

enum page { PAGE_P, PAGE_Q, PAGES };

enum word { WORD_A, WORD_B, WORD_C, WORDS };

enum location {
    AT_HEAD,
    AT_STEP,
    AT_P_LSN,
    AT_Q_LSN,
    AT_A,
    AT_B,
    AT_C,
    AT_UNDO_A,
    AT_UNDO_B,
    AT_UNDO_C,
    AT_RING, /* two words per slot follow */
    LOCATIONS = AT_RING + 2 * SLOTS_MAX,
};

/* ---- What is stored where: pure functions of the record's number, so that any prefix can be checked ---- */

/* Folded words after records [0, k): A has one bit per record, B counts them, C has the bits of the odd ones. */
static uint8_t word_after(enum word word, unsigned k)
{
    unsigned all = BIT(k) - 1;

    switch (word) {
    case WORD_A:
        return (uint8_t)all;
    case WORD_B:
        return (uint8_t)k;
    default:
        return (uint8_t)(all & 0xaa);
    }
}

static enum page page_of(enum word word)
{
    return word == WORD_C ? PAGE_Q : PAGE_P;
}

/* The reader asks this too, about the fold it undoes: a real undo slot has to say which words it holds. */
static bool fold_touches(unsigned k, enum page page)
{
    return page == PAGE_P || k % 2 == 1;
}

static uint8_t record_word(unsigned i, unsigned which)
{
    return (uint8_t)(which == 0 ? BIT(i) : 0x80 + i);
}

static unsigned ring_location(unsigned i, unsigned which, unsigned slots)
{
    return AT_RING + 2 * (i % slots) + which;
}

/* ---- The protocol as two programs: lines of stores and lines of loads. A mutant is an edit to one of them. ---- */

enum store {
    STORE_W0,
    STORE_W1,
    STORE_HEAD,
    STORE_UNDO_A,
    STORE_UNDO_B,
    STORE_UNDO_C,
    STORE_STEP_ODD,
    STORE_A,
    STORE_B,
    STORE_P_LSN,
    STORE_C,
    STORE_Q_LSN,
    STORE_STEP_EVEN,
    STORES,
    STORE_END = STORES,
};

enum store_kind { WRITE_RECORD, WRITE_HEAD, WRITE_UNDO, WRITE_STEP, WRITE_WORD, WRITE_LSN };

static const struct store_site {
    const char *name;
    enum store_kind kind;
    uint8_t operand; /* which word of the record, which folded word, what to add to the step */
    enum page page;  /* skipped by folds that do not touch this page */
    enum location location;
} stores[STORES] = {
    [STORE_W0] = {"w0", WRITE_RECORD, 0, PAGE_P, AT_RING},
    [STORE_W1] = {"w1", WRITE_RECORD, 1, PAGE_P, AT_RING},
    [STORE_HEAD] = {"head", WRITE_HEAD, 0, PAGE_P, AT_HEAD},
    [STORE_UNDO_A] = {"U_A", WRITE_UNDO, WORD_A, PAGE_P, AT_UNDO_A},
    [STORE_UNDO_B] = {"U_B", WRITE_UNDO, WORD_B, PAGE_P, AT_UNDO_B},
    [STORE_UNDO_C] = {"U_C", WRITE_UNDO, WORD_C, PAGE_Q, AT_UNDO_C},
    [STORE_STEP_ODD] = {"step 2k+1", WRITE_STEP, 1, PAGE_P, AT_STEP},
    [STORE_A] = {"A", WRITE_WORD, WORD_A, PAGE_P, AT_A},
    [STORE_B] = {"B", WRITE_WORD, WORD_B, PAGE_P, AT_B},
    [STORE_P_LSN] = {"P.lsn", WRITE_LSN, 0, PAGE_P, AT_P_LSN},
    [STORE_C] = {"C", WRITE_WORD, WORD_C, PAGE_Q, AT_C},
    [STORE_Q_LSN] = {"Q.lsn", WRITE_LSN, 0, PAGE_Q, AT_Q_LSN},
    [STORE_STEP_EVEN] = {"step 2k+2", WRITE_STEP, 2, PAGE_P, AT_STEP},
};

static const enum store push[] = {STORE_W0, STORE_W1, STORE_HEAD, STORE_END};

static const enum store fold[] = {
    STORE_UNDO_A, STORE_UNDO_B, STORE_UNDO_C,
    STORE_STEP_ODD,
    STORE_A, STORE_B, STORE_P_LSN,
    STORE_C, STORE_Q_LSN,
    STORE_STEP_EVEN, STORE_END,
};

static const enum store fold_lsn_first[] = {
    STORE_UNDO_A, STORE_UNDO_B, STORE_UNDO_C,
    STORE_STEP_ODD,
    STORE_P_LSN, STORE_A, STORE_B,
    STORE_Q_LSN, STORE_C,
    STORE_STEP_EVEN, STORE_END,
};

static const enum store fold_lsn_per_word[] = {
    STORE_UNDO_A, STORE_UNDO_B, STORE_UNDO_C,
    STORE_STEP_ODD,
    STORE_A, STORE_P_LSN, STORE_B, STORE_P_LSN,
    STORE_C, STORE_Q_LSN,
    STORE_STEP_EVEN, STORE_END,
};

static const enum store fold_undo_late[] = {
    STORE_STEP_ODD,
    STORE_A, STORE_B, STORE_P_LSN,
    STORE_C, STORE_Q_LSN,
    STORE_UNDO_A, STORE_UNDO_B, STORE_UNDO_C,
    STORE_STEP_EVEN, STORE_END,
};

static const enum store fold_step_late[] = {
    STORE_UNDO_A, STORE_UNDO_B, STORE_UNDO_C,
    STORE_A,
    STORE_STEP_ODD,
    STORE_B, STORE_P_LSN,
    STORE_C, STORE_Q_LSN,
    STORE_STEP_EVEN, STORE_END,
};

enum load {
    LOAD_P_LSN,
    LOAD_A,
    LOAD_B,
    LOAD_Q_LSN,
    LOAD_C,
    LOAD_STEP,
    CHECK_P_LSN,
    CHECK_Q_LSN,
    LOAD_UNDO_A,
    LOAD_UNDO_B,
    LOAD_UNDO_C,
    STEP_AGAIN,
    LOAD_HEAD,
    LOAD_W0,
    LOAD_W1,
    HEAD_AGAIN,
    LOADS,
    LOAD_END = LOADS,
};

enum load_kind {
    READ_LSN,
    READ_WORD,
    READ_STEP,
    CHECK_LSN,
    READ_UNDO,
    CONFIRM_STEP,
    READ_HEAD,
    READ_RECORD,
    CONFIRM_HEAD,
};

enum order { ACQUIRE, RELAXED };

static const struct load_site {
    const char *name;
    enum load_kind kind;
    uint8_t operand; /* which word of the record, which folded word */
    enum page page;
    enum location location;
    enum order order;
} loads[LOADS] = {
    [LOAD_P_LSN] = {"P.lsn", READ_LSN, 0, PAGE_P, AT_P_LSN, ACQUIRE},
    [LOAD_A] = {"A", READ_WORD, WORD_A, PAGE_P, AT_A, ACQUIRE},
    [LOAD_B] = {"B", READ_WORD, WORD_B, PAGE_P, AT_B, ACQUIRE},
    [LOAD_Q_LSN] = {"Q.lsn", READ_LSN, 0, PAGE_Q, AT_Q_LSN, ACQUIRE},
    [LOAD_C] = {"C", READ_WORD, WORD_C, PAGE_Q, AT_C, ACQUIRE},
    [LOAD_STEP] = {"s1", READ_STEP, 0, PAGE_P, AT_STEP, ACQUIRE},
    [CHECK_P_LSN] = {"P.lsn check", CHECK_LSN, 0, PAGE_P, AT_P_LSN, ACQUIRE},
    [CHECK_Q_LSN] = {"Q.lsn check", CHECK_LSN, 0, PAGE_Q, AT_Q_LSN, ACQUIRE},
    [LOAD_UNDO_A] = {"U_A", READ_UNDO, WORD_A, PAGE_P, AT_UNDO_A, ACQUIRE},
    [LOAD_UNDO_B] = {"U_B", READ_UNDO, WORD_B, PAGE_P, AT_UNDO_B, ACQUIRE},
    [LOAD_UNDO_C] = {"U_C", READ_UNDO, WORD_C, PAGE_Q, AT_UNDO_C, ACQUIRE},
    [STEP_AGAIN] = {"s2", CONFIRM_STEP, 0, PAGE_P, AT_STEP, RELAXED},
    [LOAD_HEAD] = {"h1", READ_HEAD, 0, PAGE_P, AT_HEAD, ACQUIRE},
    [LOAD_W0] = {"w0", READ_RECORD, 0, PAGE_P, AT_RING, ACQUIRE},
    [LOAD_W1] = {"w1", READ_RECORD, 1, PAGE_P, AT_RING, ACQUIRE},
    [HEAD_AGAIN] = {"h2", CONFIRM_HEAD, 0, PAGE_P, AT_HEAD, RELAXED},
};

/* A page's loads serve pass 1, where nothing is cached, and the final pass, where an equal lsn skips them. */
#define CACHE_P LOAD_P_LSN, LOAD_A, LOAD_B
#define CACHE_Q LOAD_Q_LSN, LOAD_C
#define CACHE_P_LSN_LATE LOAD_A, LOAD_B, LOAD_P_LSN
#define CACHE_Q_LSN_LATE LOAD_C, LOAD_Q_LSN
#define PASS_1 CACHE_P, CACHE_Q
#define UNDO LOAD_UNDO_A, LOAD_UNDO_B, LOAD_UNDO_C
#define FINAL_PASS LOAD_STEP, CHECK_P_LSN, CACHE_P, CHECK_Q_LSN, CACHE_Q, UNDO
#define RING LOAD_HEAD, LOAD_W0, LOAD_W1 /* w0 and w1 once per record */

static const enum load snapshot[] = {PASS_1, FINAL_PASS, STEP_AGAIN, RING, HEAD_AGAIN, LOAD_END};
static const enum load snapshot_no_head_again[] = {PASS_1, FINAL_PASS, STEP_AGAIN, RING, LOAD_END};
static const enum load snapshot_no_step_again[] = {PASS_1, FINAL_PASS, RING, HEAD_AGAIN, LOAD_END};
static const enum load snapshot_lsn_late[] = {
    CACHE_P_LSN_LATE, CACHE_Q_LSN_LATE, FINAL_PASS, STEP_AGAIN, RING, HEAD_AGAIN, LOAD_END,
};
static const enum load snapshot_lsn_late_again[] = {
    PASS_1,
    LOAD_STEP, CHECK_P_LSN, CACHE_P_LSN_LATE, CHECK_Q_LSN, CACHE_Q_LSN_LATE, UNDO, STEP_AGAIN,
    RING, HEAD_AGAIN, LOAD_END,
};
static const enum load snapshot_doubting[] = {
    LOAD_STEP, PASS_1, FINAL_PASS, STEP_AGAIN, RING, HEAD_AGAIN, LOAD_END,
};
static const enum load timeline[] = {RING, HEAD_AGAIN, LOAD_END};
static const enum load timeline_no_head_again[] = {RING, LOAD_END};

/* All zero is the protocol; what is set is what a row changes. */
struct protocol {
    const enum store *fold;    /* NULL: fold */
    const enum load *program;  /* NULL: snapshot */
    uint32_t relaxed_stores;   /* bits of enum store that are not release */
    uint32_t relaxed_loads;    /* bits of enum load that are not acquire */
    uint8_t extra_unfolded;    /* records the ring may hold beyond N-1 */
    uint8_t extra_valid;       /* records the validity rule lets through beyond i > h2 - N */
    uint8_t extra_passes;      /* final passes before the one that counts; only their cache is kept */
    bool doubting;             /* the reader trusts an lsn only if that fold was complete before it loaded the page */
    bool undo_into_cache;      /* a pass that succeeds leaves the undo words in the cache */
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

static void history_begin(struct history *history, unsigned cut)
{
    *history = (struct history){.cut = cut};
    for (unsigned location = AT_UNDO_A; location < LOCATIONS; location++)
        history->messages[location][0].value = POISON;
}

static void history_store(struct history *history, unsigned location, uint8_t value, bool release)
{
    if (history->stores == history->cut)
        return;
    history->stores++;

    uint8_t number = ++history->newest[location];

    assert(number < MESSAGES_MAX);

    struct message *message = &history->messages[location][number];

    message->value = value;
    if (release)
        memcpy(message->view, history->newest, sizeof(message->view));
    else
        message->view[location] = number;
}

static uint8_t stored_value(const struct store_site *site, unsigned i)
{
    switch (site->kind) {
    case WRITE_RECORD:
        return record_word(i, site->operand);
    case WRITE_HEAD:
        return (uint8_t)(i + 1);
    case WRITE_UNDO:
        return word_after(site->operand, i);
    case WRITE_WORD:
        return word_after(site->operand, i + 1);
    case WRITE_STEP:
        return (uint8_t)(2 * i + site->operand);
    case WRITE_LSN:
        return (uint8_t)(2 * i + 1);
    }
    abort();
}

/* Carry out the lines of push or fold for record i. */
static void history_write(struct history *history, const enum store *lines, unsigned i, unsigned slots,
                          uint32_t relaxed)
{
    for (; *lines != STORE_END; lines++) {
        const struct store_site *site = &stores[*lines];
        unsigned location = site->location;

        if (!fold_touches(i, site->page))
            continue;
        if (site->kind == WRITE_RECORD)
            location = ring_location(i, site->operand, slots);
        history_store(history, location, stored_value(site, i), !(relaxed & BIT(*lines)));
    }
}

/* ---- The run: what is enumerated, and what came out ---- */

enum writer {
    RUNNING,         /* any load may see any message its view allows */
    STOPPED,         /* before the reader began: it sees the newest messages only */
    STOPPED_BETWEEN, /* before the reader's last final pass: what came earlier may be stale */
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
    char moves[MOVES_MAX + 1];
    unsigned stores;
    unsigned length;
    struct step_taken path[LOADS_MAX];
};

struct run {
    struct protocol protocol;
    enum writer writer;
    bool every_cut;
    unsigned slots;
    unsigned records;
    char moves[MOVES_MAX + 1]; /* 'p'ush and 'f'old in the writer's order */
    struct history history;
    struct step_taken path[LOADS_MAX]; /* the execution being enumerated */
    struct tally tally;
    struct counterexample wrong; /* the first one */
    struct counterexample rejected;
};

static bool is_timeline(const struct run *run)
{
    return run->protocol.program[0] == LOAD_HEAD;
}

/* ---- The reader ---- */

struct reader {
    uint8_t view[LOCATIONS];
    uint8_t line; /* next line of the program */
    uint8_t passes_left;
    bool rejected;

    uint8_t lsn[PAGES]; /* the cache */
    uint8_t cached[WORDS];
    uint8_t step_before[PAGES]; /* the step seen before the page was loaded */
    bool stale[PAGES];          /* to be loaded (again) */

    uint8_t step;
    uint8_t undo[WORDS];

    uint8_t head;
    uint8_t head_again;
    uint8_t first;  /* records [first, head) are copied */
    uint8_t record; /* the one being copied */
    uint8_t broken; /* 1 + the newest record that was copied wrong; 0: none */
};

static bool undoes(const struct reader *reader, enum page page)
{
    return reader->step % 2 == 1 && fold_touches(reader->step / 2, page);
}

static uint8_t folded_word(const struct reader *reader, enum word word)
{
    return undoes(reader, page_of(word)) ? reader->undo[word] : reader->cached[word];
}

static bool folded_state_exact(const struct reader *reader)
{
    for (unsigned word = 0; word < WORDS; word++)
        if (folded_word(reader, word) != word_after(word, reader->step / 2))
            return false;
    return true;
}

/* The rule i > h2 - N, signed: near the start h2 - N is negative and everything is valid. */
static bool record_valid(const struct run *run, unsigned i, unsigned head)
{
    return (int)i > (int)head - (int)run->slots - run->protocol.extra_valid;
}

static bool line_wanted(const struct reader *reader, enum load load)
{
    const struct load_site *site = &loads[load];

    switch (site->kind) {
    case READ_LSN:
    case READ_WORD:
        return reader->stale[site->page];
    case READ_UNDO:
        return undoes(reader, site->page);
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
    while (program[reader->line] != LOAD_END && !line_wanted(reader, program[reader->line]));
}

/* The line where it begins: a doubting reader has loaded the step once before. */
static uint8_t final_pass(const struct run *run)
{
    const enum load *program = run->protocol.program;
    uint8_t line = 0;

    while (program[line] != LOAD_END && program[line + 1] != CHECK_P_LSN)
        line++;
    return line;
}

/* Fold k, which stores lsn 2k+1, is complete at step 2k+2. */
static bool cache_usable(const struct run *run, const struct reader *reader, enum page page, uint8_t lsn)
{
    uint8_t cached = reader->lsn[page];
    bool complete = cached == 0 || reader->step_before[page] > cached;

    return lsn == cached && (complete || !run->protocol.doubting);
}

/* The end of a final pass. One that is not the last only leaves its cache behind, whether it succeeded or not. */
static void reader_confirm_step(const struct run *run, struct reader *reader, uint8_t step_again)
{
    bool same = reader->step == step_again;

    if (reader->passes_left == 0) {
        reader->rejected = !same;
        return;
    }
    if (same && run->protocol.undo_into_cache)
        for (unsigned word = 0; word < WORDS; word++)
            reader->cached[word] = folded_word(reader, word);
    reader->passes_left--;
    reader->line = (uint8_t)(final_pass(run) - 1);
}

static void reader_begin_ring(const struct run *run, struct reader *reader, uint8_t head)
{
    unsigned window = run->slots - 1;

    reader->head = reader->head_again = head;
    if (is_timeline(run))
        reader->first = (uint8_t)(head > window ? head - window : 0);
    else
        reader->first = reader->step / 2;
    reader->record = reader->first;
    /* h2 will not be less than h1, so what h1 rules out needs no copy. */
    reader->rejected = reader->first < head && !record_valid(run, reader->first, head);
}

static void reader_copy(struct reader *reader, unsigned which, uint8_t value)
{
    if (value != record_word(reader->record, which))
        reader->broken = (uint8_t)(reader->record + 1);
    if (which == 1 && ++reader->record < reader->head)
        reader->line = (uint8_t)(reader->line - 2); /* back to before w0 */
}

static void reader_use(const struct run *run, struct reader *reader, const struct load_site *site, uint8_t value)
{
    switch (site->kind) {
    case READ_LSN:
        reader->lsn[site->page] = value;
        reader->step_before[site->page] = reader->step;
        break;
    case READ_WORD:
        reader->cached[site->operand] = value;
        break;
    case READ_STEP:
        reader->step = value;
        break;
    case CHECK_LSN:
        reader->stale[site->page] = !cache_usable(run, reader, site->page, value);
        break;
    case READ_UNDO:
        reader->undo[site->operand] = value;
        break;
    case CONFIRM_STEP:
        reader_confirm_step(run, reader, value);
        break;
    case READ_HEAD:
        reader_begin_ring(run, reader, value);
        break;
    case READ_RECORD:
        reader_copy(reader, site->operand, value);
        break;
    case CONFIRM_HEAD:
        reader->head_again = value;
        break;
    }
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

enum verdict { ACCEPTED, REJECTED, WRONG };

/* Is nothing but the newest left to see? */
static bool history_settled(const struct run *run, const struct reader *reader)
{
    switch (run->writer) {
    case STOPPED:
        return true;
    case STOPPED_BETWEEN:
        return reader->passes_left == 0 && reader->line >= final_pass(run);
    default:
        return false;
    }
}

/* A reader of a stopped writer has no excuse: every record whose head store happened is there. */
static bool nothing_missing(const struct run *run, const struct reader *reader, unsigned first_valid)
{
    uint8_t newest = run->history.newest[AT_HEAD];

    return !history_settled(run, reader) ||
           (first_valid == reader->first && reader->head == run->history.messages[AT_HEAD][newest].value);
}

static enum verdict judge(const struct run *run, const struct reader *reader)
{
    unsigned first_valid = reader->first;
    bool is_snapshot = !is_timeline(run);

    if (reader->rejected)
        return REJECTED;
    while (first_valid < reader->head && !record_valid(run, first_valid, reader->head_again))
        first_valid++;
    if (first_valid > reader->first && (is_snapshot || first_valid == reader->head))
        return REJECTED; /* a snapshot needs all of them, a timeline any of them */
    if (is_snapshot && !folded_state_exact(reader))
        return WRONG;
    if (reader->broken > first_valid || !nothing_missing(run, reader, first_valid))
        return WRONG;
    return ACCEPTED;
}

static void keep_first(struct counterexample *example, const struct run *run, unsigned length)
{
    if (example->found)
        return;
    *example = (struct counterexample){.found = true, .stores = run->history.stores, .length = length};
    memcpy(example->moves, run->moves, sizeof(example->moves));
    memcpy(example->path, run->path, length * sizeof(example->path[0]));
}

static void count(struct run *run, enum verdict verdict, unsigned length)
{
    if (verdict == REJECTED) {
        run->tally.rejected++;
        keep_first(&run->rejected, run, length);
        return;
    }
    run->tally.accepted++;
    if (verdict == WRONG) {
        run->tally.wrong++;
        keep_first(&run->wrong, run, length);
    }
}

/* ---- The enumeration: readers, cuts, schedules ---- */

/* Depth first over what each load may see. `depth` loads have been made. */
static void explore(struct run *run, const struct reader *reader, unsigned depth)
{
    enum load load = run->protocol.program[reader->line];

    if (reader->rejected || load == LOAD_END) {
        count(run, judge(run, reader), depth);
        return;
    }

    const struct load_site *site = &loads[load];
    unsigned location = site->location;

    assert(depth < LOADS_MAX);
    if (site->kind == READ_RECORD)
        location = ring_location(reader->record, site->operand, run->slots);

    enum order order = run->protocol.relaxed_loads & BIT(load) ? RELAXED : site->order;
    uint8_t newest = run->history.newest[location];
    uint8_t oldest = history_settled(run, reader) ? newest : reader->view[location];

    for (uint8_t number = oldest; number <= newest; number++) {
        const struct message *message = &run->history.messages[location][number];
        struct reader next = *reader;

        run->path[depth] = (struct step_taken){load, message->value};
        reader_join(&next, message, location, number, order);
        reader_use(run, &next, site, message->value);
        reader_advance(run, &next);
        explore(run, &next, depth + 1);
    }
}

static void explore_history(struct run *run)
{
    struct reader reader = {
        .passes_left = run->protocol.extra_passes,
        .stale = {true, true},
    };

    explore(run, &reader, 0);
}

static void write_history(struct run *run, unsigned cut)
{
    unsigned pushed = 0, folded = 0;

    history_begin(&run->history, cut);
    for (const char *move = run->moves; *move; move++) {
        bool pushes = *move == 'p';

        history_write(&run->history, pushes ? push : run->protocol.fold, pushes ? pushed++ : folded++,
                      run->slots, run->protocol.relaxed_stores);
    }
}

static void explore_schedule(struct run *run)
{
    write_history(run, UINT32_MAX);

    unsigned stores_in_all = run->history.stores;

    for (unsigned cut = run->every_cut ? 0 : stores_in_all; cut <= stores_in_all; cut++) {
        write_history(run, cut);
        explore_history(run);
    }
}

/* Every order of pushes and folds that the ring's capacity allows: what holds here holds for any folding policy. */
static void explore_schedules(struct run *run, unsigned pushed, unsigned folded)
{
    unsigned capacity = run->slots - 1 + run->protocol.extra_unfolded;
    char *move = &run->moves[pushed + folded];

    if (folded == run->records) {
        explore_schedule(run);
        return;
    }
    if (pushed < run->records && pushed - folded < capacity) {
        *move = 'p';
        explore_schedules(run, pushed + 1, folded);
    }
    if (folded < pushed) {
        *move = 'f';
        explore_schedules(run, pushed, folded + 1);
    }
}

/* ---- The rows: what is run and what must come out of it ---- */

enum must {
    BE_EXACT,         /* accepts, and nothing it accepts is wrong */
    BE_EXACT_AT_ONCE, /* and rejects nothing */
    BE_CAUGHT,        /* accepts at least one wrong snapshot */
    STALL,            /* rejects although the writer has stopped: it would try for ever */
};

struct row {
    const char *name;
    struct protocol protocol;
    enum writer writer;
    bool every_cut;
    enum must must;
};

static const struct row rows[] = {
    /* The protocol. */
    {"snapshot", .must = BE_EXACT},
    {"snapshot, through the cache of an earlier one", .protocol.extra_passes = 1, .must = BE_EXACT},
    {"snapshot, history cut at every store", .every_cut = true, .must = BE_EXACT},
    {"snapshot, writer stopped before it", .writer = STOPPED, .every_cut = true, .must = BE_EXACT_AT_ONCE},
    {"snapshot, writer stopped after pass 1", .writer = STOPPED_BETWEEN, .every_cut = true,
     .must = BE_EXACT_AT_ONCE},
    {"snapshot, writer stopped after a first try", .protocol.extra_passes = 1, .writer = STOPPED_BETWEEN,
     .every_cut = true, .must = BE_EXACT_AT_ONCE},
    {"timeline", .protocol.program = timeline, .must = BE_EXACT},
    {"timeline, history cut at every store", .protocol.program = timeline, .every_cut = true, .must = BE_EXACT},
    {"timeline, writer stopped before it", .protocol.program = timeline, .writer = STOPPED, .every_cut = true,
     .must = BE_EXACT_AT_ONCE},

    /* The other way out. That it holds through a kept cache too takes a minute to see, so it is not among the rows. */
    {"doubting snapshot, lsn first", .protocol.fold = fold_lsn_first, .protocol.program = snapshot_doubting,
     .protocol.doubting = true, .must = BE_EXACT},
    {"doubting snapshot, lsn after each word", .protocol.fold = fold_lsn_per_word,
     .protocol.program = snapshot_doubting, .protocol.doubting = true, .must = BE_EXACT},
    {"doubting snapshot, writer stopped after pass 1", .protocol.fold = fold_lsn_first,
     .protocol.program = snapshot_doubting, .protocol.doubting = true, .writer = STOPPED_BETWEEN, .every_cut = true,
     .must = BE_EXACT_AT_ONCE},

    /* Mutants of the ring. */
    {"mutant: ring words stored relaxed", .protocol.relaxed_stores = BIT(STORE_W0) | BIT(STORE_W1),
     .must = BE_CAUGHT},
    {"mutant: ring words loaded relaxed", .protocol.relaxed_loads = BIT(LOAD_W0) | BIT(LOAD_W1), .must = BE_CAUGHT},
    {"mutant: no second look at head", .protocol.program = snapshot_no_head_again, .must = BE_CAUGHT},
    {"mutant: valid iff i >= h2 - N", .protocol.extra_valid = 1, .must = BE_CAUGHT},
    {"mutant: timeline, ring words stored relaxed", .protocol.program = timeline,
     .protocol.relaxed_stores = BIT(STORE_W0) | BIT(STORE_W1), .must = BE_CAUGHT},
    {"mutant: timeline, ring words loaded relaxed", .protocol.program = timeline,
     .protocol.relaxed_loads = BIT(LOAD_W0) | BIT(LOAD_W1), .must = BE_CAUGHT},
    {"mutant: timeline, no second look at head", .protocol.program = timeline_no_head_again, .must = BE_CAUGHT},
    {"mutant: timeline, valid iff i >= h2 - N", .protocol.program = timeline, .protocol.extra_valid = 1,
     .must = BE_CAUGHT},
    /* N unfolded records are never wrong, but not valid at rest: the oldest is h - N, which the rule excludes. */
    {"mutant: N unfolded records, writer stopped", .protocol.extra_unfolded = 1, .writer = STOPPED,
     .every_cut = true, .must = STALL},

    /* Mutants of the folded state. */
    {"mutant: undo words stored after the change", .protocol.fold = fold_undo_late, .must = BE_CAUGHT},
    {"mutant: folded words stored relaxed",
     .protocol.relaxed_stores = BIT(STORE_A) | BIT(STORE_B) | BIT(STORE_C), .must = BE_CAUGHT},
    {"mutant: folded words loaded relaxed",
     .protocol.relaxed_loads = BIT(LOAD_A) | BIT(LOAD_B) | BIT(LOAD_C), .must = BE_CAUGHT},
    {"mutant: no second look at step", .protocol.program = snapshot_no_step_again, .must = BE_CAUGHT},
    {"mutant: step made odd after the first change", .protocol.fold = fold_step_late, .must = BE_CAUGHT},
    {"mutant: lsn stored before the page's words", .protocol.fold = fold_lsn_first, .must = BE_CAUGHT},
    {"mutant: lsn stored after each of the page's words", .protocol.fold = fold_lsn_per_word, .must = BE_CAUGHT},
    {"mutant: lsn loaded after the page's words", .protocol.program = snapshot_lsn_late, .must = BE_CAUGHT},
    {"mutant: lsn loaded again after the page's words", .protocol.program = snapshot_lsn_late_again,
     .protocol.extra_passes = 1, .must = BE_CAUGHT},
    {"mutant: undo words left in the cache", .protocol.extra_passes = 1, .protocol.undo_into_cache = true,
     .must = BE_CAUGHT},
};

/*
 * Two acquires buy nothing. If the lsn is the cached one, it is the same message (each fold stores another value),
 * whose view the load that cached it has already joined. If it differs, the next line loads the lsn again with acquire,
 * from a message no older. So both look alike to everything that follows; even the numbers of executions are equal.
 */
static const uint32_t idle_acquires = BIT(CHECK_P_LSN) | BIT(CHECK_Q_LSN);

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

static void print_example(const char *what, const struct counterexample *example)
{
    if (!example->found)
        return;
    printf("        first %s: writer %s, %u stores; reader", what, example->moves, example->stores);
    for (unsigned i = 0; i < example->length; i++)
        printf(" %s=%u", loads[example->path[i].load].name, example->path[i].value);
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

static void run_row(const struct row *row, struct geometry geometry, bool verbose, struct score *score)
{
    struct run run = {
        .protocol = row->protocol,
        .writer = row->writer,
        .every_cut = row->every_cut,
        .slots = geometry.slots,
        .records = geometry.records,
    };

    if (!run.protocol.fold)
        run.protocol.fold = fold;
    if (!run.protocol.program)
        run.protocol.program = snapshot;
    explore_schedules(&run, 0, 0);

    bool good = behaved(&run.tally, row->must);

    printf("%s  %-48s %11" PRIu64 " %10" PRIu64 " %11" PRIu64 " %8" PRIu64 "\n", good ? "pass" : "FAIL", row->name,
           run.tally.accepted + run.tally.rejected, run.tally.accepted, run.tally.rejected, run.tally.wrong);
    if (verbose || !good) {
        print_example("wrong", &run.wrong);
        if (row->must == STALL || row->must == BE_EXACT_AT_ONCE)
            print_example("rejected", &run.rejected);
    }
    fflush(stdout);
    *(good ? &score->passed : &score->failed) += 1;
}

/* Is any order stronger than it has to be? Weaken each one alone: all but the idle ones must be missed. */
static void run_weakened(struct geometry geometry, bool verbose, struct score *score)
{
    char name[64];

    for (unsigned store = 0; store < STORES; store++) {
        struct row row = {.name = name, .protocol.relaxed_stores = BIT(store), .must = BE_CAUGHT};

        snprintf(name, sizeof(name), "weakened: store %s", stores[store].name);
        run_row(&row, geometry, verbose, score);
    }
    for (unsigned load = 0; load < LOADS; load++) {
        struct row row = {.name = name, .protocol.relaxed_loads = BIT(load)};

        if (loads[load].order == RELAXED)
            continue;
        row.must = idle_acquires & BIT(load) ? BE_EXACT : BE_CAUGHT;
        snprintf(name, sizeof(name), "weakened: load %s", loads[load].name);
        run_row(&row, geometry, verbose, score);
    }
}

static void run_geometry(struct geometry geometry, bool verbose, struct score *score)
{
    printf("%u slots, %u records %43s %10s %11s %8s\n", geometry.slots, geometry.records, "executions", "accepted",
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
        "  SLOTS %d to %d, RECORDS %d to %d and more than SLOTS; each record more takes about ten times as long\n"
        "  -v  show the first wrong execution of each row\n",
        program, SLOTS_MIN, SLOTS_MAX, RECORDS_MIN, RECORDS_MAX);
    return 2;
}

int main(int argc, char **argv)
{
    /* Two slots: each is overwritten twice. Three: the writer has a choice when to fold. */
    static const struct geometry by_default[] = {{2, 5}, {3, 4}};
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
