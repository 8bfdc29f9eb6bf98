/* Demand: whether records are wanted now, by how many, and of what; all that the hot path asks.
 *
 * Consumers are counted: the session (start, stop), each collector that is entered, each profiler that runs. The hooks are armed
 * while there is one. The epoch is an era, which changes whenever recording begins, ends or is reset, and the number of the
 * audience that calls begin in now. A thread whose writer has another epoch brings itself in step at its next event: in another
 * era what was open is not any more; in the same one only calls that begin belong to another audience. The epoch lies in a page
 * that the kernel empties on fork (MADV_WIPEONFORK), so that a child made behind Python's back never writes into its parent's
 * segment. */
#ifndef TSCAP_DEMAND_H
#define TSCAP_DEMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum demand_of {
    DEMAND_ENCLOSED,   /* only those that a collector encloses */
    DEMAND_ALL,        /* somebody wants all threads to record */
    DEMAND_ALL_LABELS, /* the same, and there are calls with labels, or were once */
};

#pragma GCC visibility push(hidden) /* no detour through the GOT */
extern _Atomic uint64_t *demand_epoch; /* era: 56 | audience: 8; 0: off in this process */
extern _Atomic uint64_t *demand_usual; /* the epoch while all threads record by a counter clock, have one stack, and no
                                        * collector has to be looked for in variables, else 0 */
extern bool demand_on;          /* somebody wants records */
extern enum demand_of demand_everyone; /* whose calls are wanted */
extern uint32_t demand_latent;  /* collectors that were never entered: only the variable's name tells whom they enclose */
extern bool demand_many_stacks; /* a thread may have several: greenlet is there */
#pragma GCC visibility pop

int demand_init(void); /* 0 or -errno: then nothing at all may run */

static inline uint64_t demand_epoch_now(void) { return atomic_load_explicit(demand_epoch, memory_order_relaxed); }
#define DEMAND_OUT_OF_STEP (1ull << 63) /* in a thread's copy of the epoch: it is in the era, but looks again at its next event */
static inline bool demand_same_era(uint64_t a, uint64_t b) { return ((a ^ b) & ~DEMAND_OUT_OF_STEP) >> 8 == 0; }
static inline uint32_t demand_audience_of(uint64_t epoch) { return epoch & 0xff; }

/* After a call that began in `epoch`: is it recorded still? Only then may its thread be looked at. */
static inline bool demand_still(uint64_t epoch) { return demand_same_era(epoch, demand_epoch_now()); }

/* C code forked this process: what is here is a copy of what its parent has. */
bool demand_is_of_parent(void);

/* The interpreter's lock is held in all of these. */
uint64_t demand_consumers(void);
void demand_add(void);    /* a consumer; the hooks are armed */
void demand_remove(void);
uint64_t demand_ended(void); /* ticks: when the last one went */
void demand_set_everyone(bool everyone);
void demand_measure(bool on); /* all threads record for a moment, whoever wants it */
void demand_set_audience(uint32_t audience); /* of calls that begin from here on */
void demand_set_latent(uint32_t latent);
void demand_set_labels(bool on); /* calls have labels: no call is a usual one */
void demand_note_stacks(void); /* there are several from now on */
void demand_next_era(void);
void demand_off(void);    /* the segment is given up */
void demand_forget(void); /* in a forked child: nobody wants anything, and the epoch is none */

#endif
