/* May a stopped thread be made to call dlopen(3) right here? Only if it is proven to hold no lock, and to be in the middle
 * of no change, that the C library or the dynamic linker needs for it. When in doubt: no.
 *
 * The proof is by structure. A list of functions that must not be on the stack is not enough: allocators reach their
 * insides by tail calls, where nothing of the named function remains (seen with glibc 2.43). So each run of C library
 * frames must lead from an exported function that is known to hold nothing while it waits; any frame of the dynamic linker,
 * of code that no table describes, or of no file that was there when the maps were read (but for CPython's own trampolines,
 * which are known by their code), refutes it. The names are in addition: functions by which a program's own code may be
 * called back with such locks held. */
#ifndef TSCAP_SAFEPOINT_H
#define TSCAP_SAFEPOINT_H

#include "image.h"
#include "stack.h"

#define SAFEPOINT_FRAMES 4096

struct safepoint {
    struct images *images;
    struct unwinder *unwinder;
    struct image *python; /* what the interpreter is in */
    uint8_t *role;        /* of each image */
    struct stack_frame frame[SAFEPOINT_FRAMES];
    size_t frames;
    char why[128]; /* of the last refusal: "malloc in libc.so.6" */
    bool forks;    /* ... which was that it makes a process */
};

/* 0 or -ENOMEM. The images are borrowed and must stay as they are. */
int safepoint_init(struct safepoint *s, struct images *images, struct image *python);
void safepoint_free(struct safepoint *s);

/* The thread is stopped with these registers. */
bool safepoint_check(struct safepoint *s, pid_t tid, const struct user_regs_struct *r);

#endif
