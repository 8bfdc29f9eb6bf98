#include "demand.h"

#include <errno.h>
#include <sys/mman.h>

#include "clock.h"
#include "recorder.h"

_Atomic uint64_t *demand_epoch, *demand_usual;
bool demand_on, demand_many_stacks;
enum demand_of demand_everyone;
uint32_t demand_latent;

static struct {
    uint64_t consumers;
    uint64_t ended;
    uint64_t era; /* survives what fork wipes */
    uint32_t audience;
    bool labels, had_labels;
    bool everyone;
} d;

int demand_init(void)
{
    if (demand_epoch)
        return 0;
    void *p = mmap(NULL, SEGMENT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    demand_epoch = p;
    demand_usual = demand_epoch + 1;
    return madvise(p, SEGMENT_PAGE, MADV_WIPEONFORK) == 0 ? 0 : -errno;
}

/* The epoch is wiped in a child, and our hook of fork gives it another: none has run. */
bool demand_is_of_parent(void) { return recorder_available() && demand_epoch_now() == 0; }

/* ---- the epoch ---- */

#define ERAS_MAX ((1ull << 55) - 1) /* never reached: UINT64_MAX must be no epoch */

static void publish_epoch(void)
{
    bool usual = demand_everyone && !demand_latent && !demand_many_stacks && !d.labels && clock_source_now != CLOCK_SOURCE_MONOTONIC;
    uint64_t epoch = d.era << 8 | d.audience;
    atomic_store_explicit(demand_usual, usual ? epoch : 0, memory_order_release);
    atomic_store_explicit(demand_epoch, epoch, memory_order_release);
}

void demand_next_era(void)
{
    d.era = d.era < ERAS_MAX - 1 ? d.era + 1 : 1;
    publish_epoch();
}

void demand_set_audience(uint32_t audience)
{
    if (d.audience == audience)
        return;
    d.audience = audience;
    if (demand_epoch_now()) /* 0: there is no segment, or another process' */
        publish_epoch();
}

static void want(bool everyone) { demand_everyone = !everyone ? DEMAND_ENCLOSED : d.had_labels ? DEMAND_ALL_LABELS : DEMAND_ALL; }

void demand_set_everyone(bool everyone)
{
    d.everyone = everyone;
    want(everyone);
    publish_epoch();
}

void demand_measure(bool on)
{
    want(on || d.everyone);
    publish_epoch();
}

void demand_set_latent(uint32_t latent)
{
    demand_latent = latent;
    publish_epoch();
}

void demand_set_labels(bool on)
{
    d.labels = on;
    d.had_labels |= on;
    want(demand_everyone != DEMAND_ENCLOSED);
    if (demand_epoch_now())
        publish_epoch();
}

void demand_note_stacks(void)
{
    demand_many_stacks = true;
    if (demand_epoch_now()) /* 0: a child that C code forked, whose records would go to its parent */
        publish_epoch();
}

void demand_off(void)
{
    atomic_store(demand_usual, 0);
    atomic_store(demand_epoch, 0);
}

/* ---- consumers ---- */

uint64_t demand_consumers(void) { return d.consumers; }
uint64_t demand_ended(void) { return d.ended; }

static void publish_consumers(void)
{
    demand_on = d.consumers > 0;
    atomic_store_explicit(&recorder_segment()->header->consumers, (uint32_t)d.consumers, memory_order_release);
}

void demand_add(void)
{
    if (d.consumers == 0)
        demand_next_era();
    d.consumers++;
    publish_consumers();
}

void demand_remove(void)
{
    d.consumers--;
    publish_consumers();
    if (d.consumers)
        return;
    d.ended = clock_ticks();
    demand_next_era();
}

void demand_forget(void)
{
    d.consumers = 0;
    d.audience = 0;
    demand_on = d.everyone = false;
    want(false);
    demand_latent = 0;
}
