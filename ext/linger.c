#include "linger.h"

#include <stdatomic.h>

#include "wakeup.h"

uint64_t linger_events, linger_limit = UINT64_MAX;

static uint64_t filtered_ps = 50000; /* until it is measured */
static _Atomic bool watched; /* the listener looks once a second */
static _Atomic bool over;    /* enough was filtered out */
static _Atomic uint32_t uses;

void linger_note_filtered(uint64_t ps) { filtered_ps = ps ? ps : 1; }

void linger_note_arming(uint64_t ns) { linger_limit = 2 * ns * 1000 / filtered_ps + 1; }

static void watch(void)
{
    if (!atomic_exchange_explicit(&watched, true, memory_order_acq_rel))
        wakeup_send();
}

void linger_begin(void)
{
    linger_events = 0;
    atomic_fetch_add_explicit(&uses, 1, memory_order_relaxed);
    watch();
}

void linger_over(void)
{
    atomic_store_explicit(&over, true, memory_order_release); /* pairs with linger_is_over() */
    atomic_store_explicit(&watched, true, memory_order_relaxed);
    wakeup_send();
}

int linger_timeout(void) { return atomic_load_explicit(&watched, memory_order_acquire) ? 1000 : -1; }

/* No collector has been entered in so many looks, a second apart. */
static bool is_idle(bool timed_out)
{
    static uint32_t seen, seconds;
    uint32_t now = atomic_load_explicit(&uses, memory_order_relaxed);
    seconds = now != seen ? 0 : seconds + timed_out;
    seen = now;
    return seconds >= LINGER_SECONDS;
}

void linger_on(void) { watch(); }
void linger_end(void) { atomic_store_explicit(&watched, false, memory_order_release); }

bool linger_is_over(bool timed_out, bool *idle)
{
    if (!atomic_load_explicit(&watched, memory_order_acquire))
        return false;
    bool enough = atomic_exchange_explicit(&over, false, memory_order_acquire); /* pairs with linger_over() */
    *idle = is_idle(timed_out);
    return enough || *idle;
}
