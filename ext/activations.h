/* Generators and coroutines that were counted when they began and have not ended: on which thread each runs or waits, and
 * what it has run. A thread's lane knows its own; this is where one that goes on on another thread is found. An address is
 * one activation's at a time: whatever begins there says that the one before is over.
 *
 * With the interpreter's lock. What finds no room is counted as lost: it is recorded, but not known to other threads. */
#ifndef TSCAP_ACTIVATIONS_H
#define TSCAP_ACTIVATIONS_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

/* Each writes the record, and opens what is on top then: calls_open() was called before. */
void activation_begins(struct thread *t, uint32_t site, uint64_t key);
void activation_resumes(struct thread *t, uint32_t site, uint64_t key);

/* The site that one began with; 0: not known. */
uint32_t activation_site(uint64_t key);

/* After the record: it waits, or has ended. */
void activation_stops(struct thread *t, uint64_t key, bool waits);

/* Its stack is left for another one, where nobody can resume it; and comes back. */
void activation_steps_aside(struct thread *t, uint64_t key);
void activation_comes_back(struct thread *t, uint64_t key);

void activations_forget(void); /* a reset, or the segment is given up: from here on they have not been counted */

#endif
