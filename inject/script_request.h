/* Asking the threads of a CPython to run a script at their next safe place: its remote debugging interface (PEP 768, 3.14 and
 * later). All of it is memory written from outside. */
#ifndef TSCAP_SCRIPT_REQUEST_H
#define TSCAP_SCRIPT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "debug_offsets.h"

struct script_request {
    pid_t pid;
    struct debug_offsets offsets;
    uint64_t interpreter; /* the main one */
    uint64_t main_thread; /* its state */
    bool main_waits;      /* it is in a system call */
    bool enabled;         /* its administrator lets it be asked */
    bool asked_all;       /* not the main thread alone */
};

/* Finds its places. 0; -EPROTONOSUPPORT: this CPython has no such interface, as far as we know; -EBADMSG: its interpreter is
 * not as it should be, not there yet or no longer; -ESRCH; -EPERM, -EACCES. */
int script_request_look(struct script_request *r, pid_t pid, uint32_t version);

/* The main thread alone: no thread is stopped for that. Its state is never given back while the interpreter lives. */
int script_request_main(const struct script_request *r, const char *path);

/* All threads of the main interpreter, or all others: they are stopped for a moment, so that none ends meanwhile and its
 * state with it. Returns how many were asked that had not been; -EBUSY: one of them cannot be stopped; -EPERM ... */
int script_request_all(struct script_request *r, const char *path, bool but_main, uint64_t *pause_us);

/* Takes back what no thread has begun; stops them for that if there is any. Returns how many that were, or as above: then
 * the main thread is no longer asked at least. */
int script_request_withdraw(const struct script_request *r, uint64_t *pause_us);

#endif
