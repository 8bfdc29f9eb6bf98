#include "recorder.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "activations.h"
#include "attachment.h"
#include "block.h"
#include "builtins.h"
#include "clock.h"
#include "functions.h"
#include "hook.h"
#include "interpreters.h"
#include "linger.h"
#include "kin.h"
#include "lineage.h"
#include "listener.h"
#include "rundir.h"
#include "unmarked.h"
#include "version.h"

#define LANE_REFUSED_MS 10

_Atomic uint32_t *recorder_epoch, *recorder_usual;
bool recorder_on, recorder_everyone;
__thread struct thread *recorder_thread_here __attribute__((tls_model("initial-exec")));

static struct {
    bool available;
    bool supported; /* but for the segment nothing stands in the way */
    int error;
    struct segment segment;
    struct sites *sites;
    struct lanes *lanes;
    struct lanes_options lanes_options;
    struct segment_options segment_options;
    bool running, subprocesses; /* the session: as enum session_flag */
    uint32_t inherited;         /* SESSION_INHERITED, SESSION_COUNTED */
    uint64_t consumers;
    uint32_t last_epoch; /* survives what fork wipes */
    uint32_t generation; /* of the segment: each detach begins another */
    _Atomic uint32_t exiting; /* threads that are in thread_exited() */
    uint64_t ended; /* ticks at which recording last ended */
    pthread_key_t key;
} r;

static __thread bool measuring; /* this thread's calls are the recorder's own: none of them is a loss */
static __thread bool opening; /* this thread is making its lane: events on the way are not recorded */

static struct segment_header *header(void) { return r.segment.header; }

bool recorder_available(void) { return r.available; }
bool recorder_supported(void) { return r.supported; }
struct segment *recorder_segment(void) { return &r.segment; }
struct sites *recorder_sites(void) { return r.sites; }
bool recorder_running(void) { return r.running; }
uint64_t recorder_consumers(void) { return r.consumers; }

const char *recorder_problem(void)
{
    switch (r.error) {
    case 0:
        return "";
    case -ECANCELED:
        return "TSCAP_DISABLE is set";
    case -ENOTSUP:
        return "free-threaded builds of Python are not supported: run the program with the usual build";
    case -ENOTCONN:
        return "tscap detached from this process";
    case -EPERM:
        return "the run directory is not private to this user (TSCAP_DIR, else /dev/shm/tscap-<uid>): wrong owner, mode or a link";
    case -ENOENT:
        return "the run directory cannot be made: its parent does not exist (TSCAP_DIR, else /dev/shm)";
    case -ENOSPC:
        return "no space left for the segment in the run directory";
    case -EFBIG:
        return "the file-size limit (RLIMIT_FSIZE) is too small for a segment";
    default:
        return strerror(-r.error);
    }
}

/* ---- threads ---- */

static void thread_free(struct thread *t)
{
    stacks_free(t);
    free(t->open);
    account_free(&t->accounts);
    scope_free(&t->hosts);
    free(t);
}

/* threading._active[ident]._name, which is what Thread.name returns; NULL: none. No code of the program runs. */
static PyObject *threading_name(void)
{
    PyObject *threading = PyDict_GetItemString(PyImport_GetModuleDict(), "threading"); /* borrowed, like the next two */
    PyObject *active = threading && PyModule_Check(threading) ? PyDict_GetItemString(PyModule_GetDict(threading), "_active") : NULL;
    PyObject *ident = active && PyDict_Check(active) ? PyLong_FromUnsignedLong(PyThread_get_thread_ident()) : NULL;
    PyObject *thread = ident ? PyDict_GetItemWithError(active, ident) : NULL;
    PyObject *attribute = thread ? PyUnicode_FromString("_name") : NULL;
    PyObject *name = attribute ? PyObject_GenericGetAttr(thread, attribute) : NULL;
    Py_XDECREF(attribute);
    Py_XDECREF(ident);
    return name;
}

