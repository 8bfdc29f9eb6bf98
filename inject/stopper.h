/* All threads of a process stopped at once, for a moment: what is read or written meanwhile is of one piece. */
#ifndef TSCAP_STOPPER_H
#define TSCAP_STOPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tracee.h"

struct stopped {
    pid_t tid;
    bool here; /* it did stop: its registers are known */
    struct user_regs_struct registers;
};

struct stopper {
    struct stopped *thread;
    size_t count, room;
    bool complete;  /* all threads are listed */
    uint64_t since; /* us: of the first stop */
};

/* Signals to us must be held (tracee_hold_signals). 0 or -errno: -ESRCH; -EPERM; -ENOMEM. To be let go in any case. */
int stopper_stop(struct stopper *s, pid_t pid);
bool stopper_holds_all(const struct stopper *s, pid_t pid); /* none of them runs */
void stopper_let_go(struct stopper *s); /* `thread` stays until: */
void stopper_free(struct stopper *s);

#endif
