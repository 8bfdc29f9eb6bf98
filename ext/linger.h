/* Staying armed for a while when the last collector is left, where arming takes time with the number of functions (3.12 and
 * later): a server that enters one for each request must not arm each time. What is called meanwhile is filtered out, and
 * costs. The hooks are disarmed when that has cost as much as disarming and arming does, so that it never costs
 * more than twice the best; or when no collector was entered for LINGER_SECONDS. The listener does it: inside an
 * event one would change what is being executed. */
#ifndef TSCAP_LINGER_H
#define TSCAP_LINGER_H

#include <stdbool.h>
#include <stdint.h>

#define LINGER_SECONDS 2

#pragma GCC visibility push(hidden)
extern uint64_t linger_events, linger_limit; /* filtered out since the last collector was left; how many may be */
#pragma GCC visibility pop

void linger_note_arming(uint64_t ns);                 /* what arming took */
void linger_note_filtered(uint64_t ps);               /* what an event that is filtered out takes */
void linger_begin(void);                              /* nobody wants records, the hooks are armed */
void linger_over(void);

/* An event that nobody wants. */
static inline void linger_count(void)
{
    if (__builtin_expect(++linger_events == linger_limit, 0))
        linger_over();
}

/* The interpreter's lock is held: the look is taken up again, or given up. */
void linger_on(void);
void linger_end(void);

/* For the listener: milliseconds until it must look, -1: it need not; and the look: has it cost enough, or been idle for long? */
int linger_timeout(void);
bool linger_is_over(bool timed_out, bool *idle);

#endif