static void thread_name(char *buffer, size_t size)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *name = threading_name();
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text)
        snprintf(buffer, size, "%s", text);
    else if (syscall(SYS_gettid) == getpid())
        snprintf(buffer, size, "MainThread");
    else if (pthread_getname_np(pthread_self(), buffer, size) != 0)
        snprintf(buffer, size, "thread");
    Py_XDECREF(name);
    PyErr_Restore(type, value, traceback);
}

void recorder_set_usual(struct thread *t) { t->usual = t->hosts.count || t->ended ? UINT32_MAX : t->epoch; }

/* The calling thread could get no lane. It asks again at each call, and is one thread. */
static void count_thread_lost(void)
{
    static __thread uint64_t counted; /* in which segment: no two have the same anchor */
    if (measuring || counted == header()->anchor_ticks)
        return;
    counted = header()->anchor_ticks;
    atomic_fetch_add_explicit(&header()->lost_lanes, 1, memory_order_relaxed);
}

static void count_call_lost(void)
{
    if (!measuring)
        atomic_fetch_add_explicit(&header()->lost_calls, 1, memory_order_relaxed);
}

static struct thread *thread_new(void)
{
    static uint64_t threads;
    char name[64];
    struct thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->number = ++threads;
    t->room = 64;
    t->open = calloc(t->room, sizeof *t->open);
    thread_name(name, sizeof name);
    t->writer = t->open ? lanes_open(r.lanes, name) : NULL;
    if (!t->writer || pthread_setspecific(r.key, t) != 0) {
        count_thread_lost();
        thread_free(t);
        return NULL;
    }
    t->generation = r.generation;
    t->epoch = atomic_load_explicit(recorder_epoch, memory_order_relaxed);
    recorder_set_usual(t);
    recorder_thread_here = t;
    return t;
}

/* Recording began anew, ended or was reset since this thread's last event: what was open then is not open any more. */
static void writer_catch_up(struct thread *t)
{
    uint32_t resets = atomic_load_explicit(&header()->resets, memory_order_relaxed);
    if (atomic_load_explicit(&t->writer->lane->resets, memory_order_relaxed) != resets)
        writer_reset(t->writer, resets);
    else
        writer_cut_at_stop(t->writer, r.ended);
}

static void thread_catch_up(struct thread *t)
{
    char name[64];
    account_cut(t);
    writer_catch_up(t);
    thread_name(name, sizeof name); /* it may have got another one */
    lanes_rename(t->writer, name);
    t->ended = 0;
    stacks_forget(t);
    t->epoch = atomic_load_explicit(recorder_epoch, memory_order_relaxed);
    recorder_set_usual(t);
}

void recorder_cut_open(struct thread *t)
{
    account_cut(t);
    writer_cut_now(t->writer);
    t->ended = 0;
    recorder_set_usual(t);
}

/* At thread exit, without the interpreter's lock. Who gives the segment up sets the epoch to 0 and then waits until nobody
 * is in here: each of us has been counted before, or sees the 0 (both sequentially consistent: recorder_detach). */
static void thread_exited(void *p)
{
    struct thread *t = p;
    atomic_fetch_add(&r.exiting, 1);
    uint32_t epoch = atomic_load(recorder_epoch);
    if (epoch && recorder_thread_here == t && t->generation == r.generation) {
        if (t->epoch != epoch)
            writer_catch_up(t); /* what was open when recording ended has not lasted until now */
        lanes_close(r.lanes, t->writer);
    }
    atomic_fetch_sub(&r.exiting, 1);
    recorder_thread_here = NULL;
    thread_free(t);
}

void recorder_forget_thread(void)
{
    if (recorder_thread_here && pthread_setspecific(r.key, NULL) == 0)
        thread_exited(recorder_thread_here);
}

/* Without a look at its writer. */
static void drop_thread(struct thread *t)
{
    pthread_setspecific(r.key, NULL);
    thread_free(t);
    recorder_thread_here = NULL;
}

/* A thread that got no lane does not ask again at each call. */
static struct thread *thread_try(void)
{
    static __thread uint64_t refused; /* ms; 0: never */
    uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
    if (refused && now - refused < LANE_REFUSED_MS)
        return NULL;
    stacks_look();
    struct thread *t = thread_new();
    refused = t ? 0 : now;
    return t;
}

