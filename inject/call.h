/* Making a stopped thread load a library and call a function of it, and go on as if nothing had been.
 *
 * A page of code (the stub, arch_*.c) and memory for its data and its stack are mapped through the thread; the stub loads
 * the library, calls the function, keeps errno, and says so in its block (block.h). Nothing of the program's text is
 * changed, and no other thread is stopped: one may hold a lock that the loader waits for.
 *
 * How the thread gets back to what it did:
 *
 *   returning  Before its registers are changed for the first time, a signal frame with all of its state is written below
 *              its stack pointer, and whatever it is made to call returns there, as a signal handler would. Should we be
 *              killed at any moment, it gets back by itself.
 *   trapped    The stub ends in a trap and we restore everything. If we are killed meanwhile, the thread and its process
 *              die. For machines whose frames we do not know, and for shadow stacks, which refuse made-up frames. */
#ifndef TSCAP_CALL_H
#define TSCAP_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image.h"

struct call_functions { /* in the target */
    uint64_t mmap, munmap, dlopen, dlsym, dlerror, errno_location;
    uint64_t memfd_create, close; /* 0: it has none */
    uint64_t restorer; /* 0: mode "trapped" */
};

/* Finds them. NULL, or the name of what is missing. */
const char *call_find(struct call_functions *f, const struct images *images, bool shadow_stack);

struct call {
    const struct call_functions *functions;
    const struct maps *maps;
    pid_t pid, tid;
    const char *library, *function, *argument;
    int bundle; /* a file of ours: it gets a copy in memory, under the name `library`, and loads that; 0: none */
    uint64_t timeout_us;
};

enum call_state {
    CALL_DONE,
    CALL_REFUSED, /* nothing was done: `error`, `what` */
    CALL_LOADER,  /* the library cannot be loaded: `text` */
    CALL_FAULT,   /* `signal` came while it ran; the thread is as before, but the loader may be left locked */
    CALL_LATE,    /* still at it */
    CALL_GONE,    /* the thread ended meanwhile */
};

#define CALL_TEXT 512

struct call_outcome {
    enum call_state state;
    int error, signal;
    const char *what;     /* what was refused */
    uint64_t result;      /* of the function */
    char text[CALL_TEXT]; /* what the loader said */
    uint64_t region, region_size; /* mapped for it and still there; 0: none */
};

/* The thread is stopped, at a safe point. Afterwards it is stopped or gone, or has been let go (CALL_LATE). */
void call_run(const struct call *c, struct call_outcome *o);

#endif
