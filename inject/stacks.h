/* The stacks of all threads of a Python process: Python functions alone, read while it runs, or together with native ones,
 * read while all its threads are stopped. */
#ifndef TSCAP_STACKS_H
#define TSCAP_STACKS_H

#include "native_frames.h"
#include "python_frames.h"

struct stacks_frame {
    const struct python_frame *python; /* else: */
    const struct native_frame *native;
};

struct stacks_thread {
    pid_t tid; /* 0: not known */
    char name[64];
    const struct python_thread *python; /* NULL: it has never run Python, or is done with it */
    const struct native_thread *native;
    struct stacks_frame *frame; /* innermost first */
    size_t frames;
    bool matched; /* each call of the interpreter's main function has found its Python functions, and the other way round */
};

struct stacks {
    struct stacks_thread *thread;
    size_t threads;
    struct python_stacks python;
    struct native_stacks native;
    bool with_native;
    uint32_t version; /* of CPython */
};

/* 0 or -errno: -ESRCH; -EACCES, -EPERM; -ENOEXEC not CPython; -EPROTONOSUPPORT a CPython whose structures we do not know (see
 * `version`; 0: not known); -EBADMSG its interpreter is not there yet, or no longer; -EAGAIN no thread could be stopped. */
int stacks_read(struct stacks *s, pid_t pid, bool with_native);
void stacks_free(struct stacks *s);

#endif
