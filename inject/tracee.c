#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "target.h"

#ifndef PTRACE_GETSIGMASK /* linux/ptrace.h, which sys/ptrace.h does not go with */
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif
#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define VECTOR_MAX (256u << 10)
#define LOOK_AGAIN_US 5000 /* if a SIGCHLD were missed */
#define SYSCALL_STOP (SIGTRAP | 0x80)

uint64_t tracee_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void tracee_hold_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would not be sent */
    sigprocmask(SIG_SETMASK, &all, NULL);
}

/* System calls stop with SIGTRAP | 0x80, which is no signal: should we end in such a stop, none is delivered. */
int tracee_seize(pid_t tid)
{
    if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD) == 0)
        return 0;
    int e = -errno;
    return e == -EPERM && target_is_ending(tid) ? -ESRCH : e; /* who is just ending may not be traced any more */
}

int tracee_continue_with(pid_t tid, int signal) { return ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)signal) == 0 ? 0 : -errno; }
int tracee_continue(pid_t tid) { return tracee_continue_with(tid, 0); }
int tracee_detach_with(pid_t tid, int signal) { return ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal) == 0 ? 0 : -errno; }
int tracee_detach(pid_t tid) { return tracee_detach_with(tid, 0); }

/* ---- waiting ---- */

bool tracee_is_fault(int signal)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP, SIGABRT};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i] == signal)
            return true;
    return false;
}

static enum tracee_event event_of(int status, int *signal)
{
    if (!WIFSTOPPED(status))
        return TRACEE_GONE;
    *signal = WSTOPSIG(status);
    if (status >> 16 == PTRACE_EVENT_STOP)
        return *signal == SIGTRAP ? TRACEE_STOPPED : TRACEE_PAUSED;
    return *signal == SYSCALL_STOP ? TRACEE_SYSCALL : TRACEE_SIGNAL;
}

enum tracee_event tracee_poll(pid_t tid, int *signal)
{
    int status;
    pid_t r = waitpid(tid, &status, __WALL | WNOHANG);
    if (r == tid)
        return event_of(status, signal);
    return r < 0 ? TRACEE_GONE : TRACEE_TIMEOUT;
}

static enum tracee_event wait_for(pid_t tid, uint64_t deadline, int *signal)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        enum tracee_event e = tracee_poll(tid, signal);
        uint64_t now = tracee_now_us();
        if (e != TRACEE_TIMEOUT || now >= deadline)
            return e;
        uint64_t us = deadline - now < LOOK_AGAIN_US ? deadline - now : LOOK_AGAIN_US;
        struct timespec t = {.tv_nsec = (long)us * 1000};
        sigtimedwait(&child, NULL, &t);
    }
}

/* A trap that stepping or a breakpoint of ours left behind must not reach a program that has no handler for it. */
static bool is_own_trap(pid_t tid, int signal)
{
    siginfo_t info;
    return signal == SIGTRAP && ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) == 0 && info.si_code > 0;
}

/* Who is ending takes no orders; until we have waited for it, it does not go. */
void tracee_tell_to_stop(pid_t tid) { ptrace(PTRACE_INTERRUPT, tid, NULL, NULL); }

enum tracee_event tracee_await_stop(pid_t tid, uint64_t deadline)
{
    int number = 0;
    for (;;) {
        enum tracee_event e = wait_for(tid, deadline, &number);
        if (e != TRACEE_SIGNAL && e != TRACEE_SYSCALL)
            return e;
        bool hand_on = e == TRACEE_SIGNAL && !is_own_trap(tid, number);
        if (tracee_continue_with(tid, hand_on ? number : 0) < 0)
            return TRACEE_GONE;
    }
}

enum tracee_event tracee_interrupt(pid_t tid, uint64_t timeout_us)
{
    tracee_tell_to_stop(tid);
    return tracee_await_stop(tid, tracee_now_us() + timeout_us);
}

enum tracee_event tracee_interrupt_again(pid_t tid, uint64_t timeout_us)
{
    int number = 0;
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 || tracee_continue(tid) < 0)
        return TRACEE_GONE;
    return wait_for(tid, tracee_now_us() + timeout_us, &number);
}

enum tracee_event tracee_run(pid_t tid, bool syscalls, struct tracee_wait *w)
{
    int number = 0;
    uint64_t deadline = tracee_now_us() + w->timeout_us;
    for (;;) {
        if (ptrace(syscalls ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL, (void *)(intptr_t)number) != 0)
            return TRACEE_GONE;
        enum tracee_event e = wait_for(tid, deadline, &w->signal);
        if (e == TRACEE_SIGNAL && !tracee_is_fault(w->signal))
            number = w->signal;
        else if (e == TRACEE_STOPPED || e == TRACEE_PAUSED)
            number = 0; /* an interrupt that came late; a SIGSTOP, which it obeys when it is detached */
        else
            return e;
    }
}

/* ---- what it is ---- */

static int get_set(pid_t tid, unsigned note, void *buffer, size_t *size)
{
    struct iovec v = {buffer, *size};
    if (ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)note, &v) != 0)
        return -errno;
    *size = v.iov_len;
    return 0;
}

static int put_set(pid_t tid, unsigned note, const void *buffer, size_t size)
{
    struct iovec v = {(void *)(uintptr_t)buffer, size};
    return ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)note, &v) == 0 ? 0 : -errno;
}

int tracee_get_general(pid_t tid, struct user_regs_struct *r)
{
    size_t size = sizeof *r;
    return get_set(tid, NT_PRSTATUS, r, &size);
}

int tracee_set_general(pid_t tid, const struct user_regs_struct *r) { return put_set(tid, NT_PRSTATUS, r, sizeof *r); }

int tracee_save(pid_t tid, struct registers *r)
{
    if (!r->vector)
        r->vector = malloc(VECTOR_MAX);
    if (!r->vector)
        return -ENOMEM;
    r->vector_size = VECTOR_MAX;
    int e = tracee_get_general(tid, &r->general);
    if (e == 0)
        e = get_set(tid, arch_vector_note, r->vector, &r->vector_size);
    if (e == 0 && ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof r->signal_mask, &r->signal_mask) != 0)
        e = -errno;
    return e;
}

int tracee_restore(pid_t tid, const struct registers *r)
{
    int e = put_set(tid, arch_vector_note, r->vector, r->vector_size);
    if (e == 0)
        e = tracee_set_general(tid, &r->general);
    if (e == 0 && ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof r->signal_mask, &r->signal_mask) != 0)
        e = -errno;
    return e;
}

void tracee_forget(struct registers *r)
{
    free(r->vector);
    *r = (struct registers){0};
}

/* A fault that is blocked would end the process without its handler. */
int tracee_block_signals(pid_t tid)
{
    uint64_t mask = ~0ull;
    for (int i = 1; i <= 64; i++)
        if (tracee_is_fault(i))
            mask &= ~(1ull << (i - 1));
    return ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof mask, &mask) == 0 ? 0 : -errno;
}
