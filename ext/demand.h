/* Demand: whether records are wanted now, by how many, and of what; all that the hot path asks.
 *
 * Consumers are counted: the session (start, stop) and each collector that is entered. The hooks are armed while there is
 * one. `epoch` changes whenever recording begins, ends or is reset; a thread whose writer has another epoch brings itself
 * in step at its next event. It lies in a page that the kernel empties on fork (MADV_WIPEONFORK), so that a child made
 * behind Python's back never writes into its parent's segment. */
#ifndef TSCAP_DEMAND_H
#define TSCAP_DEMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden) /* no detour through the GOT */
extern _Atomic uint32_t *demand_epoch; /* 0: off in this process */
extern _Atomic uint32_t *demand_usual; /* the epoch while all threads record by a counter clock, have one stack, and no
                                        * collector has to be looked for in variables, else 0 */
extern bool demand_on;          /* somebody wants records */
extern bool demand_everyone;    /* a session runs: all threads record; else only what a collector encloses */
extern uint32_t demand_latent;  /* collectors that were never entered: only the variable's name tells whom they enclose */
extern bool demand_many_stacks; /* a thread may have several: greenlet is there */
#pragma GCC visibility pop

int demand_init(void); /* 0 or -errno: then nothing at all may run */

static inline uint32_t demand_epoch_now(void) { return atomic_load_explicit(demand_epoch, memory_order_relaxed); }

/* After a call that began in `epoch`: is it recorded still? Only then may its thread be looked at. */
static inline bool demand_still(uint32_t epoch) { return epoch == demand_epoch_now(); }

/* C code forked this process: what is here is a copy of what its parent has. */
bool demand_is_of_parent(void);

/* The interpreter's lock is held in all of these. */
uint64_t demand_consumers(void);
void demand_add(void);    /* a consumer; the hooks are armed */
void demand_remove(void);
uint64_t demand_ended(void); /* ticks: when the last one went */
void demand_set_everyone(bool everyone);
void demand_set_latent(uint32_t latent);
void demand_note_stacks(void); /* there are several from now on */
void demand_next_epoch(void);
void demand_off(void);    /* the segment is given up */
void demand_forget(void); /* in a forked child: nobody wants anything, and the epoch is none */

#endif