static struct thread *thread_in_step(void)
{
    struct thread *t = recorder_thread_here;
    if (recorder_in_step(t))
        return t;
    opening = true;
    if (t && t->generation != r.generation) {
        drop_thread(t); /* its segment is gone */
        t = NULL;
    }
    if (!t) {
        t = thread_try();
    } else {
        stacks_look();
        thread_catch_up(t);
    }
    opening = false;
    if (!t)
        count_call_lost();
    return t;
}

struct thread *recorder_thread_slow(void)
{
    if (atomic_load_explicit(recorder_epoch, memory_order_relaxed) == 0 || opening)
        return NULL;
    const void *running = stacks_change ? stacks_running() : NULL; /* first: it may run code that is recorded */
    struct thread *t = thread_in_step();
    if (t && running)
        stacks_follow(t, running);
    return t;
}

bool recorder_more_room(struct thread *t)
{
    struct open_call *more = realloc(t->open, 2 * t->room * sizeof *more);
    if (!more) {
        count_call_lost();
        return false;
    }
    t->open = more;
    t->room *= 2;
    return true;
}

/* ---- the stack of open calls ---- */

static uint32_t open_site(const struct thread *t, uint32_t depth) { return (uint32_t)t->open[depth].what; }

/* Ended out of order, or a collector that was left meanwhile. */
static bool drop_top(struct thread *t)
{
    uint32_t depth = t->writer->depth;
    uint64_t what = depth ? t->open[depth].what : 0;
    if (what & OPEN_ENDED) {
        writer_drop(t->writer);
        account_drop(t, depth);
    } else if (what & OPEN_LEFT) {
        recorder_exit(t, (uint32_t)what, what & OPEN_LEFT_RAISED ? RECORD_RAISED : 0);
    } else {
        return false;
    }
    t->ended--;
    return true;
}

void recorder_drop_ended_slow(struct thread *t)
{
    while (drop_top(t))
        ;
    recorder_set_usual(t);
}

bool recorder_uncover_depth(struct thread *t, uint32_t depth)
{
    while (t->writer->depth > depth) {
        recorder_drop_ended(t);
        if (t->writer->depth > depth)
            scope_suspend_top(t);
    }
    return true;
}

bool recorder_uncover(struct thread *t, const void *id)
{
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].id != id && t->open[depth].what & OPEN_BLOCK)
        depth--;
    if (depth && t->open[depth].id == id)
        return recorder_uncover_depth(t, depth);
    stacks_look(); /* it may be on another stack */
    return false;
}

/* A block within a collector may have to wait with it; others stay where they are. */
void recorder_block_enter(struct thread *t, const void *id, uint32_t site)
{
    if (!recorder_open(t, id, site, OPEN_BLOCK))
        return;
    if (!t->chain) {
        writer_enter(t->writer, site);
        return;
    }
    uint64_t key = scope_new_key();
    writer_enter_keyed(t->writer, site, key);
    struct account *a = account_begin(t, t->chain, true);
    if (a)
        a->key = key;
}

static bool is_keyed(const struct thread *t, uint32_t depth) { return account_chain(t, depth) && t->accounts.at[depth].key; }

/* A block that can be suspended and resumed in one go. */
static bool can_step_aside(const struct thread *t, uint32_t depth)
{
    return is_keyed(t, depth) && (t->open[depth].what & ~(uint64_t)UINT32_MAX) == OPEN_BLOCK;
}

struct aside {
    const void *id;
    uint32_t site;
    uint64_t key;
    struct chain *chain; /* kept */
};

static struct aside put_aside(struct thread *t)
{
    uint32_t depth = t->writer->depth;
    struct aside a = {t->open[depth].id, open_site(t, depth), t->accounts.at[depth].key, chain_keep(account_chain(t, depth))};
    recorder_suspend(t, a.site);
    return a;
}

