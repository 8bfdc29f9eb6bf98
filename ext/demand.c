#include "demand.h"

#include <errno.h>
#include <sys/mman.h>

#include "clock.h"
#include "recorder.h"

_Atomic uint32_t *demand_epoch, *demand_usual;
bool demand_on, demand_everyone, demand_many_stacks;
uint32_t demand_latent;

static struct {
    uint64_t consumers;
    uint64_t ended;
    uint32_t last_epoch; /* survives what fork wipes */
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

static void publish_epoch(void)
{
    bool usual = demand_everyone && !demand_latent && !demand_many_stacks && clock_source_now != CLOCK_SOURCE_MONOTONIC;
    atomic_store_explicit(demand_usual, usual ? d.last_epoch : 0, memory_order_release);
    atomic_store_explicit(demand_epoch, d.last_epoch, memory_order_release);
}

void demand_next_epoch(void)
{
    d.last_epoch = d.last_epoch < UINT32_MAX - 1 ? d.last_epoch + 1 : 1;
    publish_epoch();
}

void demand_set_everyone(bool everyone)
{
    demand_everyone = everyone;
    publish_epoch();
}

void demand_set_latent(uint32_t latent)
{
    demand_latent = latent;
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
        demand_next_epoch();
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
    demand_next_epoch();
}

void demand_forget(void)
{
    d.consumers = 0;
    demand_on = demand_everyone = false;
    demand_latent = 0;
}
