/* The stacks of all threads of a process at one moment: each is stopped, its registers are read, its stack is walked by the
 * unwind tables; then all go on. Nothing is written and no lock is taken. Should we be killed meanwhile, the kernel lets them
 * go on. */
#ifndef TSCAP_NATIVE_FRAMES_H
#define TSCAP_NATIVE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image.h"
#include "unwind_table.h"

struct native_frame {
    uint64_t pc;
    const struct image *image;         /* NULL: no file that we know */
    const struct image_symbol *symbol; /* NULL: none covers it */
    bool python; /* the interpreter's main function, which runs Python functions */
};

struct native_thread {
    pid_t tid;
    bool stopped; /* false: it did not come (it waits in the kernel where nothing wakes it), or is gone: no frames */
    bool whole;   /* its stack was walked to its end */
    struct native_frame *frame; /* innermost first */
    size_t frames;
};

struct native_stacks {
    struct images images;
    struct native_thread *thread;
    size_t threads;
    struct procedure rest; /* of the interpreter's main function, where it is split and its file does not name that; or none */
    uint64_t pause_us; /* from the first that was stopped to the last that went on */
    bool complete;     /* all threads are there */
};

/* `meanwhile` is called while all are stopped. 0, or -errno: -ESRCH; -EPERM, -EACCES: it may not be traced, or another traces
 * it; -ENOMEM. Signals are held back from us in between. */
int native_frames_read(struct native_stacks *s, pid_t pid, void (*meanwhile)(void *), void *context);
void native_frames_free(struct native_stacks *s);

#endif