static void put_back(struct thread *t, const struct aside *a)
{
    if (recorder_open(t, a->id, a->site, OPEN_BLOCK)) {
        writer_resume(t->writer, a->site, a->key);
        struct account *account = account_begin(t, a->chain, false);
        if (account)
            account->key = a->key;
    }
    chain_drop(a->chain);
}

/* Ends the block at `depth` now: those above, of tasks that wait, are suspended for a moment. False: they cannot be. */
static bool step_aside(struct thread *t, uint32_t depth, unsigned flags)
{
    uint32_t above = t->writer->depth - depth;
    bool can = true;
    for (uint32_t i = 1; i <= above && can; i++)
        can = can_step_aside(t, depth + i);
    struct aside *aside = can ? malloc(above * sizeof *aside) : NULL;
    if (!aside)
        return false;
    for (uint32_t i = above; i-- > 0;)
        aside[i] = put_aside(t);
    recorder_exit(t, open_site(t, depth), flags);
    recorder_drop_ended(t);
    for (uint32_t i = 0; i < above; i++)
        put_back(t, &aside[i]);
    free(aside);
    return true;
}

void recorder_block_exit(struct thread *t, const void *id, bool raised)
{
    uint32_t top = t->writer->depth, depth = top;
    unsigned flags = raised ? RECORD_RAISED : 0;
    while (depth && t->open[depth].id != id)
        depth--;
    if (!depth || t->open[depth].what & OPEN_ENDED)
        return; /* entered before recording began */
    if (depth == top) {
        recorder_exit(t, open_site(t, depth), flags);
        recorder_drop_ended(t);
        return;
    }
    if (!is_keyed(t, depth)) {
        writer_exit_below(t->writer, open_site(t, depth), depth, flags);
        account_end_below(t, depth, raised ? ACCOUNT_RAISES : ACCOUNT_RETURNS);
        t->open[depth].what |= OPEN_ENDED;
    } else if (step_aside(t, depth, flags)) {
        return;
    } else {
        t->open[depth].what |= OPEN_LEFT | (raised ? OPEN_LEFT_RAISED : 0);
        t->open[depth].id = NULL;
    }
    t->ended++;
    recorder_set_usual(t);
}

/* ---- sessions ---- */

static void publish_epoch(void)
{
    bool usual = recorder_everyone && !scope_latent && !stacks_change && clock_source_now != CLOCK_SOURCE_MONOTONIC;
    atomic_store_explicit(recorder_usual, usual ? r.last_epoch : 0, memory_order_release);
    atomic_store_explicit(recorder_epoch, r.last_epoch, memory_order_release);
}

static void next_epoch(void)
{
    r.last_epoch = r.last_epoch < UINT32_MAX - 1 ? r.last_epoch + 1 : 1;
    publish_epoch();
}

void recorder_nothing_is_usual(void) { publish_epoch(); }

static void set_everyone(bool everyone)
{
    recorder_everyone = everyone;
    publish_epoch();
}

/* Functions are looked through for replaced code when a session starts; for collectors, once a second at most. */
static bool is_time_to_look(void)
{
    static uint64_t last;
    uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
    if (last && now - last < 1000000000)
        return false;
    last = now;
    return true;
}

/* Other threads may run while functions are looked at and calls measured; not between the last question and the answer. */
static int arm(bool look_again)
{
    stacks_look();
    if ((look_again || !hook_armed()) && functions_publish(look_again) < 0)
        return -1;
    if (!hook_armed())
        hook_measure();
    if (hook_armed())
        return 0;
    uint64_t before = clock_ns(CLOCK_MONOTONIC);
    if (hook_arm() < 0)
        return -1;
    linger_note_arming(clock_ns(CLOCK_MONOTONIC) - before);
    return 0;
}

/* The hooks are armed. */
static void add_consumer(void)
{
    if (r.consumers == 0)
        next_epoch();
    r.consumers++;
    recorder_on = true;
    atomic_store_explicit(&header()->consumers, (uint32_t)r.consumers, memory_order_release);
}

void recorder_disarm(void)
{
    if (hook_armed() && r.consumers == 0)
        hook_disarm();
}

