/* The stack of a stopped thread, by the unwind tables of the files it runs (libunwind). Reads its memory only. */
#ifndef TSCAP_STACK_H
#define TSCAP_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#include "image.h"

struct stack_frame {
    uint64_t pc;  /* for a caller: within its call */
    uint64_t sp;
    struct image *image; /* NULL: no file that we know */
    bool signal;         /* a signal handler returns to it */
};

enum stack_end {
    STACK_BOTTOM,  /* the thread's first function */
    STACK_UNKNOWN, /* code of no file: made at run time, or mapped since */
    STACK_NO_TABLE,/* code that no table describes */
    STACK_BROKEN,  /* the tables lead nowhere */
    STACK_DEEP,    /* more frames than there is room for */
};

struct unwinder;

struct unwinder *unwinder_new(struct images *images); /* NULL: no memory */
void unwinder_delete(struct unwinder *u);

/* Where did the thread come from? Innermost frame first; at most `room` of them. */
enum stack_end unwinder_walk(struct unwinder *u, const struct user_regs_struct *r, struct stack_frame *frame, size_t room, size_t *count);

#endif
