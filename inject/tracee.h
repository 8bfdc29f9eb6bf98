/* Threads under ptrace(2): one is stopped, looked at, made to do something, let go as it was. Signals that arrive on the
 * way go on to the thread. Options are never set that could end it (PTRACE_O_EXITKILL). */
#ifndef TSCAP_TRACEE_H
#define TSCAP_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch.h"

/* For good: what ended us in the middle would leave a thread as it is not. */
void tracee_hold_signals(void);

int tracee_seize(pid_t tid); /* it goes on running. 0; -ESRCH it is gone; -EPERM not ours, or another traces it */

enum tracee_event {
    TRACEE_STOPPED,  /* by us: it can be looked at */
    TRACEE_GONE,     /* it has ended */
    TRACEE_TIMEOUT,  /* it does not come: uninterruptible, or the parent of a vfork */
    TRACEE_PAUSED,   /* by a job-control stop: SIGSTOP, ^Z */
    TRACEE_SIGNAL,   /* a fault, or a signal of ours: see `signal` */
    TRACEE_SYSCALL,  /* at the beginning or end of a system call */
};

struct tracee_wait {
    uint64_t timeout_us;
    int signal; /* out, with TRACEE_SIGNAL */
};

/* Stops it; in two steps, if there are several. The deadline is one of tracee_now_us(). */
enum tracee_event tracee_interrupt(pid_t tid, uint64_t timeout_us);
void tracee_tell_to_stop(pid_t tid);
enum tracee_event tracee_await_stop(pid_t tid, uint64_t deadline);

/* A stopped one, wherever it is stopped: before it executes anything of its own it stops as by tracee_interrupt(). */
enum tracee_event tracee_interrupt_again(pid_t tid, uint64_t timeout_us);

/* Lets a stopped one run until it stops by a fault or trap; with `syscalls` also at system calls. Other signals are handed
 * to it meanwhile. */
enum tracee_event tracee_run(pid_t tid, bool syscalls, struct tracee_wait *w);

/* Looks whether it has stopped, without waiting: TRACEE_TIMEOUT if not. */
enum tracee_event tracee_poll(pid_t tid, int *signal);

int tracee_continue(pid_t tid);
int tracee_continue_with(pid_t tid, int signal); /* the signal is handed to it */
int tracee_detach(pid_t tid); /* a stopped one */
int tracee_detach_with(pid_t tid, int signal);

/* A signal by which a thread comes to know of what it did itself. */
bool tracee_is_fault(int signal);

/* Registers of a stopped one. 0 or -errno. `vector` is made by the first save, to be freed. */
int tracee_get_general(pid_t tid, struct user_regs_struct *r);
int tracee_set_general(pid_t tid, const struct user_regs_struct *r);
int tracee_save(pid_t tid, struct registers *r);
int tracee_restore(pid_t tid, const struct registers *r);
void tracee_forget(struct registers *r);

/* Nothing but faults reaches it. */
int tracee_block_signals(pid_t tid);

uint64_t tracee_now_us(void);

#endif