static void remove_consumer(bool lingers)
{
    r.consumers--;
    recorder_on = r.consumers > 0;
    atomic_store_explicit(&header()->consumers, (uint32_t)r.consumers, memory_order_release);
    if (r.consumers)
        return;
    r.ended = clock_ticks();
    next_epoch();
    if (lingers)
        linger_begin();
    else
        recorder_disarm();
}

static uint32_t session_flags(bool running)
{
    return (running ? SESSION_RUNNING : 0) | (r.subprocesses ? SESSION_SUBPROCESSES : 0) | r.inherited;
}

/* Readers see the session's words together: pairs with read_session in snapshot.c. */
static void publish_session(bool running, uint64_t started, uint64_t stopped, uint32_t resets)
{
    struct segment_header *h = header();
    uint32_t seq = atomic_load_explicit(&h->session_seq, memory_order_relaxed);
    atomic_store_explicit(&h->session_seq, seq + 1, memory_order_release);
    atomic_store_explicit(&h->session_flags, session_flags(running), memory_order_release);
    atomic_store_explicit(&h->session_started, started, memory_order_release);
    atomic_store_explicit(&h->session_stopped, stopped, memory_order_release);
    atomic_store_explicit(&h->resets, resets, memory_order_release);
    atomic_store_explicit(&h->session_seq, seq + 2, memory_order_release);
}

static uint32_t resets(void) { return atomic_load_explicit(&header()->resets, memory_order_relaxed); }

static int begin_anew(bool heir);

/* The epoch is wiped in a child, and our hook of fork gives it another: none has run. */
bool recorder_is_of_parent(void) { return r.available && atomic_load_explicit(recorder_epoch, memory_order_relaxed) == 0; }

/* C code made this process, and Python does not know. Other threads that come here later find that their lane is of another
 * generation. */
static void leave_parent(void)
{
    if (!recorder_is_of_parent())
        return;
    r.generation++;
    listener_forget();
    if (begin_anew(false) < 0)
        return;
    recorder_inherit();
    listener_start();
}

static bool refuse_unavailable(void)
{
    leave_parent();
    if (r.available)
        return false;
    PyErr_Format(PyExc_RuntimeError, "timestamp_capture cannot record: %s", recorder_problem());
    return true;
}

/* Nothing could be recorded without room for it. A lack of memory is counted, and may end; a file that somebody removed nobody
 * reads. */
static bool refuse_unreachable(void)
{
    if (segment_check(&r.segment) != -EACCES)
        return false;
    PyErr_SetString(PyExc_RuntimeError, "timestamp_capture cannot record: its file is out of reach. A program that becomes another user and "
                                        "closes the descriptors that it had has to import timestamp_capture after that");
    return true;
}

enum recorder_change recorder_start(bool subprocesses)
{
    if (refuse_unavailable() || (!r.running && refuse_unreachable()) || arm(true) < 0)
        return RECORDER_FAILED;
    uint64_t first = atomic_load_explicit(&header()->session_started, memory_order_relaxed);
    if (r.running) {
        r.subprocesses |= subprocesses;
        publish_session(true, first, 0, resets()); /* who started it sees that somebody else wants it too */
        return RECORDER_ALREADY;
    }
    add_consumer();
    r.running = true;
    r.subprocesses = subprocesses;
    set_everyone(true);
    publish_session(true, first ? first : clock_ticks(), 0, resets());
    interpreters_begin();
    return RECORDER_DONE;
}

enum recorder_change recorder_stop(void)
{
    leave_parent();
    if (!r.running) {
        recorder_disarm();
        return RECORDER_ALREADY;
    }
    uint64_t started = atomic_load_explicit(&header()->session_started, memory_order_relaxed);
    r.running = false;
    interpreters_end();
    set_everyone(false);
    remove_consumer(false);
    if (!r.consumers)
        lanes_note_stop(r.lanes, r.ended);
    publish_session(false, started, r.consumers ? clock_ticks() : r.ended, resets());
    return RECORDER_DONE;
}

