/* The stacks of Python functions in another process: read from the interpreter's own structures, CPython 3.9 to 3.15.
 *
 * What is read is another process' memory, which changes meanwhile or lies: every length and chain is bounded, every text
 * checked. Reading is separate from where the memory comes from, for tests. */
#ifndef TSCAP_PYTHON_FRAMES_H
#define TSCAP_PYTHON_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct python_memory {
    int (*read)(void *context, uint64_t address, void *buffer, size_t size); /* all of it: 0, or -errno */
    void *context;
};

struct python_code {
    uint64_t address;
    char *function, *file; /* printable */
    uint8_t *table;        /* of lines */
    size_t table_bytes;
    int first_line;
};

struct python_frame {
    size_t code; /* in `codes` */
    int line;    /* 0: not known */
    bool entry;  /* a call of the interpreter's main function begins with it */
};

struct python_thread {
    uint64_t address;
    int64_t interpreter;
    uint64_t native; /* its number for the system; up to 3.10: pthread_self() */
    bool holds_gil;
    bool consistent; /* it was the same when it was read again */
    bool cut;        /* the chain of its frames breaks off */
    struct python_frame *frame; /* innermost first */
    size_t frames;
};

struct python_stacks {
    struct python_thread *thread;
    size_t threads;
    struct python_code *codes;
    size_t code_count;
    unsigned minor;
    bool complete; /* false: not all threads could be listed */
};

/* `runtime`: where _PyRuntime is; `version`: PY_VERSION_HEX. 0; -EPROTONOSUPPORT: another version than those we know;
 * -EBADMSG: not an interpreter's memory; -ENOMEM; or as `read` says. */
int python_frames_read(struct python_stacks *s, const struct python_memory *m, uint64_t runtime, uint32_t version);
void python_frames_free(struct python_stacks *s);

#endif
