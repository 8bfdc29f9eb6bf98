#include "session.h"

#include "activations.h"
#include "carried.h"
#include "clock.h"
#include "demand.h"
#include "interpreters.h"
#include "recorder.h"
#include "snapshot.h"

static struct {
    bool running, subprocesses; /* as enum session_flag */
    uint32_t inherited;         /* SESSION_INHERITED, SESSION_COUNTED */
} s;

bool session_running(void) { return s.running; }
bool session_has_subprocesses(void) { return s.subprocesses; }
void session_inherit(uint32_t how) { s.inherited = how; }

static struct segment_header *header(void) { return recorder_segment()->header; }
static uint32_t resets(void) { return atomic_load_explicit(&header()->resets, memory_order_relaxed); }
static uint64_t first_start(void) { return atomic_load_explicit(&header()->session_started, memory_order_relaxed); }

static uint32_t flags(void) { return (s.running ? SESSION_RUNNING : 0) | (s.subprocesses ? SESSION_SUBPROCESSES : 0) | s.inherited; }

uint32_t session_number(void)
{
    return recorder_available() ? session_orders(atomic_load_explicit(&header()->session_seq, memory_order_relaxed), resets()) : 0;
}

/* Readers see the session's words together: pairs with read_session in snapshot.c. */
static void publish(uint64_t started, uint64_t stopped, uint32_t reset_count)
{
    struct segment_header *h = header();
    uint32_t seq = atomic_load_explicit(&h->session_seq, memory_order_relaxed);
    atomic_store_explicit(&h->session_seq, seq + 1, memory_order_release);
    atomic_store_explicit(&h->session_flags, flags(), memory_order_release);
    atomic_store_explicit(&h->session_started, started, memory_order_release);
    atomic_store_explicit(&h->session_stopped, stopped, memory_order_release);
    atomic_store_explicit(&h->resets, reset_count, memory_order_release);
    atomic_store_explicit(&h->session_seq, seq + 2, memory_order_release);
}

void session_begin(bool subprocesses)
{
    uint64_t first = first_start();
    s.running = true;
    s.subprocesses = subprocesses;
    publish(first ? first : clock_ticks(), 0, resets());
    interpreters_begin();
}

void session_join(bool subprocesses)
{
    s.subprocesses |= subprocesses;
    publish(first_start(), 0, resets()); /* who started it sees that somebody else wants it too */
}

void session_end(void)
{
    s.running = false;
    interpreters_end();
}

void session_note_end(uint64_t when) { publish(first_start(), when, resets()); }

void session_clear(void)
{
    atomic_store_explicit(&header()->offspring, 0, memory_order_relaxed);
    atomic_store_explicit(&header()->interpreters, 0, memory_order_relaxed);
    interpreters_forget();
    if (s.running)
        interpreters_begin();
}

void session_reset(void)
{
    uint32_t next = resets() + 1;
    activations_forget();
    carried_forget();
    publish(s.running ? clock_ticks() : 0, 0, next == UINT32_MAX ? 0 : next);
    demand_next_era();
    session_clear();
}

void session_forget(void)
{
    s.running = s.subprocesses = false;
    s.inherited = 0;
}