void recorder_reset(void)
{
    leave_parent();
    if (!r.available)
        return;
    uint32_t next = resets() + 1;
    atomic_store_explicit(&header()->offspring, 0, memory_order_relaxed);
    atomic_store_explicit(&header()->interpreters, 0, memory_order_relaxed);
    activations_forget();
    publish_session(r.running, r.running ? clock_ticks() : 0, 0, next == UINT32_MAX ? 0 : next);
    next_epoch();
    interpreters_forget();
    if (r.running)
        interpreters_begin();
}

int recorder_want(void)
{
    if (refuse_unavailable())
        return -1;
    if (arm(is_time_to_look()) < 0)
        return -1;
    add_consumer();
    return 0;
}

void recorder_unwant(void)
{
    if (!recorder_is_of_parent()) /* else it is the parent's, too */
        remove_consumer(hook_is_dear());
}

static void set_latent(uint32_t latent)
{
    scope_latent = latent;
    publish_epoch();
}

int recorder_want_latent(void)
{
    if (recorder_want() < 0)
        return -1;
    set_latent(scope_latent + 1);
    return 0;
}

void recorder_unwant_latent(void)
{
    if (recorder_is_of_parent())
        return;
    set_latent(scope_latent - 1);
    recorder_unwant();
}

void recorder_measuring_here(bool on) { measuring = on; }

void recorder_measuring(bool on) { set_everyone(on || r.running); }

/* ---- setting up ---- */

static uint64_t setting(const char *name, uint64_t least, uint64_t most, uint64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    if (!text || !*text)
        return otherwise;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    return errno || *end || n < least || n > most ? otherwise : n;
}

static uint32_t power_of_two(uint64_t n)
{
    uint32_t p = SEGMENT_MIN_RING_SLOTS;
    while (p < n)
        p *= 2;
    return p;
}

static int make_epoch_page(void)
{
    if (recorder_epoch)
        return 0;
    void *p = mmap(NULL, SEGMENT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    recorder_epoch = p;
    recorder_usual = recorder_epoch + 1;
    return madvise(p, SEGMENT_PAGE, MADV_WIPEONFORK) == 0 ? 0 : -errno;
}

static int open_segment(void)
{
    int error = segment_create(&r.segment, &r.segment_options);
    if (error < 0)
        return error;
    r.sites = sites_new(&r.segment);
    r.lanes = lanes_new(&r.segment, &r.lanes_options);
    if (r.sites && r.lanes) {
        atomic_store_explicit(&header()->decorated, (uint32_t)functions_count(), memory_order_relaxed);
        unmarked_publish();
        next_epoch();
        return 0;
    }
    segment_unlink(&r.segment);
    return -ENOMEM;
}

static void read_settings(void)
{
    static char python[32];
    const char *mode = getenv("TSCAP_CPU");
    snprintf(python, sizeof python, "%s", Py_GetVersion());
    python[strcspn(python, " ")] = '\0';
    uint32_t slots = power_of_two(setting("TSCAP_RING", SEGMENT_MIN_RING_SLOTS, SEGMENT_MAX_RING_SLOTS, SEGMENT_DEFAULT_RING_SLOTS));
    r.segment_options = (struct segment_options){
        .capacity = setting("TSCAP_MEMORY", 1, SEGMENT_MAX_BYTES >> 20, SEGMENT_DEFAULT_CAPACITY >> 20) << 20,
        .ring_slots = slots,
        .python = python,
        .version = TSCAP_VERSION,
    };
    r.lanes_options = (struct lanes_options){
        .ring_slots = slots,
        .keep_exited = LANES_KEEP_EXITED,
        .cpu_mode = mode ? cputime_mode_of(mode) : CPUTIME_NONE_YET,
        .limits = folder_default_limits,
    };
    r.lanes_options.limits.nodes = (uint32_t)setting("TSCAP_NODES", 1, 1u << 24, folder_default_limits.nodes);
}

static int init(void)
{
    const char *disabled = getenv("TSCAP_DISABLE");
    if (disabled && *disabled && strcmp(disabled, "0") != 0)
        return -ECANCELED;
    if (!PYTHON_HAS_LOCK)
        return -ENOTSUP;
    clock_choose();
    read_settings();
    lineage_now(r.segment_options.lineage);
    int error = pthread_key_create(&r.key, thread_exited);
    r.supported = error == 0;
    return error ? -error : open_segment();
}

int recorder_init(void)
{
    int error = make_epoch_page();
    if (error < 0)
        return error; /* without it nothing at all may run: the caller fails the import */
    r.error = init();
    r.available = r.error == 0;
    return 0;
}

void recorder_close(void)
{
    const char *keep = getenv("TSCAP_KEEP");
    if (!r.available || (keep && *keep && strcmp(keep, "0") != 0))
        return;
    bool recorded = atomic_load_explicit(&header()->session_started, memory_order_relaxed);
    bool kept = recorded && kin_keep(&r.segment);
    if (kept || !segment_unlink(&r.segment)) {
        recorder_forget_thread();
        lanes_trim(r.lanes);
    }
    if (!kept && r.subprocesses)
        kin_clear(&r.segment);
}

static void inherit(uint32_t how)
{
    r.inherited = how;
    if (recorder_start(true) == RECORDER_FAILED) {
        r.inherited = 0;
        PyErr_Clear();
    }
}

void recorder_inherit(void)
{
    if (r.available && kin_record(&r.segment))
        inherit(SESSION_INHERITED);
}

void recorder_after_fork_parent(void)
{
    if (r.available && r.running && r.subprocesses)
        atomic_fetch_add_explicit(&header()->offspring, 1, memory_order_relaxed);
}

static void forget_segment(void (*forget_lanes)(struct lanes *l))
{
    if (recorder_thread_here)
        drop_thread(recorder_thread_here); /* its writer goes with the lanes */
    forget_lanes(r.lanes);
    sites_delete(r.sites);
    segment_close(&r.segment);
    functions_forget_sites();
    block_forget_sites();
    builtins_forget();
    account_forget();
    activations_forget();
    interpreters_forget();
}

void recorder_detach(void)
{
    if (!r.available)
        return;
    recorder_stop();
    recorder_disarm();
    r.available = false;
    r.error = -ENOTCONN;
    atomic_store(recorder_usual, 0);
    atomic_store(recorder_epoch, 0);
    while (atomic_load(&r.exiting)) /* see thread_exited */
        sched_yield();
    segment_unlink(&r.segment);
    forget_segment(lanes_delete);
    rundir_use(""); /* the next one may be the program's own, where that would have been */
    r.generation++;
}

int recorder_reopen(void)
{
    leave_parent();
    if (!r.available && r.supported) {
        lineage_now(r.segment_options.lineage); /* it may have been forked since */
        r.error = open_segment();
        r.available = r.error == 0;
    }
    if (refuse_unavailable())
        return -1;
    listener_start();
    return 0;
}

/* The parent's segment is not ours: forget it without a store. The hooks are memory of this process and still armed. */
static int begin_anew(bool heir)
{
    uint64_t call_cost = atomic_load_explicit(&header()->call_cost, memory_order_relaxed);
    r.consumers = 0;
    recorder_disarm();
    r.running = r.subprocesses = recorder_on = recorder_everyone = false;
    r.inherited = 0;
    scope_latent = 0;
    if (!heir)
        attachment_forget();
    forget_segment(lanes_abandon);
    lineage_descend(r.segment_options.lineage, r.segment.pid, r.segment.start_time);
    r.error = open_segment();
    r.available = r.error == 0;
    if (r.available)
        atomic_store_explicit(&header()->call_cost, call_cost, memory_order_relaxed); /* of the same code on the same machine */
    return r.error;
}

int recorder_after_fork_child(void)
{
    bool heir = r.running && r.subprocesses;
    if (!recorder_is_of_parent())
        return 0;
    if (begin_anew(heir) < 0)
        return r.error;
    if (heir)
        inherit(SESSION_INHERITED | SESSION_COUNTED);
    else
        recorder_inherit(); /* who told all that it found, parents first, may not have found us */
    return 0;
}
